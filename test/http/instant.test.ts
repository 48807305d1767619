// instant.test.ts -- Instants that exist are read exactly, whatever their offset; all others are refused.

import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { formatInstant, INSTANT_PATTERN, parseInstant } from '../../src/http/instant.ts';

const right: readonly [string, string][] = [
  ['2026-12-24T18:00:00Z', '2026-12-24T18:00:00.000Z'],
  ['2026-12-24T18:00:00+09:00', '2026-12-24T09:00:00.000Z'],
  ['2026-12-24T18:00:00-03:30', '2026-12-24T21:30:00.000Z'],
  ['2028-02-29T23:59:59.5Z', '2028-02-29T23:59:59.500Z'],
  ['2026-01-01T00:00:00.001+00:00', '2026-01-01T00:00:00.001Z'],
  ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00.000Z'],
  ['1969-12-31T23:00:00-01:00', '1970-01-01T00:00:00.000Z'],
  ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
];
test.each(right)('%s is %s', (text, expected) => {
  expect(formatInstant(parseInstant(text) ?? Number.NaN)).toBe(expected);
  expect(text).toMatch(new RegExp(INSTANT_PATTERN));
});

const wrong = [
  '',
  '2026-12-24',
  '2026-12-24T18:00Z',
  '2026-12-24T18:00:00',
  '2026-12-24 18:00:00Z',
  '2026-12-24t18:00:00z',
  '2026-12-24T18:00:00+0900',
  '2026-12-24T18:00:00.Z',
  '2026-12-24T18:00:00.1234Z',
  '2026-12-24T18:00:00Z\n',
  ' 2026-12-24T18:00:00Z',
  '+02026-12-24T18:00:00Z',
  '2026-00-01T00:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-02-29T00:00:00Z',
  '2026-04-31T00:00:00Z',
  '2026-04-00T00:00:00Z',
  '2026-04-01T24:00:00Z',
  '2026-04-01T23:60:00Z',
  '2026-06-30T23:59:60Z',
  '2026-04-01T00:00:00+24:00',
  '2026-04-01T00:00:00+00:60',
  '0000-01-01T00:00:00Z',
  '0099-01-01T00:00:00Z',
  '1969-12-31T23:59:59.999Z',
  '1970-01-01T00:00:00+00:01',
  '9999-12-31T23:59:59-00:01',
  '１970-01-01T00:00:00Z',
];
test.each(wrong)('%p is no instant', (text) => {
  expect(parseInstant(text)).toBeNull();
});

test('what is written is read back, for every instant', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (instantMs) => {
      expect(parseInstant(formatInstant(instantMs))).toBe(instantMs);
    }),
  );
});
