// erasure-keys.ts -- Deletes the keys of pseudonyms long after the end of their coupons.

import { and, eq, gt, inArray, sql } from 'drizzle-orm';
import { coupons, erasedUsers } from '../drizzle/schema.ts';
import { type Database, readFromPrimary, withTransaction } from '../src/mysql/database.ts';
import { keysetPages } from '../src/mysql/pages.ts';

/** Coupons read at a time. */
const PAGE = 500;

interface ErasureDependencies {
  readonly database: Database;
  readonly settings: { readonly CLOSE_AFTER_MS: number };
  readonly stop: AbortSignal;
}

/** By the clock of MySQL, in milliseconds. */
export const overMs = sql`TIMESTAMPDIFF(MICROSECOND, ${coupons.dateIssueEnd}, UTC_TIMESTAMP(3)) / 1000`;

/** Nobody can ask for a coupon that is long over, so that nothing needs to lead from a pseudonym to its user any more. */
export async function forgetErasureKeys({ database, settings, stop }: ErasureDependencies): Promise<void> {
  const isOver = and(eq(coupons.stockHome, 'mysql'), sql`${overMs} >= ${settings.CLOSE_AFTER_MS}`);
  const pages = keysetPages(
    database,
    PAGE,
    ({ id }: { readonly id: number }) => id,
    (session, after, limit) =>
      session
        .selectDistinct({ id: erasedUsers.couponId })
        .from(erasedUsers)
        .where(gt(erasedUsers.couponId, after))
        .orderBy(erasedUsers.couponId)
        .limit(limit),
  );
  for await (const page of pages) {
    if (stop.aborted) return;
    const ids = page.map(({ id }) => id);
    const found = await readFromPrimary(database, (session) =>
      session
        .select({ id: coupons.id })
        .from(coupons)
        .where(and(inArray(coupons.id, ids), isOver)),
    );
    for (const { id } of found)
      await withTransaction(database, async (tx) => {
        // Compared again, since it may have been prolonged.
        const still = and(eq(coupons.id, id), isOver);
        if ((await tx.select({ id: coupons.id }).from(coupons).where(still).for('update')).length === 0) return;
        await tx.update(coupons).set({ erasureKey: null }).where(eq(coupons.id, id));
        await tx.delete(erasedUsers).where(eq(erasedUsers.couponId, id));
      });
  }
}
