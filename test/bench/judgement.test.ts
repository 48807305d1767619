// The judgement on a load run: no fault is found in a correct run, and each kind of fault is found in a run that has it.
import { expect, test } from 'bun:test';
import type { Evidence, Row } from '../../bench/verification/evidence.ts';
import { faultsIn } from '../../bench/verification/judgement.ts';
import type { Counts, LoadRecord } from '../../bench/verification/load-record.ts';

const START_MS = 1_000;
const END_MS = 2_000;

/** Four of four pieces: three that answers named, and one whose answer was lost. */
const rows: readonly Row[] = ['ann', 'ben', 'cem', 'dan'].map((userId, at) => ({
  sequence: at + 1,
  userId,
  issuedMs: START_MS + at,
}));

function evidenceOf(change: Partial<Evidence> = {}): Evidence {
  const seen = change.rows ?? rows;
  return {
    couponId: 7,
    total: 4,
    issuedQuantity: seen.length,
    startMs: START_MS,
    endMs: END_MS,
    rows: seen,
    redis: { next: seen.length + 1, owners: new Map(seen.map(({ userId, sequence }) => [userId, sequence])) },
    stream: { entries: 0, unpersisted: 0, drainedMs: 5 },
    dead: [],
    ...change,
  };
}

const counts: Counts = { accepted: 3, duplicated: 1, soldOut: 9, indeterminate: 1, unexpected: 0 };

function recordOf(change: Partial<LoadRecord> = {}): LoadRecord {
  return {
    couponId: 7,
    claims: [
      { status: 201, userId: 'ann', sequence: 1 },
      { status: 202, userId: 'ben', sequence: 2 },
      { status: 202, userId: 'cem', sequence: 3 },
      { status: 409, userId: 'ann', sequence: 1 },
    ],
    counts,
    notes: [],
    ...change,
  };
}

test('a correct run has no faults, with a record and without', () => {
  expect(faultsIn(evidenceOf(), recordOf())).toEqual([]);
  expect(faultsIn(evidenceOf(), null)).toEqual([]);
});

test('a coupon without limit, whose stock is not in Redis, has none either', () => {
  const unlimited = evidenceOf({ total: null, redis: null });
  expect(faultsIn(unlimited, recordOf({ counts: { ...counts, soldOut: 0 } }))).toEqual([]);
});

const without = (sequence: number): Row[] => rows.filter((row) => row.sequence !== sequence);
const claims = recordOf().claims;

const wrongRuns: { name: string; evidence?: Partial<Evidence>; record?: Partial<LoadRecord>; finds: RegExp }[] = [
  { name: 'more rows than pieces', evidence: { total: 3 }, finds: /^P1: 4 rows of a coupon of 3$/ },
  { name: 'a counter that is not the rows', evidence: { issuedQuantity: 3 }, finds: /^P1: issued_quantity is 3/ },
  {
    name: 'a user with two rows',
    evidence: { rows: [...rows.slice(0, 3), { sequence: 4, userId: 'ann', issuedMs: START_MS }] },
    finds: /^P2: 4 rows belong to 3 users$/,
  },
  {
    name: 'an entry that was never written',
    evidence: { stream: { entries: 1, unpersisted: 0, drainedMs: null } },
    finds: /^P3: 1 entries/,
  },
  {
    name: 'a user who is not yet a row',
    evidence: { stream: { entries: 0, unpersisted: 2, drainedMs: null } },
    finds: /^P3: 2 accepted/,
  },
  {
    name: 'a dead entry',
    evidence: { dead: ['no stock left'] },
    finds: /^P3: 1 entries are dead, the first for: no stock left$/,
  },
  { name: 'a hole in the sequences', evidence: { rows: without(2) }, finds: /^P3: where sequence 2 should be is 3/ },
  {
    name: 'a row from before the start',
    evidence: { rows: rows.map((row) => ({ ...row, issuedMs: row.issuedMs - 1 })) },
    finds: /^P5: 1 rows were issued outside the period, the first under 1$/,
  },
  {
    name: 'a row at the very end',
    evidence: { rows: rows.map((row) => (row.sequence === 4 ? { ...row, issuedMs: END_MS } : row)) },
    finds: /^P5: 1 rows were issued outside the period, the first under 4$/,
  },
  {
    name: 'an owner in Redis under another sequence',
    evidence: { redis: { next: 5, owners: new Map(rows.map(({ userId, sequence }) => [userId, 5 - sequence])) } },
    finds: /^P3: Redis and MySQL disagree on 4 rows/,
  },
  {
    name: 'an owner in Redis without a row',
    evidence: {
      redis: { next: 5, owners: new Map([...rows.map((row) => [row.userId, row.sequence] as const), ['eve', 5]]) },
    },
    finds: /^P3: 5 owners in Redis, 4 rows$/,
  },
  {
    name: 'a sequence in Redis that was given and is no row',
    evidence: { redis: { next: 6, owners: new Map(rows.map(({ userId, sequence }) => [userId, sequence])) } },
    finds: /^P3: the next sequence in Redis is 6 after 4 rows$/,
  },
  {
    name: 'an accepted answer without a row',
    evidence: { rows: without(3) },
    finds: /^P3: 1 answers named a sequence without its row, the first: user cem under 3$/,
  },
  {
    name: 'an answer with a sequence that the row has not',
    record: { claims: claims.map((claim) => (claim.userId === 'ben' ? { ...claim, sequence: 4 } : claim)) },
    finds: /^P3: 1 answers named a sequence without its row, the first: user ben under 4$/,
  },
  {
    name: 'a refusal that names a sequence the row has not',
    record: { claims: claims.map((claim) => (claim.status === 409 ? { ...claim, sequence: 2 } : claim)) },
    finds: /^P3: 1 answers named a sequence without its row, the first: user ann under 2$/,
  },
  {
    name: 'a coupon issued to the same user twice',
    record: { claims: [...claims, { status: 202, userId: 'ann', sequence: 1 }], counts: { ...counts, accepted: 4 } },
    finds: /^P2: 1 answers issued the coupon to a user who had been issued it before$/,
  },
  {
    name: 'a row that no answer can have named',
    record: { counts: { ...counts, indeterminate: 0 } },
    finds: /^P3: 1 rows that no answer named/,
  },
  { name: 'a line missing from the record', record: { claims: claims.slice(1) }, finds: /^the record is incomplete/ },
  {
    name: 'stock left although an answer was sold out',
    evidence: { total: 5 },
    finds: /^P4: 9 answers said sold out, but 4 of 5 were issued$/,
  },
  { name: 'sold out of a coupon without limit', evidence: { total: null }, finds: /^P4: 9 answers said sold out/ },
  {
    name: 'an answer that is expected in no run',
    record: { counts: { ...counts, unexpected: 2 }, notes: ['500 INTERNAL'] },
    finds: /^2 answers were unexpected, such as: 500 INTERNAL$/,
  },
  {
    name: 'a run in which nothing happened',
    evidence: { rows: [] },
    record: { claims: [], counts: { accepted: 0, duplicated: 0, soldOut: 0, indeterminate: 0, unexpected: 0 } },
    finds: /^nothing was issued/,
  },
];

for (const { name, evidence, record, finds } of wrongRuns) {
  test(`found in a wrong run: ${name}`, () => {
    const faults = faultsIn(evidenceOf(evidence), recordOf(record));
    expect(faults.filter((fault) => finds.test(fault))).toHaveLength(1);
  });
}
