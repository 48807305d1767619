// status.ts -- Issues after they were accepted: the status of one, the list of a user's, and changing one.

import { and, eq, gt } from 'drizzle-orm';
import { couponIssues } from '../../drizzle/schema.ts';
import type { Endpoint } from '../coupon/accepted-by.ts';
import { readCoupon, readCoupons } from '../coupon/catalog.ts';
import type { Coupon } from '../coupon/coupon.ts';
import type { Page } from '../http/pagination.ts';
import { type Database, type Session, readFromPrimary, withTransaction } from '../mysql/database.ts';
import { Unavailable } from '../coupon/outcome.ts';
import { type ChangeResult, changeIssue, type IssueChange } from './changes.ts';
import { type Row, rowColumns, toRow, toWrittenIssue, type WrittenIssue } from './row.ts';
import type { RowWatcher } from './row-watcher.ts';
import type { RedisStock } from '../stock/redis-stock.ts';
import type { StockKeeper } from '../stock/opening.ts';
import type { EpochReader } from '../stock/restoring.ts';
import { waitingOwners } from '../stream/accepted.ts';

/** `accepted`: durable in Redis, not yet a row. `archived`: whether there was a row is in a file. */
export type IssueStatus =
  | { readonly kind: 'none' | 'archived' }
  | { readonly kind: 'accepted'; readonly sequence: number }
  | WrittenIssue;

/** One row of a user, with what the user should know of the coupon. */
export interface OwnedIssue
  extends WrittenIssue,
    Pick<Coupon, 'title' | 'discountAmount' | 'minAvailableAmount' | 'currency'> {
  readonly couponId: number;
  /** When its row was written. */
  readonly writtenMs: number;
  /** Which accepted it; null where that is not known. */
  readonly endpoint: Endpoint | null;
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
  /** Uses an issue, undoes its use or revokes it. One that was just accepted is waited for. */
  change(couponId: number, userId: string, change: IssueChange): Promise<ChangeResult>;
}

export interface IssuesDependencies {
  readonly redisStock: RedisStock;
  readonly database: Database;
  readonly stock: StockKeeper;
  /** Whether there is such a coupon: nothing more is asked for one that there is not. */
  readonly exists: (couponId: number) => boolean | Promise<boolean>;
  /** The coupon as it was at most a second ago, or null. */
  readonly read: (couponId: number) => Promise<Coupon | null>;
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
    return row ? writtenIssue(dependencies, couponId, row) : status;
  };
  return {
    statusOf,
    listOf: (userId, page) => readFromPrimary(database, (session) => readOwned(session, userId, page)),
    async change(couponId, userId, change) {
      if (!(await exists(couponId))) return { kind: 'not exist' };
      const changeRow = () => withTransaction(database, (tx) => changeIssue(tx, couponId, userId, change));
      const changed = await changeRow();
      if (changed) return changed;
      const status = await statusOf(couponId, userId, settings.USE_WAIT_MS);
      if (!status) return { kind: 'not exist' };
      if (status.kind === 'archived') return { kind: 'archived' };
      if (status.kind === 'none') return { kind: 'not issued' };
      // It is promised, so a refusal would be wrong; and not yet a row, so it cannot be changed.
      if (status.kind === 'accepted') throw new Unavailable('unwritten', 'an accepted issue is not yet a row');
      const changedNow = await changeRow();
      if (changedNow) return changedNow;
      throw new Unavailable('dependency', 'a row that was just there is not found');
    },
  };
}

/** Terms cannot change while there are rows, so those of a second ago are right. Null when the coupon is gone. */
async function writtenIssue({ read }: IssuesDependencies, couponId: number, row: Row): Promise<WrittenIssue | null> {
  const coupon = await read(couponId);
  return coupon && toWrittenIssue(row, coupon);
}

async function currentStatus(
  dependencies: IssuesDependencies,
  couponId: number,
  userId: string,
): Promise<IssueStatus | null> {
  const { redisStock, database, stock, epochInRedis } = dependencies;
  const found = await readFromPrimary(database, async (session) => {
    const row = await readRow(session, couponId, userId);
    return row ?? readCoupon(session, couponId);
  });
  if (!found) return null;
  if (!('stockHome' in found)) return writtenIssue(dependencies, couponId, found);
  if (found.archivedMs !== null) return { kind: 'archived' };
  // Redis may know more than rows also when its home is MySQL: after that went back, or beside dead letters.
  if (found.stockHome === 'mysql' && (await epochInRedis(couponId)) <= found.epoch) return { kind: 'none' };
  let seen = await redisStock.look(couponId, [userId]);
  if (seen.kind === 'not open') {
    const opened = await stock.open(couponId);
    seen = await redisStock.look(couponId, [userId]);
    // Over, and its state lost: it is not opened any more, so what was accepted is looked for where it waits.
    if (seen.kind === 'not open' && opened !== 'open') return waitingStatus(dependencies, couponId, userId);
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
  dependencies: IssuesDependencies,
  couponId: number,
  userId: string,
): Promise<IssueStatus | null> {
  const { redis, keysOf } = dependencies.redisStock;
  for await (const owner of waitingOwners(redis, keysOf(couponId), couponId)) {
    if (owner.userId === userId) return { kind: 'accepted', sequence: owner.sequence };
  }
  const row = await readFromPrimary(dependencies.database, (session) => readRow(session, couponId, userId));
  return row ? writtenIssue(dependencies, couponId, row) : { kind: 'none' };
}

async function readRow(session: Session, couponId: number, userId: string): Promise<Row | null> {
  const [row] = await session
    .select(rowColumns)
    .from(couponIssues)
    .where(and(eq(couponIssues.userId, userId), eq(couponIssues.couponId, couponId)));
  return row ? toRow(row) : null;
}

async function readOwned(session: Session, userId: string, { after, limit }: Page): Promise<readonly OwnedIssue[]> {
  const rows = await session
    .select({
      couponId: couponIssues.couponId,
      dateCreated: couponIssues.dateCreated,
      endpoint: couponIssues.endpoint,
      ...rowColumns,
    })
    .from(couponIssues)
    .where(and(eq(couponIssues.userId, userId), gt(couponIssues.couponId, after)))
    .orderBy(couponIssues.couponId)
    .limit(limit);
  if (rows.length === 0) return [];
  // Not a join: the two tables may live on different shards.
  const owned = await readCoupons(
    session,
    rows.map(({ couponId }) => couponId),
  );
  const byId = new Map(owned.map((coupon) => [coupon.id, coupon]));
  return rows.flatMap(({ couponId, dateCreated, endpoint, ...row }) => {
    const coupon = byId.get(couponId);
    if (!coupon) return [];
    const { title, discountAmount, minAvailableAmount, currency } = coupon;
    const shown = { title, discountAmount, minAvailableAmount, currency };
    return [{ couponId, ...toWrittenIssue(toRow(row), coupon), writtenMs: dateCreated.getTime(), endpoint, ...shown }];
  });
}
