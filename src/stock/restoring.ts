// restoring.ts -- MySQL went back, by a backup or a failover: what Redis knows and MySQL lost is written again, under its numbers.
//
// An epoch is committed in MySQL before a state in Redis carries it. So a state of a later epoch than the coupon's row shows that
// MySQL is older than Redis: nothing may be issued from it, and Redis is the home again. Issues that Redis knows and that are
// nowhere else become entries once more, and the worker makes rows of them.

import { eq } from 'drizzle-orm';
import { coupons } from '../../drizzle/schema.ts';
import { lockCoupon } from '../coupon/catalog.ts';
import { ID_MAX } from '../coupon/coupon.ts';
import { ownerPages } from '../coupon/issue-rows.ts';
import { type Database, withTransaction } from '../mysql/database.ts';
import { isAnyWaiting, ownersOf, waitingEntries } from '../stream/accepted.ts';
import type { OpenStock } from './decision-scripts.ts';
import type { RedisStock } from './redis-stock.ts';

export interface RestoringDependencies {
  readonly redisStock: RedisStock;
  readonly database: Database;
  readonly settings: { readonly OPENING_PAGE: number };
}

/** How long an answer of Redis about an epoch is used. A restore takes longer. */
const EPOCH_MS_MAX = 1000;
/** Coupons whose epoch is remembered; beyond it all are asked again. */
const EPOCHS_MAX = 10_000;

/** See `createEpochReader`. */
export type EpochReader = (couponId: number) => number | Promise<number>;

/**
 * Makes the function that gives the epoch up to which Redis knows a coupon: 0 if it knows nothing, or does not answer, since a
 * coupon whose home is MySQL is issued without it. At most a second old.
 */
export function createEpochReader(redisStock: RedisStock): EpochReader {
  const known = new Map<number, { readonly atMs: number; readonly epoch: number }>();
  return (couponId) => {
    const nowMs = performance.now();
    const found = known.get(couponId);
    if (found && nowMs - found.atMs <= EPOCH_MS_MAX) return found.epoch;
    if (known.size >= EPOCHS_MAX) known.clear();
    return readKnownEpoch(redisStock, couponId)
      .catch(() => 0)
      .then((epoch) => {
        known.set(couponId, { atMs: nowMs, epoch });
        return epoch;
      });
  };
}

/** The epoch of the state; without one, later than any if something that was accepted is not yet rows. Throws what Redis throws. */
export async function readKnownEpoch(
  { redis, keysOf, epochOf, countOwners }: RedisStock,
  couponId: number,
): Promise<number> {
  const keys = keysOf(couponId);
  const [epoch, owners, letters] = await Promise.all([epochOf(couponId), countOwners(couponId), redis.xlen(keys.dead)]);
  // The stream is not read for each coupon that was never open: owners stay when a state is dropped.
  if (epoch > 0 || owners + letters === 0) return epoch;
  return (await isAnyWaiting(redis, keys, couponId)) ? ID_MAX : 0;
}

/**
 * Makes Redis the home of a coupon again if it has a state of a later epoch than MySQL.
 *
 * @returns whether it was moved; false for a coupon that MySQL does not have
 * @throws what Redis or MySQL throw
 */
export async function moveHomeBack(
  { redisStock, database }: RestoringDependencies,
  couponId: number,
): Promise<boolean> {
  return withTransaction(database, async (tx) => {
    const coupon = await lockCoupon(tx, couponId);
    if (!coupon) return false;
    // Under the lock: no opening raises the epoch between the two.
    const epoch = await redisStock.epochOf(couponId);
    if (epoch <= coupon.epoch) return false;
    await tx.update(coupons).set({ stockHome: 'redis', epoch }).where(eq(coupons.id, couponId));
    return true;
  });
}

/** Issues that one call looks for; the next call finds the rest. */
const LOST_MAX = 10_000;
/** Users in one entry. */
const USERS_PER_ENTRY_MAX = 500;

/**
 * Puts the issues that Redis knows and that are nowhere else back into the stream. Safe while the coupon is issued, and when it is
 * done twice: rows are written once.
 *
 * The order of reading makes it exact: how far Redis has issued, then all that was accepted, as accepted.ts reads it.
 *
 * @returns how many were put back
 * @throws what Redis or MySQL throw
 */
export async function restoreLost(dependencies: RestoringDependencies, couponId: number): Promise<number> {
  const { redisStock } = dependencies;
  const seen = await redisStock.look(couponId);
  if (seen.kind === 'not open') return 0;
  const lost = await sequencesNowhere(dependencies, couponId, seen.stock.next);
  if (lost.size === 0) return 0;
  const users = new Map<number, string>();
  for await (const page of redisStock.owners(couponId)) {
    for (const { userId, sequence } of page) if (lost.has(sequence)) users.set(sequence, userId);
  }
  return putBack(redisStock, couponId, seen, users);
}

/**
 * Makes entries of owners of a state.
 *
 * @param acceptedMsOf when a user was accepted; 0 where that is not known any more
 * @returns of how many, which is fewer if the state is another by now
 */
export async function putBack(
  redisStock: Pick<RedisStock, 'restoreEntry'>,
  couponId: number,
  state: Pick<OpenStock, 'server' | 'epoch'>,
  users: ReadonlyMap<number, string>,
  acceptedMsOf: (userId: string) => number = () => 0,
): Promise<number> {
  let restored = 0;
  for (const { first, users: run, acceptedMs } of runsOf(users, acceptedMsOf)) {
    const done = await redisStock.restoreEntry(couponId, state, first, run, acceptedMs);
    if (done === 'changed') break;
    restored += run.length;
  }
  return restored;
}

/** Sequences below `next` that are in no row, entry or dead letter; those that nobody has are among them. */
async function sequencesNowhere(
  { redisStock, database, settings }: RestoringDependencies,
  couponId: number,
  next: number,
): Promise<ReadonlySet<number>> {
  const waiting = new Set<number>();
  for await (const { held } of waitingEntries(redisStock.redis, redisStock.keysOf(couponId), couponId)) {
    if (!('undecodable' in held)) for (const { sequence } of ownersOf(held)) waiting.add(sequence);
  }
  const nowhere = new Set<number>();
  let at = 1;
  const passTo = (end: number) => {
    for (; at < end && nowhere.size < LOST_MAX; at += 1) if (!waiting.has(at)) nowhere.add(at);
    at = end;
  };
  for await (const page of ownerPages(database, couponId, settings.OPENING_PAGE)) {
    for (const { sequence } of page) {
      passTo(Math.min(sequence, next));
      at = Math.max(at, sequence + 1);
    }
    if (nowhere.size >= LOST_MAX || at >= next) return nowhere;
  }
  passTo(next);
  return nowhere;
}

interface EntryRun {
  readonly first: number;
  readonly users: readonly string[];
  readonly acceptedMs: number;
}

/** Neighbouring sequences that were accepted at one time together, as entries have them. */
function runsOf(users: ReadonlyMap<number, string>, acceptedMsOf: (userId: string) => number): readonly EntryRun[] {
  const runs: { first: number; users: string[]; acceptedMs: number }[] = [];
  for (const [sequence, user] of [...users].sort(([a], [b]) => a - b)) {
    const acceptedMs = acceptedMsOf(user);
    const last = runs.at(-1);
    const follows = last && last.first + last.users.length === sequence && last.acceptedMs === acceptedMs;
    if (follows && last.users.length < USERS_PER_ENTRY_MAX) last.users.push(user);
    else runs.push({ first: sequence, users: [user], acceptedMs });
  }
  return runs;
}
