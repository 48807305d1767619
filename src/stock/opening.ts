// opening.ts -- Opening: moving a coupon's stock to Redis, and rebuilding it there from MySQL and the stream. One procedure.
//
// Whenever Redis has no usable state of a coupon (first use, flush, restored backup, failover, lost owners), scripts answer
// `not open`, never "0 issued". Then one process takes a lease in Redis and
//   1. under the row lock makes Redis the home and raises the epoch: from here on nothing is issued in MySQL;
//   2. reads all that was accepted, in the order of accepted.ts. Rows come last and override entries, since rows are the truth; a
//      dead letter that is replayed meanwhile ends the lease;
//   3. swaps the owners and the state in, if it still has the lease and MySQL the claim, which a failover may lose. So nothing was
//      issued since step 1.
// A state that survived a restart of Redis is only compared with MySQL, and kept if MySQL knows no more.
//
// An entry of a later release counts by the fields that every version keeps (see entry.ts). One that names this coupon but not
// its owners cannot be counted, and guessing would give a user a second coupon: this coupon is then not rebuilt, and requests
// for it get 503, until the entry is replayed by a release that can read it, or discarded. Other coupons are not affected. Nor is
// a state rebuilt that a later release wrote in a form of its own.
//
// Opening is idempotent and may be tried by every process at once. It is counted: a second opening means that Redis lost data.

import { setTimeout as pause } from 'node:timers/promises';
import { eq } from 'drizzle-orm';
import { coupons } from '../../drizzle/schema.ts';
import { lockCoupon, readCoupon } from '../coupon/catalog.ts';
import { type Coupon, checkPeriod, lastSequence, type Stock } from '../coupon/coupon.ts';
import { readHighestSequence } from '../coupon/issue-rows.ts';
import { type Refusal, refusal, Unavailable } from '../coupon/outcome.ts';
import { type Database, readFromPrimary, type Session, withTransaction } from '../mysql/database.ts';
import { acceptedPages, UndecodableEntryError } from '../stream/accepted.ts';
import type { BeginOpeningReply, OpeningInput } from './opening-scripts.ts';
import { lacksAny, NO_OFFERS, type Offered, type Offers } from './offers.ts';
import type { RedisStock } from './redis-stock.ts';
import { putBack } from './restoring.ts';

/** The result of an opening; with a refusal there is nothing to open, and it is the answer for every user. */
export type Opened = 'open' | Refusal;

/**
 * What an opening did, for logs and metrics. `first` moved the stock from MySQL to Redis; `rebuilt` restored what Redis had
 * lost; `proven` found that the state of before a restart is right.
 */
export type OpeningKind = 'first' | 'rebuilt' | 'proven';

export interface StockDependencies {
  readonly redisStock: RedisStock;
  readonly database: Database;
  readonly settings: {
    readonly OPENING_LEASE_MS: number;
    readonly OPENING_WAIT_MS_MAX: number;
    readonly OPENING_PAGE: number;
  };
  readonly onOpened: (couponId: number, kind: OpeningKind, owners: number) => void;
  /** Offered by processes that remember what Redis lost, see offers.ts. */
  readonly offers?: Pick<Offers, 'gather'> | undefined;
  /** So many issues that Redis had lost were put back. */
  readonly onRestored?: (couponId: number, issues: number) => void;
  /** A coupon cannot be opened until an operator has dealt with what stands in the way. */
  readonly onBlocked: (blocking: UndecodableEntryError | UnknownFormError) => void;
}

/** The state of a coupon was written by a later release, in a form that this one does not know. It is not rebuilt over. */
export class UnknownFormError extends Error {
  override readonly name = 'UnknownFormError';
  readonly couponId: number;
  /** The key of the state. */
  readonly place: string;

  constructor(couponId: number, place: string) {
    super(`a later release wrote the state of a coupon: ${place}`);
    this.couponId = couponId;
    this.place = place;
  }
}

/** Opens coupons. */
export interface StockKeeper {
  /**
   * Makes sure that the coupon is open in Redis. Calls for the same coupon share one attempt.
   *
   * @param evenWhenOver opens a coupon past its end too, for an edit that must know all its owners
   * @throws Unavailable when it was not open in time; what Redis or MySQL throw
   */
  open(couponId: number, evenWhenOver?: boolean): Promise<Opened>;
}

/** Pause between two looks at an opening that another process has under way. */
const BUSY_WAIT_MS = 20;

/** What one attempt works with. */
interface Attempt extends StockDependencies {
  readonly couponId: number;
  readonly evenWhenOver: boolean;
  readonly lease: OpeningInput;
  readonly begun: BeginOpeningReply;
}

export function createStockKeeper(dependencies: StockDependencies): StockKeeper {
  const underWay = { usual: new Map<number, Promise<Opened>>(), evenWhenOver: new Map<number, Promise<Opened>>() };
  return {
    open(couponId, evenWhenOver = false) {
      const attempts = evenWhenOver ? underWay.evenWhenOver : underWay.usual;
      const same = attempts.get(couponId);
      if (same) return same;
      const opening = openWithin(dependencies, couponId, evenWhenOver).finally(() => attempts.delete(couponId));
      attempts.set(couponId, opening);
      return opening;
    },
  };
}

/** Tries until the coupon is open, by this process or another. */
async function openWithin(dependencies: StockDependencies, couponId: number, evenWhenOver: boolean): Promise<Opened> {
  const { redisStock, settings } = dependencies;
  const deadlineMs = performance.now() + settings.OPENING_WAIT_MS_MAX;
  while (performance.now() < deadlineMs) {
    const { lease, begun } = await redisStock.beginOpening(couponId, settings.OPENING_LEASE_MS);
    if (begun.kind === 'open') return 'open';
    if (begun.kind === 'unknown form') throw blocked(dependencies, new UnknownFormError(couponId, lease.keys.state));
    const attempt: Attempt = { ...dependencies, couponId, evenWhenOver, lease, begun };
    const opened = begun.kind === 'busy' ? null : await openUnderLease(attempt);
    if (opened) return opened;
    await pause(BUSY_WAIT_MS);
  }
  throw new Unavailable('dependency', `a coupon was not open after ${settings.OPENING_WAIT_MS_MAX} ms`);
}

/** One attempt. Null: another process was faster, or Redis lost what was loaded; look again. */
async function openUnderLease(attempt: Attempt): Promise<Opened | null> {
  const { database, redisStock, lease } = attempt;
  try {
    const beforeMs = await redisStock.nowMs(attempt.couponId);
    let claimed = await withTransaction(database, (tx) => claim(tx, attempt, true));
    // Before anything is read. A coupon that was never in Redis has no issues that a failover could have lost.
    const wasInRedis = !('kind' in claimed) && (claimed.proven || claimed.coupon.stockHome === 'redis');
    const offered = (wasInRedis && (await attempt.offers?.gather(attempt.couponId, lease))) || NO_OFFERS;
    if (!('kind' in claimed) && claimed.proven && !claimed.isKept && (await lacksAny(redisStock, lease.keys, offered)))
      claimed = await withTransaction(database, (tx) => claim(tx, attempt, false));
    if ('kind' in claimed) {
      await redisStock.endOpening(lease);
      return claimed;
    }
    const aheadMs = aheadOf(claimed.nowMs, beforeMs, await redisStock.nowMs(attempt.couponId));
    const opened = claimed.proven
      ? await prove(attempt, aheadMs, claimed.coupon.erasureKey)
      : await rebuild(attempt, claimed.coupon, aheadMs, offered);
    if (opened === 'open') await redisStock.confirm?.(lease.keys, lease.server);
    return opened;
  } catch (error) {
    // Best effort: if this fails too, the lease runs out by itself.
    await redisStock.endOpening(lease).catch(() => undefined);
    if (!(error instanceof UndecodableEntryError)) throw error;
    throw blocked(attempt, error);
  }
}

/** How far MySQL's clock is ahead of that of Redis, at least; 0 if they may be the same, by what Redis showed before and after. */
function aheadOf(mysqlMs: number, beforeMs: number, afterMs: number): number {
  return Math.max(0, mysqlMs - afterMs) || Math.min(0, mysqlMs - beforeMs);
}

function blocked({ onBlocked }: StockDependencies, error: UndecodableEntryError | UnknownFormError): Unavailable {
  onBlocked(error);
  return new Unavailable('dependency', error.message, { cause: error });
}

/**
 * Step 1. Makes Redis the home of the stock; or finds the coupon missing or over, when there is nothing to open: otherwise a
 * late request would load the owners of a coupon that was closed.
 */
async function claim(tx: Session, { couponId, evenWhenOver, begun }: Attempt, mayProve: boolean) {
  const coupon = await lockCoupon(tx, couponId);
  if (!coupon) return refusal['not exist'];
  // Its owners are in a file.
  if (coupon.archivedMs !== null) return refusal.ended;
  const { highest, nowMs } = await readHighestSequence(tx, couponId);
  const refused = checkPeriod(coupon, nowMs);
  if (refused && nowMs >= coupon.endMs && !evenWhenOver) return refused;
  // The home is compared though each move of it raises the epoch, and the owners though the next sequence is, since neither needs
  // reading: a second line where both stores went back.
  const isWhole = begun.kind === 'unproven' && begun.owners >= coupon.issuedQuantity && begun.next > highest;
  if (isWhole && begun.epoch > coupon.epoch) {
    // MySQL went back, and a rebuilt state would lose what only Redis knows.
    await tx.update(coupons).set({ stockHome: 'redis', epoch: begun.epoch }).where(eq(coupons.id, couponId));
    return { coupon, nowMs, proven: true, isKept: true };
  }
  const isSame =
    isWhole && coupon.stockHome === 'redis' && begun.epoch === coupon.epoch && begun.version === coupon.version;
  if (isSame && mayProve) return { coupon, nowMs, proven: true, isKept: false };
  const epoch = coupon.epoch + 1;
  await tx.update(coupons).set({ stockHome: 'redis', epoch }).where(eq(coupons.id, couponId));
  return { coupon: { ...coupon, epoch }, nowMs, proven: false, isKept: false };
}

async function prove(
  { redisStock, lease, onOpened, couponId }: Attempt,
  aheadMs: number,
  erasureKey: string | undefined,
): Promise<Opened | null> {
  if ((await redisStock.proveState(lease, aheadMs, erasureKey)) !== 'opened') return null;
  onOpened(couponId, 'proven', 0);
  return 'open';
}

/** Steps 2 and 3. */
async function rebuild(attempt: Attempt, coupon: Coupon, aheadMs: number, offered: Offered): Promise<Opened | null> {
  const loaded = await load(attempt, offered, coupon.totalQuantity);
  if (!loaded) return null;
  // Its rows and its counter are committed together, so that the lock has shown how many rows there are at least.
  if (loaded.rows < coupon.issuedQuantity)
    throw new Unavailable(
      'dependency',
      `MySQL gave ${loaded.rows} rows of ${coupon.issuedQuantity}; a replica answers in its place`,
    );
  const next = loaded.highest + 1;
  const until = lastSequence(next, loaded.owners, coupon.totalQuantity);
  const stock: Stock = { startMs: coupon.startMs, endMs: coupon.endMs, paused: coupon.paused, next, until };
  const { redisStock, lease, onOpened, onRestored, couponId } = attempt;
  const claimed = await readClaimed(attempt, coupon.epoch);
  if (!claimed) {
    await redisStock.endOpening(lease);
    return null;
  }
  // The key as it is after all owners were read: where there is a pseudonym among them, there is a key.
  const { erasureKey } = claimed;
  const named = { epoch: coupon.epoch, version: coupon.version, ...(erasureKey !== undefined && { erasureKey }) };
  if ((await redisStock.finishOpening(lease, loaded.owners, stock, named, aheadMs)) !== 'opened') return null;
  // As it was before step 1 changed it.
  onOpened(couponId, coupon.stockHome === 'mysql' ? 'first' : 'rebuilt', loaded.owners);
  if (loaded.restored.size === 0) return 'open';
  // Were we killed before, the reconciler would find owners without an entry.
  const state = { server: lease.server, epoch: coupon.epoch };
  const acceptedMsOf = (userId: string) => offered.get(userId)?.acceptedMs ?? 0;
  const restored = await putBack(redisStock, couponId, state, loaded.restored, acceptedMsOf);
  onRestored?.(couponId, restored);
  return 'open';
}

/** The coupon, if MySQL still has the claim. One that failed over without it has issued since, perhaps to users that were not there to be read. */
async function readClaimed({ database, couponId }: Attempt, epoch: number): Promise<Coupon | null> {
  const coupon = await readFromPrimary(database, (session) => readCoupon(session, couponId));
  return coupon?.stockHome === 'redis' && coupon.epoch === epoch ? coupon : null;
}

interface Loaded {
  readonly highest: number;
  readonly owners: number;
  readonly rows: number;
  /** What is offered and was nowhere else, by sequence. */
  readonly restored: ReadonlyMap<number, string>;
}

/** Loads all owners under the temporary key, what is offered last; null when another process took the lease. */
async function load(attempt: Attempt, offered: Offered, total: number | null): Promise<Loaded | null> {
  let [highest, owners, rows] = [0, 0, 0];
  const left = new Map([...offered].map(([userId, { sequence }]) => [sequence, userId]));
  const { database, redisStock, couponId, settings, lease } = attempt;
  const stores = { redis: redisStock.redis, database };
  for await (const page of acceptedPages(stores, lease.keys, couponId, settings.OPENING_PAGE)) {
    if (page.areRows) rows += page.owners.length;
    for (const { userId, sequence } of page.owners) {
      highest = Math.max(highest, sequence);
      // The user has it, under whatever sequence; or another user has the sequence.
      left.delete(sequence);
      left.delete(offered.get(userId)?.sequence ?? 0);
    }
    const loaded = await redisStock.loadOwners(
      lease,
      page.owners.flatMap(({ userId, sequence }) => [userId, sequence]),
    );
    if (loaded === null) return null;
    owners = loaded;
  }
  const room = total === null ? left.size : Math.max(0, total - owners);
  const restored = new Map([...left].sort(([a], [b]) => a - b).slice(0, room));
  const pairs = [...restored];
  for (let i = 0; i < pairs.length; i += settings.OPENING_PAGE) {
    const page = pairs.slice(i, i + settings.OPENING_PAGE);
    for (const [sequence] of page) highest = Math.max(highest, sequence);
    const loaded = await redisStock.loadOwners(
      lease,
      page.flatMap(([sequence, userId]) => [userId, sequence]),
    );
    if (loaded === null) return null;
    owners = loaded;
  }
  return { highest, owners, rows, restored };
}
