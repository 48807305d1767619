// reports.ts -- What was issued, used and revoked of each coupon on each day of a time zone, and what the uses took off.
//
// No index is by date, since one would cost every issue: rows are counted along the primary key, in chunks of their own. The server groups
// by quarters of an hour, which every time zone of today is a multiple of, and days are made of them here: tables of time zones are in few
// servers. One report at a time in a process, of coupons with a bounded number of issues together.
//
// The view `coupon_issue_days` (migration 0010) counts in the same way for days of UTC: an issue when it was accepted, a use when it was used,
// a revocation when it was made, the discount of the coupon for each use, and nothing of archived coupons. What changes here changes there.

import { and, eq, gt, gte, lt, lte, type SQL, sql } from 'drizzle-orm';
import { couponIssues, coupons } from '../../drizzle/schema.ts';
import { Unavailable } from '../coupon/outcome.ts';
import { dateReader } from '../coupon/time-zone.ts';
import type { Page } from '../http/pagination.ts';
import { type Database, readFromPrimary } from '../mysql/database.ts';

/** Which days, as `2026-12-01`, both included, of which coupons. */
export interface ReportRequest extends Page {
  readonly from: string;
  readonly to: string;
  /** By the name of the IANA. */
  readonly timeZone: string;
  /** Null: of all, in pages by id. */
  readonly couponId: number | null;
}

/** One day of one coupon on which something happened. */
export interface ReportDay {
  readonly date: string;
  readonly couponId: number;
  readonly issued: number;
  readonly used: number;
  readonly revoked: number;
  /** What those that were used on this day took off. */
  readonly discount: number;
  readonly currency: string;
}

export interface Report {
  /** By coupon and date. */
  readonly days: ReportDay[];
  /** Coupons whose issues are in a file, and are not counted. */
  readonly archived: number[];
  /** After which id the next page begins; null on the last. */
  readonly next: number | null;
}

/** Throws what MySQL throws, and Unavailable while another report is made. */
export type MakeReport = (request: ReportRequest) => Promise<Report>;

/** Issues of the coupons of one page, unless the first has more. */
const ISSUES_MAX = 1_000_000;
/** Rows in one query. */
const ROWS_PER_QUERY = 100_000;
const QUARTER_MS = 15 * 60_000;
const DAY_MS = 86_400_000;
/** What is counted of a row, each on its own day. */
const counted = ['issued', 'used', 'revoked'] as const;
type Counted = (typeof counted)[number];

interface ReportedCoupon {
  readonly id: number;
  readonly issuedQuantity: number;
  readonly discountAmount: number;
  readonly currency: string;
  readonly dateArchived: Date | null;
}

/** Makes reports, one at a time. */
export function createReports(database: Database, rowsPerQuery = ROWS_PER_QUERY): MakeReport {
  let isBusy = false;
  return async (request) => {
    if (isBusy) throw new Unavailable('overloaded', 'another report is being made');
    isBusy = true;
    try {
      return await makeReport({ database, rowsPerQuery }, request);
    } finally {
      isBusy = false;
    }
  };
}

interface Source {
  readonly database: Database;
  readonly rowsPerQuery: number;
}

async function makeReport(source: Source, request: ReportRequest): Promise<Report> {
  const { page, next } = cutByIssues(await readReported(source.database, request), request.limit);
  const days: ReportDay[] = [];
  for (const coupon of page) if (coupon.dateArchived === null) days.push(...(await daysOf(source, coupon, request)));
  return { days, archived: page.filter(({ dateArchived }) => dateArchived !== null).map(({ id }) => id), next };
}

/** One more than the page may hold, to see whether there is a next one. */
function readReported(
  database: Database,
  { couponId, after, limit }: ReportRequest,
): Promise<readonly ReportedCoupon[]> {
  const { id, issuedQuantity, discountAmount, currency, dateArchived } = coupons;
  const condition = couponId === null ? and(gt(id, after), gt(issuedQuantity, 0)) : eq(id, couponId);
  return readFromPrimary(database, (session) =>
    session
      .select({ id, issuedQuantity, discountAmount, currency, dateArchived })
      .from(coupons)
      .where(condition)
      .orderBy(id)
      .limit(limit + 1),
  );
}

/** The first coupons that have few enough issues together, at least one. */
function cutByIssues(found: readonly ReportedCoupon[], limit: number) {
  let [issues, length] = [0, 0];
  for (const { issuedQuantity, dateArchived } of found.slice(0, limit)) {
    issues += dateArchived === null ? issuedQuantity : 0;
    if (length > 0 && issues > ISSUES_MAX) break;
    length += 1;
  }
  const page = found.slice(0, length);
  return { page, next: found.length > length ? (page.at(-1)?.id ?? null) : null };
}

async function daysOf(
  { database, rowsPerQuery }: Source,
  coupon: ReportedCoupon,
  request: ReportRequest,
): Promise<ReportDay[]> {
  const dateOf = dateReader(request.timeZone);
  const days = new Map<string, Record<Counted, number>>();
  for (let after = 0; ; ) {
    const from = after;
    const last = await readFromPrimary(database, (session) =>
      session
        .select({ sequence: couponIssues.sequence })
        .from(couponIssues)
        .where(and(eq(couponIssues.couponId, coupon.id), gt(couponIssues.sequence, from)))
        .orderBy(couponIssues.sequence)
        .limit(1)
        .offset(rowsPerQuery - 1),
    ).then(([row]) => row?.sequence ?? null);
    const rows = and(
      eq(couponIssues.couponId, coupon.id),
      gt(couponIssues.sequence, from),
      last === null ? undefined : lte(couponIssues.sequence, last),
    );
    for (const what of counted) {
      for (const { quarter, amount } of await countQuarters(database, rows, what, request)) {
        const date = dateOf(quarter * QUARTER_MS);
        if (date < request.from || date > request.to) continue;
        const day = days.get(date) ?? { issued: 0, used: 0, revoked: 0 };
        day[what] += amount;
        days.set(date, day);
      }
    }
    if (last === null) break;
    after = last;
  }
  return [...days]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([date, day]) => {
      const discount = day.used * coupon.discountAmount;
      return { date, couponId: coupon.id, ...day, discount, currency: coupon.currency };
    });
}

/** Counts rows by the quarters of an hour since 1970, in UTC, with a day more at both ends than any time zone needs. */
function countQuarters(
  database: Database,
  rows: SQL | undefined,
  what: Counted,
  { from, to }: ReportRequest,
): Promise<readonly { readonly quarter: number; readonly amount: number }[]> {
  const column = { issued: couponIssues.dateIssued, used: couponIssues.dateUsed, revoked: couponIssues.dateRevoked }[
    what
  ];
  const quarter = sql`TIMESTAMPDIFF(MINUTE, '1970-01-01', ${column}) DIV 15`.mapWith(Number);
  const [first, end] = [new Date(Date.parse(from) - DAY_MS), new Date(Date.parse(to) + 2 * DAY_MS)];
  return readFromPrimary(database, (session) =>
    session
      .select({ quarter: quarter.as('slot'), amount: sql`COUNT(*)`.mapWith(Number) })
      .from(couponIssues)
      .where(and(rows, gte(column, first), lt(column, end)))
      .groupBy(sql`slot`),
  );
}
