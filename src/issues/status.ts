// status.ts -- Issues after they were accepted: the status of one, the list of a user's, and using one.

import { and, eq, gt, inArray, isNull, sql } from 'drizzle-orm';
import { couponIssues, coupons } from '../../drizzle/schema.ts';
import { readCoupon } from '../coupon/catalog.ts';
import type { Coupon } from '../coupon/coupon.ts';
import type { Page } from '../http/pagination.ts';
import { type Database, RollbackError, type Session, readFromPrimary, withTransaction } from '../mysql/database.ts';
import { Unavailable } from '../coupon/outcome.ts';
import type { Row, RowWatcher } from './row-watcher.ts';
import type { RedisStock } from '../stock/redis-stock.ts';
import type { StockKeeper } from '../stock/opening.ts';
import type { EpochReader } from '../stock/restoring.ts';
import { waitingOwners } from '../stream/accepted.ts';

/** `accepted`: durable in Redis, not yet a row. `issued`: a row. `used`: redeemed. `archived`: whether there was a row is in a file. */
export type IssueStatus =
  | { readonly kind: 'none' | 'archived' }
  | { readonly kind: 'accepted' | 'issued' | 'used'; readonly sequence: number };

/** The result of using an issue. `already used` also says when. */
export type Use =
  | { readonly kind: 'not exist' | 'not issued' | 'archived' }
  | { readonly kind: 'used' | 'already used'; readonly sequence: number; readonly usedMs: number };

/** One row of a user, with what the user should know of the coupon. */
export interface OwnedIssue extends Row, Pick<Coupon, 'title' | 'discountAmount' | 'minAvailableAmount'> {
  readonly couponId: number;
  /** When it was accepted. */
  readonly issuedMs: number;
  /** When its row was written. */
  readonly writtenMs: number;
}

/** All throw what Redis or MySQL throw, and Unavailable. */
export interface Issues {
  /**
   * The status of one issue; null when there is no such coupon.
   *
   * @param waitMs how long an accepted issue is waited for to become a row
   * @param signal ends the waiting
   */
  statusOf(couponId: number, userId: string, waitMs?: number, signal?: AbortSignal): Promise<IssueStatus | null>;
  /** At most `limit` rows of a user, of coupons with ids above `after`, in order of coupon. */
  listOf(userId: string, page: Page): Promise<readonly OwnedIssue[]>;
  /** Uses an issue, once. One that was just accepted is waited for. */
  use(couponId: number, userId: string): Promise<Use>;
}

export interface IssuesDependencies {
  readonly redisStock: RedisStock;
  readonly database: Database;
  readonly stock: StockKeeper;
  /** Whether there is such a coupon: nothing more is asked for one that there is not. */
  readonly exists: (couponId: number) => boolean | Promise<boolean>;
  readonly watch: RowWatcher;
  readonly epochInRedis: EpochReader;
  readonly settings: { readonly USE_WAIT_MS: number };
}

export function createIssues(dependencies: IssuesDependencies): Issues {
  const { database, exists, watch, settings } = dependencies;
  const statusOf: Issues['statusOf'] = async (couponId, userId, waitMs = 0, signal) => {
    const status = (await exists(couponId)) ? await currentStatus(dependencies, couponId, userId) : null;
    if (status?.kind !== 'accepted') return status;
    const row = await watch.wait(couponId, userId, waitMs, signal);
    return row ? statusOfRow(row) : status;
  };
  return {
    statusOf,
    listOf: (userId, page) => readFromPrimary(database, (session) => readOwned(session, userId, page)),
    async use(couponId, userId) {
      if (!(await exists(couponId))) return { kind: 'not exist' };
      const use = () => withTransaction(database, (session) => useRow(session, couponId, userId)).catch(asArchived);
      const used = await use();
      if (used) return used;
      const status = await statusOf(couponId, userId, settings.USE_WAIT_MS);
      if (!status) return { kind: 'not exist' };
      if (status.kind === 'archived') return { kind: 'archived' };
      if (status.kind === 'none') return { kind: 'not issued' };
      // It is promised, so a refusal would be wrong; and not yet a row, so it cannot be used.
      if (status.kind === 'accepted') throw new Unavailable('unwritten', 'an accepted issue is not yet a row');
      const usedNow = await use();
      if (usedNow) return usedNow;
      throw new Unavailable('dependency', 'a row that was just there is not found');
    },
  };
}

async function currentStatus(
  { redisStock, database, stock, epochInRedis }: IssuesDependencies,
  couponId: number,
  userId: string,
): Promise<IssueStatus | null> {
  const found = await readFromPrimary(database, async (session) => {
    const row = await readRow(session, couponId, userId);
    return row ? statusOfRow(row) : readCoupon(session, couponId);
  });
  if (!found || !('stockHome' in found)) return found;
  if (found.archivedMs !== null) return { kind: 'archived' };
  // Redis may know more than rows also when its home is MySQL: after that went back, or beside dead letters.
  if (found.stockHome === 'mysql' && (await epochInRedis(couponId)) <= found.epoch) return { kind: 'none' };
  let seen = await redisStock.look(couponId, [userId]);
  if (seen.kind === 'not open') {
    const opened = await stock.open(couponId);
    seen = await redisStock.look(couponId, [userId]);
    // Over, and its state lost: it is not opened any more, so what was accepted is looked for where it waits.
    if (seen.kind === 'not open' && opened !== 'open') return waitingStatus(redisStock, database, couponId, userId);
  }
  if (seen.kind === 'not open') throw new Unavailable('dependency', 'the state of a coupon does not stay in Redis');
  const sequence = seen.owners.get(userId);
  if (sequence === undefined || seen.erased.has(userId)) return { kind: 'none' };
  // It says once more what was answered, and perhaps to a process that did not wait.
  await redisStock.confirm?.(redisStock.keysOf(couponId), seen.server);
  return { kind: 'accepted', sequence };
}

/** The status of an issue without a state, read in the order of accepted.ts. */
async function waitingStatus(
  { redis, keysOf }: RedisStock,
  database: Database,
  couponId: number,
  userId: string,
): Promise<IssueStatus> {
  for await (const owner of waitingOwners(redis, keysOf(couponId), couponId)) {
    if (owner.userId === userId) return { kind: 'accepted', sequence: owner.sequence };
  }
  const row = await readFromPrimary(database, (session) => readRow(session, couponId, userId));
  return row ? statusOfRow(row) : { kind: 'none' };
}

function statusOfRow({ sequence, usedMs }: Row): IssueStatus {
  return { kind: usedMs === null ? 'issued' : 'used', sequence };
}

async function readRow(session: Session, couponId: number, userId: string): Promise<Row | null> {
  const [row] = await session
    .select({ sequence: couponIssues.sequence, dateUsed: couponIssues.dateUsed })
    .from(couponIssues)
    .where(and(eq(couponIssues.userId, userId), eq(couponIssues.couponId, couponId)));
  return row ? { sequence: row.sequence, usedMs: row.dateUsed?.getTime() ?? null } : null;
}

/** The coupon was archived while an issue of it was used: the use is undone. */
class Archived extends RollbackError {
  override readonly name = 'Archived';
}

function asArchived(error: unknown): Use {
  if (error instanceof Archived) return { kind: 'archived' };
  throw error;
}

/** Of two requests at the same time, one changes the row. Null when there is no row. */
async function useRow(session: Session, couponId: number, userId: string): Promise<Use | null> {
  const [{ affectedRows }] = await session
    .update(couponIssues)
    .set({ dateUsed: sql`UTC_TIMESTAMP(3)`, dateUpdated: sql`UTC_TIMESTAMP(3)` })
    .where(and(eq(couponIssues.userId, userId), eq(couponIssues.couponId, couponId), isNull(couponIssues.dateUsed)));
  const row = await readRow(session, couponId, userId);
  if (!row || row.usedMs === null) return null;
  // After the update, whose lock the archiving waits for once it has marked the coupon: either it sees the use, or we see the mark.
  const coupon = affectedRows === 1 ? await readCoupon(session, couponId) : null;
  if (coupon && coupon.archivedMs !== null) throw new Archived();
  return { kind: affectedRows === 1 ? 'used' : 'already used', sequence: row.sequence, usedMs: row.usedMs };
}

async function readOwned(session: Session, userId: string, { after, limit }: Page): Promise<readonly OwnedIssue[]> {
  const rows = await session
    .select()
    .from(couponIssues)
    .where(and(eq(couponIssues.userId, userId), gt(couponIssues.couponId, after)))
    .orderBy(couponIssues.couponId)
    .limit(limit);
  if (rows.length === 0) return [];
  // Not a join: the two tables may live on different shards.
  const { id, title, discountAmount, minAvailableAmount } = coupons;
  const couponIds = rows.map(({ couponId }) => couponId);
  const owned = await session
    .select({ id, title, discountAmount, minAvailableAmount })
    .from(coupons)
    .where(inArray(coupons.id, couponIds));
  const byId = new Map(owned.map((coupon) => [coupon.id, coupon]));
  return rows.flatMap(({ couponId, sequence, dateIssued, dateCreated, dateUsed }) => {
    const coupon = byId.get(couponId);
    if (!coupon) return [];
    const { id: _, ...shown } = coupon;
    const times = {
      issuedMs: dateIssued.getTime(),
      writtenMs: dateCreated.getTime(),
      usedMs: dateUsed?.getTime() ?? null,
    };
    return [{ couponId, sequence, ...times, ...shown }];
  });
}
