// feed.ts -- The issues of a coupon in the order of their sequence, each exactly once for a reader that goes on after the last it saw.
//
// A page ends before the first sequence that may still become a row. Rows that follow each other without a gap are certain in
// themselves, since no sequence has two rows; so Redis is asked only about a gap at the beginning of a page, and while it does not
// answer, what is certain is still read.

import { and, eq, gt, type SQL } from 'drizzle-orm';
import { couponIssues } from '../../drizzle/schema.ts';
import type { Endpoint } from '../coupon/accepted-by.ts';
import { readCoupon } from '../coupon/catalog.ts';
import { readHighestSequence } from '../coupon/issue-rows.ts';
import { type Database, readFromPrimary } from '../mysql/database.ts';
import { rowColumns, toRow, toWrittenIssue, type WrittenIssue } from './row.ts';
import { findSettled, type SettledDependencies } from './settled-sequences.ts';

/** One row. */
export interface FeedIssue extends WrittenIssue {
  readonly userId: string;
  /** When its row was written. */
  readonly writtenMs: number;
  /** Which accepted it; null where that is not known. */
  readonly endpoint: Endpoint | null;
}

export interface FeedPage {
  readonly issues: readonly FeedIssue[];
  /** Whether more may be there already. */
  readonly more: boolean;
  /** Sequences below it need not be asked about again: for the next page of the same reader. */
  readonly settledBelow: number;
  /** Without issues: for so long a gap is held back, behind which there are issues; else 0. */
  readonly holdMs: number;
}

/** Which page: at most `limit` issues with sequences above `after`. */
export interface FeedPosition {
  readonly after: number;
  readonly limit: number;
  /** As the page before had it. */
  readonly settledBelow?: number;
}

/** Why there is nothing to read. */
export type NoFeed = 'not exist' | 'archived';

/** All throw what Redis or MySQL throw, and Unavailable. */
export interface Feed {
  /** The next page of a reader. It has no issues where nothing more is certain now. */
  read(couponId: number, position: FeedPosition): Promise<FeedPage | NoFeed>;
  /** The issue of one user, if it is a row. */
  find(couponId: number, userId: string): Promise<FeedIssue | null | NoFeed>;
  /** The issue with a sequence, if it is a row. */
  at(couponId: number, sequence: number): Promise<FeedIssue | null | NoFeed>;
  /** The highest sequence that has a row; 0 for none. */
  highest(couponId: number): Promise<number>;
}

export function createFeed(dependencies: SettledDependencies): Feed {
  const { database } = dependencies;
  return {
    async read(couponId, { after, limit, settledBelow = 0 }) {
      const rows = await readRows(database, couponId, after, limit + 1);
      if (typeof rows === 'string') return rows;
      const certain = certainOf(rows, after, settledBelow);
      if (certain.length > 0 || rows.length === 0)
        return { ...cut(certain, limit, rows.length), settledBelow, holdMs: 0 };
      const { below, holdMs } = await findSettled(dependencies, couponId, after + 1);
      // Read again: what became a row meanwhile is below the end.
      const again = below > after + 1 ? await readRows(database, couponId, after, limit + 1) : [];
      if (typeof again === 'string') return again;
      const settled = certainOf(again, after, below);
      return { ...cut(settled, limit, settled.length), settledBelow: below, holdMs };
    },
    async find(couponId, userId) {
      const ofUser = and(eq(couponIssues.userId, userId), eq(couponIssues.couponId, couponId));
      const rows = await readWhere(database, couponId, ofUser, 1);
      return typeof rows === 'string' ? rows : (rows[0] ?? null);
    },
    async at(couponId, sequence) {
      const ofSequence = and(eq(couponIssues.couponId, couponId), eq(couponIssues.sequence, sequence));
      const rows = await readWhere(database, couponId, ofSequence, 1);
      return typeof rows === 'string' ? rows : (rows[0] ?? null);
    },
    highest: async (couponId) =>
      (await readFromPrimary(database, (session) => readHighestSequence(session, couponId))).highest,
  };
}

/** The rows up to the first gap that reaches to `settledBelow` or beyond. */
function certainOf(rows: readonly FeedIssue[], after: number, settledBelow: number): readonly FeedIssue[] {
  let next = after + 1;
  for (const [i, { sequence }] of rows.entries()) {
    if (sequence > next && sequence > settledBelow) return rows.slice(0, i);
    next = sequence + 1;
  }
  return rows;
}

function cut(certain: readonly FeedIssue[], limit: number, found: number) {
  return { issues: certain.slice(0, limit), more: certain.length > limit || certain.length < found };
}

function readRows(database: Database, couponId: number, after: number, limit: number) {
  const next = and(eq(couponIssues.couponId, couponId), gt(couponIssues.sequence, after));
  return readWhere(database, couponId, next, limit);
}

async function readWhere(
  database: Database,
  couponId: number,
  condition: SQL | undefined,
  limit: number,
): Promise<readonly FeedIssue[] | NoFeed> {
  return readFromPrimary(database, async (session) => {
    const { userId, dateCreated, endpoint } = couponIssues;
    const rows = await session
      .select({ ...rowColumns, userId, dateCreated, endpoint })
      .from(couponIssues)
      .where(condition)
      .orderBy(couponIssues.sequence)
      .limit(limit);
    // After the rows, which go once it is marked as archived.
    const coupon = await readCoupon(session, couponId);
    if (!coupon) return 'not exist';
    if (coupon.archivedMs !== null) return 'archived';
    return rows.map(({ userId: user, dateCreated: written, endpoint: by, ...row }) => {
      return { ...toWrittenIssue(toRow(row), coupon), userId: user, writtenMs: written.getTime(), endpoint: by };
    });
  });
}
