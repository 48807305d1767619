// opening.ts -- Opening: moving a coupon's stock to Redis, and rebuilding it there from MySQL and the stream. One procedure.
//
// Whenever Redis has no usable state of a coupon (first use, flush, restored backup, failover, lost owners), scripts answer
// `not open`, never "0 issued". Then one process takes a lease in Redis and
//   1. under the row lock makes Redis the home and raises the epoch: from here on nobody issues in MySQL;
//   2. reads the coupon's entries still in the stream and among the dead letters, THEN its rows. In this order nothing slips
//      between: an entry leaves the stream only after its rows are committed. Rows override entries, since rows are the truth;
//   3. swaps the owners and the state in, if the lease is still its own. So nothing was issued since step 1.
// A state that outlived a restart of Redis is only compared with MySQL: if MySQL knows no more than it, it goes on.
//
// An entry of a later release counts by the fields that every version keeps (see entry.ts). One that names this coupon and not
// who holds what of it cannot be counted, and guessing would give somebody a second coupon: this coupon is then not rebuilt, and
// asking for it is 503, until the entry is replayed by a release that knows it, or discarded. Other coupons go on.
//
// Opening is idempotent and may be tried by every process at once. It is counted: a second opening means that Redis lost data.

import { and, eq, gt, sql } from 'drizzle-orm';
import type { Redis } from 'ioredis';
import { couponIssues, coupons } from '../../drizzle/schema.ts';
import { lockCoupon } from '../coupon/catalog.ts';
import { type Coupon, checkPeriod, lastSequence, type Stock } from '../coupon/coupon.ts';
import { type Database, type Session, withConnection, withTransaction } from '../mysql/database.ts';
import { askServer, serverOf } from '../redis/connection.ts';
import type { Allocation } from '../stream/entry.ts';
import { type CouponKeys, couponKeys } from '../stream/keys.ts';
import { type Refusal, refusal, Unavailable } from '../coupon/outcome.ts';
import { type BeginOpeningReply, beginOpening } from './scripts/begin-opening.ts';
import { endOpening } from './scripts/end-opening.ts';
import { finishOpening } from './scripts/finish-opening.ts';
import { loadOwners } from './scripts/load-owners.ts';
import { proveState } from './scripts/prove-state.ts';
import { allocationPages, UndecodableEntryError } from '../stream/entries.ts';

/** How an opening ended; with a refusal there is nothing to open, and the answer for every user is known. */
export type Opened = 'open' | Refusal;

/**
 * What an opening did, for logs and metrics. `first` moved the stock from MySQL to Redis; `rebuilt` put back what Redis had
 * lost; `proven` found that the state of before a restart is right.
 */
export type OpeningKind = 'first' | 'rebuilt' | 'proven';

export interface StockSettings {
  readonly PARTITIONS: number;
  readonly OPENING_LEASE_MS: number;
  readonly OPENING_WAIT_MS_MAX: number;
  readonly OPENING_PAGE: number;
}

export interface StockDependencies {
  /** An issuing connection. */
  readonly redis: Redis;
  readonly database: Database;
  readonly settings: StockSettings;
  readonly onOpened: (couponId: number, kind: OpeningKind, owners: number) => void;
  /** A coupon is not opened, again and again, until somebody looks after an entry. */
  readonly onBlocked: (blocking: UndecodableEntryError) => void;
}

/** Opens coupons. */
export interface StockKeeper {
  /**
   * Makes sure that the coupon is open in Redis. Calls for the same coupon share one attempt.
   *
   * @param evenWhenOver opens a coupon past its end too, for an edit that must know all its owners
   * @throws Unavailable when it did not come about in time; whatever Redis or MySQL throw
   */
  open(couponId: number, evenWhenOver?: boolean): Promise<Opened>;
}

/** Pause between two looks at an opening that another process has under way. */
const BUSY_WAIT_MS = 20;

/** What one attempt works with. */
interface Attempt extends StockDependencies {
  readonly couponId: number;
  readonly keys: CouponKeys;
  readonly token: string;
  readonly server: string;
  readonly evenWhenOver: boolean;
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

/**
 * Drops the state of a coupon that is not true to the rows, and the lease of whoever is opening it from what was true before.
 * The next request opens it. Throws what Redis throws.
 */
export async function dropState(redis: Redis, keys: CouponKeys): Promise<void> {
  await redis.unlink(keys.state, keys.opening);
}

/** Tries until the coupon is open, by whichever process. */
async function openWithin(dependencies: StockDependencies, couponId: number, evenWhenOver: boolean): Promise<Opened> {
  const { redis, settings } = dependencies;
  const keys = couponKeys(couponId, settings.PARTITIONS);
  const deadlineMs = performance.now() + settings.OPENING_WAIT_MS_MAX;
  while (performance.now() < deadlineMs) {
    // A server that was promoted behind a standing connection has another name by now; two processes that called it by
    // different names would each take the other's state for an old one, in turn.
    await askServer(redis);
    const server = serverOf(redis);
    if (server === '') throw new Unavailable('dependency', 'Redis has not told which server it is');
    const token = crypto.randomUUID();
    const attempt: Attempt = { ...dependencies, couponId, keys, token, server, evenWhenOver };
    const begun = await beginOpening(redis, { keys, server, token, leaseMs: settings.OPENING_LEASE_MS });
    if (begun.kind === 'open') return 'open';
    const opened = begun.kind === 'busy' ? null : await openUnderLease(attempt, begun);
    if (opened) return opened;
    await new Promise((resolve) => setTimeout(resolve, BUSY_WAIT_MS));
  }
  throw new Unavailable('dependency', `a coupon was not open after ${settings.OPENING_WAIT_MS_MAX} ms`);
}

/** One attempt. Null: another process was faster, or Redis lost what was gathered; look again. */
async function openUnderLease(attempt: Attempt, begun: BeginOpeningReply): Promise<Opened | null> {
  const { database, keys, token, redis } = attempt;
  try {
    const claimed = await withTransaction(database, (tx) => claim(tx, attempt, begun));
    if ('kind' in claimed) {
      await endOpening(redis, { keys, token });
      return claimed;
    }
    return claimed.proven ? await prove(attempt) : await rebuild(attempt, claimed.coupon);
  } catch (error) {
    // Best effort: if this fails too, the lease runs out by itself.
    await endOpening(redis, { keys, token }).catch(() => undefined);
    if (!(error instanceof UndecodableEntryError)) throw error;
    attempt.onBlocked(error);
    throw new Unavailable('dependency', error.message, { cause: error });
  }
}

/**
 * Step 1. Makes Redis the home of the stock; or finds the coupon missing or over, when there is nothing to open: otherwise a
 * late visitor would load the owners of a coupon that was put away.
 */
async function claim(tx: Session, { couponId, evenWhenOver }: Attempt, begun: BeginOpeningReply) {
  const coupon = await lockCoupon(tx, couponId);
  if (!coupon) return refusal['not exist'];
  const known = await readKnown(tx, couponId);
  const closed = checkPeriod(coupon, known.nowMs);
  if (closed && known.nowMs >= coupon.endMs && !evenWhenOver) return closed;
  const proven =
    begun.kind === 'unproven' &&
    coupon.stockHome === 'redis' &&
    begun.epoch === coupon.epoch &&
    begun.version === coupon.version &&
    begun.owners >= coupon.issuedQuantity &&
    begun.next > known.highest;
  if (proven) return { coupon, proven };
  const epoch = coupon.epoch + 1;
  await tx.update(coupons).set({ stockHome: 'redis', epoch }).where(eq(coupons.id, couponId));
  return { coupon: { ...coupon, epoch }, proven };
}

/** The highest sequence among the rows, 0 for none, and MySQL's clock. */
export async function readKnown(session: Session, couponId: number) {
  const [row] = await session
    .select({
      highest: sql`COALESCE(MAX(${couponIssues.sequence}), 0)`.mapWith(Number),
      nowMs: sql`CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS UNSIGNED)`.mapWith(Number),
    })
    .from(couponIssues)
    .where(eq(couponIssues.couponId, couponId));
  return { highest: row?.highest ?? 0, nowMs: row?.nowMs ?? 0 };
}

async function prove(attempt: Attempt): Promise<Opened | null> {
  const { redis, keys, token, server, couponId } = attempt;
  if ((await proveState(redis, { keys, token, server })) !== 'opened') return null;
  attempt.onOpened(couponId, 'proven', 0);
  return 'open';
}

/** Steps 2 and 3. */
async function rebuild(attempt: Attempt, coupon: Coupon): Promise<Opened | null> {
  const { redis, keys, token, server, couponId } = attempt;
  const gathered = await gather(attempt);
  if (!gathered) return null;
  const next = gathered.highest + 1;
  const until = lastSequence(next, gathered.owners, coupon.totalQuantity);
  const stock: Stock = { startMs: coupon.startMs, endMs: coupon.endMs, paused: coupon.paused, next, until };
  const { epoch, version } = coupon;
  const swapped = await finishOpening(redis, { keys, token, owners: gathered.owners, server, stock, epoch, version });
  if (swapped !== 'opened') return null;
  // As it was before step 1 changed it.
  attempt.onOpened(couponId, coupon.stockHome === 'mysql' ? 'first' : 'rebuilt', gathered.owners);
  return 'open';
}

/** Everyone who has the coupon, loaded under the temporary key; null when another process took the lease. */
async function gather(attempt: Attempt): Promise<{ highest: number; owners: number } | null> {
  const { redis, keys, token, settings } = attempt;
  let highest = 0;
  let owners = 0;
  for await (const page of pages(attempt)) {
    for (const { sequence } of page) highest = Math.max(highest, sequence);
    const loaded = await loadOwners(redis, {
      keys,
      token,
      leaseMs: settings.OPENING_LEASE_MS,
      owners: page.flatMap(({ userId, sequence }) => [userId, sequence]),
    });
    if (loaded === null) return null;
    owners = loaded;
  }
  return { highest, owners };
}

interface Owner {
  readonly userId: string;
  readonly sequence: number;
}

/**
 * The stream, the dead letters, the stream again, the rows: each page bounded. A dead letter that is replayed moves back to
 * the stream, so that one reading of each could miss it on its way.
 */
async function* pages(attempt: Attempt): AsyncGenerator<readonly Owner[]> {
  const { keys } = attempt;
  for (const stream of [keys.stream, keys.dead, keys.stream]) yield* ownersInStream(attempt, stream);
  yield* rowPages(attempt);
}

async function* ownersInStream({ redis, couponId, settings }: Attempt, stream: string) {
  for await (const page of allocationPages(redis, stream, couponId)) {
    const mine = page.flatMap(ownersOf);
    for (let i = 0; i < mine.length; i += settings.OPENING_PAGE) yield mine.slice(i, i + settings.OPENING_PAGE);
  }
}

function ownersOf({ firstSequence, users }: Allocation): Owner[] {
  return users.map((userId, i) => ({ userId, sequence: firstSequence + i }));
}

async function* rowPages({ database, couponId, settings }: Attempt): AsyncGenerator<readonly Owner[]> {
  let after = 0;
  for (;;) {
    const rows = await withConnection(database, (session) =>
      readOwners(session, couponId, after, settings.OPENING_PAGE),
    );
    yield rows;
    const last = rows.at(-1);
    if (!last || rows.length < settings.OPENING_PAGE) return;
    after = last.sequence;
  }
}

/** A page of owners by sequence, along the primary key. */
export function readOwners(session: Session, couponId: number, after: number, limit: number): Promise<Owner[]> {
  return session
    .select({ userId: couponIssues.userId, sequence: couponIssues.sequence })
    .from(couponIssues)
    .where(and(eq(couponIssues.couponId, couponId), gt(couponIssues.sequence, after)))
    .orderBy(couponIssues.sequence)
    .limit(limit);
}
