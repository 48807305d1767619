// synchronous.ts -- The issuer behind `POST /v1/issue`: the row is in MySQL before the answer.
//
// While MySQL is the home of the stock, one transaction decides for the batch under the lock of the coupon's row. Once Redis is
// the home, it goes another way to the same promise: reserve in Redis with the script, write the rows itself at once, answer
// after the commit. The entry in the stream is there all the same, so that a crash between the two loses nothing; the worker
// later finds the rows written.

import { sql } from 'drizzle-orm';
import { lockCoupon } from '../coupon/catalog.ts';
import { decide, lastSequence } from '../coupon/coupon.ts';
import { invariant } from '../invariant.ts';
import { type Database, type Session, withTransaction } from '../mysql/database.ts';
import type { Entry } from './entry.ts';
import type { Issuer } from './issuer.ts';
import { type Issue, insertIssues, raiseIssued, type Written, writeEntries } from './ledger.ts';
import { userLiterals } from './literals.ts';
import { type Outcome, refusal, Unavailable } from './outcome.ts';
import type { Take, Taken } from './scripted.ts';

export interface SynchronousDependencies {
  readonly database: Database;
  readonly take: Take;
}

/** Coupons whose home was last seen in Redis. Only a hint: the row lock decides. */
const HINTS_MAX = 10_000;

export function createSynchronous({ database, take }: SynchronousDependencies): Issuer {
  const inRedis = new Set<number>();
  return {
    async issue(couponId, users) {
      if (!inRedis.has(couponId)) {
        const outcomes = await withTransaction(database, (tx) => issueInMysql(tx, couponId, users));
        if (outcomes) return outcomes;
        if (inRedis.size >= HINTS_MAX) inRedis.clear();
        inRedis.add(couponId);
      }
      const taken = await take(couponId, users);
      if (!taken.accepted) inRedis.delete(couponId);
      return writeTaken(database, couponId, users, taken);
    },
  };
}

/** Decides under the row lock; null when the stock is in Redis. */
async function issueInMysql(
  tx: Session,
  couponId: number,
  users: readonly string[],
): Promise<readonly Outcome[] | null> {
  const coupon = await lockCoupon(tx, couponId);
  if (!coupon) return users.map(() => refusal['not exist']);
  if (coupon.stockHome === 'redis') return null;
  const { highest, nowMs, owners } = await readUnderLock(tx, couponId, users);
  const next = highest + 1;
  const stock = { ...coupon, next, until: lastSequence(next, coupon.issuedQuantity, coupon.totalQuantity) };
  const { outcomes, taken } = decide(stock, owners, users, nowMs);
  if (taken.length === 0) return outcomes;
  const issues = taken.map((userId, i): Issue => {
    return { couponId, epoch: coupon.epoch, sequence: next + i, userId, acceptedMs: nowMs };
  });
  const inserted = await insertIssues(tx, issues);
  invariant(inserted === issues.length, 'P2: rows changed under the lock of their coupon');
  await raiseIssued(tx, couponId, inserted);
  return outcomes;
}

/** What a decision needs. */
interface Known {
  /** The highest sequence given; 0 for none. */
  readonly highest: number;
  readonly nowMs: number;
  /** Which of the users have the coupon, and under which sequence. */
  readonly owners: ReadonlyMap<string, number>;
}

/**
 * Reads what only the holder of the row lock can rely on: rows, and a clock that nobody who comes later can be ahead of. One
 * statement, so that the lock is held for one round trip less; its first row has no owner.
 */
async function readUnderLock(tx: Session, couponId: number, users: readonly string[]): Promise<Known> {
  const [rows] = await tx.execute(
    sql`SELECT CAST(COALESCE(MAX(sequence), 0) AS UNSIGNED) AS sequence, CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS CHAR) AS name
          FROM coupon_issues WHERE coupon_id = ${couponId}
        UNION ALL
        SELECT sequence, user_id FROM coupon_issues
          WHERE coupon_id = ${couponId} AND user_id IN (${sql.raw(userLiterals(users))})`,
  );
  const [first, ...owned] = rows as unknown as { readonly sequence: number; readonly name: string }[];
  invariant(first, 'an aggregate always has one row');
  return {
    highest: first.sequence,
    nowMs: Number.parseInt(first.name, 10),
    owners: new Map(owned.map(({ name, sequence }) => [name, sequence])),
  };
}

/** Writes what Redis accepted, and answers with what the rows then say. */
async function writeTaken(
  database: Database,
  couponId: number,
  users: readonly string[],
  { outcomes, accepted }: Taken,
): Promise<readonly Outcome[]> {
  const winners = users.filter((_, i) => outcomes[i]?.kind === 'issued');
  const first = outcomes.find((outcome) => outcome.kind === 'issued');
  if (!accepted || first?.kind !== 'issued') return outcomes;
  const entry: Entry = { couponId, ...accepted, firstSequence: first.sequence, users: winners };
  return correct(users, outcomes, await writeEntries(database, [entry]));
}

/** The outcomes with the sequences that the rows really got. They differ only after Redis lost acknowledged issues. */
function correct(users: readonly string[], outcomes: readonly Outcome[], written: Written): readonly Outcome[] {
  if (written.dead.length > 0) throw new Unavailable('dependency', 'an accepted issue found no stock in MySQL');
  const corrected = [...written.displaced, ...written.superseded];
  if (corrected.length === 0) return outcomes;
  const sequences = new Map(corrected.map(({ userId, sequence }) => [userId, sequence]));
  return outcomes.map((outcome, i) => {
    const sequence = sequences.get(users[i] ?? '');
    return outcome.kind === 'issued' && sequence !== undefined ? { ...outcome, sequence } : outcome;
  });
}
