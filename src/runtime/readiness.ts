// readiness.ts -- Whether this process should get requests, and why not: stores reachable and writable, not stopping. It also
// reports the durability in effect, since that decides what a 2xx answer survives.

import { sql } from 'drizzle-orm';
import type { Redis } from 'ioredis';
import type { Check, Readiness } from '../operations/health-routes.ts';
import { type Database, withConnection } from '../mysql/database.ts';
import { reasonOf } from './store-faults.ts';
import { serverOf } from '../redis/connection.ts';
import { readDurability } from '../redis/durability.ts';

export interface ReadinessDependencies {
  readonly redis: Redis;
  readonly database: Database;
}

export interface ReadinessProbe {
  /** Asks both stores, within the bounds of their connections. Never throws: a store that fails is a check that is not ok. */
  check(): Promise<Readiness>;
  /** From now on not ready, so that no more requests are sent here. */
  stop(): void;
}

export function createReadiness({ redis, database }: ReadinessDependencies): ReadinessProbe {
  let stopping = false;
  return {
    stop: () => {
      stopping = true;
    },
    async check() {
      const [fromRedis, fromMysql] = await Promise.all([
        asked('redis', () => askRedis(redis)),
        asked('mysql', () => askMysql(database)),
      ]);
      const process: Check = { name: 'process', ok: !stopping, detail: stopping ? 'stopping' : 'accepting requests' };
      const checks = [process, fromRedis.check, fromMysql.check];
      const durability = { redis: fromRedis.durability, mysql: fromMysql.durability };
      return { ready: checks.every(({ ok }) => ok), checks, durability };
    },
  };
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

async function askRedis(redis: Redis): Promise<Answer> {
  const { product, appendFsync, maxmemoryPolicy, role } = await readDurability(redis);
  const durability = appendFsync === 'off' ? 'appendonly no' : `appendonly yes, appendfsync ${appendFsync}`;
  if (role !== 'master') return { ok: false, detail: `is a ${role} and refuses writes`, durability };
  if (serverOf(redis) === '') return { ok: false, detail: 'has not reported its run_id', durability };
  return { ok: true, detail: `${product}, maxmemory-policy ${maxmemoryPolicy}`, durability };
}

async function askMysql(database: Database): Promise<Answer> {
  const [rows] = await withConnection(database, (session) =>
    session.execute(
      sql`SELECT VERSION() AS version, @@read_only AS readOnly, @@innodb_flush_log_at_trx_commit AS flushAtCommit`,
    ),
  );
  const [row] = rows as unknown as { version: string; readOnly: number; flushAtCommit: number }[];
  const durability = `innodb_flush_log_at_trx_commit ${row?.flushAtCommit}`;
  if (row?.readOnly === 1) return { ok: false, detail: 'is read-only', durability };
  return { ok: true, detail: `MySQL ${row?.version}`, durability };
}
