// editing.ts -- Changes and deletes coupons while they are being issued, in both stores, so that every promise is kept throughout.
//
// MySQL is the truth about a coupon; while Redis is the home of its stock, the settings cached there decide. An edit
//   1. takes the lock on the coupon's row, so that edits, repairs and openings come one after the other;
//   2. if the total goes down, lowers it in Redis first: Redis refuses a total below its issues, and from here on gives out
//      no more than the new total, whether or not MySQL ever commits;
//   3. commits the edit, with the next version, to MySQL;
//   4. brings the cached settings to that version, so that a higher total is never in Redis before it is in MySQL.
// Terms, which is what an issue promises, change only while nothing is issued: the stock is then taken out of Redis first, as for a
// deletion, and MySQL is its home again from the commit on. So whatever is issued is issued under the terms that were committed.
// A version names exactly one committed edit, and Redis only ever moves to a higher one. So whatever crashes in between, and
// however late a command arrives, the cached settings are behind or too strict, never too generous; `repair` corrects that.

import { type Actor, differences, record, recordIn, SYSTEM } from '../auth/audit-trail.ts';
import { abandonCodes } from '../codes/abandoned.ts';
import { holdsTotal } from '../codes/code-tables.ts';
import { deleteCoupon, lockCoupon, readCoupon, updateCoupon } from '../coupon/catalog.ts';
import type { Coupon, CouponChanges } from '../coupon/coupon.ts';
import { readHighestSequence } from '../coupon/issue-rows.ts';
import { toAnswer } from '../coupon/json.ts';
import { changesTerms, type Contradiction, contradictionIn } from '../coupon/terms.ts';
import { type Database, readFromPrimary, type Session, withTransaction } from '../mysql/database.ts';
import { Unavailable } from '../coupon/outcome.ts';
import type { Opened, StockKeeper } from './opening.ts';
import type { RedisStock } from './redis-stock.ts';
import { readKnownEpoch } from './restoring.ts';

/** Why nothing was changed. */
export type EditRefusal =
  | { readonly kind: 'not exist' }
  /** The caller knew another version. */
  | { readonly kind: 'other version'; readonly version: number }
  /** More were issued than the new total, or any at all of a coupon to be deleted. */
  | { readonly kind: 'issued'; readonly issued: number }
  /** The coupon has issues, and the edit would change what they promise. */
  | { readonly kind: 'terms fixed' }
  /** It has fewer codes than the new total. */
  | { readonly kind: 'too few codes' }
  /** Its issues were moved to a file. */
  | { readonly kind: 'archived' }
  /** Old and new together would contradict each other, such as an end before the start: which member would be wrong. */
  | { readonly kind: 'contradiction'; readonly member: Contradiction };

/** `repaired`: the settings cached in Redis had lagged or were too strict. `not open`: there are none; opening reads MySQL's. */
export type Repair = 'in step' | 'repaired' | 'not open';

export interface CouponEditor {
  /**
   * Changes a coupon. When it returns, the change is in effect in both stores.
   *
   * @param versions the versions that the caller accepts to change; null for any
   * @throws Unavailable when a store failed: the result is ambiguous, and `read` shows it
   */
  edit(
    id: number,
    changes: CouponChanges,
    versions: readonly number[] | null,
    by?: Actor,
  ): Promise<{ readonly kind: 'edited'; readonly coupon: Coupon } | EditRefusal>;
  /** Deletes a coupon of which nothing was issued. Parameters and errors as `edit`. */
  remove(
    id: number,
    versions: readonly number[] | null,
    by?: Actor,
  ): Promise<{ readonly kind: 'removed' } | EditRefusal>;
  /** Opens a coupon ahead of its first request. Throws as `StockKeeper.open`, and what MySQL throws. */
  open(id: number, by?: Actor): Promise<Opened>;
  /** Compares the settings cached in Redis with MySQL, and repairs them. Throws what Redis or MySQL throw. */
  repair(id: number): Promise<Repair>;
}

export interface CouponEditorDependencies {
  readonly redisStock: RedisStock;
  readonly database: Database;
  readonly stock: StockKeeper;
  /** Makes every process drop cached refusals of the coupon; must not throw. */
  readonly announce: (couponId: number) => Promise<void>;
  readonly onFault: (fault: unknown) => void;
}

/** Tries to reach a state that is lost, or lags, again and again. */
const TRIES_MAX = 3;

/** The result of a step under the row lock; or Redis must first have a state, with the settings of MySQL. */
type Step<Done> = Done | EditRefusal | { readonly kind: 'not open' | 'out of step' };

export function createCouponEditor(dependencies: CouponEditorDependencies): CouponEditor {
  const { database, stock, announce } = dependencies;
  return {
    async edit(id, changes, versions, by = SYSTEM) {
      const edited = await withStateInStep(dependencies, id, (tx) =>
        editUnderLock(dependencies, tx, id, changes, versions, by),
      );
      if (edited.kind !== 'edited') return edited;
      try {
        // A stock that was taken out of Redis was perhaps opened ahead of a rush.
        if (edited.wasTakenOut) await stock.open(id);
        else await syncToRedis(dependencies, edited.coupon);
      } finally {
        // Also when Redis failed: what other processes have cached is outdated in any case.
        await announce(id);
      }
      return { kind: 'edited', coupon: edited.coupon };
    },
    async remove(id, versions, by = SYSTEM) {
      const removed = await withStateInStep(dependencies, id, (tx) =>
        removeUnderLock(dependencies, tx, id, versions, by),
      );
      if (removed.kind === 'removed') await announce(id);
      return removed;
    },
    async open(id, by = SYSTEM) {
      const coupon = await readFromPrimary(database, (session) => readCoupon(session, id));
      const change = { from: { stockHome: coupon?.stockHome }, to: { stockHome: 'redis' } };
      if (coupon) await recordIn(database)(by, { action: 'coupon.open', couponId: id, ...change });
      return stock.open(id);
    },
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

/** Runs a step under the row lock until Redis has a state with the settings of MySQL. */
async function withStateInStep<Done extends { readonly kind: 'edited' | 'removed' }>(
  dependencies: CouponEditorDependencies,
  id: number,
  step: (tx: Session) => Promise<Step<Done>>,
): Promise<Done | EditRefusal> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    let result: Step<Done>;
    try {
      result = await withTransaction(dependencies.database, step);
    } catch (fault) {
      // The total may be lowered in Redis alone. If this fails too, the reconciler repairs it.
      repair(dependencies, id).catch(dependencies.onFault);
      throw fault;
    }
    // Not under the lock: opening takes it too.
    if (result.kind === 'not open') await dependencies.stock.open(id, true);
    else if (result.kind === 'out of step') await repair(dependencies, id);
    else return result as Done | EditRefusal;
  }
  throw new Unavailable('dependency', 'the state of a coupon does not stay in Redis');
}

async function editUnderLock(
  dependencies: CouponEditorDependencies,
  tx: Session,
  id: number,
  changes: CouponChanges,
  versions: readonly number[] | null,
  by: Actor,
): Promise<Step<{ readonly kind: 'edited'; readonly coupon: Coupon; readonly wasTakenOut: boolean }>> {
  const coupon = await lockVersion(dependencies, tx, id, versions);
  if ('kind' in coupon) return coupon;
  const member = contradictionIn({ ...coupon, ...changes });
  if (member !== null) return { kind: 'contradiction', member };
  if (changes.totalQuantity !== undefined && !(await holdsTotal(tx, id, changes.totalQuantity)))
    return { kind: 'too few codes' };
  if (changesTerms(coupon, changes)) {
    const hindrance = await takeOutUnissued(dependencies, tx, coupon);
    if (hindrance) return hindrance.kind === 'issued' ? { kind: 'terms fixed' } : hindrance;
    const home = { stockHome: 'mysql', epoch: coupon.epoch + 1 } as const;
    const wasTakenOut = coupon.stockHome === 'redis';
    return {
      kind: 'edited',
      coupon: await write(tx, coupon, { ...changes, ...(wasTakenOut && home) }, by),
      wasTakenOut,
    };
  }
  const total = changes.totalQuantity;
  if (typeof total === 'number' && total < (coupon.totalQuantity ?? Number.POSITIVE_INFINITY)) {
    if (total < coupon.issuedQuantity) return { kind: 'issued', issued: coupon.issuedQuantity };
    const hindrance = coupon.stockHome === 'redis' ? await lowerInRedis(dependencies, coupon, total) : null;
    if (hindrance) return hindrance;
  }
  return { kind: 'edited', coupon: await write(tx, coupon, changes, by), wasTakenOut: false };
}

/** The edited coupon, which the audit trail has then. */
async function write(
  tx: Session,
  coupon: Coupon,
  changes: Parameters<typeof updateCoupon>[2],
  by: Actor,
): Promise<Coupon> {
  const edited = await updateCoupon(tx, coupon.id, changes, coupon.version + 1);
  const { dateUpdated: _, ...after } = toAnswer(edited);
  await record(tx, by, { action: 'coupon.edit', couponId: coupon.id, ...differences(toAnswer(coupon), after) });
  return edited;
}

/** Step 1. */
async function lockVersion(
  { redisStock }: Pick<CouponEditorDependencies, 'redisStock'>,
  tx: Session,
  id: number,
  versions: readonly number[] | null,
): Promise<Coupon | EditRefusal> {
  const coupon = await lockCoupon(tx, id);
  if (!coupon) return { kind: 'not exist' };
  if (coupon.archivedMs !== null) return { kind: 'archived' };
  // What only Redis knows of it would not be counted.
  if (coupon.stockHome === 'mysql' && (await readKnownEpoch(redisStock, id).catch(() => 0)) > coupon.epoch)
    throw new Unavailable('dependency', 'MySQL is older than Redis, and must be restored first');
  const { version } = coupon;
  return versions && !versions.includes(version) ? { kind: 'other version', version } : coupon;
}

/** Step 2. Null when the total is lowered. */
async function lowerInRedis(
  dependencies: CouponEditorDependencies,
  coupon: Coupon,
  total: number,
): Promise<Step<never> | null> {
  const { redisStock } = dependencies;
  let lowered = await redisStock.lowerTotal(coupon, total);
  if (lowered.kind === 'other version') {
    // The previous edit is committed, and its last step still to come.
    await redisStock.applyEdit(coupon);
    lowered = await redisStock.lowerTotal(coupon, total);
  }
  if (lowered.kind === 'lowered') return null;
  if (lowered.kind === 'issued') return lowered;
  return { kind: lowered.kind === 'not open' ? 'not open' : 'out of step' };
}

async function removeUnderLock(
  dependencies: CouponEditorDependencies,
  tx: Session,
  id: number,
  versions: readonly number[] | null,
  by: Actor,
): Promise<Step<{ readonly kind: 'removed' }>> {
  const coupon = await lockVersion(dependencies, tx, id, versions);
  if ('kind' in coupon) return coupon;
  const hindrance = await takeOutUnissued(dependencies, tx, coupon);
  if (hindrance) return hindrance;
  await deleteCoupon(tx, id);
  await abandonCodes(tx, id);
  await record(tx, by, { action: 'coupon.delete', couponId: id, from: toAnswer(coupon), to: null });
  return { kind: 'removed' };
}

/**
 * Takes the stock of a coupon without issues out of Redis. Nothing is issued then until the row lock is free, since an opening waits
 * for it; if the transaction is not committed, the next request opens the coupon as it was.
 *
 * @returns null when that is done
 */
async function takeOutUnissued(
  { redisStock }: CouponEditorDependencies,
  tx: Session,
  coupon: Coupon,
): Promise<{ readonly kind: 'issued'; readonly issued: number } | { readonly kind: 'not open' } | null> {
  // The counter beside the rows could be wrong; the rows are the truth.
  const { highest } = await readHighestSequence(tx, coupon.id);
  if (coupon.issuedQuantity > 0 || highest > 0) return { kind: 'issued', issued: Math.max(1, coupon.issuedQuantity) };
  if (coupon.stockHome === 'mysql') return null;
  const removed = await redisStock.removeUnissued(coupon.id);
  if (removed.kind === 'removed') return null;
  return removed.kind === 'issued' ? removed : { kind: 'not open' };
}

/**
 * Compares under the row lock, so that no edit is half done. Settings that lag are brought up to date. Those that differ
 * otherwise get a new version, which the caller syncs: under the old one a late command could still undo it.
 */
async function compareUnderLock(
  { redisStock }: CouponEditorDependencies,
  tx: Session,
  id: number,
): Promise<Exclude<Repair, 'repaired'> | Coupon> {
  const coupon = await lockCoupon(tx, id);
  if (coupon?.stockHome !== 'redis') return 'not open';
  const applied = await redisStock.applyEdit(coupon);
  if (applied.kind === 'different') return updateCoupon(tx, id, {}, Math.max(coupon.version, applied.version) + 1);
  if (applied.kind === 'not open') return 'not open';
  return applied.kind === 'same' ? 'in step' : coupon;
}

/** Brings the settings cached in Redis, if the coupon is open there or just being opened, to what was committed. */
async function syncToRedis(dependencies: CouponEditorDependencies, coupon: Coupon): Promise<void> {
  // A stock that is opened from now on is opened with what was committed.
  if (coupon.stockHome === 'mysql') return;
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    // `different`: a later edit was faster.
    if ((await dependencies.redisStock.applyEdit(coupon)).kind !== 'not open') return;
    // Another process may be opening it with what it read before the commit: wait for that, and look again.
    if ((await dependencies.stock.open(coupon.id)) !== 'open') return;
  }
  throw new Unavailable('dependency', 'the state of a coupon does not stay in Redis');
}
