// editing.ts -- Changes and deletes coupons while they are being issued, in both stores, so that every promise is kept throughout.
//
// MySQL is the truth about a coupon; while Redis is the home of its stock, the state there is the copy that decides. An edit
//   1. takes the lock on the coupon's row, so that edits, repairs and openings come one after the other;
//   2. if the total goes down, takes it down in Redis first: Redis refuses what is below its issues, and from here on gives out
//      no more than the new total, whether or not MySQL ever commits;
//   3. commits the edit, with the next version, to MySQL;
//   4. brings the copy to that version, so that a total that goes up is never in Redis before it is in MySQL.
// A version names exactly one committed text, and the copy only ever moves to a higher one. So whatever crashes in between, and
// however late a command arrives, the copy is behind or too strict, never too generous; `repair` sees that and mends it.

import { eq } from 'drizzle-orm';
import type { Redis } from 'ioredis';
import { couponIssues } from '../../drizzle/schema.ts';
import { deleteCoupon, lockCoupon, updateCoupon } from '../coupon/catalog.ts';
import type { Coupon, CouponChanges } from '../coupon/coupon.ts';
import { type Database, type Session, withTransaction } from '../mysql/database.ts';
import { serverOf } from '../redis/connection.ts';
import { couponKeys } from '../stream/keys.ts';
import { Unavailable } from '../coupon/outcome.ts';
import { type ApplyEditReply, applyEdit } from './scripts/apply-edit.ts';
import { closeUnissued } from './scripts/close-unissued.ts';
import { lowerTotal } from './scripts/lower-total.ts';
import type { Opened, StockKeeper } from './opening.ts';

/** Why nothing was changed. */
export type EditRefusal =
  | { readonly kind: 'not exist' }
  /** The caller knew another version. */
  | { readonly kind: 'other version'; readonly version: number }
  /** More were issued than the new total, or any at all of a coupon to be deleted. */
  | { readonly kind: 'issued'; readonly issued: number }
  /** Start and end, old and new together, would not be in order. */
  | { readonly kind: 'no period' };

/** `repaired`: the copy in Redis had lagged or was too strict. `not open`: there is no copy; opening will make a right one. */
export type Repair = 'in step' | 'repaired' | 'not open';

export interface CouponEditor {
  /**
   * Changes a coupon. When it returns, the change is in force in both stores.
   *
   * @param versions the versions that the caller accepts to change; null for any
   * @throws Unavailable when a store failed: the edit was made or not, and `read` tells
   */
  edit(
    id: number,
    changes: CouponChanges,
    versions: readonly number[] | null,
  ): Promise<{ readonly kind: 'edited'; readonly coupon: Coupon } | EditRefusal>;
  /** Deletes a coupon of which nothing was issued. Parameters and errors as `edit`. */
  remove(id: number, versions: readonly number[] | null): Promise<{ readonly kind: 'removed' } | EditRefusal>;
  /** Opens a coupon ahead of its first request. Throws as `StockKeeper.open`. */
  open(id: number): Promise<Opened>;
  /** Compares the copy in Redis with MySQL, and mends it. Throws what Redis or MySQL throw. */
  repair(id: number): Promise<Repair>;
}

export interface CouponEditorDependencies {
  readonly redis: Redis;
  readonly database: Database;
  readonly stock: StockKeeper;
  /** Tells every process of a change; must not throw. */
  readonly announce: (couponId: number) => Promise<void>;
  readonly onFault: (fault: unknown) => void;
  readonly settings: { readonly PARTITIONS: number };
}

/** Tries to get at a copy that is lost, or falls behind, over and over. */
const TRIES_MAX = 3;

/** What a step under the row lock found: an ending, or that the copy in Redis must first be there and in step. */
type Step<Done> = Done | EditRefusal | { readonly kind: 'copy not open' | 'copy out of step' };

export function createCouponEditor(dependencies: CouponEditorDependencies): CouponEditor {
  const { stock, announce } = dependencies;
  return {
    async edit(id, changes, versions) {
      const edited = await withCopy(dependencies, id, (tx) => editUnderLock(dependencies, tx, id, changes, versions));
      if (edited.kind !== 'edited') return edited;
      try {
        await syncToRedis(dependencies, edited.coupon);
      } finally {
        // Also when Redis failed: signs that other processes hung are of the past in any case.
        await announce(id);
      }
      return edited;
    },
    async remove(id, versions) {
      const removed = await withCopy(dependencies, id, (tx) => removeUnderLock(dependencies, tx, id, versions));
      if (removed.kind === 'removed') await announce(id);
      return removed;
    },
    open: (id) => stock.open(id),
    repair: (id) => repair(dependencies, id),
  };
}

async function repair(dependencies: CouponEditorDependencies, id: number): Promise<Repair> {
  const found = await withTransaction(dependencies.database, (tx) => compareUnderLock(dependencies, tx, id));
  if (typeof found === 'string') return found;
  await syncToRedis(dependencies, found);
  await dependencies.announce(id);
  return 'repaired';
}

/** Runs a step under the row lock until the copy in Redis does not stand in its way. */
async function withCopy<Done extends { readonly kind: 'edited' | 'removed' }>(
  dependencies: CouponEditorDependencies,
  id: number,
  step: (tx: Session) => Promise<Step<Done>>,
): Promise<Done | EditRefusal> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    let ending: Step<Done>;
    try {
      ending = await withTransaction(dependencies.database, step);
    } catch (fault) {
      // The total may be lowered in Redis alone. If this fails too, whoever repairs next mends it.
      repair(dependencies, id).catch(dependencies.onFault);
      throw fault;
    }
    // Not under the lock: opening takes it too.
    if (ending.kind === 'copy not open') await dependencies.stock.open(id, true);
    else if (ending.kind === 'copy out of step') await repair(dependencies, id);
    else return ending as Done | EditRefusal;
  }
  throw new Unavailable('dependency', 'the state of a coupon does not stay in Redis');
}

async function editUnderLock(
  dependencies: CouponEditorDependencies,
  tx: Session,
  id: number,
  changes: CouponChanges,
  versions: readonly number[] | null,
): Promise<Step<{ readonly kind: 'edited'; readonly coupon: Coupon }>> {
  const coupon = await lockCoupon(tx, id);
  if (!coupon) return { kind: 'not exist' };
  const { version } = coupon;
  if (versions && !versions.includes(version)) return { kind: 'other version', version };
  if ((changes.startMs ?? coupon.startMs) >= (changes.endMs ?? coupon.endMs)) return { kind: 'no period' };
  const total = changes.totalQuantity;
  if (typeof total === 'number' && total < (coupon.totalQuantity ?? Number.POSITIVE_INFINITY)) {
    if (total < coupon.issuedQuantity) return { kind: 'issued', issued: coupon.issuedQuantity };
    const hindrance = coupon.stockHome === 'redis' ? await lowerInRedis(dependencies, coupon, total) : null;
    if (hindrance) return hindrance;
  }
  return { kind: 'edited', coupon: await updateCoupon(tx, id, changes, version + 1) };
}

/** Step 2. Null when the total is lowered. */
async function lowerInRedis(
  dependencies: CouponEditorDependencies,
  coupon: Coupon,
  total: number,
): Promise<Step<never> | null> {
  const { redis, settings } = dependencies;
  const input = {
    keys: couponKeys(coupon.id, settings.PARTITIONS),
    server: serverOf(redis),
    version: coupon.version,
    total,
  };
  let lowered = await lowerTotal(redis, input);
  if (lowered.kind === 'other version') {
    // The edit before this one is committed, and its last step still to come.
    await apply(dependencies, coupon);
    lowered = await lowerTotal(redis, input);
  }
  if (lowered.kind === 'lowered') return null;
  if (lowered.kind === 'issued') return lowered;
  return { kind: lowered.kind === 'not open' ? 'copy not open' : 'copy out of step' };
}

async function removeUnderLock(
  { redis, settings }: CouponEditorDependencies,
  tx: Session,
  id: number,
  versions: readonly number[] | null,
): Promise<Step<{ readonly kind: 'removed' }>> {
  const coupon = await lockCoupon(tx, id);
  if (!coupon) return { kind: 'not exist' };
  if (versions && !versions.includes(coupon.version)) return { kind: 'other version', version: coupon.version };
  if (coupon.issuedQuantity > 0) return { kind: 'issued', issued: coupon.issuedQuantity };
  const rows = await tx
    .select({ sequence: couponIssues.sequence })
    .from(couponIssues)
    .where(eq(couponIssues.couponId, id))
    .limit(1);
  if (rows.length > 0) return { kind: 'issued', issued: rows.length };
  if (coupon.stockHome === 'redis') {
    const keys = couponKeys(id, settings.PARTITIONS);
    const closed = await closeUnissued(redis, { keys, server: serverOf(redis) });
    if (closed.kind === 'issued') return closed;
    if (closed.kind === 'not open') return { kind: 'copy not open' };
  }
  // If this is not committed, the next request opens the coupon again.
  await deleteCoupon(tx, id);
  return { kind: 'removed' };
}

/**
 * Compares under the row lock, so that no edit is half done. A copy that is behind is brought on at once. One that differs
 * otherwise gets a version of its own, which the caller spreads: under the old one a late command could still take it back.
 */
async function compareUnderLock(
  dependencies: CouponEditorDependencies,
  tx: Session,
  id: number,
): Promise<Exclude<Repair, 'repaired'> | Coupon> {
  const coupon = await lockCoupon(tx, id);
  if (coupon?.stockHome !== 'redis') return 'not open';
  const applied = await apply(dependencies, coupon);
  if (applied.kind === 'different') return updateCoupon(tx, id, {}, Math.max(coupon.version, applied.version) + 1);
  if (applied.kind === 'not open') return 'not open';
  return applied.kind === 'same' ? 'in step' : coupon;
}

/** Brings the copy in Redis, if there is one or one is being made, to what was committed. */
async function syncToRedis(dependencies: CouponEditorDependencies, coupon: Coupon): Promise<void> {
  // A stock that is opened from now on is opened with what was committed.
  if (coupon.stockHome === 'mysql') return;
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    // `different` is the doing of a later edit.
    if ((await apply(dependencies, coupon)).kind !== 'not open') return;
    // Somebody may be opening it with what was read before the commit: wait for that one, and look again.
    if ((await dependencies.stock.open(coupon.id)) !== 'open') return;
  }
  throw new Unavailable('dependency', 'the state of a coupon does not stay in Redis');
}

function apply({ redis, settings }: CouponEditorDependencies, coupon: Coupon): Promise<ApplyEditReply> {
  const server = serverOf(redis);
  if (server === '') throw new Unavailable('dependency', 'Redis has not told which server it is');
  return applyEdit(redis, { keys: couponKeys(coupon.id, settings.PARTITIONS), server, coupon });
}
