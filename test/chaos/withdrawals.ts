// withdrawals.ts -- Users who withdraw while faults go on: each is erased by the real command, killed and repeated until it ends.
//
// In the end an erased user has the same rows under a pseudonym, got no second coupon for asking again, and their id is nowhere. Left out
// is what docs/personal-data.md names: what processes offer after a failover, which Redis forgets within a minute.

import { setTimeout as pause } from 'node:timers/promises';
import { auditTrail, coupons } from '../../drizzle/schema.ts';
import { SYSTEM } from '../../src/auth/audit-trail.ts';
import { pseudonymOf } from '../../src/coupon/pseudonym.ts';
import { type Database, withConnection } from '../../src/mysql/database.ts';
import { eraseUser } from '../../src/operations/erasing.ts';
import { keyPages } from '../../src/redis/scan.ts';
import { createRedisStock } from '../../src/stock/redis-stock.ts';
import type { HistoryRow } from '../checker.ts';
import type { Cluster } from './cluster.ts';
import type { Crowd } from './crowd.ts';
import { runOperatorCommand } from './operator-command.ts';
import type { SeededRandom } from './seeded-random.ts';

/** Between two who withdraw: the command takes a core for a second. */
const PAUSE_MS_MAX = 5000;
/** Long enough for the command to start, and to be anywhere in its work. */
const KILL_MS_MAX = 1500;
/** From the first try to the end of the last. Faults that take stores away are shorter. */
const ERASING_MS_MAX = 180_000;
const RETRY_MS = 200;

/** Begins to let users withdraw, one after the other. Returns what ends it, and waits for the one under way. */
export function startWithdrawals(cluster: Cluster, crowd: Crowd, random: SeededRandom): () => Promise<void> {
  const stop = new AbortController();
  const erase = (userId: string) => eraseByCommand(cluster, userId, random);
  const running = (async () => {
    while (!stop.signal.aborted) {
      await crowd.withdraw(erase);
      await pause(random.between(0, PAUSE_MS_MAX), undefined, { signal: stop.signal }).catch(() => undefined);
    }
  })();
  return () => {
    stop.abort();
    return running;
  };
}

/** Throws if the command was not done in time. */
async function eraseByCommand(cluster: Cluster, userId: string, random: SeededRandom): Promise<void> {
  const deadlineMs = performance.now() + ERASING_MS_MAX;
  let last = '';
  while (performance.now() < deadlineMs) {
    const killAfterMs = random.chance(0.3) ? random.between(0, KILL_MS_MAX) : null;
    const { code, said } = await runOperatorCommand(cluster, ['erase', userId], killAfterMs);
    if (code === 0) return;
    last = said.trim();
    await pause(RETRY_MS);
  }
  throw new Error(`erasing ${userId} was not done after ${ERASING_MS_MAX} ms: ${last}`);
}

/** Erases all of them once more, as docs/personal-data.md says after a failover of a Redis that lagged. */
export async function repeatWithdrawals({ redis, database, config }: Cluster, crowd: Crowd): Promise<void> {
  const redisStock = createRedisStock(redis, config);
  for (const { userId } of crowd.withdrawn)
    await eraseUser({ redisStock, database, keyDigests: [], waitMsMax: 10_000 }, userId, SYSTEM);
}

/** The rows, with those who withdrew in the place of their pseudonyms. */
export async function nameWithdrawn(
  database: Database,
  crowd: Pick<Crowd, 'withdrawn'>,
  rows: readonly HistoryRow[],
): Promise<readonly HistoryRow[]> {
  const { id, erasureKey } = coupons;
  const keys = await withConnection(database, (session) => session.select({ id, erasureKey }).from(coupons));
  const keyOf = new Map(keys.map((coupon) => [coupon.id, coupon.erasureKey]));
  const userOf = new Map<string, string>();
  for (const { couponId, userId } of crowd.withdrawn) {
    const key = keyOf.get(couponId);
    if (key) userOf.set(`${couponId} ${pseudonymOf(key, userId)}`, userId);
  }
  return rows.map((row) => ({ ...row, userId: userOf.get(`${row.couponId} ${row.userId}`) ?? row.userId }));
}

/** Where ids of users who withdrew are still found, a line each. */
export async function tracesOfWithdrawn(
  { redis, database }: Pick<Cluster, 'redis' | 'database'>,
  crowd: Pick<Crowd, 'withdrawn'>,
  rows: readonly HistoryRow[],
): Promise<string[]> {
  const erased = new Set(crowd.withdrawn.filter(({ isErased }) => isErased).map(({ userId }) => userId));
  if (erased.size === 0) return [];
  const found: string[] = [];
  const look = (place: string, content: unknown) => {
    for (const word of new Set(JSON.stringify(content).split(/[^\w-]+/)))
      if (erased.has(word)) found.push(`${word} was erased, and is in ${place}`);
  };
  for await (const keys of keyPages(redis, '*'))
    for (const key of keys) if (!key.endsWith(':offers')) look(key, await contentOf(redis, key));
  look('coupon_issues', rows);
  look('audit_trail', await withConnection(database, (session) => session.select().from(auditTrail)));
  return found;
}

async function contentOf(redis: Cluster['redis'], key: string): Promise<unknown> {
  const type = await redis.type(key);
  if (type === 'hash') return redis.hgetall(key);
  if (type === 'stream') return redis.xrange(key, '-', '+');
  if (type === 'zset') return redis.zrange(key, 0, '-1');
  return type === 'string' ? redis.get(key) : null;
}
