// The pure parts of the bench: what it reads from the system and from wrk, and the statistics it makes of that.
import { describe, expect, test } from 'bun:test';
import { BenchError } from '../../bench/bench-error.ts';
import { readFlags } from '../../bench/compare/flags.ts';
import { mediansOf } from '../../bench/compare/figures.ts';
import { ownTimes } from '../../bench/report/profile.ts';
import { readRecord } from '../../bench/rush/million.ts';
import { busyTicksIn, leastBusy } from '../../bench/testbed/cores.ts';
import { bucketsOf, countsBy, growthOf, readExposition, totalOf } from '../../bench/testbed/exposition.ts';
import { coreWaitUsIn, coreWaitUsOf, cpuUsIn, cpuUsOf, residentBytesIn } from '../../bench/testbed/process-cost.ts';
import { histogramQuantile, median, quantile } from '../../bench/testbed/statistics.ts';
import { readResult } from '../../bench/testbed/wrk.ts';
import { figures } from './sample-report.ts';

describe('statistics', () => {
  test('a median is the middle, between two of them the mean, and of nothing it is null', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([7]), median([])]).toEqual([2, 2.5, 7, null]);
  });

  test('a quantile lies between its neighbours in proportion', () => {
    expect(quantile([0, 10, 20, 30, 40], 0.9)).toBeCloseTo(36);
  });

  test('the quantile of a histogram is taken from what grew, within its bucket in proportion', () => {
    const before = new Map([
      [0.1, 100],
      [1, 100],
      [Number.POSITIVE_INFINITY, 100],
    ]);
    const after = new Map([
      [0.1, 100],
      [1, 110],
      [Number.POSITIVE_INFINITY, 110],
    ]);
    expect(histogramQuantile(before, after, 0.5)).toBeCloseTo(0.55);
    expect(histogramQuantile(before, before, 0.5)).toBeNull();
  });

  test('a quantile beyond the last bound is that bound, never infinite', () => {
    const after = new Map([
      [1, 1],
      [Number.POSITIVE_INFINITY, 100],
    ]);
    expect(histogramQuantile(new Map(), after, 0.99)).toBe(1);
  });

  test('medians are taken figure by figure, and what does not apply stays null', () => {
    const rounds = [1, 5, 3].map((requestsPerS) => figures({ requestsPerS, rowsPerS: null, p99Ms: 10 - requestsPerS }));
    const { requestsPerS, p99Ms, rowsPerS } = mediansOf(rounds);
    expect({ requestsPerS, p99Ms, rowsPerS }).toEqual({ requestsPerS: 3, p99Ms: 7, rowsPerS: null });
    expect(() => mediansOf([])).toThrow('no round');
  });
});

describe('what the system says', () => {
  test('the CPU of a process is user and system time, whatever its name holds', () => {
    const stat = '42 (a) b (c)) S 1 42 42 0 -1 4194304 1 0 0 0 150 25 0 0 20 0 1 0 100 1 1';
    expect(cpuUsIn(stat)).toBe(1_750_000);
    expect(() => cpuUsIn('nonsense')).toThrow('not the stat');
    expect(cpuUsOf(process.pid)).toBeGreaterThan(0);
  });

  test('waiting for a core is the second number of a thread, and all threads count', () => {
    expect(coreWaitUsIn('9000000 2500000 12\n')).toBe(2500);
    expect(() => coreWaitUsIn('9000000')).toThrow('not the schedstat');
    expect(coreWaitUsOf(process.pid)).not.toBeNegative();
  });

  test('memory is what is resident', () => {
    expect(residentBytesIn('VmPeak:\t  9 kB\nVmRSS:\t   512 kB\n')).toBe(524_288);
    expect(() => residentBytesIn('VmPeak:\t  9 kB\n')).toThrow('VmRSS');
  });

  test('the least busy cores are chosen by what they did between two looks', () => {
    const before = busyTicksIn(
      'cpu  9 9\ncpu0 100 0 0 5 5 0 0 0\ncpu1 10 0 0 5 5 0 0 0\ncpu2 0 0 0 5 5 0 0 0\nintr 1\n',
    );
    const after = busyTicksIn(
      'cpu  9 9\ncpu0 101 0 0 9 9 0 0 0\ncpu1 40 0 0 5 5 0 0 0\ncpu2 0 0 2 5 5 0 0 0\nintr 1\n',
    );
    expect(before).toEqual([100, 10, 0]);
    expect(leastBusy(before, after, 2)).toEqual([0, 2]);
  });

  test('metrics are read with their labels, summed and compared', () => {
    const text = [
      '# HELP a_total things',
      'a_total{outcome="sold out",issuer="x"} 3',
      'a_total{outcome="sold out",issuer="y"} 4',
      'b_bucket{le="0.5"} 1',
      'b_bucket{le="+Inf"} 2',
      'c 1.5e3',
    ].join('\n');
    const exposition = readExposition(text);
    expect(totalOf(exposition, 'c')).toBe(1500);
    expect(bucketsOf(exposition, 'b')).toEqual(
      new Map([
        [0.5, 1],
        [Number.POSITIVE_INFINITY, 2],
      ]),
    );
    const counts = countsBy(exposition, 'a_total', 'outcome');
    expect(growthOf(new Map([['sold out', 5]]), counts)).toEqual({ 'sold out': 2 });
    expect(growthOf(counts, counts)).toEqual({});
  });
});

describe('what wrk says', () => {
  test('its result is one line, in seconds and milliseconds', () => {
    const line = 'result {"requests":10,"microseconds":2000000,"p50Us":1500,"p99Us":9000,"maxUs":9999,';
    const output = `Running 2s test\n${line}"refused":1,"broken":2,"timeouts":3}\n`;
    expect(readResult(output)).toEqual({
      requests: 10,
      seconds: 2,
      p50Ms: 1.5,
      p99Ms: 9,
      maxMs: 9.999,
      refused: 1,
      broken: 2,
      timeouts: 3,
    });
  });

  test('without its result, or with half of it, nothing is accepted', () => {
    expect(() => readResult('Running 2s test\n')).toThrow('no result');
    expect(() => readResult('result {"requests":10}\n')).toThrow('no microseconds');
  });

  test('the record of answers is accepted only when the last answer was counted', () => {
    expect(readRecord('202 100 1\n202 200 2\ncounts 2 7 1 0\n', 5)).toEqual({
      couponId: 5,
      claims: [
        { status: 202, userId: '100', sequence: 1 },
        { status: 202, userId: '200', sequence: 2 },
      ],
      notes: [],
      counts: { accepted: 2, duplicated: 0, soldOut: 7, indeterminate: 1, unexpected: 0 },
    });
    expect(() => readRecord('202 100 1\n202 200 2\n', 5)).toThrow('before all requests');
    expect(() => readRecord('202 100\ncounts 1 0 0 0\n', 5)).toThrow('is no claim');
  });
});

describe('flags', () => {
  test('without any, the comparison is run', () => {
    const { parts, rounds, cores } = readFlags([]);
    expect({ parts: [...parts], rounds, cores }).toEqual({ parts: ['compare'], rounds: 5, cores: 2 });
  });

  test('a part, a number and a list are taken', () => {
    const flags = readFlags(['--growth', '--rounds', '7', '--only', 'scripted,row lock']);
    expect({ ...flags, parts: [...flags.parts] }).toMatchObject({
      parts: ['growth'],
      rounds: 7,
      only: ['scripted', 'row lock'],
    });
  });

  for (const wrong of [
    ['--fast'],
    ['quick'],
    ['--rounds'],
    ['--rounds', '0'],
    ['--cores', 'two'],
    ['--only'],
    ['--only', 'no such case'],
  ]) {
    test(`${wrong.join(' ')} is refused`, () => {
      expect(() => readFlags(wrong)).toThrow(BenchError);
    });
  }
});

test('a profile shows own time by function, without the time asleep', () => {
  const node = (id: number, functionName: string, url = '') => ({
    id,
    callFrame: { functionName, url, lineNumber: 9 },
  });
  const table = ownTimes({
    nodes: [node(1, 'work', 'file:///a/b.ts'), node(2, ''), node(3, '(idle)')],
    samples: [1, 2, 3, 1],
    timeDeltas: [2000, 1000, 9000, 1000],
  });
  expect(table).toEqual([
    ['function', 'share'],
    ['work b.ts:10', '75.0%'],
    ['(anonymous)', '25.0%'],
  ]);
});
