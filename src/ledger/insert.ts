// insert.ts -- The statements that insert issues and raise the counters of their coupons.

import { sql } from 'drizzle-orm';
import type { Session } from '../mysql/database.ts';
import type { Write } from '../mysql/read-then-write.ts';
import type { Issue } from './plan.ts';
import { issueLiteral } from './sql-literals.ts';

/** PlanetScale takes at most so many rows in a statement. */
export const ROWS_PER_STATEMENT_MAX = 1000;

/**
 * Inserts rows and raises the counters. The caller holds the locks of the coupons.
 *
 * @param issues sorted by coupon and sequence: unsorted batches that overlap deadlock
 * @returns how many rows went in; a row that is there already, by sequence or by user, is left alone
 */
export async function insertIssues(tx: Session, issues: readonly Issue[]): Promise<number> {
  let inserted = 0;
  for (const { statement } of insertStatements(issues)) {
    // The no-op update makes a duplicate a success without a change. `INSERT IGNORE` would also swallow bad data.
    const [result] = await tx.execute(sql`${sql.raw(statement)} ON DUPLICATE KEY UPDATE date_used = date_used`);
    inserted += result.affectedRows;
  }
  return inserted;
}

/** The statements for `readThenWrite` that insert rows, none of which may be there, and raise the counter of their coupon. */
export function issueStatements(couponId: number, issues: readonly Issue[]): Write[] {
  const statement = `UPDATE coupons SET issued_quantity = issued_quantity + ${issues.length} WHERE id = ${couponId}`;
  return [...insertStatements(issues), { statement, rows: 1 }];
}

function insertStatements(issues: readonly Issue[]): Write[] {
  const statements: Write[] = [];
  for (let i = 0; i < issues.length; i += ROWS_PER_STATEMENT_MAX) {
    const rows = issues.slice(i, i + ROWS_PER_STATEMENT_MAX).map(issueLiteral);
    const columns = 'coupon_id, sequence, user_id, date_issued, endpoint';
    const statement = `INSERT INTO coupon_issues (${columns}) VALUES ${rows.join(',')}`;
    statements.push({ statement, rows: rows.length });
  }
  return statements;
}
