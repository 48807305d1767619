// issue-rows.ts -- What the rows of a coupon's issues say of it: the highest sequence, and the owners in pages.

import { and, desc, eq, gt, sql } from 'drizzle-orm';
import { couponIssues } from '../../drizzle/schema.ts';
import { clockMs, type Database, type Session } from '../mysql/database.ts';
import { keysetPages } from '../mysql/pages.ts';

export interface Owner {
  readonly userId: string;
  readonly sequence: number;
}

/** The highest sequence among the rows, 0 for none, and MySQL's clock. */
export async function readHighestSequence(session: Session, couponId: number) {
  const [row] = await session
    .select({ highest: sql`COALESCE(MAX(${couponIssues.sequence}), 0)`.mapWith(Number), nowMs: clockMs })
    .from(couponIssues)
    .where(eq(couponIssues.couponId, couponId));
  return { highest: row?.highest ?? 0, nowMs: row?.nowMs ?? 0 };
}

/** The row with the highest sequence, by user and when it was written; null for none. */
export async function readLastRow(session: Session, couponId: number) {
  const [row] = await session
    .select({ userId: couponIssues.userId, written: couponIssues.dateCreated })
    .from(couponIssues)
    .where(eq(couponIssues.couponId, couponId))
    .orderBy(desc(couponIssues.sequence))
    .limit(1);
  return row ?? null;
}

/** All owners by sequence, in pages along the primary key. */
export function ownerPages(database: Database, couponId: number, limit: number): AsyncGenerator<readonly Owner[]> {
  const keyOf = ({ sequence }: Owner) => sequence;
  return keysetPages(database, limit, keyOf, (session, after) =>
    session
      .select({ userId: couponIssues.userId, sequence: couponIssues.sequence })
      .from(couponIssues)
      .where(and(eq(couponIssues.couponId, couponId), gt(couponIssues.sequence, after)))
      .orderBy(couponIssues.sequence)
      .limit(limit),
  );
}
