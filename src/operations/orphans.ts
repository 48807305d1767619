// orphans.ts -- What Redis has of coupons that MySQL does not have: it is stopped, and removed where nobody can have been promised it.
//
// A coupon is missing since its row was deleted by hand, or since MySQL went back to before it was made. No trace of either is left that
// a backup of some tables, or a failover, could not have taken away. So the stock of such a coupon is stopped, and goes by itself only if
// nothing was ever issued from it. What users may have been promised goes when an operator says so (`bun run reconcile`). The id is
// given to no other coupon before. A coupon that is being made has no keys yet: it is opened once its row is committed.

import { inArray } from 'drizzle-orm';
import { coupons } from '../../drizzle/schema.ts';
import { type Database, readFromPrimary } from '../mysql/database.ts';
import { waitingEntries } from '../stream/accepted.ts';
import { changesChannel, keysBeside } from '../stream/keys.ts';
import type { RedisStock } from '../stock/redis-stock.ts';
import { readKnownEpoch } from '../stock/restoring.ts';

export interface OrphanDependencies {
  readonly redisStock: RedisStock;
  readonly database: Database;
}

/**
 * Stops the stock of a coupon that MySQL was just seen not to have, in every process. Throws what Redis throws.
 *
 * @returns `removed` if nothing was ever issued from it; `gone` without a state that this release knows
 */
export async function holdOrphan({ redis, hold }: RedisStock, couponId: number): Promise<'removed' | 'held' | 'gone'> {
  const held = await hold(couponId);
  // What other processes have read of the coupon says that it is there.
  if (held !== 'gone') await redis.publish(changesChannel(redis), String(couponId));
  return held;
}

/** The coupons that have a state or owners in Redis and no row in MySQL, each once in a page. Throws what Redis or MySQL throw. */
export async function* orphanPages({ redisStock, database }: OrphanDependencies): AsyncGenerator<readonly number[]> {
  for (const kind of ['state', 'owners'] as const) {
    for await (const ids of redisStock.couponIds(kind)) {
      if (ids.length > 0) yield await missingAmong(database, [...new Set(ids)]);
    }
  }
}

/** What Redis has of a coupon. */
export interface OrphanCounts {
  readonly owners: number;
  /** Entries in the stream, and among the dead letters. */
  readonly waiting: number;
  readonly letters: readonly string[];
}

/** Counts what stands in Redis under the id of a coupon. `letters` are the ids of its dead letters. Throws what Redis throws. */
export async function countOrphan({ redis, keysOf, countOwners }: RedisStock, couponId: number): Promise<OrphanCounts> {
  const keys = keysOf(couponId);
  const partition = keys.stream.replace(/\D/g, '');
  let waiting = 0;
  const letters = new Set<string>();
  for await (const { isDead, place } of waitingEntries(redis, keys, couponId)) {
    if (isDead) letters.add(`${partition}-${place.split(' ')[1]}`);
    else waiting += 1;
  }
  return { owners: await countOwners(couponId), waiting, letters: [...letters] };
}

/**
 * Removes all keys of a coupon that MySQL does not have, in one step, so that a coupon that is made meanwhile finds all of them under
 * its id, or none. Streams are left as they are.
 *
 * @returns false if MySQL has the coupon: nothing was removed
 * @throws what Redis or MySQL throw
 */
export async function removeOrphan({ redisStock, database }: OrphanDependencies, couponId: number): Promise<boolean> {
  // Before anything is held: the stock of a coupon that MySQL has goes on. And after it, since one may be made meanwhile.
  if (!(await isOrphan(database, couponId))) return false;
  await holdOrphan(redisStock, couponId);
  if (!(await isOrphan(database, couponId))) return false;
  const keys = redisStock.keysOf(couponId);
  await redisStock.redis.unlink(keys.state, keys.owners, keys.opening, ...keysBeside(keys));
  return true;
}

/** What the catalog asks for a new coupon, see `createCatalog`. */
export function freeIds(redisStock: RedisStock) {
  return {
    clear: (couponId: number) => clearId(redisStock, couponId),
    freeFrom: (couponId: number) => freeIdFrom(redisStock, couponId),
  };
}

/**
 * Whether Redis knows no coupon by an id: a MySQL that went back gives ids again, and what was promised of the coupon of before would be
 * taken for issues of the new one. What else stands under the id is removed.
 *
 * @throws what Redis throws: it must be asked, since a coupon is issued from a state as soon as that answers
 */
async function clearId(redisStock: RedisStock, couponId: number): Promise<boolean> {
  const { redis, keysOf, countOwners } = redisStock;
  if ((await countOwners(couponId)) > 0 || (await readKnownEpoch(redisStock, couponId)) > 0) return false;
  const keys = keysOf(couponId);
  await redis.unlink(keys.opening, ...keysBeside(keys));
  return true;
}

/** The least id from `couponId` on that is above all that Redis knows, or `couponId`. Throws what Redis throws. */
async function freeIdFrom(redisStock: RedisStock, couponId: number): Promise<number> {
  if (await clearId(redisStock, couponId)) return couponId;
  let free = couponId + 1;
  for (const kind of ['state', 'owners'] as const) {
    for await (const ids of redisStock.couponIds(kind)) free = Math.max(free, ...ids.map((id) => id + 1));
  }
  return free;
}

/** Whether MySQL does not have a coupon. Throws what MySQL throws. */
export async function isOrphan(database: Database, couponId: number): Promise<boolean> {
  return (await missingAmong(database, [couponId])).length > 0;
}

async function missingAmong(database: Database, ids: readonly number[]): Promise<readonly number[]> {
  const rows = await readFromPrimary(database, (session) =>
    session
      .select({ id: coupons.id })
      .from(coupons)
      .where(inArray(coupons.id, [...ids])),
  );
  const known = new Set(rows.map(({ id }) => id));
  return ids.filter((id) => !known.has(id));
}
