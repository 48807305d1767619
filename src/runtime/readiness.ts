// readiness.ts -- Whether this process should get requests, and why not: stores that take a write of each kind, and still are what
// they were at start; not stopping. It also reports the durability in effect, since that decides what a 2xx answer survives.

import { sql } from 'drizzle-orm';
import type { Redis } from 'ioredis';
import type { Check, Readiness } from '../operations/health-routes.ts';
import type { Config } from '../config/config.ts';
import { type Database, withConnection } from '../mysql/database.ts';
import { reasonOf } from './store-faults.ts';
import { isCluster, isRefused, primariesOf, serverOf } from '../redis/connection.ts';
import { durabilityFaults, readDurability } from '../redis/durability.ts';
import { tryMysqlWrite } from './mysql-self-test.ts';
import { tryRedisWrites } from './redis-self-test.ts';

export interface ReadinessDependencies {
  readonly redis: Redis;
  readonly database: Database;
  readonly settings: Settings;
}

type Settings = Pick<Config, 'ALLOW_VOLATILE_REDIS'> & Partial<Pick<Config, 'REPLICAS_MIN'>>;

/** How long what the stores said is believed: many may ask, and each time something is written. */
const CACHE_MS = 1000;

export interface ReadinessProbe {
  /** Asks both stores, within the bounds of their connections. Never throws: a store that fails is a check that is not ok. */
  check(): Promise<Readiness>;
  /** From now on not ready, so that no more requests are sent here. */
  stop(): void;
}

export function createReadiness(dependencies: ReadinessDependencies): ReadinessProbe {
  let stopping = false;
  let asking: ReturnType<typeof askStores> | null = null;
  const askStoresOnce = () => {
    if (asking) return asking;
    asking = askStores(dependencies).finally(() => setTimeout(() => (asking = null), CACHE_MS).unref());
    return asking;
  };
  return {
    stop: () => {
      stopping = true;
    },
    async check() {
      const [fromRedis, fromMysql] = await askStoresOnce();
      const process: Check = { name: 'process', ok: !stopping, detail: stopping ? 'stopping' : 'accepting requests' };
      const checks = [process, fromRedis.check, fromMysql.check];
      const durability = { redis: fromRedis.durability, mysql: fromMysql.durability };
      return { ready: checks.every(({ ok }) => ok), checks, durability };
    },
  };
}

function askStores({ redis, database, settings }: ReadinessDependencies) {
  return Promise.all([asked('redis', () => askRedis(redis, settings)), asked('mysql', () => askMysql(database))]);
}

interface Answer {
  readonly ok: boolean;
  readonly detail: string;
  readonly durability: string;
}

async function asked(name: string, ask: () => Promise<Answer>): Promise<{ check: Check; durability: string }> {
  try {
    const { ok, detail, durability } = await ask();
    return { check: { name, ok, detail }, durability };
  } catch (error) {
    return { check: { name, ok: false, detail: `does not answer (${reasonOf(error)})` }, durability: 'unknown' };
  }
}

/** A cluster is ready while any node takes writes: no other process could do more, and its coupons would be refused too. */
async function askRedis(redis: Redis, settings: Settings): Promise<Answer> {
  if (!isCluster(redis)) return checkServer(redis, redis, settings);
  const answers = await Promise.all(primariesOf(redis).map((node) => checkNode(redis, node, settings)));
  const faults = answers.filter(({ ok }) => !ok).map(({ detail }) => detail);
  const ready = answers.find(({ ok }) => ok);
  const durability = [...new Set(answers.map((answer) => answer.durability))].join('; ');
  if (!ready) return { ok: false, detail: faults.join('; ') || 'no node of the cluster is known', durability };
  return { ok: true, detail: [`cluster of ${answers.length}, ${ready.detail}`, ...faults].join('; '), durability };
}

async function checkNode(redis: Redis, node: Redis, settings: Settings): Promise<Answer> {
  const answer = await checkServer(redis, node, settings).catch((error: unknown) => {
    return { ok: false, detail: `does not answer (${reasonOf(error)})`, durability: 'unknown' };
  });
  return answer.ok ? answer : { ...answer, detail: `${node.options.host}:${node.options.port} ${answer.detail}` };
}

/** @param node the connection to one server behind `redis` */
async function checkServer(redis: Redis, node: Redis, settings: Settings): Promise<Answer> {
  const { ALLOW_VOLATILE_REDIS, REPLICAS_MIN: replicasMin = 0 } = settings;
  const facts = await readDurability(node);
  const { product, appendFsync, maxmemoryPolicy, role } = facts;
  const durability = appendFsync === 'off' ? 'appendonly no' : `appendonly yes, appendfsync ${appendFsync}`;
  const not = (detail: string): Answer => ({ ok: false, detail, durability });
  if (role !== 'master') return not(`is a ${role} and refuses writes`);
  if (isRefused(redis) || serverOf(node) === '')
    return not('is not known yet, or is not the Redis of this installation (see the log)');
  // What was right at start may have been changed since.
  const shown = isCluster(redis) ? { ...facts, shards: 1 } : facts;
  const [fault] = durabilityFaults(shown, ALLOW_VOLATILE_REDIS === 'on');
  if (fault !== undefined) return not(fault.replace(/^\w+: /, ''));
  if (facts.replicas < replicasMin) return not(`has ${facts.replicas} replicas, and REPLICAS_MIN is ${replicasMin}`);
  const refused = await tryRedisWrites(redis, node).then(() => null, reasonOf);
  if (refused !== null) return not(`refuses writes (${refused})`);
  return { ok: true, detail: `${product}, maxmemory-policy ${maxmemoryPolicy}`, durability };
}

async function askMysql(database: Database): Promise<Answer> {
  const [rows] = await withConnection(database, (session) =>
    session.execute(
      sql`SELECT @@version AS version, @@read_only AS readOnly, @@innodb_flush_log_at_trx_commit AS flushAtCommit`,
    ),
  );
  const [row] = rows as unknown as { version: string; readOnly: number; flushAtCommit: number }[];
  const durability = `innodb_flush_log_at_trx_commit ${row?.flushAtCommit}`;
  if (row?.readOnly === 1) return { ok: false, detail: 'is read-only', durability };
  const refused = await tryMysqlWrite(database).then(() => null, reasonOf);
  if (refused !== null) return { ok: false, detail: `refuses writes (${refused})`, durability };
  return { ok: true, detail: `MySQL ${row?.version}`, durability };
}
