// importing.ts -- Adds uploaded codes to a coupon: all of them or none, however the upload ends and whatever is uploaded beside it.
//
// 1. The upload gets a row in `code_imports`, which notes after which position its codes go on.
// 2. Its codes are written in pages, each in a transaction of its own. They count for nothing yet.
// 3. Under the row lock of the coupon the upload becomes complete, if no other one became so since step 1.
// A page is first committed, then compared with what other uploads have committed: of two with the same code at least one sees the other.
// An upload that adds nothing for a minute is over: it cannot go on, and its rows are removed. So nothing stays of a process that was
// killed. Removing goes in pages too, the row of step 1 last.

import { and, eq, inArray, ne, sql } from 'drizzle-orm';
import { codeImports, codePatterns, importedCodes } from '../../drizzle/schema.ts';
import { type Actor, record } from '../auth/audit-trail.ts';
import { lockCoupon } from '../coupon/catalog.ts';
import type { Fault } from '../http/problem.ts';
import {
  type Database,
  readFromPrimary,
  retryUndone,
  RollbackError,
  type Session,
  withTransaction,
} from '../mysql/database.ts';
import { type Import, isIdle, isImport, removeImport } from './abandoned.ts';
import { countCodes, literal, readPattern } from './code-tables.ts';
import { prefixesOf, readTyped } from './pattern.ts';
import { type Uploaded, UPLOADED_CODE_TEXT, UploadFault } from './upload.ts';

/** Why nothing was imported. */
export type ImportRefusal =
  | { readonly kind: 'not exist' | 'archived' }
  /** It has a pattern, or another upload became complete meanwhile. */
  | { readonly kind: 'has codes' }
  /** The coupon may be issued more often than it then has codes, of which this is the number. */
  | { readonly kind: 'too few'; readonly codes: number }
  | { readonly kind: 'unreadable'; readonly fault: UploadFault }
  /** At most `FAULTS_MAX` of them. */
  | { readonly kind: 'faulty'; readonly faults: readonly Fault[] };

export type Imported = { readonly kind: 'imported'; readonly codes: number } | ImportRefusal;

/** PlanetScale takes at most so many rows in a statement. */
const PAGE = 1000;
const FAULTS_MAX = 100;
const STOOD_STILL = 'The upload stood still for too long.';

/** The upload was idle for too long, and is being removed. */
class Abandoned extends RollbackError {
  override readonly name = 'Abandoned';
}

class TooFew extends RollbackError {
  override readonly name = 'TooFew';
  readonly codes: number;

  constructor(codes: number) {
    super(`there would be ${codes} codes`);
    this.codes = codes;
  }
}

/**
 * Adds codes behind those that the coupon has.
 *
 * @throws what MySQL throws, and `pages` but for UploadFault; then nothing is added, unless the last COMMIT failed: then the result is ambiguous
 */
export async function importCodes(
  database: Database,
  couponId: number,
  pages: AsyncIterable<readonly Uploaded[]>,
  by: Actor,
): Promise<Imported> {
  const begun = await withTransaction(database, (tx) => begin(tx, couponId));
  if ('kind' in begun) return begun;
  let isComplete = false;
  try {
    const faults = await stageAll(database, begun, pages);
    if (faults.length > 0) return { kind: 'faulty', faults };
    const done = await withTransaction(database, (tx) => complete(tx, begun, by));
    isComplete = done.kind === 'imported';
    return done;
  } catch (error) {
    if (error instanceof TooFew) return { kind: 'too few', codes: error.codes };
    if (error instanceof UploadFault) return { kind: 'unreadable', fault: error };
    if (error instanceof Abandoned) return { kind: 'unreadable', fault: new UploadFault('malformed', STOOD_STILL) };
    throw error;
  } finally {
    // What fails here is removed once the upload is idle for long.
    if (!isComplete) await removeImport(database, begun).catch(() => undefined);
  }
}

/** Step 1. */
async function begin(tx: Session, couponId: number): Promise<Import | ImportRefusal> {
  const coupon = await lockCoupon(tx, couponId);
  if (!coupon) return { kind: 'not exist' };
  if (coupon.archivedMs !== null) return { kind: 'archived' };
  if (await readPattern(tx, couponId)) return { kind: 'has codes' };
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  const begun = { couponId, importId: (high % 2 ** 20) * 2 ** 32 + low, after: await countCodes(tx, couponId) };
  await tx.insert(codeImports).values({ ...begun, dateTouched: sql`UTC_TIMESTAMP(3)` });
  return begun;
}

/** Step 2. Goes on after a fault, to find others. */
async function stageAll(
  database: Database,
  begun: Import,
  pages: AsyncIterable<readonly Uploaded[]>,
): Promise<readonly Fault[]> {
  const faults: Fault[] = [];
  const patterns = await readFromPrimary(database, (session) =>
    session.select({ prefix: codePatterns.prefix, length: codePatterns.length }).from(codePatterns),
  );
  const taken = new Set(patterns.map(({ prefix, length }) => `${length} ${prefix}`));
  let position = begun.after;
  let waiting: Uploaded[] = [];
  const stageWaiting = async (least: number) => {
    while (waiting.length >= least && waiting.length > 0 && faults.length < FAULTS_MAX) {
      const page = waiting.slice(0, PAGE);
      waiting = waiting.slice(PAGE);
      const placed = page.flatMap(({ line, code }) =>
        code === null ? [] : [{ line, code, position: (position += 1) }],
      );
      faults.push(
        ...page.filter(({ code }) => code === null).map(({ line }) => faultAt(line, expectedCodes.wellFormed)),
      );
      faults.push(
        ...placed
          .filter(({ code }) => isOfPattern(code, taken))
          .map(({ line }) => faultAt(line, expectedCodes.ofNoOther)),
      );
      if (placed.length > 0) faults.push(...(await stage(database, begun, placed)));
    }
  };
  for await (const page of pages) {
    waiting = waiting.length === 0 ? [...page] : waiting.concat(page);
    await stageWaiting(PAGE);
    if (faults.length >= FAULTS_MAX) break;
  }
  await stageWaiting(0);
  if (position === begun.after && faults.length === 0)
    faults.push({ in: 'body', pointer: '', expected: expectedCodes.any });
  return faults.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0)).slice(0, FAULTS_MAX);
}

/** What is expected instead of a line that cannot be added, or of a file. */
export const expectedCodes = {
  wellFormed: UPLOADED_CODE_TEXT,
  unused: 'a code that is on no line before, and that the coupon does not have yet',
  ofNoOther: 'a code of no other coupon',
  any: 'at least one code',
} as const;

function faultAt(line: number, expected: string): Fault {
  return { in: 'body', pointer: '', line, expected };
}

/** Whether a generated code of some coupon looks like this one. */
function isOfPattern(code: string, taken: ReadonlySet<string>): boolean {
  const typed = taken.size === 0 ? null : readTyped(code);
  return typed !== null && prefixesOf(typed).some((prefix) => taken.has(`${typed.length} ${prefix}`));
}

interface Placed {
  readonly line: number;
  readonly code: string;
  readonly position: number;
}

async function stage(database: Database, begun: Import, page: readonly Placed[]): Promise<readonly Fault[]> {
  const { couponId, importId } = begun;
  const inserted = await retryUndone(() => withTransaction(database, (tx) => insertPage(tx, begun, page)));
  const lineOf = new Map(page.map(({ line, code }) => [code, line]));
  const isAmongThem = sql`${importedCodes.code} IN (${sql.raw([...lineOf.keys()].map(literal).join())})`;
  // Where each was new to this upload, nothing of its own needs to be looked at.
  const isOfOther = inserted === page.length ? ne(importedCodes.importId, importId) : undefined;
  const rows = await readFromPrimary(database, (session) =>
    session.select().from(importedCodes).where(and(isAmongThem, isOfOther)),
  );
  const positionOf = new Map(rows.filter((row) => row.importId === importId).map((row) => [row.code, row.position]));
  const twice = page.filter(({ code, position }) => (positionOf.get(code) ?? position) !== position);
  const others = await conflicting(database, begun, rows);
  return [
    ...twice.map(({ line }) => faultAt(line, expectedCodes.unused)),
    ...others.map((row) =>
      faultAt(lineOf.get(row.code) ?? 0, row.couponId === couponId ? expectedCodes.unused : expectedCodes.ofNoOther),
    ),
  ];
}

async function insertPage(tx: Session, begun: Import, page: readonly Placed[]): Promise<number> {
  const { couponId, importId } = begun;
  await touch(tx, begun, { codes: sql`${codeImports.codes} + ${page.length}` });
  const values = page.map(({ code, position }) => `(${couponId},${importId},${position},${literal(code)})`);
  const insert = `INSERT INTO imported_codes (coupon_id, import_id, position, code) VALUES ${values.join()}`;
  const [{ affectedRows }] = await tx.execute(sql.raw(`${insert} ON DUPLICATE KEY UPDATE position = position`));
  return affectedRows;
}

/** Those of other uploads that count, or may do so soon. Of the same coupon, only one of two uploads becomes complete. */
async function conflicting<Row extends Pick<Import, 'couponId' | 'importId'>>(
  database: Database,
  { couponId, importId }: Import,
  rows: readonly Row[],
): Promise<readonly Row[]> {
  const others = rows.filter((row) => row.importId !== importId);
  if (others.length === 0) return [];
  const ids = [...new Set(others.map((row) => row.importId))];
  const found = await readFromPrimary(database, (session) =>
    session
      .select({ couponId: codeImports.couponId, importId: codeImports.importId, complete: codeImports.complete })
      .from(codeImports)
      .where(and(inArray(codeImports.importId, ids), sql`(${codeImports.complete} OR NOT ${isIdle})`)),
  );
  const counting = new Set(found.filter((one) => one.complete || one.couponId !== couponId).map((one) => one.importId));
  return others.filter((row) => counting.has(row.importId));
}

/** Step 3. */
async function complete(tx: Session, begun: Import, by: Actor): Promise<Imported> {
  const { couponId, after } = begun;
  const coupon = await lockCoupon(tx, couponId);
  if (!coupon) return { kind: 'not exist' };
  if (coupon.archivedMs !== null) return { kind: 'archived' };
  if ((await readPattern(tx, couponId)) || (await countCodes(tx, couponId)) !== after) return { kind: 'has codes' };
  await touch(tx, begun, { complete: true });
  const codes = await countCodes(tx, couponId);
  if (coupon.totalQuantity === null || coupon.totalQuantity > codes) throw new TooFew(codes);
  await record(tx, by, { action: 'codes.import', couponId, from: { codes: after }, to: { codes } });
  return { kind: 'imported', codes };
}

/** Notes that the upload goes on. */
async function touch(
  tx: Session,
  begun: Import,
  change: { codes: ReturnType<typeof sql> } | { complete: true },
): Promise<void> {
  const [{ affectedRows }] = await tx
    .update(codeImports)
    .set({ ...change, dateTouched: sql`UTC_TIMESTAMP(3)` })
    .where(and(isImport(begun), eq(codeImports.complete, false), sql`NOT ${isIdle}`));
  if (affectedRows !== 1) throw new Abandoned();
}
