// Shows that the filter never denies an owner, and seldom takes another for one.
import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { isUserId, USER_ID_PATTERN } from '../../src/coupon/coupon.ts';
import { BloomFilter } from '../../src/issuing/bloom-filter.ts';

const userId = fc.stringMatching(new RegExp(USER_ID_PATTERN)).filter(isUserId);

/** Kinds of ids in use: one after the other, and random ones. Each gives its i-th owner and its i-th stranger. */
const kinds: [name: string, idAt: (i: number) => string][] = [
  ['numbers', (i) => String(i)],
  ['numbers in a row far from zero', (i) => String(9_000_000_000_000_000 + i)],
  ['numbers with leading text', (i) => `user-${i}`],
  ['numbers at the front', (i) => `${i}_member_of_the_club`],
  ['random ones', (i) => randomId(i)],
];

/** The same id for the same number in every run. */
function randomId(seed: number): string {
  let state = seed;
  return Array.from({ length: 22 }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 26).toString(36);
  }).join('');
}

test('an owner is never denied, however many there are', () => {
  fc.assert(
    fc.property(fc.array(userId, { maxLength: 200 }), fc.nat(300), (owners, capacity) => {
      const filter = new BloomFilter(capacity);
      for (const owner of owners) filter.add(owner);
      expect(owners.filter((owner) => !filter.mayHave(owner))).toEqual([]);
    }),
  );
});

test('an empty filter takes no user for an owner', () => {
  fc.assert(
    fc.property(userId, fc.nat(1000), (user, capacity) => expect(new BloomFilter(capacity).mayHave(user)).toBe(false)),
  );
});

// 65,536 owners fill a filter exactly; one more would double it.
test.each(kinds)('at capacity fewer than 1 in 100 others are taken for owners: %s', (_, idAt) => {
  const count = 65_536;
  const filter = new BloomFilter(count);
  for (let i = 0; i < count; i++) filter.add(idAt(i));
  let taken = 0;
  for (let i = count; i < 2 * count; i++) if (filter.mayHave(idAt(i))) taken += 1;
  expect(taken / count).toBeLessThan(0.01);
});

test.each([0, 1, 10])('a filter for %i owners is still selective', (count) => {
  const filter = new BloomFilter(count);
  for (let i = 0; i < count; i++) filter.add(`owner-${i}`);
  const taken = Array.from({ length: 1000 }, (_, i) => `other-${i}`).filter((other) => filter.mayHave(other));
  expect(taken.length).toBeLessThan(10);
});
