// checker.test.ts -- The history checker is believed only because each of its verdicts is passed on a history that deserves it.

import { describe, expect, test } from 'bun:test';
import {
  type Attempt,
  checkHistory,
  type RequestResult,
  type History,
  type HistoryRow,
  type Verdict,
} from '../checker.ts';

const coupon = { id: 1, total: 2, startMs: 1000, endMs: 9000 };
const options = { clockMsMax: 5 };

const row = (userId: string, sequence: number, issuedMs = 2000): HistoryRow => {
  return { couponId: 1, userId, sequence, issuedMs };
};
const asked = (userId: string, result: RequestResult, invokedMs = 1990, endedMs = 2010): Attempt => {
  return { couponId: 1, userId, invokedMs, endedMs, result };
};
const ok = (sequence: number): RequestResult => ({ kind: 'ok', sequence });
const duplicate = (sequence: number): RequestResult => ({ kind: 'duplicate', sequence });
const indeterminate: RequestResult = { kind: 'indeterminate' };
const soldOut: RequestResult = { kind: 'refused', reason: 'sold out' };
const notStarted: RequestResult = { kind: 'refused', reason: 'not started' };
const ended: RequestResult = { kind: 'refused', reason: 'ended' };

const verdictsOn = (attempts: readonly Attempt[], rows: readonly HistoryRow[], total: number | null = 2) => {
  const history: History = { coupons: [{ ...coupon, total }], attempts, rows };
  return checkHistory(history, options).map(({ verdict }) => verdict);
};

/** Two winners, the stock gone, one late. */
const winners = [asked('a', ok(1)), asked('b', ok(2))];
const rows = [row('a', 1), row('b', 2)];

const good: readonly [string, readonly Attempt[], readonly HistoryRow[]][] = [
  ['nothing at all', [], []],
  ['two winners and one too late', [...winners, asked('c', soldOut)], rows],
  [
    'a lost answer and the repeat that learns of the win',
    [asked('a', indeterminate), asked('a', duplicate(1))],
    [row('a', 1)],
  ],
  [
    'a lost answer that issued nothing, and a repeat that won',
    [asked('a', indeterminate), asked('a', ok(1))],
    [row('a', 1)],
  ],
  ['a lost answer that was never resolved', [asked('a', indeterminate)], []],
  ['a request that takes effect long after its caller gave up', [asked('a', indeterminate)], [row('a', 1, 8000)]],
  ['sold out while the last piece was on its way', [...winners, asked('c', soldOut, 1500, 2000)], rows],
  ['a winner that asks again while its own first request is under way', [...winners, asked('a', duplicate(1))], rows],
  ['not started at the very start', [asked('a', notStarted, 990, 1100)], []],
  ['ended at the very end', [asked('a', ended, 8000, 9000)], []],
];

describe('finds no fault in', () => {
  test.each(good)('%s', (_, attempts, found) => {
    expect(verdictsOn(attempts, found)).toEqual([]);
  });

  test('clocks that differ by no more than they may', () => {
    const attempts = [asked('a', ok(1), 2004, 2004), asked('b', ok(2), 1996, 1996), asked('c', soldOut, 1995, 1996)];
    expect(verdictsOn(attempts, rows)).toEqual([]);
  });
});

const bad: readonly [string, Verdict, readonly Attempt[], readonly HistoryRow[]][] = [
  ['a 2xx without a row', 'lost', winners, [row('a', 1)]],
  ['a duplicate without a row', 'lost', [asked('a', indeterminate), asked('a', duplicate(1))], []],
  ['a row that was issued after its own answer', 'lost', [asked('a', ok(1))], [row('a', 1, 2100)]],
  ['a number below the highest that nobody has', 'lost', [asked('b', ok(2))], [row('b', 2)]],
  ['a row of somebody who never asked', 'unexpected', [asked('a', ok(1))], [row('a', 1), row('x', 2)]],
  ['a row of somebody who was only refused', 'unexpected', [asked('a', notStarted, 900, 950)], [row('a', 1)]],
  ['a row of somebody who was only answered "duplicate"', 'unexpected', [asked('a', duplicate(1))], [row('a', 1)]],
  ['a row from before its request', 'unexpected', [asked('a', ok(1), 2010, 2020)], [row('a', 1)]],
  ['two rows of a user', 'twice', [asked('a', ok(2)), asked('a', indeterminate)], [row('a', 1), row('a', 2)]],
  ['two rows of a sequence', 'twice', [asked('a', ok(1)), asked('b', ok(1))], [row('a', 1), row('b', 1)]],
  ['two answers that both issued', 'twice', [asked('a', ok(1)), asked('a', ok(1))], [row('a', 1)]],
  ['more rows than the total', 'over', [...winners, asked('c', ok(3))], [...rows, row('c', 3)]],
  ['another number than was answered', 'wrong sequence', [asked('a', ok(2)), asked('b', ok(2))], rows],
  ['another number than "duplicate" answered', 'wrong sequence', [...winners, asked('a', duplicate(2))], rows],
  [
    'sold out with a piece left forever',
    'sold out with stock left',
    [asked('a', ok(1)), asked('c', soldOut)],
    [row('a', 1)],
  ],
  [
    'sold out before the last piece went',
    'sold out with stock left',
    [...winners, asked('c', soldOut, 1500, 1900)],
    rows,
  ],
  ['a winner that is later answered sold out', 'denied', [...winners, asked('a', soldOut, 3000, 3010)], rows],
  ['not started, asked after the start', 'refused wrongly', [asked('a', notStarted, 1100, 1200)], []],
  ['ended, answered before the end', 'refused wrongly', [asked('a', ended, 1100, 8900)], []],
  ['paused, though it never was', 'refused wrongly', [asked('a', { kind: 'refused', reason: 'paused' })], []],
  ['not exist, though it does', 'refused wrongly', [asked('a', { kind: 'refused', reason: 'not exist' })], []],
  ['a row from before the start', 'outside the period', [asked('a', ok(1), 900, 2000)], [row('a', 1, 999)]],
  ['a row from the end itself', 'outside the period', [asked('a', ok(1), 8900, 9100)], [row('a', 1, 9000)]],
];

describe('accuses', () => {
  test.each(bad)('%s: %s', (_, verdict, attempts, found) => {
    expect(verdictsOn(attempts, found)).toContain(verdict);
  });

  test('an unlimited coupon that was ever sold out', () => {
    expect(verdictsOn([...winners, asked('c', soldOut)], rows, null)).toEqual(['sold out with stock left']);
  });

  test('the right coupon among several, once for each fault', () => {
    const history: History = { coupons: [coupon, { ...coupon, id: 2 }], attempts: winners, rows: rows.slice(1) };
    expect(checkHistory(history, options)).toEqual([
      { verdict: 'lost', couponId: 1, evidence: 'a was answered ok 1 and has no row' },
    ]);
  });
});

test('a missing number is no accusation where Redis is known to have lost issues', () => {
  const history: History = { coupons: [coupon], attempts: [asked('b', ok(2))], rows: [row('b', 2)] };
  expect(checkHistory(history, { ...options, mayHaveGaps: true })).toEqual([]);
});
