// code-tables.ts -- What MySQL knows of the codes of a coupon, and whether they are enough for its total.

import { and, eq, sql } from 'drizzle-orm';
import { codeImports, codePatterns } from '../../drizzle/schema.ts';
import { invariant } from '../invariant.ts';
import type { Session } from '../mysql/database.ts';
import { holdsPieces, type Pattern, parsePattern } from './pattern.ts';

/** A pattern with the key of its coupon. */
export interface KeyedPattern {
  readonly couponId: number;
  readonly pattern: Pattern;
  readonly key: string;
}

/** The pattern of a coupon, or null. */
export async function readPattern(session: Session, couponId: number): Promise<KeyedPattern | null> {
  const [row] = await session.select().from(codePatterns).where(eq(codePatterns.couponId, couponId));
  return row ? toKeyedPattern(row) : null;
}

export function toKeyedPattern(row: typeof codePatterns.$inferSelect): KeyedPattern {
  const pattern = parsePattern(row.pattern);
  invariant(pattern, 'MySQL has a pattern of codes that is none');
  return { couponId: row.couponId, pattern, key: row.codeKey };
}

/** How many codes were imported for a coupon. */
export async function countCodes(session: Session, couponId: number): Promise<number> {
  const [row] = await session
    .select({ codes: sql`COALESCE(SUM(${codeImports.codes}), 0)`.mapWith(Number) })
    .from(codeImports)
    .where(and(eq(codeImports.couponId, couponId), eq(codeImports.complete, true)));
  return row?.codes ?? 0;
}

/** Whether the codes of a coupon are enough for another total; one without codes has enough. The caller holds the row lock. */
export async function holdsTotal(tx: Session, couponId: number, total: number | null): Promise<boolean> {
  const generated = await readPattern(tx, couponId);
  if (generated) return holdsPieces(generated.pattern, total);
  const codes = await countCodes(tx, couponId);
  return codes === 0 || (total !== null && total <= codes);
}

/** A code as SQL text. */
export function literal(code: string): string {
  invariant(/^[A-Za-z0-9._~-]{1,64}$/.test(code), 'a code that was never checked reached SQL');
  return `'${code}'`;
}
