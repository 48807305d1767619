// terms.test.ts -- The terms of a coupon and what they promise: when an issue can be used, and which changes would alter that.

import { describe, expect, test } from 'bun:test';
import { changesTerms, contradictionIn, termDefaults, usablePeriod } from '../../src/coupon/terms.ts';
import { type IssueChange, decideChange } from '../../src/issues/changes.ts';
import { type Row, toWrittenIssue } from '../../src/issues/row.ts';

const terms = { ...termDefaults, discountAmount: 1000, minAvailableAmount: 0 };
const period = { startMs: 1000, endMs: 2000, usableFromMs: null, usableUntilMs: null, usableDays: null };
const row: Row = { sequence: 1, issuedMs: 0, usedMs: null, reference: null, revokedMs: null, nowMs: 100 };
const by = { keyId: null, name: 'a test', address: null };

test('every term counts, and what says the same is no change', () => {
  for (const changes of [
    { discountAmount: 1 },
    { minAvailableAmount: 1 },
    { currency: 'USD' },
    { usableFromMs: 1 },
    { usableUntilMs: 1 },
    { usableDays: 1 },
    { timeZone: 'Asia/Seoul' },
  ])
    expect(changesTerms(terms, changes)).toBe(true);
  expect(changesTerms(terms, terms)).toBe(false);
  expect(changesTerms(terms, {})).toBe(false);
  expect(changesTerms({ ...terms, usableDays: 3 }, { usableDays: null })).toBe(true);
});

test('a period ends after it begins and after issuing starts, and days stand alone', () => {
  expect(contradictionIn(period)).toBe(null);
  expect(contradictionIn({ ...period, endMs: 1000 })).toBe('dateIssueEnd');
  expect(contradictionIn({ ...period, usableUntilMs: 1000 })).toBe('usableUntil');
  expect(contradictionIn({ ...period, usableUntilMs: 1001 })).toBe(null);
  expect(contradictionIn({ ...period, usableFromMs: 3000, usableUntilMs: 3000 })).toBe('usableUntil');
  expect(contradictionIn({ ...period, usableFromMs: 1, usableUntilMs: 1000 })).toBe('usableUntil');
  expect(contradictionIn({ ...period, usableDays: 1, usableFromMs: 1500 })).toBe('usableDays');
  expect(contradictionIn({ ...period, usableDays: 1, usableUntilMs: 1500 })).toBe('usableDays');
});

test('an issue can be used between the instants of its coupon, or to the end of its own last day', () => {
  const usable = { ...terms, usableFromMs: 5, usableUntilMs: 9 };
  expect(usablePeriod(usable, 0)).toEqual({ usableFromMs: 5, usableUntilMs: 9 });
  const issuedMs = Date.parse('2026-12-01T15:00:00Z');
  expect(usablePeriod({ ...terms, usableDays: 7, timeZone: 'Asia/Seoul' }, issuedMs)).toEqual({
    usableFromMs: null,
    usableUntilMs: Date.parse('2026-12-09T15:00:00Z'),
  });
  // Never later than an instant can be written.
  const last = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
  expect(usablePeriod({ ...terms, usableDays: 3650 }, last).usableUntilMs).toBe(last);
});

describe('an issue', () => {
  const use = (reference: string | null = null): IssueChange => ({ kind: 'use', reference });
  const within = { usableFromMs: 50, usableUntilMs: 200 };

  test('is usable from the first instant until the second is reached', () => {
    const at = (nowMs: number) => decideChange({ ...row, nowMs }, within, use());
    expect([49, 50, 199, 200].map(at)).toEqual(['not usable', 'done', 'done', 'not usable']);
  });

  test('is expired from its end on, unless it was used or revoked', () => {
    const kindOf = (change: Partial<Row>) => toWrittenIssue({ ...row, ...change }, { ...terms, ...within }).kind;
    expect([199, 200].map((nowMs) => kindOf({ nowMs }))).toEqual(['issued', 'expired']);
    expect(kindOf({ nowMs: 200, usedMs: 100 })).toBe('used');
    expect(kindOf({ nowMs: 200, revokedMs: 100 })).toBe('revoked');
  });

  test('that was used in time is the same use afterwards, and can be given back', () => {
    const used = { ...row, usedMs: 100, reference: 'order-1', nowMs: 500 };
    expect(decideChange(used, within, use('order-1'))).toBe('done');
    expect(decideChange(used, within, { kind: 'undo use', reference: 'order-1', by })).toBe('done');
  });
});
