// promises.ts -- Checks the promises P1 to P5 of one coupon by SQL and by the answers that its callers got. Shown to catch planted
// faults in `integration/promises.test.ts`.

import { sql } from 'drizzle-orm';
import type { Outcome } from '../src/coupon/outcome.ts';
import { withConnection } from '../src/mysql/database.ts';
import type { Stores } from './stores.ts';

/** What one caller was answered. */
export interface Answer {
  readonly userId: string;
  readonly outcome: Outcome;
}

/**
 * Which promises are broken, as sentences; none when all is well. Ask when the streams are drained.
 *
 * @param answers every answer that was given for this coupon
 */
export async function brokenPromises(stores: Stores, couponId: number, answers: readonly Answer[]): Promise<string[]> {
  const facts = await countFacts(stores, couponId);
  const broken: string[] = [];
  if (facts.total !== null && facts.rowCount > facts.total) broken.push(`P1: ${facts.rowCount} rows of ${facts.total}`);
  if (facts.issued !== facts.rowCount)
    broken.push(`P1: issued_quantity is ${facts.issued}, rows are ${facts.rowCount}`);
  if (facts.users !== facts.rowCount) broken.push(`P2: ${facts.rowCount} rows of ${facts.users} users`);
  if (facts.outside > 0) broken.push(`P5: ${facts.outside} rows outside the period`);
  const soldOut = answers.some(({ outcome }) => outcome.kind === 'sold out');
  if (soldOut && facts.rowCount !== facts.total) broken.push(`P4: sold out at ${facts.rowCount} of ${facts.total}`);
  return [...broken, ...brokenWords(await stores.rows(couponId), answers)];
}

/** P3: every sequence that was named is a row of the user it was named to, and nobody was told twice that it is new. */
function brokenWords(rows: readonly { sequence: number; userId: string }[], answers: readonly Answer[]): string[] {
  const broken: string[] = [];
  const sequences = new Map(rows.map(({ userId, sequence }) => [userId, sequence]));
  const issued = new Set<string>();
  for (const { userId, outcome } of answers) {
    const sequence = sequences.get(userId);
    if ('sequence' in outcome && outcome.sequence !== sequence)
      broken.push(`P3: ${userId} was answered ${outcome.kind} ${outcome.sequence}, its row says ${sequence}`);
    if (outcome.kind === 'sold out' && sequence !== undefined)
      broken.push(`P3: ${userId} was answered sold out, and has ${sequence}`);
    if (outcome.kind === 'issued' && issued.has(userId)) broken.push(`P2: ${userId} was answered issued twice`);
    if (outcome.kind === 'issued') issued.add(userId);
  }
  for (const { userId } of rows)
    if (!issued.has(userId)) broken.push(`P3: ${userId} has a row and was never answered issued`);
  return broken;
}

async function countFacts(stores: Stores, couponId: number) {
  const [rows] = await withConnection(stores.database, (session) =>
    session.execute(sql`
      SELECT total_quantity AS total, issued_quantity AS issued,
        (SELECT COUNT(*) FROM coupon_issues WHERE coupon_id = coupons.id) AS row_count,
        (SELECT COUNT(DISTINCT user_id) FROM coupon_issues WHERE coupon_id = coupons.id) AS users,
        (SELECT COUNT(*) FROM coupon_issues WHERE coupon_id = coupons.id
          AND (date_issued < date_issue_start OR date_issued >= date_issue_end)) AS outside
      FROM coupons WHERE id = ${couponId}`),
  );
  const [row] = rows as unknown as Record<'total' | 'issued' | 'row_count' | 'users' | 'outside', number | null>[];
  const { total = null, issued, row_count: rowCount, users, outside } = row ?? {};
  return { total, issued: Number(issued), rowCount: Number(rowCount), users: Number(users), outside: Number(outside) };
}
