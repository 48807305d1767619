// codes.ts -- The codes of issues: which one an issue has, which issue a code belongs to, and how a coupon gets codes.
//
// A code belongs to a sequence, and an issue has the code of the sequence that its row has. An issue that is accepted and not yet a row
// has none: it may still get another sequence, and what a user was shown must not change.
// Once a coupon has codes they stay: a pattern is never changed, and imported codes are only added to.

import { randomBytes } from 'node:crypto';
import { and, eq, inArray, like, ne, or, sql } from 'drizzle-orm';
import QuickLRU from 'quick-lru';
import { codeImports, codePatterns, coupons, importedCodes } from '../../drizzle/schema.ts';
import { type Actor, record } from '../auth/audit-trail.ts';
import { lockCoupon } from '../coupon/catalog.ts';
import { type Database, readFromPrimary, type Session, withTransaction } from '../mysql/database.ts';
import { countCodes, type KeyedPattern, readPattern, toKeyedPattern } from './code-tables.ts';
import { type Imported, importCodes } from './importing.ts';
import { codeAt, holdsPieces, type Pattern, prefixesOf, readTyped, sequenceOf } from './pattern.ts';
import { isUploadedCode, type Uploaded } from './upload.ts';

/** An issue by its number. */
export interface IssueId {
  readonly couponId: number;
  readonly sequence: number;
}

/** Where the codes of a coupon come from. */
export type CodeSource =
  | { readonly kind: 'none' }
  | { readonly kind: 'generated'; readonly pattern: string }
  | { readonly kind: 'imported'; readonly codes: number };

/** The result of giving a coupon a pattern. `taken`: another coupon has codes that begin the same. `too few`: for its total. */
export type Generated = { readonly kind: 'generated' | 'not exist' | 'archived' | 'has codes' | 'taken' | 'too few' };

/** All throw what MySQL throws. */
export interface Codes {
  /** The codes of issues that are rows, in their order; null where there is none. */
  codesOf(issues: readonly IssueId[]): Promise<readonly (string | null)[]>;
  /** The issue that a code belongs to, whether it was issued or not; null for what is no code. */
  issueOf(code: string): Promise<IssueId | null>;
  /** Null when there is no such coupon. */
  read(couponId: number): Promise<CodeSource | null>;
  /** Gives a coupon a pattern; the same one again changes nothing. */
  generate(couponId: number, pattern: Pattern, by: Actor): Promise<Generated>;
  /** Adds uploaded codes, all or none. Throws what `pages` throws. */
  import(couponId: number, pages: AsyncIterable<readonly Uploaded[]>, by: Actor): Promise<Imported>;
}

/** Whether a coupon has codes is remembered for so long: a list of issues would ask for each coupon. */
const KNOWN_MS = 1000;
const KNOWN_MAX = 10_000;

type Known = KeyedPattern | 'imported' | 'none';

export function createCodes(database: Database): Codes {
  const known = new QuickLRU<number, Known>({ maxSize: KNOWN_MAX, maxAge: KNOWN_MS });
  return {
    async codesOf(issues) {
      const unknown = [...new Set(issues.map(({ couponId }) => couponId))].filter((id) => !known.has(id));
      const found = new Map(issues.flatMap(({ couponId }) => [[couponId, known.get(couponId)]]));
      if (unknown.length > 0) {
        const read = await readFromPrimary(database, (session) => readKnown(session, unknown));
        for (const [couponId, one] of read) {
          known.set(couponId, one);
          found.set(couponId, one);
        }
      }
      const imported = await readImported(
        database,
        issues.filter(({ couponId }) => found.get(couponId) === 'imported'),
      );
      return issues.map(({ couponId, sequence }) => {
        const one = found.get(couponId);
        if (typeof one === 'object') return codeAt(one.pattern, one.key, sequence);
        return imported.get(`${couponId} ${sequence}`) ?? null;
      });
    },
    issueOf: (code) => readFromPrimary(database, (session) => readIssueOf(session, code)),
    read: (couponId) => readFromPrimary(database, (session) => readSource(session, couponId)),
    generate: (couponId, pattern, by) => generate(database, couponId, pattern, by),
    import: (couponId, pages, by) => importCodes(database, couponId, pages, by),
  };
}

async function readKnown(session: Session, couponIds: readonly number[]): Promise<ReadonlyMap<number, Known>> {
  const patterns = await session
    .select()
    .from(codePatterns)
    .where(inArray(codePatterns.couponId, [...couponIds]));
  const imports = await session
    .select({ couponId: codeImports.couponId })
    .from(codeImports)
    .where(and(inArray(codeImports.couponId, [...couponIds]), eq(codeImports.complete, true)));
  return new Map<number, Known>([
    ...couponIds.map((couponId): [number, Known] => [couponId, 'none']),
    ...imports.map(({ couponId }): [number, Known] => [couponId, 'imported']),
    ...patterns.map((row): [number, Known] => [row.couponId, toKeyedPattern(row)]),
  ]);
}

/** Rows of uploads that are complete. */
const ofComplete = and(
  eq(codeImports.couponId, importedCodes.couponId),
  eq(codeImports.importId, importedCodes.importId),
  eq(codeImports.complete, true),
);

/** By coupon and sequence. */
async function readImported(database: Database, issues: readonly IssueId[]): Promise<ReadonlyMap<string, string>> {
  const codes = new Map<string, string>();
  for (const [couponId, mine] of Map.groupBy(issues, (issue) => issue.couponId)) {
    const sequences = mine.map(({ sequence }) => sequence);
    const rows = await readFromPrimary(database, (session) =>
      session
        .select({ position: importedCodes.position, code: importedCodes.code })
        .from(codeImports)
        .innerJoin(importedCodes, ofComplete)
        .where(and(eq(codeImports.couponId, couponId), inArray(importedCodes.position, sequences))),
    );
    for (const { position, code } of rows) codes.set(`${couponId} ${position}`, code);
  }
  return codes;
}

/** An imported code is compared as it is; a generated one may be typed with other hyphens, blanks and small letters. */
async function readIssueOf(session: Session, text: string): Promise<IssueId | null> {
  const code = text.trim();
  // No other text is compared: one that is not ASCII would be looked for without the index.
  if (isUploadedCode(code)) {
    const [imported] = await session
      .select({ couponId: importedCodes.couponId, sequence: importedCodes.position })
      .from(importedCodes)
      .innerJoin(codeImports, ofComplete)
      .where(eq(importedCodes.code, code));
    if (imported) return imported;
  }
  const typed = readTyped(code);
  if (typed === null) return null;
  const [row] = await session
    .select()
    .from(codePatterns)
    .where(and(inArray(codePatterns.prefix, [...prefixesOf(typed)]), eq(codePatterns.length, typed.length)));
  if (!row) return null;
  const { couponId, pattern, key } = toKeyedPattern(row);
  const sequence = sequenceOf(pattern, key, typed);
  return sequence === null ? null : { couponId, sequence };
}

async function readSource(session: Session, couponId: number): Promise<CodeSource | null> {
  const [coupon] = await session.select({ id: coupons.id }).from(coupons).where(eq(coupons.id, couponId));
  if (!coupon) return null;
  const generated = await readPattern(session, couponId);
  if (generated) return { kind: 'generated', pattern: generated.pattern.text };
  const codes = await countCodes(session, couponId);
  return codes === 0 ? { kind: 'none' } : { kind: 'imported', codes };
}

async function generate(database: Database, couponId: number, pattern: Pattern, by: Actor): Promise<Generated> {
  if (await readFromPrimary(database, (session) => isTaken(session, couponId, pattern))) return { kind: 'taken' };
  const done = await withTransaction(database, async (tx): Promise<Generated & { readonly isNew?: true }> => {
    const coupon = await lockCoupon(tx, couponId);
    if (!coupon) return { kind: 'not exist' };
    if (coupon.archivedMs !== null) return { kind: 'archived' };
    const before = await readPattern(tx, couponId);
    if (before) return { kind: before.pattern.text === pattern.text ? 'generated' : 'has codes' };
    if ((await countCodes(tx, couponId)) > 0) return { kind: 'has codes' };
    if (!holdsPieces(pattern, coupon.totalQuantity)) return { kind: 'too few' };
    const { text, prefix, length } = pattern;
    const codeKey = randomBytes(32).toString('base64url');
    await tx.insert(codePatterns).values({ couponId, pattern: text, prefix, length, codeKey });
    await record(tx, by, { action: 'codes.generate', couponId, from: null, to: { pattern: text } });
    return { kind: 'generated', isNew: true };
  });
  // Two coupons may be in two shards, so that no index keeps them apart: of two at the same time, at least one sees the other here.
  if (done.isNew && (await readFromPrimary(database, (session) => isTaken(session, couponId, pattern)))) {
    await withTransaction(database, (tx) => tx.delete(codePatterns).where(eq(codePatterns.couponId, couponId)));
    return { kind: 'taken' };
  }
  return { kind: done.kind };
}

/** Whether a code of this pattern could be taken for one of another coupon. */
async function isTaken(session: Session, couponId: number, { prefix, length, text }: Pattern): Promise<boolean> {
  const [other] = await session
    .select({ couponId: codePatterns.couponId })
    .from(codePatterns)
    .where(
      and(
        ne(codePatterns.couponId, couponId),
        eq(codePatterns.length, length),
        or(
          like(codePatterns.prefix, `${prefix}%`),
          inArray(
            codePatterns.prefix,
            Array.from(prefix, (_, i) => prefix.slice(0, i + 1)),
          ),
        ),
      ),
    )
    .limit(1);
  const beginning = text.slice(0, text.indexOf('#'));
  const [imported] = other
    ? [other]
    : await session
        .select({ couponId: importedCodes.couponId })
        .from(importedCodes)
        .innerJoin(codeImports, ofComplete)
        .where(and(like(importedCodes.code, `${beginning}%`), sql`CHAR_LENGTH(${importedCodes.code}) = ${text.length}`))
        .limit(1);
  return imported !== undefined;
}
