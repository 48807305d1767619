// The record of a load run is read as a whole, or rejected: half a record would let a broken promise pass.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BenchError } from '../../bench/bench-error.ts';
import { readClaims, readLoadRecord } from '../../bench/verification/load-record.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'coupon-record-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const counts = { accepted: 1, duplicated: 1, soldOut: 2, indeterminate: 3, unexpected: 0 };

function recordFolder(name: string, files: Record<string, string>): string {
  const folder = join(root, name);
  mkdirSync(folder);
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  return folder;
}

test('the files of all processes are one record', () => {
  const folder = recordFolder('whole', {
    'a.claims.log': '201 ann 1\nnote 500 INTERNAL\n',
    'a.counts.json': JSON.stringify({ couponId: 7, counts }),
    'b.claims.log': '202 w1-2 2\n409 ann 1\n',
    'b.counts.json': JSON.stringify({ couponId: 7, counts }),
    'summary.json': '{}',
  });
  expect(readLoadRecord(folder)).toEqual({
    couponId: 7,
    claims: [
      { status: 201, userId: 'ann', sequence: 1 },
      { status: 202, userId: 'w1-2', sequence: 2 },
      { status: 409, userId: 'ann', sequence: 1 },
    ],
    counts: { accepted: 2, duplicated: 2, soldOut: 4, indeterminate: 6, unexpected: 0 },
    notes: ['500 INTERNAL'],
  });
});

const broken: [name: string, files: Record<string, string>, says: RegExp][] = [
  ['nothing', {}, /holds no \*\.counts\.json/],
  ['claims without counts', { 'a.claims.log': '201 ann 1\n' }, /holds no \*\.counts\.json/],
  [
    'two coupons',
    {
      'a.counts.json': JSON.stringify({ couponId: 7, counts }),
      'b.counts.json': JSON.stringify({ couponId: 8, counts }),
    },
    /more than one coupon/,
  ],
  ['counts that are none', { 'a.counts.json': '{"couponId":7,"counts":{}}' }, /does not hold a coupon and counts/],
  ['counts that break off', { 'a.counts.json': '{"couponId":7,"cou' }, /does not hold a coupon and counts/],
];

for (const [name, files, says] of broken) {
  test(`refused as a record: ${name}`, () => {
    const folder = recordFolder(name.replaceAll(' ', '-'), files);
    expect(() => readLoadRecord(folder)).toThrow(BenchError);
    expect(() => readLoadRecord(folder)).toThrow(says);
  });
}

test('a claim that is none, or that broke off, is refused with its place', () => {
  expect(readClaims('', 'x.log')).toEqual({ claims: [], notes: [] });
  expect(() => readClaims('201 ann 1\n200 ann 1\n', 'x.log')).toThrow('x.log:2 is no claim');
  expect(() => readClaims('201 ann 0\n', 'x.log')).toThrow('x.log:1 is no claim');
  expect(() => readClaims('201 a{n} 1\n', 'x.log')).toThrow('x.log:1 is no claim');
  expect(() => readClaims('\n', 'x.log')).toThrow('x.log:1 is no claim');
  expect(() => readClaims('201 ann 1\n202 ben 1', 'x.log')).toThrow('x.log breaks off');
});
