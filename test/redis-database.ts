// redis-database.ts -- A logical database of Redis that nobody else uses, for as long as a test file needs it.
//
// Database 0 keeps the marks of who has which; it is nobody's own. A cluster has one database: there a file has a key prefix.

import { randomInt, randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { connect, issuingConnection } from '../src/redis/connection.ts';
import { keyPages } from '../src/redis/scan.ts';
import { eventually } from './eventually.ts';

export interface RedisDatabase {
  /** What leads a process there. */
  readonly settings: { readonly REDIS_URL: string; readonly KEY_PREFIX?: string };
  /** A connection to it. */
  readonly redis: Redis;
  readonly release: () => Promise<void>;
}

/** A file that was killed leaves its mark behind for so long. */
const MARK_S = 600;

/** Takes a free database and empties it. Waits, with a bound, while all are taken. */
export async function claimRedisDatabase(serverUrl: string): Promise<RedisDatabase> {
  if (isOfSeveral(serverUrl)) return claimPrefix(serverUrl);
  const url = new URL(serverUrl);
  const marks = await connectForMarks(serverUrl);
  const token = randomUUID();
  const databases = await countDatabases(marks);
  let taken: number | null = null;
  await eventually('a free database in Redis', async () => {
    taken = await takeOne(marks, databases, token);
    return taken !== null;
  });
  url.pathname = `/${taken}`;
  const redis = await connectTo(url.href);
  await redis.flushdb();
  return {
    settings: { REDIS_URL: url.href },
    redis,
    async release() {
      await redis.flushdb();
      await marks.del(markOf(taken ?? 0));
      for (const connection of [redis, marks]) connection.disconnect();
    },
  };
}

/** Whether the URL names a Redis Cluster, or sentinels. */
export function isOfSeveral(url: string): boolean {
  return /^rediss?[+](cluster|sentinel)/.test(url);
}

/** To where the marks of all files are: who has which database or keyspace. */
export async function connectForMarks(serverUrl: string): Promise<Redis> {
  if (isOfSeveral(serverUrl)) return connectToSeveral({ REDIS_URL: serverUrl });
  const url = new URL(serverUrl);
  url.pathname = '/0';
  return connectTo(url.href);
}

async function connectToSeveral(settings: RedisDatabase['settings']): Promise<Redis> {
  const redis = issuingConnection(
    { ...settings, REDIS_CONNECT_MS_MAX: 5000, REDIS_COMMAND_MS_MAX: 5000 },
    () => undefined,
  );
  await connect(redis);
  return redis;
}

async function claimPrefix(url: string): Promise<RedisDatabase> {
  const settings = { REDIS_URL: url, KEY_PREFIX: `test-${randomUUID().slice(0, 8)}:` };
  const redis = await connectToSeveral(settings);
  const keys = async (pattern: string) => (await Array.fromAsync(keyPages(redis, pattern))).flat();
  // Tests empty their database; the keys of other files stay.
  const flushdb = async () => {
    await Promise.all((await keys('*')).map((key) => redis.unlink(key)));
    return 'OK' as const;
  };
  Object.assign(redis, { flushdb, keys });
  return {
    settings,
    redis,
    async release() {
      // After a failover it may still be looking for the new primary.
      await eventually('the connection of the test', async () => redis.status === 'ready');
      await flushdb();
      redis.disconnect();
    },
  };
}

async function countDatabases(redis: Redis): Promise<number> {
  const reply: unknown = await redis.config('GET', 'databases');
  const count = Array.isArray(reply) ? Number(reply[1]) : Number.NaN;
  if (!(count > 1)) throw new Error('the tests need a Redis with more than one logical database');
  return count;
}

async function takeOne(marks: Redis, databases: number, token: string): Promise<number | null> {
  const start = randomInt(databases - 1);
  for (let i = 0; i < databases - 1; i++) {
    const index = 1 + ((start + i) % (databases - 1));
    if ((await marks.set(markOf(index), token, 'EX', MARK_S, 'NX')) === 'OK') return index;
  }
  return null;
}

function markOf(index: number): string {
  return `test:database:${index}`;
}

/** A plain connection for tests. */
export async function connectTo(url: string): Promise<Redis> {
  const redis = new Redis(url, { lazyConnect: true, replyMapping: 'legacy' });
  // Tests stop servers on purpose. A command that fails says so itself; without a listener each try to reconnect is printed.
  redis.on('error', () => {});
  await redis.connect();
  return redis;
}
