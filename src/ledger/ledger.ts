// ledger.ts -- The one idempotent write of accepted issues to MySQL, shared by the worker and the `synchronous` issuer.
//
// Every writer of a coupon's rows holds the lock on its row in `coupons` (locked in id order, so that two writers never wait
// for one another). Under it the rows that are there cannot change, so what is missing can be worked out exactly:
// - the same user and sequence are there: written before, nothing to do;
// - the user has another sequence: nothing to do, P2, noted;
// - the sequence belongs to another user, which only happens after Redis lost acknowledged issues: the next free sequence if
//   stock is left, else a dead letter;
// - the stock is gone: a dead letter, P1;
// - the coupon is archived: a dead letter.
// An entry that was accepted before its user was erased is written for their pseudonym. Once the coupon is long over, and the key of its
// pseudonyms deleted, an entry of before whose sequence an erased user has was written before.
// The usual case is that every row is new, so it is tried first, with one statement and no reading.

import { and, eq, inArray, sql } from 'drizzle-orm';
import { couponIssues, coupons, erasedUsers } from '../../drizzle/schema.ts';
import { readHighestSequence } from '../coupon/issue-rows.ts';
import { isPseudonym, pseudonymOf } from '../coupon/pseudonym.ts';
import { invariant } from '../invariant.ts';
import { type Database, isOnVitess, type Session, RollbackError, withTransaction } from '../mysql/database.ts';
import type { Entry } from '../stream/entry.ts';
import { type DeadIssue, type Issue, planRows, type Present, renumber } from './plan.ts';
import { ROWS_PER_STATEMENT_MAX, insertIssues } from './insert.ts';

/** What became of entries. Counts are of users, which is rows. */
export interface Written {
  readonly inserted: number;
  /** Rows that were there already, the same. */
  readonly unchanged: number;
  /** Issues of users who had the coupon already, with the sequence that their row has; the entry said another. */
  readonly superseded: readonly Issue[];
  /** Issues that were written under another sequence than they were accepted with, since theirs was taken. */
  readonly renumbered: readonly Issue[];
  /** Issues that can never be rows. */
  readonly dead: readonly DeadIssue[];
  /**
   * Issues inserted from entries of an earlier opening than the present one. If Redis had lost them when it was opened again,
   * it does not know their users as owners.
   */
  readonly older: readonly Issue[];
  /** Entries that were left out, as `withdrawnAmong` says. */
  readonly withdrawn: readonly Entry[];
}

const NOTHING: Written = {
  inserted: 0,
  unchanged: 0,
  superseded: [],
  renumbered: [],
  dead: [],
  older: [],
  withdrawn: [],
};

/** The optimistic write found rows that it did not expect: rolled back, and repeated with reading first. */
class UnexpectedRows extends RollbackError {
  override readonly name = 'UnexpectedRows';
}

interface LockedCoupon {
  readonly total: number | null;
  readonly issued: number;
  readonly epoch: number;
  /** Null unless its rows are in a file. */
  readonly archived: Date | null;
  readonly erasureKey: string | null;
}

type LockedCoupons = ReadonlyMap<number, LockedCoupon>;

/** Which of these entries, all of earlier openings, are nobody's to write any more. Asked under the locks of their coupons. */
export type WithdrawnAmong = (older: readonly Entry[]) => Promise<readonly Entry[]>;

/**
 * Writes entries, in one transaction; writing the same again changes nothing.
 *
 * @param entries of any coupons, in any order, at least one
 * @throws what MySQL and `withdrawnAmong` throw; then nothing was written, unless the COMMIT itself failed: then the result is ambiguous
 */
export async function writeEntries(
  database: Database,
  entries: readonly Entry[],
  withdrawnAmong: WithdrawnAmong = async () => [],
): Promise<Written> {
  // Where they may be in several shards of Vitess, one statement would lock them in any order.
  const locksMax = (await isOnVitess(database)) ? 1 : ROWS_PER_STATEMENT_MAX;
  const writeWith = (write: typeof writeNew) =>
    withTransaction(database, async (tx) => {
      const locked = await lockCoupons(tx, [...new Set(entries.map(({ couponId }) => couponId))], locksMax);
      const older = entries.filter((entry) => isOlder(entry, locked.get(entry.couponId)));
      const withdrawn = older.length === 0 ? older : await withdrawnAmong(older);
      const kept = withdrawn.length === 0 ? entries : entries.filter((entry) => !withdrawn.includes(entry));
      const issues = (await withPseudonyms(tx, kept.flatMap(issuesOf), locked)).sort(
        (a, b) => a.couponId - b.couponId || a.sequence - b.sequence,
      );
      return { ...(await write(tx, issues, locked)), withdrawn };
    });
  try {
    return await writeWith(writeNew);
  } catch (error) {
    if (!(error instanceof UnexpectedRows)) throw error;
  }
  return writeWith(writeMissing);
}

/** The issues of an entry, one per user. */
export function issuesOf({ couponId, epoch, firstSequence, acceptedMs, users, endpoint }: Entry): Issue[] {
  return users.map((userId, i) => ({ couponId, epoch, sequence: firstSequence + i, userId, acceptedMs, endpoint }));
}

/** Calls users who were erased by their pseudonyms. Asks only about coupons of which somebody was. */
async function withPseudonyms(tx: Session, issues: Issue[], locked: LockedCoupons): Promise<Issue[]> {
  const named = new Map<Issue, Issue>();
  for (const [couponId, { erasureKey }] of locked) {
    if (erasureKey === null) continue;
    const mine = issues
      .filter((issue) => issue.couponId === couponId)
      .map((issue) => ({ issue, pseudonym: pseudonymOf(erasureKey, issue.userId) }));
    for (let i = 0; i < mine.length; i += ROWS_PER_STATEMENT_MAX) {
      const page = mine.slice(i, i + ROWS_PER_STATEMENT_MAX);
      const asked = page.map(({ pseudonym }) => pseudonym);
      const rows = await tx
        .select({ pseudonym: erasedUsers.pseudonym })
        .from(erasedUsers)
        .where(and(eq(erasedUsers.couponId, couponId), inArray(erasedUsers.pseudonym, asked)));
      const erased = new Set(rows.map(({ pseudonym }) => pseudonym));
      for (const { issue, pseudonym } of page)
        if (erased.has(pseudonym)) named.set(issue, { ...issue, userId: pseudonym, erasedId: issue.userId });
    }
  }
  return named.size === 0 ? issues : issues.map((issue) => named.get(issue) ?? issue);
}

/**
 * Raises each coupon by its rows, those with equally many in one statement: with thousands of coupons open, a statement for each
 * was two thirds of the work of MySQL and worker. There are never many different counts, since they add up to the rows.
 */
async function raiseAll(tx: Session, counts: ReadonlyMap<number, readonly Issue[]>): Promise<void> {
  const byRows = Map.groupBy(counts.keys(), (couponId) => counts.get(couponId)?.length ?? 0);
  for (const [rows, couponIds] of byRows) await raiseIssued(tx, couponIds, rows);
}

/** Raises `issued_quantity` of each by the rows that went in; the CHECK on it is the last guard of P1. */
export async function raiseIssued(tx: Session, couponIds: readonly number[], rows: number): Promise<void> {
  for (let i = 0; i < couponIds.length; i += ROWS_PER_STATEMENT_MAX) {
    const page = couponIds.slice(i, i + ROWS_PER_STATEMENT_MAX);
    await tx.execute(
      sql`UPDATE coupons SET issued_quantity = issued_quantity + ${rows} WHERE ${inArray(coupons.id, page)}`,
    );
  }
}

/** Expects every issue to be new. */
async function writeNew(tx: Session, issues: readonly Issue[], locked: LockedCoupons): Promise<Written> {
  const counts = Map.groupBy(issues, (issue) => issue.couponId);
  for (const [couponId, mine] of counts) {
    const coupon = locked.get(couponId);
    if (!coupon || coupon.archived !== null || (coupon.total !== null && coupon.issued + mine.length > coupon.total))
      throw new UnexpectedRows();
  }
  if ((await insertIssues(tx, issues)) !== issues.length) throw new UnexpectedRows();
  await raiseAll(tx, counts);
  const older = issues.filter((issue) => isOlder(issue, locked.get(issue.couponId)));
  return { ...NOTHING, inserted: issues.length, older };
}

function isOlder({ epoch }: Pick<Issue, 'epoch'>, coupon: LockedCoupon | undefined): boolean {
  return epoch < (coupon?.epoch ?? 0);
}

/** Reads what is there first, and writes exactly what is missing. */
async function writeMissing(tx: Session, issues: readonly Issue[], locked: LockedCoupons): Promise<Written> {
  const byCoupon = Map.groupBy(issues, (issue) => issue.couponId);
  const parts: Written[] = [];
  for (const [couponId, mine] of byCoupon) parts.push(await writeMissingOf(tx, locked.get(couponId), couponId, mine));
  return {
    inserted: parts.reduce((sum, part) => sum + part.inserted, 0),
    unchanged: parts.reduce((sum, part) => sum + part.unchanged, 0),
    superseded: parts.flatMap((part) => part.superseded),
    renumbered: parts.flatMap((part) => part.renumbered),
    dead: parts.flatMap((part) => part.dead),
    older: parts.flatMap((part) => part.older),
    withdrawn: [],
  };
}

async function writeMissingOf(
  tx: Session,
  coupon: LockedCoupon | undefined,
  couponId: number,
  issues: readonly Issue[],
): Promise<Written> {
  if (!coupon) return { ...NOTHING, dead: issues.map((issue) => ({ issue, reason: 'no such coupon' })) };
  // Whether their rows are in the file cannot be seen here.
  if (coupon.archived !== null)
    return { ...NOTHING, dead: issues.map((issue) => ({ issue, reason: 'coupon is archived' })) };
  const left = coupon.total === null ? Number.POSITIVE_INFINITY : coupon.total - coupon.issued;
  const present = await readPresent(tx, couponId, issues);
  const isForgotten = (issue: Issue) =>
    isOlder(issue, coupon) && coupon.erasureKey === null && isPseudonym(present.userOf.get(issue.sequence) ?? '');
  const plan = planRows(
    issues.filter((issue) => !isForgotten(issue)),
    present,
    left,
  );
  const { rows, conflicts, superseded, dead } = plan;
  const unchanged = plan.unchanged + issues.filter(isForgotten).length;
  const highest = conflicts.length === 0 ? 0 : (await readHighestSequence(tx, couponId)).highest;
  const renumbered = renumber(plan, highest);
  const all = [...rows, ...renumbered];
  const inserted = await insertIssues(tx, all);
  invariant(inserted === all.length, 'P3: rows changed under the lock of their coupon');
  if (inserted > 0) await raiseIssued(tx, [couponId], inserted);
  const older = rows.filter((issue) => isOlder(issue, coupon));
  return { ...NOTHING, inserted, unchanged, superseded, renumbered, dead, older };
}

/** The rows that stand in the way of `issues`, by sequence and by user. */
async function readPresent(tx: Session, couponId: number, issues: readonly Issue[]): Promise<Present> {
  const sequenceOf = new Map<string, number>();
  const userOf = new Map<number, string>();
  for (let i = 0; i < issues.length; i += ROWS_PER_STATEMENT_MAX) {
    const page = issues.slice(i, i + ROWS_PER_STATEMENT_MAX);
    const sequences = page.map((issue) => issue.sequence);
    const users = page.map((issue) => issue.userId);
    // Two statements, each along one unique key; an OR over both would scan.
    for (const condition of [inArray(couponIssues.sequence, sequences), inArray(couponIssues.userId, users)]) {
      const found = await tx
        .select({ userId: couponIssues.userId, sequence: couponIssues.sequence })
        .from(couponIssues)
        .where(sql`${couponIssues.couponId} = ${couponId} AND ${condition}`);
      for (const row of found) {
        sequenceOf.set(row.userId, row.sequence);
        userOf.set(row.sequence, row.userId);
      }
    }
  }
  return { sequenceOf, userOf };
}

/** Locks coupons in id order, at most `locksMax` in a statement: every writer does, so none waits for one that waits for it. */
async function lockCoupons(tx: Session, couponIds: readonly number[], locksMax: number): Promise<LockedCoupons> {
  const locked = new Map<number, LockedCoupon>();
  const ids = couponIds.toSorted((a, b) => a - b);
  for (let i = 0; i < ids.length; i += locksMax) {
    const rows = await tx
      .select({
        id: coupons.id,
        total: coupons.totalQuantity,
        issued: coupons.issuedQuantity,
        epoch: coupons.epoch,
        archived: coupons.dateArchived,
        erasureKey: coupons.erasureKey,
      })
      .from(coupons)
      .where(inArray(coupons.id, ids.slice(i, i + locksMax)))
      .orderBy(coupons.id)
      .for('update');
    for (const { id, ...coupon } of rows) locked.set(id, coupon);
  }
  return locked;
}
