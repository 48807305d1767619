// synchronous.ts -- The issuer behind `POST /v1/issue`: the row is in MySQL before the answer.
//
// While MySQL is the home of the stock, one transaction decides for the batch under the lock of the coupon's row. Once Redis is
// the home, the script takes the stock there, this issuer writes the rows itself, and answers after the commit. The script has
// appended to the stream all the same, so that a crash between the two loses nothing; the worker later finds the rows written.

import { lockedCoupon, lockStatement } from '../coupon/catalog.ts';
import { pseudonymOf } from '../coupon/pseudonym.ts';
import { decide, lastSequence } from '../coupon/coupon.ts';
import { InvariantViolation, invariant } from '../invariant.ts';
import { type Database, retryUndone } from '../mysql/database.ts';
import { DuplicateRow, readThenWrite, type Rows, type WritePlan } from '../mysql/read-then-write.ts';
import type { Entry } from '../stream/entry.ts';
import type { EpochReader } from '../stock/restoring.ts';
import type { Issuer } from './issuer.ts';
import { type Written, writeEntries } from '../ledger/ledger.ts';
import { issueStatements } from '../ledger/insert.ts';
import type { Issue } from '../ledger/plan.ts';
import { userLiterals } from '../ledger/sql-literals.ts';
import { type Outcome, refusal, Unavailable } from '../coupon/outcome.ts';
import type { Take, Taken } from './scripted.ts';

export interface SynchronousDependencies {
  readonly database: Database;
  readonly take: Take;
  /** Whether there is such a coupon, as far as it is known: ids that nobody has must not take connections from those that exist. */
  readonly exists: (couponId: number) => boolean | Promise<boolean>;
  readonly epochInRedis: EpochReader;
  /** Drops the state of a coupon in Redis, so that the next request opens it from the rows. */
  readonly drop: (couponId: number) => Promise<void>;
}

const ENDPOINT = 'POST /v1/issue';

/** Coupons with a hint. Only hints: the row lock and the unique keys decide. */
const HINTS_MAX = 10_000;

export function createSynchronous({ database, take, exists, epochInRedis, drop }: SynchronousDependencies): Issuer {
  const inRedis = new Set<number>();
  /** Coupons for which looking the users up first has proved necessary. */
  const lookedUp = new Set<number>();
  /** The keys of pseudonyms of coupons with erased users. */
  const erasureKeys = new Map<number, string>();
  const issueInMysql = async (couponId: number, users: readonly string[]) => {
    const asked = epochInRedis(couponId);
    // Before the transaction, so that a Redis that is slow is not waited for under the row lock.
    const epochMin = typeof asked === 'number' ? asked : await asked;
    const known = erasureKeys.get(couponId);
    // The unique key does not find those who were erased.
    if (known === undefined && !lookedUp.has(couponId)) {
      const outcomes = await issueToNew(database, couponId, users, epochMin);
      if (outcomes !== 'owners among' && !isErased(outcomes)) return outcomes;
      hint(lookedUp, couponId);
    }
    let outcomes = await issueWithLookup(database, couponId, users, epochMin, known);
    if (isErased(outcomes)) {
      if (erasureKeys.size >= HINTS_MAX) erasureKeys.clear();
      erasureKeys.set(couponId, outcomes.erasureKey);
      outcomes = await issueWithLookup(database, couponId, users, epochMin, outcomes.erasureKey);
    }
    if (isErased(outcomes)) throw new Unavailable('dependency', 'the key of pseudonyms of a coupon changes');
    if (outcomes === 'behind') return outcomes;
    if (!outcomes?.some(({ kind }) => kind === 'already issued' || kind === 'sold out')) lookedUp.delete(couponId);
    return outcomes;
  };
  return {
    async issue(couponId, users) {
      if (!inRedis.has(couponId)) {
        const found = exists(couponId);
        if (!(typeof found === 'boolean' ? found : await found)) return users.map(() => refusal['not exist']);
        const outcomes = await issueInMysql(couponId, users);
        if (outcomes === 'behind')
          throw new Unavailable('dependency', 'MySQL is older than Redis, and must be restored first');
        if (outcomes) return outcomes;
        hint(inRedis, couponId);
      }
      const taken = await take(couponId, users, ENDPOINT);
      if (!taken.accepted) inRedis.delete(couponId);
      return writeTaken({ database, drop }, couponId, users, taken);
    },
  };
}

function hint(coupons: Set<number>, couponId: number): void {
  if (coupons.size >= HINTS_MAX) coupons.clear();
  coupons.add(couponId);
}

/**
 * Issues under the row lock as if all users were new, which saves looking them up: the unique key finds the one who is not.
 *
 * @returns as `planIssue`, or `owners among` when a user may have the coupon already: then nothing was written
 */
async function issueToNew(
  database: Database,
  couponId: number,
  users: readonly string[],
  epochMin: number,
): Promise<Planned | 'owners among'> {
  try {
    return await readThenWrite<Planned | 'owners among'>(database, readingOf(couponId, []), (rows) => {
      const plan = planIssue(couponId, users, epochMin, rows);
      // A user for whom there is no stock left may have the coupon already.
      const isShort = Array.isArray(plan.result) && plan.result.some(({ kind }) => kind === 'sold out');
      return isShort ? { write: [], result: 'owners among' } : plan;
    });
  } catch (error) {
    if (error instanceof DuplicateRow) return 'owners among';
    throw error;
  }
}

/** Issues under the row lock, looking each user up. */
async function issueWithLookup(
  database: Database,
  couponId: number,
  users: readonly string[],
  epochMin: number,
  erasureKey?: string,
): Promise<Planned> {
  const pseudonyms = erasureKey === undefined ? [] : users.map((user) => pseudonymOf(erasureKey, user));
  try {
    return await readThenWrite(database, readingOf(couponId, [...users, ...pseudonyms]), (rows) =>
      planIssue(couponId, users, epochMin, rows, { erasureKey, pseudonyms }),
    );
  } catch (error) {
    if (error instanceof DuplicateRow) throw new InvariantViolation('P2: rows changed under the lock of their coupon');
    throw error;
  }
}

/**
 * The outcomes; null when the stock is in Redis; `behind` when MySQL is older than what Redis has; a key when users of the coupon were
 * erased, and others must be looked up by its pseudonyms too.
 */
type Planned = readonly Outcome[] | null | 'behind' | { readonly erasureKey: string };

function isErased(planned: Planned | 'owners among'): planned is { readonly erasureKey: string } {
  return typeof planned === 'object' && planned !== null && 'erasureKey' in planned;
}

/** The outcomes, and the statements that make them true. `epochMin`: the epoch that Redis knows the coupon under. */
function planIssue(
  couponId: number,
  users: readonly string[],
  epochMin: number,
  [locked = [], known = []]: readonly Rows[],
  { erasureKey, pseudonyms }: { erasureKey?: string | undefined; pseudonyms: readonly string[] } = { pseudonyms: [] },
): WritePlan<Planned> {
  const coupon = lockedCoupon(locked);
  if (!coupon) return { write: [], result: users.map(() => refusal['not exist']) };
  if (coupon.archivedMs !== null) return { write: [], result: users.map(() => refusal.ended) };
  if (coupon.stockHome === 'redis') return { write: [], result: null };
  if (coupon.epoch < epochMin) return { write: [], result: 'behind' };
  if (coupon.erasureKey !== undefined && coupon.erasureKey !== erasureKey)
    return { write: [], result: { erasureKey: coupon.erasureKey } };
  const { highest, nowMs, owners } = parseKnown(known);
  const next = highest + 1;
  const stock = { ...coupon, next, until: lastSequence(next, coupon.issuedQuantity, coupon.totalQuantity) };
  for (const [i, pseudonym] of pseudonyms.entries()) {
    const sequence = owners.get(pseudonym);
    if (sequence !== undefined) owners.set(users[i] ?? '', sequence);
  }
  const { outcomes, taken } = decide(stock, owners, users, nowMs);
  const issues = taken.map((userId, i): Issue => {
    return { couponId, epoch: coupon.epoch, sequence: next + i, userId, acceptedMs: nowMs, endpoint: ENDPOINT };
  });
  return { write: issues.length === 0 ? [] : issueStatements(couponId, issues), result: outcomes };
}

/**
 * The statements that lock the coupon, and then read what only the holder of the lock can rely on: its rows, and a clock that
 * is not behind that of any earlier holder.
 *
 * @param users to be looked up
 */
function readingOf(couponId: number, users: readonly string[]): readonly string[] {
  const among =
    users.length === 0
      ? ''
      : ` UNION ALL SELECT sequence, user_id FROM coupon_issues
          WHERE coupon_id = ${couponId} AND user_id IN (${userLiterals(users)})`;
  return [
    lockStatement(couponId),
    `SELECT CAST(COALESCE(MAX(sequence), 0) AS UNSIGNED) AS sequence, CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS CHAR) AS name
       FROM coupon_issues WHERE coupon_id = ${couponId}${among}`,
  ];
}

/** What a decision needs. */
interface Known {
  /** The highest sequence given; 0 for none. */
  readonly highest: number;
  readonly nowMs: number;
  /** Which of the users have the coupon, and under which sequence. */
  readonly owners: Map<string, number>;
}

/** The first row has no owner: it is the highest sequence and the clock. */
function parseKnown(rows: Rows): Known {
  const [first, ...owned] = rows as readonly { readonly sequence: number; readonly name: string }[];
  invariant(first, 'an aggregate always has one row');
  return {
    highest: first.sequence,
    nowMs: Number.parseInt(first.name, 10),
    owners: new Map(owned.map(({ name, sequence }) => [name, sequence])),
  };
}

/** Writes what Redis accepted, and answers with what the rows then say. */
async function writeTaken(
  { database, drop }: Pick<SynchronousDependencies, 'database' | 'drop'>,
  couponId: number,
  users: readonly string[],
  { outcomes, accepted }: Taken,
): Promise<readonly Outcome[]> {
  const winners = users.filter((_, i) => outcomes[i]?.kind === 'issued');
  const first = outcomes.find((outcome) => outcome.kind === 'issued');
  if (!accepted || first?.kind !== 'issued') return outcomes;
  const entry: Entry = { couponId, ...accepted, firstSequence: first.sequence, users: winners, endpoint: ENDPOINT };
  const written = await retryUndone(() => writeEntries(database, [entry]));
  // Redis lost the entry, and was opened without these issues: the worker will not find them, and their users would get more.
  if (written.older.length + written.renumbered.length + written.superseded.length > 0) await drop(couponId);
  return correct(users, outcomes, written);
}

/** The outcomes with the sequences that the rows really got. They differ only after Redis lost acknowledged issues. */
function correct(users: readonly string[], outcomes: readonly Outcome[], written: Written): readonly Outcome[] {
  if (written.dead.length > 0) throw new Unavailable('dependency', 'an accepted issue found no stock in MySQL');
  const corrected = [...written.renumbered, ...written.superseded];
  if (corrected.length === 0) return outcomes;
  const sequences = new Map(corrected.map(({ userId, erasedId = userId, sequence }) => [erasedId, sequence]));
  return outcomes.map((outcome, i) => {
    const sequence = sequences.get(users[i] ?? '');
    return outcome.kind === 'issued' && sequence !== undefined ? { ...outcome, sequence } : outcome;
  });
}
