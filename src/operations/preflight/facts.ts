// facts.ts -- What a preflight reads: the coupon, its stores and processes as they are now, without changing anything.

import { setTimeout as pause } from 'node:timers/promises';
import { type SQL, sql } from 'drizzle-orm';
import type { Redis } from 'ioredis';
import type { Config } from '../../config/config.ts';
import { readCoupon, readCouponsBetween } from '../../coupon/catalog.ts';
import type { Coupon } from '../../coupon/coupon.ts';
import { clockMs, type Database, readFromPrimary, type Session, withConnection } from '../../mysql/database.ts';
import { nodeOf } from '../../redis/connection.ts';
import { type Ahead, type RedisServer, readServers } from '../../redis/servers.ts';
import { countProcesses } from '../../stock/offers.ts';
import type { RedisStock } from '../../stock/redis-stock.ts';
import { type PartitionBacklog, readBacklog } from '../../stream/backlog.ts';
import { GROUP, type PartitionKeys, partitionOf } from '../../stream/keys.ts';

export interface PreflightDependencies {
  readonly redisStock: RedisStock;
  readonly database: Database;
  readonly settings: PreflightSettings;
  /** Of this process and its system. */
  readonly host: () => HostFacts;
}

export type PreflightSettings = Pick<
  Config,
  | 'UNPERSISTED_USERS_MAX'
  | 'MYSQL_CONNECTIONS_MAX'
  | 'CLAIM_IDLE_MS'
  | 'BLOCK_MS'
  | 'OFFERING'
  | 'REPLICAS_MIN'
  | 'USER_REQUESTS_MAX'
  | 'ADDRESS_REQUESTS_MAX'
  | 'LIMIT_WINDOW_S'
  | 'TRUSTED_PROXIES'
  | 'CAPTCHA_VERIFY_URL'
>;

export interface HostFacts {
  /** What is wrong with the limit of open files; null for nothing. */
  readonly filesFault: string | null;
  /** Connections that may wait to be accepted; null where the system does not say. */
  readonly socketBacklog: number | null;
}

/** A coupon with what Redis has of it. */
export interface Drop {
  /** What can still be issued; null without limit. */
  readonly left: number | null;
  /** Owners that Redis does not hold yet and will, when all of it is issued; null without limit. */
  readonly newOwners: number | null;
  readonly partition: number;
  /** Connection to the primary that has it; null while a cluster does not say which that is. */
  readonly primary: Redis | null;
}

export interface Facts extends HostFacts {
  readonly coupon: Coupon;
  readonly isOpen: boolean;
  readonly drop: Drop;
  readonly servers: readonly RedisServer[];
  /** Others that are issued at that time, with when they begin. */
  readonly others: readonly (Drop & { readonly id: number; readonly startMs: number })[];
  /** Null: Redis does not answer. */
  readonly backlog: PartitionBacklog | null;
  /** Whether a worker reads, of this partition or any of its server; null where Redis does not say. */
  readonly hasWorker: boolean | null;
  /** Written just now; null while nothing is. */
  readonly rowsPerS: number | null;
  readonly processes: number | null;
  readonly mysql: MysqlFacts;
}

export interface MysqlFacts {
  readonly nowMs: number;
  readonly ahead: Ahead;
  readonly flushAtCommit: number | null;
  /** Null where it does not say. */
  readonly connectionsMax: number | null;
  readonly connections: number | null;
}

/** Others count if they begin within this time of the coupon. */
export const NEIGHBOUR_MS = 600_000;
/** Of so many at most: bounds the reading. */
const OTHERS_MAX = 1000;
/** How long is looked at how fast rows are written. */
const LOOK_MS = 1000;

/** Null: no such coupon. A Redis that does not answer is a fact too. Throws what MySQL throws. */
export async function readFacts(dependencies: PreflightDependencies, couponId: number): Promise<Facts | null> {
  const { redisStock, database, settings, host } = dependencies;
  const { redis } = redisStock;
  const coupon = await readFromPrimary(database, (session) => readCoupon(session, couponId));
  if (!coupon) return null;
  const mysql = await readMysql(database);
  const fromMs = Math.max(coupon.startMs, mysql.nowMs);
  const others = await withConnection(database, (session) =>
    readCouponsBetween(session, couponId, fromMs, fromMs + NEIGHBOUR_MS, OTHERS_MAX),
  );
  const keys = redisStock.keysOf(couponId);
  const orNull = <Value>(read: Promise<Value>) => read.catch(() => null);
  const [seen, servers, backlogs, recent, processes] = await Promise.all([
    orNull(redisStock.look(couponId)),
    readServers(redis),
    orNull(readBacklog(redis, redisStock.partitions)),
    wasReadLately(redis, keys, settings),
    orNull(countProcesses(redis, keys, settings)),
  ]);
  const isOpen = seen?.kind === 'open';
  const drop = dropOf(redisStock, coupon, isOpen ? seen.issued : coupon.issuedQuantity, isOpen);
  // One that gets nothing is only seen to wait: reading without a result leaves no trace in Redis 7.0.
  const isWaitedFor = servers.some(
    ({ primary, facts }) => primary === drop.primary && (facts?.blockedClients ?? 0) > 0,
  );
  const isWriting = backlogs?.partitions.some(({ unpersistedUsers }) => unpersistedUsers > 0) ?? false;
  return {
    ...host(),
    coupon,
    isOpen,
    drop,
    servers,
    others: others.map((each) => {
      const other = dropOf(redisStock, each, each.issuedQuantity, each.stockHome === 'redis');
      return { ...other, id: each.id, startMs: each.startMs };
    }),
    backlog: backlogs?.partitions[drop.partition] ?? null,
    hasWorker: recent === null ? null : recent || isWaitedFor,
    rowsPerS: isWriting ? await readRowRate(database) : null,
    processes,
    mysql,
  };
}

function dropOf(redisStock: RedisStock, { id, totalQuantity: total }: Coupon, issued: number, isOpen: boolean): Drop {
  return {
    left: total === null ? null : Math.max(0, total - issued),
    newOwners: total === null ? null : Math.max(0, total - (isOpen ? issued : 0)),
    partition: partitionOf(id, redisStock.partitions.length),
    primary: primaryOf(redisStock, id),
  };
}

function primaryOf({ redis, keysOf }: RedisStock, couponId: number): Redis | null {
  try {
    return nodeOf(redis, keysOf(couponId).state);
  } catch {
    return null;
  }
}

async function readMysql(database: Database): Promise<MysqlFacts> {
  return withConnection(database, async (session) => {
    const askedMs = Date.now();
    const nowMs = (await numberFrom(session, sql`SELECT ${clockMs} AS value`)) ?? askedMs;
    const answeredMs = Date.now();
    const ask = (statement: SQL) => numberFrom(session, statement).catch(() => null);
    return {
      nowMs,
      ahead: [nowMs - answeredMs, nowMs - askedMs] as const,
      flushAtCommit: await ask(sql`SELECT @@innodb_flush_log_at_trx_commit AS value`),
      connectionsMax: await ask(sql`SELECT @@max_connections AS value`),
      connections: await ask(sql`SHOW GLOBAL STATUS LIKE 'Threads_connected'`),
    };
  });
}

/** The last column of the first row as a number; null without one. */
async function numberFrom(session: Session, statement: SQL): Promise<number | null> {
  const [rows] = await session.execute(statement);
  const [row] = rows as unknown as readonly Record<string, string | number>[];
  const value = row && Number(Object.values(row).at(-1));
  return value === undefined || Number.isNaN(value) ? null : value;
}

/** Rows a second, over a moment; null when none was committed. */
async function readRowRate(database: Database): Promise<number | null> {
  const read = () =>
    withConnection(database, (session) =>
      numberFrom(
        session,
        sql`SELECT COALESCE(SUM(issued_quantity), 0) AS value FROM coupons WHERE stock_home = 'redis'`,
      ),
    );
  const [before, startMs] = [await read(), performance.now()];
  await pause(LOOK_MS);
  const rows = ((await read()) ?? 0) - (before ?? 0);
  return rows > 0 ? (rows * 1000) / (performance.now() - startMs) : null;
}

/** Whether a consumer got something within the time after which the reconciler removes it; null where Redis does not say. */
async function wasReadLately(
  redis: Redis,
  { stream }: PartitionKeys,
  { CLAIM_IDLE_MS, BLOCK_MS }: PreflightSettings,
): Promise<boolean | null> {
  try {
    const consumers = (await redis.xinfo('CONSUMERS', stream, GROUP)) as readonly (readonly (string | number)[])[];
    const idleMsOf = (fields: readonly (string | number)[]) => Number(fields[fields.indexOf('idle') + 1]);
    return consumers.some((fields) => idleMsOf(fields) < CLAIM_IDLE_MS + BLOCK_MS);
  } catch (error) {
    // Made by the first worker.
    return error instanceof Error && /^(NOGROUP|ERR no such key)/.test(error.message) ? false : null;
  }
}
