// abandoned.ts -- Removes what is left of uploads of codes that ended without an end, and of the codes of deleted coupons.

import { setTimeout as pause } from 'node:timers/promises';
import { and, eq, sql } from 'drizzle-orm';
import { codeImports, codePatterns, importedCodes } from '../../drizzle/schema.ts';
import { type Database, readFromPrimary, type Session, withTransaction } from '../mysql/database.ts';

/** Rows in one statement. */
const PAGE = 1000;
/** How long an upload may add nothing: longer than a transaction takes, and a server waits for a body. */
const IDLE_S = 90;

/** Whether an upload is over, though it did not end: it can never go on. */
export const isIdle = sql`${codeImports.dateTouched} < UTC_TIMESTAMP(3) - INTERVAL ${sql.raw(String(IDLE_S))} SECOND`;

/** One upload. */
export interface Import {
  readonly couponId: number;
  readonly importId: number;
  readonly after: number;
}

/** Removes what is left of uploads that ended without an end, and of coupons that were deleted. Throws what MySQL throws. */
export async function removeAbandoned(database: Database): Promise<void> {
  const found = await readFromPrimary(database, (session) =>
    session
      .select()
      .from(codeImports)
      .where(and(eq(codeImports.complete, false), isIdle)),
  );
  for (const each of found) await removeImport(database, each);
}

const SWEEP_MS = 60_000;

/** Does so again and again, until the signal aborts. */
export async function keepRemovingAbandoned(
  database: Database,
  signal: AbortSignal,
  onFault: (fault: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    await removeAbandoned(database).catch(onFault);
    await pause(SWEEP_MS, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** The codes of a deleted coupon are removed later, in pages. The caller deletes the coupon in this transaction. */
export async function abandonCodes(tx: Session, couponId: number): Promise<void> {
  await tx.delete(codePatterns).where(eq(codePatterns.couponId, couponId));
  await tx
    .update(codeImports)
    .set({ complete: false, dateTouched: LONG_AGO })
    .where(eq(codeImports.couponId, couponId));
}

/** Also the mark that no page may be added any more. */
const LONG_AGO = new Date(0);

/** Removes an upload that is not complete. Its first statement is what a page that is being added waits for, and sees. */
export async function removeImport(database: Database, each: Import): Promise<void> {
  const isOver = await withTransaction(database, async (tx) => {
    const mine = and(isImport(each), eq(codeImports.complete, false));
    await tx.update(codeImports).set({ dateTouched: LONG_AGO }).where(mine);
    const [row] = await tx.select({ touched: codeImports.dateTouched }).from(codeImports).where(mine);
    return row !== undefined;
  });
  if (!isOver) return;
  const { couponId, importId } = each;
  for (let removed = PAGE; removed === PAGE; ) {
    removed = await withTransaction(database, async (tx) => {
      const [{ affectedRows }] = await tx
        .delete(importedCodes)
        .where(and(eq(importedCodes.couponId, couponId), eq(importedCodes.importId, importId)))
        .orderBy(importedCodes.position)
        .limit(PAGE);
      return affectedRows;
    });
  }
  await withTransaction(database, (tx) => tx.delete(codeImports).where(isImport(each)));
}

export function isImport({ couponId, importId }: Pick<Import, 'couponId' | 'importId'>) {
  return and(eq(codeImports.couponId, couponId), eq(codeImports.importId, importId));
}
