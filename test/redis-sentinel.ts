// redis-sentinel.ts -- A private Redis with replicas, and sentinels that watch it.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../tools/stack/free-port.ts';
import type { PrivateServer } from '../tools/stack/private-server.ts';
import { isRedisReady, startRedisServer } from '../tools/stack/redis-server.ts';
import { waitUntil } from '../tools/stack/wait-until.ts';
import { eventually } from './eventually.ts';
import { connectTo } from './redis-database.ts';

export interface SentinelSetup {
  readonly url: string;
  /** The first is the primary at the start. */
  readonly servers: readonly PrivateServer[];
  /** One command to one sentinel. */
  ask(...command: readonly string[]): Promise<unknown>;
  /** The port of the primary, as a sentinel knows it. */
  primaryPort(): Promise<number>;
  /** Begins a failover. False where the sentinels cannot yet: the one before is not over, or they have not asked the replicas. */
  failOver(): Promise<boolean>;
  /** Until both replicas are in step with the primary. */
  whole(): Promise<void>;
  stop(): Promise<void>;
}

const NAME = 'mymaster';
/** A primary that comes back is made a replica only after some ten seconds. */
const WHOLE_MS_MAX = 45_000;

/** @param settings of every Redis */
export async function startSentinelSetup(
  folder: string,
  settings: Record<string, string> = {},
): Promise<SentinelSetup> {
  const undo: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    return await startWith(folder, settings, undo, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startWith(
  folder: string,
  settings: Record<string, string>,
  undo: (() => Promise<unknown>)[],
  stop: () => Promise<void>,
): Promise<SentinelSetup> {
  const primary = await startRedisServer({ folder: join(folder, 'redis-0'), settings });
  undo.push(() => primary.stop());
  const replicaof = `127.0.0.1 ${primary.port}`;
  const servers = [primary];
  for (const name of ['redis-1', 'redis-2']) {
    const replica = await startRedisServer({ folder: join(folder, name), settings: { ...settings, replicaof } });
    undo.push(() => replica.stop());
    servers.push(replica);
  }
  const ports = [await startSentinel(folder, primary.port, undo)];
  for (let i = 0; i < 2; i++) ports.push(await startSentinel(folder, primary.port, undo));
  const sentinel = new Redis(ports[0] ?? 0, '127.0.0.1', { replyMapping: 'legacy' });
  undo.push(async () => sentinel.disconnect());
  const ask = (...command: readonly string[]) => sentinel.call('SENTINEL', ...command);
  await eventually('the sentinels to know each other and the replicas', async () => {
    const found = await Promise.all([ask('SENTINELS', NAME), ask('REPLICAS', NAME)]);
    return found.every((list) => Array.isArray(list) && list.length === 2);
  });
  const primaryPort = async () => Number(((await ask('GET-MASTER-ADDR-BY-NAME', NAME)) as string[])[1]);
  const isWhole = async () => {
    const redis = await connectTo(`redis://127.0.0.1:${await primaryPort()}`);
    const information = await redis.info('replication');
    redis.disconnect();
    return information.match(/state=online/g)?.length === 2;
  };
  return {
    url: `redis+sentinel://${ports.map((port) => `127.0.0.1:${port}`).join(',')}/${NAME}/0`,
    servers,
    ask,
    primaryPort,
    failOver: () => ask('FAILOVER', NAME).then(() => true, isNotYet),
    whole: () =>
      waitUntil('both replicas to be in step', () => isWhole().catch(() => false), { waitMsMax: WHOLE_MS_MAX }),
    stop,
  };
}

function isNotYet(error: unknown): false {
  if (/INPROG|NOGOODSLAVE/.test(String(error))) return false;
  throw error;
}

async function startSentinel(folder: string, primaryPort: number, undo: (() => Promise<unknown>)[]): Promise<number> {
  const port = await freePort();
  const own = join(folder, `sentinel-${port}`);
  mkdirSync(own, { recursive: true });
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${own}`,
    `sentinel monitor ${NAME} 127.0.0.1 ${primaryPort} 2`,
    `sentinel down-after-milliseconds ${NAME} 1000`,
    `sentinel failover-timeout ${NAME} 6000`,
  ];
  writeFileSync(join(own, 'sentinel.conf'), `${lines.join('\n')}\n`);
  const child = Bun.spawn(['redis-server', join(own, 'sentinel.conf'), '--sentinel'], {
    stdout: 'ignore',
    stderr: 'ignore',
  });
  undo.push(async () => {
    child.kill('SIGKILL');
    await child.exited;
  });
  await eventually('the sentinel to answer', () => isRedisReady(port));
  return port;
}
