// drop-samples.test.ts -- What the console shows of a drop: nothing that is older than three seconds as if it were now.

import { describe, expect, test } from 'bun:test';
import type { Load, Progress, Timeline } from '../../client/coupon-client.ts';
import { livenessOf, pointOf, summaryOf, timelinePoints } from '../../web/console/watch/samples.ts';

const progress = { issuedPerSecond: 40, left: 7 } as Progress;
const load = (refused: number, uptimeMs: number, process = 'one') =>
  ({ refused, uptimeMs, process, unpersisted: 3, oldestMs: 12 }) as Load;
const at = <Value>(value: Value, atMs: number) => ({ value, atMs });
const seen = { progress: at(progress, 10_000), load: at(load(90, 5000), 10_000), loadBefore: at(load(60, 4000), 9000) };

describe('a page is', () => {
  test.each([
    ['live while both kinds of samples are fresh', {}, 13_000, 'live'],
    ['not live a millisecond later', {}, 13_001, 'notLive'],
    ['not live when one kind stays away', { load: at(load(90, 5000), 5000) }, 10_000, 'notLive'],
    ['connecting until the first can have come', { progress: null, load: null }, 3000, 'connecting'],
    [
      'connecting when one kind is there before the other',
      { progress: at(progress, 2000), load: null },
      2500,
      'connecting',
    ],
    ['not live when none came in time', { progress: null, load: null }, 3001, 'notLive'],
  ] as const)('%s', (_, change, nowMs, name) => {
    expect(livenessOf({ ...seen, ...change, openedMs: 0, nowMs })).toBe(name);
  });

  test('connecting also when it is opened long after the console', () => {
    expect(livenessOf({ progress: null, load: null, openedMs: 60_000, nowMs: 60_500 })).toBe('connecting');
  });
});

test('a point has what is known, and null for what is older', () => {
  expect(pointOf(seen, 10_500, 1000)).toEqual({
    seconds: 1,
    accepted: 40,
    refused: 30,
    left: 7,
    backlog: 3,
    lagMs: 12,
  });
  expect(pointOf(seen, 13_001, 1000)).toEqual({
    seconds: 1,
    accepted: null,
    refused: null,
    left: null,
    backlog: null,
    lagMs: null,
  });
});

test('counts of two processes make no rate', () => {
  expect(pointOf({ ...seen, loadBefore: at(load(60, 4000, 'other'), 9000) }, 10_500, 1000).refused).toBeNull();
});

const timeline = {
  issues: [
    { date: '2027-01-01T00:00:00.000Z', sequence: 1, persistedMs: 5 },
    { date: '2027-01-01T00:00:01.000Z', sequence: 101, persistedMs: 50 },
    { date: '2027-01-01T00:00:02.000Z', sequence: 120, persistedMs: 20 },
  ],
  refused: [{ date: '2027-01-01T00:00:02.000Z', count: 30 }],
  complete: true,
} as unknown as Timeline;

test('a timeline becomes one point a second, up to where the page took over', () => {
  const startS = Date.parse('2027-01-01T00:00:00Z') / 1000;
  const points = timelinePoints(timeline, 120, startS + 3);
  expect(points.map(({ seconds }) => seconds - startS)).toEqual([1, 2, 3]);
  expect(points.map(({ refused }) => refused)).toEqual([0, 0, 30]);
  expect(points.at(-1)?.left).toBe(0);
  expect(points[0]?.accepted).toBe(101);
  expect(timelinePoints(timeline, 120, startS + 1)).toHaveLength(1);
});

test('the summary has the peak, the lag, and how long it took to sell out', () => {
  const terms = { dateIssueStart: '2026-12-31T23:59:58.000Z', dateCreated: '2026-12-01T00:00:00.000Z' };
  expect(summaryOf(timeline, { ...terms, totalQuantity: 120 })).toEqual({
    peak: 101,
    lagMs: { median: 20, most: 50 },
    soldOutAfterMs: 4000,
  });
  expect(summaryOf(timeline, { ...terms, totalQuantity: 121 }).soldOutAfterMs).toBeNull();
});
