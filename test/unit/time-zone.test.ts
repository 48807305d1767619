// time-zone.test.ts -- When a day ends in a time zone: to the millisecond, also in nights in which clocks are changed.

import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { dateReader, endOfDay, isTimeZone } from '../../src/coupon/time-zone.ts';

const endIn = (zone: string, from: string, days: number) =>
  new Date(endOfDay(zone, Date.parse(from), days)).toISOString();

test.each([
  ['UTC', '2026-12-01T23:59:59.999Z', 0, '2026-12-02T00:00:00.000Z'],
  ['UTC', '2026-12-01T00:00:00Z', 30, '2027-01-01T00:00:00.000Z'],
  ['Asia/Seoul', '2026-12-01T14:59:59.999Z', 1, '2026-12-02T15:00:00.000Z'],
  ['Asia/Seoul', '2026-12-01T15:00:00Z', 1, '2026-12-03T15:00:00.000Z'],
  // Three quarters of an hour.
  ['Asia/Kathmandu', '2026-12-01T12:00:00Z', 0, '2026-12-01T18:15:00.000Z'],
  // A day of 23 hours, and one of 25.
  ['America/New_York', '2027-03-14T05:00:00Z', 0, '2027-03-15T04:00:00.000Z'],
  ['America/New_York', '2027-11-07T04:00:00Z', 0, '2027-11-08T05:00:00.000Z'],
  ['America/New_York', '2027-03-13T12:00:00Z', 1, '2027-03-15T04:00:00.000Z'],
  // There is no midnight: clocks go from 24:00 to 1:00.
  ['America/Santiago', '2023-09-02T12:00:00Z', 0, '2023-09-03T04:00:00.000Z'],
  ['Asia/Beirut', '2022-03-26T12:00:00Z', 0, '2022-03-26T22:00:00.000Z'],
  // The hour before midnight is there twice.
  ['America/Sao_Paulo', '2018-02-17T12:00:00Z', 0, '2018-02-18T03:00:00.000Z'],
  // Clocks go from 0:01 back to 23:01: the day is over for the second time.
  ['America/St_Johns', '2010-11-06T12:00:00Z', 0, '2010-11-07T03:30:00.000Z'],
  // 30 December 2011 is left out.
  ['Pacific/Apia', '2011-12-29T12:00:00Z', 0, '2011-12-30T10:00:00.000Z'],
  ['Pacific/Apia', '2011-12-29T12:00:00Z', 1, '2011-12-30T10:00:00.000Z'],
  ['Pacific/Apia', '2011-12-29T12:00:00Z', 2, '2011-12-31T10:00:00.000Z'],
  // The easternmost and the westernmost.
  ['Pacific/Kiritimati', '2026-12-01T10:00:00Z', 0, '2026-12-02T10:00:00.000Z'],
  ['Etc/GMT+12', '2026-12-01T11:59:59.999Z', 0, '2026-12-01T12:00:00.000Z'],
])('in %s, what is issued at %s for %p days ends at %s', (zone, from, days, end) => {
  expect(endIn(zone, from, days)).toBe(end);
});

test('in every zone a day ends where its last instant is followed by a later day, and does not come back', () => {
  const instants = fc.integer({ min: Date.UTC(1970, 0, 2), max: Date.UTC(2100, 0, 1) });
  const zones = fc.constantFrom(...Intl.supportedValuesOf('timeZone'));
  const rule = (zone: string, fromMs: number, days: number) => {
    const dateOf = dateReader(zone);
    const day = new Date(Date.parse(dateOf(fromMs)) + days * 86_400_000).toISOString().slice(0, 10);
    const endMs = endOfDay(zone, fromMs, days);
    const before = dateOf(endMs - 1);
    const after = Array.from({ length: 26 * 4 }, (_, i) => dateOf(endMs + i * 900_000));
    return endMs > fromMs && before <= day && after.every((date) => date > day);
  };
  fc.assert(fc.property(zones, instants, fc.integer({ min: 0, max: 400 }), rule), { numRuns: 2000 });
});

test('at the end of time a day ends without a wrong one', () => {
  expect(endOfDay('Pacific/Kiritimati', Date.UTC(9999, 11, 30), 3650)).toBeGreaterThan(Date.UTC(9999, 11, 31));
});

test('zones are known by the names of the IANA, and by nothing else', () => {
  for (const zone of ['UTC', 'Asia/Seoul', 'America/Argentina/Buenos_Aires', 'Etc/GMT+12'])
    expect(isTimeZone(zone)).toBe(true);
  for (const zone of ['', '+09:00', 'Mars/Olympus', 'Asia/Seoul ', '../etc/passwd', 'x'.repeat(65)])
    expect(isTimeZone(zone)).toBe(false);
});
