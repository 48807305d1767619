// synchronous.ts -- The issuer behind `POST /v1/issue`: the row is in MySQL before the answer.
//
// While MySQL is the home of the stock, one transaction decides for the batch under the lock of the coupon's row. Once Redis is
// the home, it goes another way to the same promise: reserve in Redis with the script, write the rows itself at once, answer
// after the commit. The entry in the stream is there all the same, so that a crash between the two loses nothing; the worker
// later finds the rows written.

import { lockedCoupon, lockStatement } from '../coupon/catalog.ts';
import { decide, lastSequence } from '../coupon/coupon.ts';
import { InvariantViolation, invariant } from '../invariant.ts';
import { type Database, type Decided, DuplicateRow, readDecideWrite, type Rows } from '../mysql/database.ts';
import type { Entry } from '../stream/entry.ts';
import type { Issuer } from './issuer.ts';
import { type Issue, issueStatements, type Written, writeEntries } from '../ledger/ledger.ts';
import { userLiterals } from '../ledger/sql-literals.ts';
import { type Outcome, refusal, Unavailable } from '../coupon/outcome.ts';
import type { Take, Taken } from './scripted.ts';

export interface SynchronousDependencies {
  readonly database: Database;
  readonly take: Take;
  /** Drops what Redis knows of a coupon, so that the next request opens it from what is true. */
  readonly forget: (couponId: number) => Promise<void>;
}

/** Coupons of which something is remembered. Only hints: the row lock and the unique keys decide. */
const HINTS_MAX = 10_000;

export function createSynchronous({ database, take, forget }: SynchronousDependencies): Issuer {
  const inRedis = new Set<number>();
  const askedAgain = new Set<number>();
  const decideInMysql = async (couponId: number, users: readonly string[]) => {
    if (!askedAgain.has(couponId)) {
      const outcomes = await issueToNew(database, couponId, users);
      if (outcomes !== 'owners among') return outcomes;
      hint(askedAgain, couponId);
    }
    const outcomes = await issueInMysql(database, couponId, users);
    if (!outcomes?.some(({ kind }) => kind === 'already issued')) askedAgain.delete(couponId);
    return outcomes;
  };
  return {
    async issue(couponId, users) {
      if (!inRedis.has(couponId)) {
        const outcomes = await decideInMysql(couponId, users);
        if (outcomes) return outcomes;
        hint(inRedis, couponId);
      }
      const taken = await take(couponId, users);
      if (!taken.accepted) inRedis.delete(couponId);
      return writeTaken({ database, forget }, couponId, users, taken);
    },
  };
}

function hint(coupons: Set<number>, couponId: number): void {
  if (coupons.size >= HINTS_MAX) coupons.clear();
  coupons.add(couponId);
}

/**
 * Decides under the row lock, taking all users for new, which saves looking each of them up: the unique key tells if one is not.
 *
 * @returns null when the stock is in Redis; `owners among` when somebody may have the coupon already: then nothing was written
 */
async function issueToNew(
  database: Database,
  couponId: number,
  users: readonly string[],
): Promise<readonly Outcome[] | null | 'owners among'> {
  try {
    return await readDecideWrite<readonly Outcome[] | null | 'owners among'>(
      database,
      readingOf(couponId, []),
      (rows) => {
        const decided = decideUnderLock(couponId, users, rows);
        // Who is refused for want of stock may have the coupon already.
        const isShort = decided.result?.some(({ kind }) => kind === 'sold out');
        return isShort ? { write: [], result: 'owners among' } : decided;
      },
    );
  } catch (error) {
    if (error instanceof DuplicateRow) return 'owners among';
    throw error;
  }
}

/** Decides under the row lock, looking each user up; null when the stock is in Redis. */
async function issueInMysql(database: Database, couponId: number, users: readonly string[]) {
  try {
    return await readDecideWrite(database, readingOf(couponId, users), (rows) =>
      decideUnderLock(couponId, users, rows),
    );
  } catch (error) {
    if (error instanceof DuplicateRow) throw new InvariantViolation('P2: rows changed under the lock of their coupon');
    throw error;
  }
}

function decideUnderLock(
  couponId: number,
  users: readonly string[],
  [locked = [], known = []]: readonly Rows[],
): Decided<readonly Outcome[] | null> {
  const coupon = lockedCoupon(locked);
  if (!coupon) return { write: [], result: users.map(() => refusal['not exist']) };
  if (coupon.stockHome === 'redis') return { write: [], result: null };
  const { highest, nowMs, owners } = readKnown(known);
  const next = highest + 1;
  const stock = { ...coupon, next, until: lastSequence(next, coupon.issuedQuantity, coupon.totalQuantity) };
  const { outcomes, taken } = decide(stock, owners, users, nowMs);
  const issues = taken.map((userId, i): Issue => {
    return { couponId, epoch: coupon.epoch, sequence: next + i, userId, acceptedMs: nowMs };
  });
  return { write: issues.length === 0 ? [] : issueStatements(couponId, issues), result: outcomes };
}

/**
 * The statements that lock the coupon, and then read what only the holder of the lock can rely on: rows, and a clock that nobody
 * who comes later can be ahead of.
 *
 * @param users whom to look up
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
  readonly owners: ReadonlyMap<string, number>;
}

/** The first row has no owner: it is the highest sequence and the clock. */
function readKnown(rows: Rows): Known {
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
  { database, forget }: Pick<SynchronousDependencies, 'database' | 'forget'>,
  couponId: number,
  users: readonly string[],
  { outcomes, accepted }: Taken,
): Promise<readonly Outcome[]> {
  const winners = users.filter((_, i) => outcomes[i]?.kind === 'issued');
  const first = outcomes.find((outcome) => outcome.kind === 'issued');
  if (!accepted || first?.kind !== 'issued') return outcomes;
  const entry: Entry = { couponId, ...accepted, firstSequence: first.sequence, users: winners };
  const written = await writeEntries(database, [entry]);
  // Redis lost the entry, and was opened without these issues: the worker will not come upon them, and their users would get more.
  if (written.older.length + written.renumbered.length + written.superseded.length > 0) await forget(couponId);
  return correct(users, outcomes, written);
}

/** The outcomes with the sequences that the rows really got. They differ only after Redis lost acknowledged issues. */
function correct(users: readonly string[], outcomes: readonly Outcome[], written: Written): readonly Outcome[] {
  if (written.dead.length > 0) throw new Unavailable('dependency', 'an accepted issue found no stock in MySQL');
  const corrected = [...written.renumbered, ...written.superseded];
  if (corrected.length === 0) return outcomes;
  const sequences = new Map(corrected.map(({ userId, sequence }) => [userId, sequence]));
  return outcomes.map((outcome, i) => {
    const sequence = sequences.get(users[i] ?? '');
    return outcome.kind === 'issued' && sequence !== undefined ? { ...outcome, sequence } : outcome;
  });
}
