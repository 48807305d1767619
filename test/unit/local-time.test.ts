// local-time.test.ts -- Local times of an operator and the instants they mean, in zones whose clocks change, and in those of today.

import { afterAll, describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { instantsOf, isSame, offsetOf, toLocal } from '../../web/console/coupons/local-time.ts';

const before = process.env['TZ'];
afterAll(() => {
  process.env['TZ'] = before ?? '';
});

describe.each(['America/New_York', 'Asia/Seoul', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'Pacific/Apia', 'UTC'])(
  '%s',
  (zone) => {
    test('every instant comes back from its local time', () => {
      process.env['TZ'] = zone;
      const instant = fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true });
      fc.assert(
        fc.property(instant, (date) => {
          const iso = date.toISOString();
          // As an input wants it: the year without a sign.
          expect(toLocal(iso)).toMatch(/^\d{4,5}-\d\d-\d\dT/);
          expect(instantsOf(toLocal(iso))).toContain(iso);
          expect(isSame(toLocal(iso), iso)).toBe(true);
        }),
        { examples: [[new Date(0)], [new Date('9999-12-31T23:59:59.999Z')]] },
      );
    });
  },
);

test('an hour that the clocks skip means no instant, and one that they repeat means two', () => {
  process.env['TZ'] = 'America/New_York';
  expect(instantsOf('2027-03-14T02:30')).toEqual([]);
  expect(instantsOf('2027-03-14T03:00')).toEqual(['2027-03-14T07:00:00.000Z']);
  const twice = instantsOf('2027-11-07T01:30:00.750');
  expect(twice).toEqual(['2027-11-07T05:30:00.750Z', '2027-11-07T06:30:00.750Z']);
  expect(twice.map(offsetOf)).toEqual(['UTC-04:00', 'UTC-05:00']);
  expect(instantsOf('')).toEqual([]);
});
