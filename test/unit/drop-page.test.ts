// drop-page.test.ts -- What the page of a drop is made of, without a browser: its pace without a stream, its clock, its colours, its calendar file.

import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { calendarFile } from '../../src/drops/calendar.ts';
import { languageOf, moneyText } from '../../src/drops/page-texts.ts';
import { themeSheet } from '../../src/drops/theme.ts';
import { nextReadMs } from '../../web/drop/pace.ts';
import { clockOfAnswers } from '../../web/shared/clock.ts';

const open = { phase: 'open', startInMs: 0, failures: 0, unchanged: 0 } as const;

test('reads are spread, become rarer while nothing changes, and never come in a rush', () => {
  expect([nextReadMs(open, 0), nextReadMs(open, 1)]).toEqual([1000, 3000]);
  expect(nextReadMs({ ...open, unchanged: 50 }, 0.5)).toBe(20_000);
  expect(nextReadMs({ ...open, phase: 'over' }, 0.5)).toBe(60_000);
  expect(nextReadMs({ ...open, failures: 30 }, 0.5)).toBe(60_000);
  // Soon after the start, and not in one second.
  expect([0, 1].map((random) => nextReadMs({ ...open, phase: 'before', startInMs: 9000 }, random))).toEqual([
    10_000, 14_000,
  ]);
  const phase = fc.constantFrom('unknown', 'before', 'open', 'over');
  const situation = fc.record({ phase, startInMs: fc.nat(1e9), failures: fc.nat(1000), unchanged: fc.nat(1000) });
  fc.assert(
    fc.property(situation, fc.double({ min: 0, max: 1, noNaN: true }), (one, random) => {
      const ms = nextReadMs(one, random);
      return ms >= 500 && ms <= 100_000;
    }),
  );
});

test('an answer that a cache kept sets no clock back', () => {
  const clock = clockOfAnswers();
  const real = performance.now() + 1_000_000;
  const at = (serverMs: number, sentMs: number, answeredMs: number) => clock.set(serverMs, sentMs, answeredMs);
  const offset = (one: { nowMs(): number }) => Math.round(one.nowMs() - performance.now());
  expect(real).toBeGreaterThan(0);
  // 100 ms on its way, 900 ms in a cache, then fresh, then an hour old.
  expect(offset(at(1_000_100 - 900, 50, 150))).toBe(1_000_000 - 900);
  expect(offset(at(1_001_050, 1000, 1100))).toBe(1_000_000);
  expect(offset(at(1_002_000 - 3_600_000, 2000, 2010))).toBe(999_955);
});

test('every colour of a brand becomes one that can be read, in the light and in the dark', () => {
  const cards = { light: '#ffffff', dark: '#1b1d20' };
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xff_ff_ff }), (value) => {
      const sheet = themeSheet(`#${value.toString(16).padStart(6, '0')}`);
      const [light = '', dark = ''] = sheet.split('@media');
      for (const [part, card] of [
        [light, cards.light],
        [dark, cards.dark],
      ] as const) {
        const of = (name: string) => new RegExp(`--${name}:(#[0-9a-f]{6})`).exec(part)?.[1] ?? '';
        if (contrast(of('accent'), card) < 6.9 || contrast(of('fill'), of('on-fill')) < 6.9) return false;
      }
      return true;
    }),
  );
  // A colour on which something can be written stays as it is.
  expect(themeSheet('#ffd400')).toContain('--fill:#ffd400;--on-fill:#10131c');
});

/** As WCAG 2 defines it, written once more. */
function contrast(one: string, other: string): number {
  const luminance = (color: string) =>
    [1, 3, 5]
      .map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255)
      .map((part) => (part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
      .reduce((sum, part, i) => sum + part * ([0.2126, 0.7152, 0.0722][i] ?? 0), 0);
  const [low = 0, high = 0] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

test('money is written as people write it, and the language is the first that the page has', () => {
  expect(moneyText('ko', 10_000, 'KRW')).toBe('10,000원');
  expect(moneyText('en', 10_000, 'KRW')).toBe('₩10,000');
  expect([moneyText('en', 1000, 'USD'), moneyText('en', 1050, 'USD')]).toEqual(['$10', '$10.50']);
  expect(['ko-KR,en;q=0.8', 'de-DE, ko;q=0.9', 'en-GB,ko', 'de', null].map(languageOf)).toEqual([
    'ko',
    'ko',
    'en',
    'en',
    'en',
  ]);
});

test('a calendar file has lines of at most 75 bytes, and titles cannot add lines to it', () => {
  const title = `${'겨울 세일, 한정 수량; '.repeat(12)}\\n`;
  const text = calendarFile(
    {
      couponId: 7,
      title,
      totalQuantity: 10,
      discountAmount: 1,
      minAvailableAmount: 0,
      currency: 'KRW',
      usableFrom: null,
      usableUntil: null,
      usableDays: null,
      timeZone: null,
      dateIssueStart: '2099-11-30T01:00:00.000Z',
      dateIssueEnd: '2099-11-30T01:05:00.000Z',
      paused: false,
      version: 3,
      left: null,
      now: '2026-11-28T00:00:00.000Z',
    } as unknown as Parameters<typeof calendarFile>[0],
    'https://shop.example/drop/7',
    'Soon',
  );
  for (const line of text.split('\r\n')) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(75);
  const unfolded = text.replaceAll('\r\n ', '');
  expect(unfolded).toContain(`SUMMARY:${title.replaceAll(/[\\;,]/g, String.raw`\$&`)}\r\n`);
  expect(unfolded).toContain('DTSTART:20991130T010000Z\r\nDTEND:20991130T010500Z\r\n');
});
