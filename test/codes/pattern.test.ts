// pattern.test.ts -- Generated codes: each sequence has one, no two are alike, and no typing error leads to another code.

import { expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  codeAt,
  holdsPieces,
  type Pattern,
  parsePattern,
  prefixesOf,
  readTyped,
  sequenceOf,
} from '../../src/codes/pattern.ts';
import { ID_MAX } from '../../src/coupon/coupon.ts';
import { invariant } from '../../src/invariant.ts';

const KEY = 'a-key-of-a-coupon';
const EVERY = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ';

function patternOf(text: string): Pattern {
  const pattern = parsePattern(text);
  invariant(pattern, 'not a pattern');
  return pattern;
}

function codeOf(pattern: Pattern, sequence: number, key = KEY): string {
  const code = codeAt(pattern, key, sequence);
  invariant(code, 'no code');
  return code;
}

test('a pattern is a beginning and 6 to 16 placeholders', () => {
  expect(parsePattern('SUMMER-####-####')).toEqual({
    text: 'SUMMER-####-####',
    beginning: 'SUMMER',
    prefix: 'SUMMER',
    length: 14,
  });
  // Look-alikes have the values of the first digits, so that no two beginnings are alike to the check character.
  expect(parsePattern('1-2-OIL######')).toMatchObject({ beginning: '12OIL', prefix: '32645' });
  const wrong = [
    '',
    '######',
    '-A######',
    'a######',
    'A#####',
    'A######B',
    'A######-',
    `A${'#'.repeat(17)}`,
    'Ä######',
  ];
  for (const text of wrong) expect(parsePattern(text)).toBe(null);
});

test('all of the smallest space: every code leads back to its sequence, and no two are alike', () => {
  // With one placeholder less than allowed, the whole space can be looked at.
  const pattern = { ...patternOf('A######'), text: 'A####', length: 5 };
  const seen = new Set<string>();
  for (let sequence = 1; sequence <= 31 ** 3; sequence += 1) {
    const code = codeOf(pattern, sequence);
    seen.add(code);
    if (sequenceOf(pattern, KEY, code) !== sequence) throw new Error(`${code} does not lead back to ${sequence}`);
  }
  expect(seen.size).toBe(31 ** 3);
  expect(codeAt(pattern, KEY, 31 ** 3 + 1)).toBe(null);
  expect(codeAt(pattern, KEY, 0)).toBe(null);
});

test('in every space, up to the largest sequence, a code leads back to its sequence', () => {
  const patterns = Array.from({ length: 11 }, (_, i) => patternOf(`WINTER-${'#'.repeat(i + 6)}`));
  fc.assert(
    fc.property(fc.constantFrom(...patterns), fc.maxSafeNat(), fc.string(), (pattern, nat, key) => {
      const space = 31 ** (pattern.length - 'WINTER'.length - 1);
      const sequence = 1 + (nat % Math.min(space, ID_MAX));
      const code = codeOf(pattern, sequence, key);
      const typed = readTyped(` ${code.toLowerCase().replaceAll('-', ' ')}`);
      expect(typed).toBe(code.replaceAll('-', ''));
      expect(sequenceOf(pattern, key, typed ?? '')).toBe(sequence);
      expect(prefixesOf(typed ?? '')).toContain(pattern.prefix);
    }),
    { numRuns: 500 },
  );
});

test('the code of a sequence stays the same from release to release', () => {
  expect([1, 2, 1_000_000].map((sequence) => codeAt(patternOf('SUMMER-####-####'), KEY, sequence))).toEqual([
    'SUMMER-NJTS-97K7',
    'SUMMER-MCPS-DMBQ',
    'SUMMER-639H-Q98M',
  ]);
});

test('codes of neighbours have nothing in common, and another key gives other codes', () => {
  const pattern = patternOf('X-########');
  const codes = Array.from({ length: 2000 }, (_, i) => codeOf(pattern, i + 1).slice(2, -1));
  // At each place, each of 31 characters is to be expected 64 or 65 times.
  for (let place = 0; place < 7; place += 1) {
    const counts = Map.groupBy(codes, (code) => code[place]);
    expect(counts.size).toBe(31);
    for (const { length } of counts.values()) expect(length).toBeWithin(20, 130);
  }
  const others = codes.map((_, i) => codeOf(pattern, i + 1, 'another-key').slice(2, -1));
  expect(others.filter((code) => codes.includes(code))).toEqual([]);
  expect(codes.filter((code) => sequenceOf(pattern, 'another-key', `X${code}2`) !== null).length).toBeGreaterThan(0);
});

/** All codes that differ in one character, or by the exchange of two neighbours. */
function mistypedOf(code: string): readonly string[] {
  const replaced = code.split('').flatMap((was, at) =>
    EVERY.split('')
      .filter((is) => is !== was)
      .map((is) => `${code.slice(0, at)}${is}${code.slice(at + 1)}`),
  );
  const exchanged = code
    .slice(1)
    .split('')
    .map((next, at) => `${code.slice(0, at)}${next}${code[at]}${code.slice(at + 2)}`);
  return [...replaced, ...exchanged.filter((other) => other !== code)];
}

test('no single wrong character and no exchange of neighbours gives a code of any coupon', () => {
  const texts = [
    'SUMMER-####-####',
    'WILL0-#########',
    'OO10-##########',
    '7-#############',
    'Q######',
    'Z################',
  ];
  let tried = 0;
  for (const text of texts) {
    const pattern = patternOf(text);
    for (let sequence = 1; sequence <= 300; sequence += 1) {
      const code = codeOf(pattern, sequence).replaceAll('-', '');
      for (const mistyped of mistypedOf(code)) {
        tried += 1;
        const typed = readTyped(mistyped);
        if (typed === null) continue;
        // Only look-alikes of the beginning get past the sum. No other coupon may have that prefix, and this one has another beginning.
        expect(prefixesOf(typed)).toContain(pattern.prefix);
        expect(sequenceOf(pattern, KEY, typed)).toBe(null);
      }
    }
  }
  expect(tried).toBeGreaterThan(500_000);
});

test('the test of typing errors would notice a sum without weights', () => {
  const code = codeOf(patternOf('SUMMER-####-####'), 1).replaceAll('-', '');
  const plainSum = (text: string) => text.split('').reduce((sum, one) => sum + EVERY.indexOf(one), 0) % 31;
  expect(mistypedOf(code).filter((other) => plainSum(other) === plainSum(code)).length).toBeGreaterThan(5);
  expect(mistypedOf(code).filter((other) => readTyped(other) !== null)).toEqual([]);
});

test('what nobody types for a code is none', () => {
  const code = codeOf(patternOf('SUMMER-####-####'), 1);
  for (const text of ['', '-', `${code}3`, code.slice(1), `${code}\n`, `\u017f${code.slice(1)}`, '2'.repeat(65)])
    expect(readTyped(text)).toBe(null);
});

test('there are ten thousand codes for each piece', () => {
  const seven = patternOf('A########');
  expect(holdsPieces(seven, 2_751_261)).toBe(true);
  expect(holdsPieces(seven, 2_751_262)).toBe(false);
  expect(holdsPieces(seven, null)).toBe(false);
  expect(holdsPieces(patternOf('A##########'), null)).toBe(true);
  expect(holdsPieces(patternOf('A######'), 2862)).toBe(true);
});
