// catalog.ts -- The coupons as MySQL keeps them: make, read, list; and, under the row lock, change and delete.

import { and, desc, eq, gt, gte, isNull, lt, ne, or, type SQL, sql } from 'drizzle-orm';
import { coupons } from '../../drizzle/schema.ts';
import { type Actor, record, SYSTEM } from '../auth/audit-trail.ts';
import { invariant } from '../invariant.ts';
import {
  clockMs,
  type Database,
  type Session,
  readFromPrimary,
  RollbackError,
  withTransaction,
} from '../mysql/database.ts';
import type { Rows } from '../mysql/read-then-write.ts';
import { errorNumber } from '../mysql/faults.ts';
import { type Coupon, type CouponChanges, type CouponDraft, ID_MAX } from './coupon.ts';
import { toAnswer } from './json.ts';
import { type CouponQuery, listParts } from './listing.ts';
import { termDefaults } from './terms.ts';

/** MySQL: a sequence of Vitess does not pass over ids that were given explicitly. */
const DUPLICATE_ENTRY = 1062;

/** Ids that are tried for a new coupon: as many more as others may take at the same time. */
const CREATE_TRIES_MAX = 10;

/** The server gave an id again. */
class TakenId extends RollbackError {
  override readonly name = 'TakenId';
  readonly couponId: number;

  constructor(couponId: number) {
    super(`Redis knows a coupon ${couponId} already`);
    this.couponId = couponId;
  }
}

/** What routes need of the catalog. */
export interface Catalog {
  /** Makes a coupon. Its stock starts in MySQL. */
  create(coupon: CouponDraft, by?: Actor): Promise<Coupon>;
  /** The coupon, or null. */
  read(id: number): Promise<Coupon | null>;
  /** Those on one page of a list, and how many are on all pages. */
  list(query: CouponQuery): Promise<{ readonly coupons: readonly Coupon[]; readonly total: number }>;
}

/**
 * The catalog over a database. All throw what MySQL throws.
 *
 * @param announce makes every process drop cached refusals of a coupon that is new or changed; it must not throw, since the
 *   change is made, and cached refusals expire within a second
 * @param ids whether Redis knows nothing of an id, and one from the given one on of which it does not: a MySQL that went back gives ids
 *   again. Without an answer no coupon is made
 */
export function createCatalog(
  database: Database,
  announce: (couponId: number) => Promise<void>,
  ids: {
    readonly clear: (couponId: number) => Promise<boolean>;
    readonly freeFrom: (couponId: number) => Promise<number>;
  },
): Catalog {
  return {
    async create(coupon, by = SYSTEM) {
      let id: number | undefined;
      for (let tries = 1; ; tries += 1) {
        try {
          // A transaction for each try, since on Vitess another id may be of another shard.
          const made = await withTransaction(database, async (session) => {
            const inserted = await insertCoupon(session, by, coupon, id);
            if (id === undefined && !(await ids.clear(inserted.id))) throw new TakenId(inserted.id);
            return inserted;
          });
          await announce(made.id);
          return made;
        } catch (error) {
          const isTaken = error instanceof TakenId || errorNumber(error) === DUPLICATE_ENTRY;
          if (!isTaken || tries === CREATE_TRIES_MAX) throw error;
          // Others may look for one at the same time, and find the same.
          const highest = await readFromPrimary(database, readHighestId);
          id = await ids.freeFrom(Math.max(highest + 1, error instanceof TakenId ? error.couponId : 0));
        }
      }
    },
    read: (id) => readFromPrimary(database, (session) => readCoupon(session, id)),
    list: (query) =>
      readFromPrimary(database, async (session) => {
        const { matches, onPage, orderBy } = listParts(query);
        const page = selectCoupons(session, onPage).orderBy(...orderBy);
        const rows = await page.limit(query.limit).offset(query.skip ?? 0);
        return { coupons: rows.map(toCoupon), total: await session.$count(coupons, matches) };
      }),
  };
}

/** The coupon with its row locked until the transaction ends; or null. */
export async function lockCoupon(tx: Session, id: number): Promise<Coupon | null> {
  const [row] = await selectCoupons(tx, eq(coupons.id, id)).for('update');
  return row ? toCoupon(row) : null;
}

/** The part of a coupon that decides about a batch, and the bookkeeping that goes with it. */
export type DecidingCoupon = Pick<
  Coupon,
  | 'totalQuantity'
  | 'issuedQuantity'
  | 'startMs'
  | 'endMs'
  | 'paused'
  | 'stockHome'
  | 'epoch'
  | 'archivedMs'
  | 'erasureKey'
>;

/** The statement for `readThenWrite` that locks the row of a coupon until the transaction ends; `lockedCoupon` reads its rows. */
export function lockStatement(id: number): string {
  invariant(Number.isSafeInteger(id), 'a coupon id that was never checked reached SQL');
  return `SELECT total_quantity AS totalQuantity, issued_quantity AS issuedQuantity, date_issue_start AS dateIssueStart,
                 date_issue_end AS dateIssueEnd, paused, stock_home AS stockHome, epoch, date_archived AS dateArchived,
                 erasure_key AS erasureKey
            FROM coupons WHERE id = ${id} FOR UPDATE`;
}

/** What `lockStatement` found; null if there is no such coupon. */
export function lockedCoupon(rows: Rows): DecidingCoupon | null {
  const row = rows[0] as LockedRow | undefined;
  if (row === undefined) return null;
  const { dateIssueStart, dateIssueEnd, dateArchived, paused, erasureKey, ...rest } = row;
  return {
    ...rest,
    ...(erasureKey !== null && { erasureKey }),
    startMs: dateIssueStart.getTime(),
    endMs: dateIssueEnd.getTime(),
    archivedMs: dateArchived?.getTime() ?? null,
    paused: paused === 1,
  };
}

/** As the driver reads the columns, by their types in the schema. */
interface LockedRow extends Omit<DecidingCoupon, 'startMs' | 'endMs' | 'archivedMs' | 'paused' | 'erasureKey'> {
  readonly dateIssueStart: Date;
  readonly dateIssueEnd: Date;
  readonly dateArchived?: Date | null;
  readonly paused: 0 | 1;
  readonly erasureKey: string | null;
}

/** The coupon, or null. */
export async function readCoupon(session: Session, id: number): Promise<Coupon | null> {
  const [row] = await selectCoupons(session, eq(coupons.id, id));
  return row ? toCoupon(row) : null;
}

/** The coupons with these ids, as far as there are such. */
export async function readCoupons(session: Session, ids: readonly number[]): Promise<readonly Coupon[]> {
  if (ids.length === 0) return [];
  invariant(ids.every(Number.isSafeInteger), 'an id that was never checked reached SQL');
  // Written out: to bind a thousand ids takes longer than to look them up.
  return (await selectCoupons(session, sql`${coupons.id} IN (${sql.raw(ids.join())})`)).map(toCoupon);
}

/** Other coupons that are issued at some time between two instants and are not sold out by their rows, at most `limit`, by id. */
export async function readCouponsBetween(session: Session, id: number, fromMs: number, toMs: number, limit: number) {
  const isBetween = and(gt(coupons.dateIssueEnd, new Date(fromMs)), lt(coupons.dateIssueStart, new Date(toMs)));
  const isLeft = or(isNull(coupons.totalQuantity), lt(coupons.issuedQuantity, coupons.totalQuantity));
  const others = and(ne(coupons.id, id), eq(coupons.paused, false), isBetween, isLeft);
  return (await selectCoupons(session, others).orderBy(coupons.id).limit(limit)).map(toCoupon);
}

/** Writes changes and raises the version to `version`. The caller holds the row lock. */
export async function updateCoupon(
  tx: Session,
  id: number,
  changes: CouponChanges & Partial<Pick<Coupon, 'stockHome' | 'epoch'>>,
  version: number,
): Promise<Coupon> {
  const { startMs, endMs, usableFromMs, usableUntilMs, ...rest } = changes;
  await tx
    .update(coupons)
    .set({
      ...rest,
      ...(startMs !== undefined && { dateIssueStart: new Date(startMs) }),
      ...(endMs !== undefined && { dateIssueEnd: new Date(endMs) }),
      ...(usableFromMs !== undefined && { usableFrom: instantOf(usableFromMs) }),
      ...(usableUntilMs !== undefined && { usableUntil: instantOf(usableUntilMs) }),
      version,
      dateUpdated: sql`UTC_TIMESTAMP(3)`,
    })
    .where(eq(coupons.id, id));
  const changed = await readCoupon(tx, id);
  invariant(changed, 'a coupon vanished under its row lock');
  return changed;
}

/** Marks a coupon as archived now, or no longer. The caller holds the row lock. Returns it as it is then. */
export async function setArchived(tx: Session, { id, version }: Coupon, archived: boolean): Promise<Coupon> {
  const dateArchived = archived ? sql`UTC_TIMESTAMP(3)` : null;
  await tx.update(coupons).set({ dateArchived }).where(eq(coupons.id, id));
  return updateCoupon(tx, id, {}, version + 1);
}

/** Deletes a coupon. The caller holds the row lock, and has seen that nothing was issued. */
export async function deleteCoupon(tx: Session, id: number): Promise<void> {
  await tx.delete(coupons).where(eq(coupons.id, id));
}

/**
 * Of the `newest` coupons that were made last, those that are not over, the newest first, at most `limit`. Counted, not reckoned from
 * the highest id: a sequence of Vitess leaves gaps.
 *
 * @returns the coupons, and the clock of MySQL
 */
export async function readNewestCoupons(session: Session, newest: number, limit: number) {
  const [clock] = await session.execute(sql`SELECT ${clockMs} AS nowMs`);
  const nowMs = Number((clock as unknown as { readonly nowMs: number | string }[])[0]?.nowMs);
  const byAge = session.select({ id: coupons.id }).from(coupons).orderBy(desc(coupons.id));
  const [oldest] = await byAge.limit(1).offset(newest - 1);
  const condition = and(gte(coupons.id, oldest?.id ?? 0), gt(coupons.dateIssueEnd, new Date(nowMs)));
  const rows = await selectCoupons(session, condition).orderBy(desc(coupons.id)).limit(limit);
  return { coupons: rows.map(toCoupon), nowMs };
}

async function readHighestId(session: Session): Promise<number> {
  const [newest] = await session.select({ id: coupons.id }).from(coupons).orderBy(desc(coupons.id)).limit(1);
  return newest?.id ?? 0;
}

async function insertCoupon(session: Session, by: Actor, coupon: CouponDraft, id?: number): Promise<Coupon> {
  const now = sql`UTC_TIMESTAMP(3)`;
  const { currency, usableFromMs, usableUntilMs, usableDays, timeZone } = { ...termDefaults, ...coupon };
  const [{ insertId }] = await session.insert(coupons).values({
    ...(id !== undefined && { id }),
    title: coupon.title,
    couponType: 'FIRST_COME_FIRST_SERVED',
    totalQuantity: coupon.totalQuantity,
    discountAmount: coupon.discountAmount,
    minAvailableAmount: coupon.minAvailableAmount,
    currency,
    usableFrom: instantOf(usableFromMs),
    usableUntil: instantOf(usableUntilMs),
    usableDays,
    timeZone,
    listed: coupon.listed,
    dateIssueStart: new Date(coupon.startMs),
    dateIssueEnd: new Date(coupon.endMs),
    dateCreated: now,
    dateUpdated: now,
  });
  // A server reports the id that it gave; of one that it was given, Vitess reports none.
  const made = await readCoupon(session, id ?? insertId);
  invariant(made, 'a coupon that was just made is not there');
  await record(session, by, { action: 'coupon.create', couponId: made.id, from: null, to: toAnswer(made) });
  return made;
}

function instantOf(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}

function selectCoupons(session: Session, condition: SQL | undefined) {
  return session.select().from(coupons).where(condition).$dynamic();
}

function toCoupon(row: typeof coupons.$inferSelect): Coupon {
  const { dateIssueStart, dateIssueEnd, usableFrom, usableUntil, dateArchived, erasureKey, ...others } = row;
  const { dateCreated, dateUpdated, ...rest } = others;
  // It would be rounded to the id of another coupon.
  invariant(row.id <= ID_MAX, 'MySQL has a coupon whose id is no safe integer');
  return {
    ...rest,
    ...(erasureKey !== null && { erasureKey }),
    startMs: dateIssueStart.getTime(),
    endMs: dateIssueEnd.getTime(),
    usableFromMs: usableFrom?.getTime() ?? null,
    usableUntilMs: usableUntil?.getTime() ?? null,
    archivedMs: dateArchived?.getTime() ?? null,
    createdMs: dateCreated.getTime(),
    updatedMs: dateUpdated.getTime(),
  };
}
