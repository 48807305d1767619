// Shows that an entry comes back as it was written, and that one which cannot be understood says why without a user id.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { ID_MAX, isUserId, USER_ID_PATTERN } from '../../src/coupon/coupon.ts';
import { type Entry, entryVersion, readEntry, readAllocation, writeEntry } from '../../src/stream/entry.ts';

const instantMsMax = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const userId = fc.stringMatching(new RegExp(USER_ID_PATTERN)).filter(isUserId);
const endpointNames = ['POST /v1/issue', 'POST /v1/issue-async', 'POST /v2/issue-async'] as const;
const entry: fc.Arbitrary<Entry> = fc.record({
  couponId: fc.integer({ min: 1, max: ID_MAX }),
  epoch: fc.integer({ min: 0, max: ID_MAX }),
  firstSequence: fc.integer({ min: 1, max: ID_MAX }),
  acceptedMs: fc.integer({ min: 0, max: instantMsMax }),
  users: fc.array(userId, { minLength: 1, maxLength: 50 }),
  endpoint: fc.option(fc.constantFrom(...endpointNames), { nil: undefined }),
});
const good = { v: '1', c: '7', e: '3', s: '41', t: '1700000000000', u: 'alice-4711,bob' };

const fieldsOf = (values: Record<string, string>) => Object.entries(values).flat();

test('an entry comes back as it was written', () => {
  fc.assert(fc.property(entry, (written) => expect(readEntry(writeEntry(written))).toEqual(written)));
});

test('an entry is read from the fields that the scripts write', () => {
  const read: Entry = {
    couponId: 7,
    epoch: 3,
    firstSequence: 41,
    acceptedMs: 1_700_000_000_000,
    users: ['alice-4711', 'bob'],
  };
  expect(readEntry(fieldsOf(good))).toEqual(read);
  expect(writeEntry(read)).toEqual(fieldsOf(good));
  for (const [i, endpoint] of endpointNames.entries()) {
    const { u, ...head } = good;
    const fields = fieldsOf({ ...head, p: String(i + 1), u });
    expect(readEntry(fields)).toEqual({ ...read, endpoint });
    expect(writeEntry({ ...read, endpoint })).toEqual(fields);
  }
});

test('an endpoint that is missing, malformed or of a later release is not known, and the entry is read all the same', () => {
  for (const p of ['', '0', '4', '-1', '1.5', 'one', '99999999999999999'])
    expect(readEntry(fieldsOf({ ...good, p }))).toEqual(readEntry(fieldsOf(good)));
});

test('an entry with a user whom the release before does not know has a version that it does not know either', () => {
  const former = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
  fc.assert(
    fc.property(fc.array(former), userId, (users, user) => {
      const isFormer = /^[A-Za-z0-9_-]{1,64}$/.test(user);
      expect(entryVersion(users)).toBe(1);
      expect(entryVersion([...users, user])).toBe(isFormer ? 1 : 2);
    }),
  );
  expect(entryVersion(['x'.repeat(65)])).toBe(2);
});

test('the order of fields does not matter, nor do fields of later releases', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray(Object.entries({ ...good, x: 'new' }), { minLength: 7 }), (fields) => {
      expect(readEntry(fields.flat())).toEqual(readEntry(fieldsOf(good)));
    }),
  );
});

const notWhole = [
  '',
  ' ',
  '-1',
  '+1',
  '1.5',
  '1e3',
  '0x10',
  ' 7',
  '7\n',
  'seven',
  '9007199254740992',
  '99999999999999999',
];
const malformed: [field: keyof typeof good, reason: string, values: string[]][] = [
  ['v', 'unknown version', ['', '0', '3', '01', 'one']],
  ['c', 'malformed coupon id', [...notWhole, '0']],
  ['e', 'malformed epoch', notWhole],
  ['s', 'malformed sequence', [...notWhole, '0']],
  ['t', 'malformed time', [...notWhole, String(instantMsMax + 1)]],
  [
    'u',
    'malformed user id',
    ['', ',', 'alice-4711,', ',bob', 'alice 4711', "alice'", 'a;b"', 'ä', `a,${'x'.repeat(256)}`],
  ],
];

describe.each(malformed)('field `%s`', (field, reason, values) => {
  test.each(values)('%p can never be understood', (value) => {
    expect(readEntry(fieldsOf({ ...good, [field]: value }))).toEqual({ reason });
  });

  test('must be there', () => {
    expect(readEntry(fieldsOf(Object.fromEntries(Object.entries(good).filter(([name]) => name !== field))))).toEqual({
      reason,
    });
  });
});

test('any fields at all are an entry or a reason, never a fault, and the reason repeats nothing of them', () => {
  const name = fc.oneof(fc.constantFrom('v', 'c', 'e', 's', 't', 'u'), fc.string());
  const value = fc.oneof(fc.constantFrom('1', '7', '0'), fc.string(), userId);
  const reasons = ['unknown version', ...malformed.map(([, reason]) => reason)];
  fc.assert(
    fc.property(fc.array(fc.oneof(name, value)), (fields) => {
      const read = readEntry(fields);
      if ('reason' in read) expect(reasons).toContain(read.reason);
      else expect(readEntry(writeEntry(read))).toEqual(read);
    }),
  );
});

test('an entry of any version, whole or not, says which user has which sequence by three fields alone', () => {
  const version = fc.oneof(fc.constantFrom('1', '2', '17'), fc.string());
  fc.assert(
    fc.property(version, fc.boolean(), (v, isWhole) => {
      const fields = fieldsOf({ ...(isWhole && good), v, c: '7', s: '41', u: 'alice-4711,a name of later' });
      expect(readAllocation(fields)).toEqual({
        couponId: 7,
        firstSequence: 41,
        users: ['alice-4711', 'a name of later'],
      });
    }),
  );
});

const undecodable: [field: 's' | 'u', values: string[]][] = [
  ['s', [...notWhole, '0', String(ID_MAX), String(ID_MAX - 1)]],
  ['u', ['', ',', 'alice-4711,', ',bob']],
];

describe.each(undecodable)('without a usable field `%s`', (field, values) => {
  test.each(values)('%p: the entry is about its coupon, and undecodable', (value) => {
    expect(readAllocation(fieldsOf({ ...good, [field]: value }))).toEqual({ couponId: 7, undecodable: true });
  });
});

test.each([...notWhole, '0'])('an entry without a coupon (%p) is about none', (c) => {
  expect(readAllocation(fieldsOf({ ...good, c }))).toBeNull();
});
