// The instruments count right, and the table of metrics keeps the conventions of Prometheus and lets no label grow.
import { expect, test } from 'bun:test';
import { globSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { counter, exposition, gauge, histogram, dynamicGauge } from '../../src/telemetry/instruments.ts';
import {
  createApiMetrics,
  createWorkerMetrics,
  instrumentsOf,
  promiseBrokenBy,
  scriptMeter,
} from '../../src/telemetry/metrics.ts';
import { InvariantViolation } from '../../src/invariant.ts';
import { issuerNames } from '../../src/issuing/issuer.ts';

const told = { name: 'coupon_thing', unit: 'things', help: 'Things' };
const colours = ['red', 'green'] as const;

test('every series of a counter is there from the start, at 0', () => {
  const things = counter({
    ...told,
    labels: [
      ['colour', colours],
      ['size', ['big']],
    ],
  });
  things.of('red', 'big').add();
  things.of('red', 'big').add(4);
  expect(things.samples()).toEqual([
    'coupon_thing{colour="red",size="big"} 5',
    'coupon_thing{colour="green",size="big"} 0',
  ]);
  expect(things.of('red', 'big').total()).toBe(5);
});

test('a value that a label may not have is refused', () => {
  const things = counter({ ...told, labels: [['colour', colours]] });
  // A caller without types, such as a parsed message.
  expect(() => things.of('blue' as 'red')).toThrow(InvariantViolation);
});

test('an unknown level is not exposed', () => {
  const level = gauge(told);
  expect(level.samples()).toEqual([]);
  level.of().set(3);
  expect(level.samples()).toEqual(['coupon_thing 3']);
  level.of().set(Number.NaN);
  expect(level.samples()).toEqual([]);
});

test('a histogram counts a value in the first bucket that it is not above, once for each of its weight', () => {
  const spread = histogram({ ...told, buckets: [0.5, 1] });
  for (const value of [0, 0.5, 0.75]) spread.of().observe(value);
  spread.of().observe(2, 10);
  expect(spread.samples()).toEqual([
    'coupon_thing_bucket{le="0.5"} 2',
    'coupon_thing_bucket{le="1"} 3',
    'coupon_thing_bucket{le="+Inf"} 13',
    'coupon_thing_sum 21.25',
    'coupon_thing_count 13',
  ]);
});

test('the series of a dynamic gauge are replaced all together, and never too many', () => {
  const left = dynamicGauge({ ...told, by: ['coupon'], seriesMax: 2 });
  left.replace([
    { labels: [1], value: 10 },
    { labels: [2], value: 20 },
  ]);
  left.replace([{ labels: [3], value: 30 }]);
  expect(left.samples()).toEqual(['coupon_thing{coupon="3"} 30']);
  const three = [1, 2, 3].map((id) => ({ labels: [id] as const, value: id }));
  expect(() => left.replace(three)).toThrow(InvariantViolation);
});

test('the exposition has help, type and samples of each', () => {
  expect(exposition([counter(told), gauge(told)])).toBe(
    '# HELP coupon_thing Things\n# TYPE coupon_thing counter\ncoupon_thing 0\n\n# HELP coupon_thing Things\n# TYPE coupon_thing gauge\n',
  );
});

const tables = [createApiMetrics(), createWorkerMetrics()].map(instrumentsOf);
const instruments = new Map(tables.flat().map((each) => [each.name, each])).values();

test('the tables have metrics, and no name twice in a process', () => {
  for (const table of tables) {
    expect(table.length).toBeGreaterThan(15);
    expect(new Set(table.map(({ name }) => name)).size).toBe(table.length);
  }
});

for (const { name, kind, unit, help, labels, buckets } of instruments) {
  test(`${name} follows the conventions`, () => {
    expect(name).toMatch(/^coupon_[a-z]+(_[a-z]+)*$/);
    expect(name.endsWith('_total')).toBe(kind === 'counter');
    expect(name.includes('_seconds')).toBe(unit === 'seconds');
    expect(help).toMatch(/^[A-Z][^\\\n]*[^.]$/);
    expect(buckets === undefined).toBe(kind !== 'histogram');
    expect(buckets ?? []).toEqual([...(buckets ?? [])].sort((a, b) => a - b));
    expect(labels.map(([label]) => label).filter((label) => /user|address|sequence/.test(label))).toEqual([]);
    // Every series has a price in every scrape.
    expect(labels.reduce((product, [, values]) => product * Math.max(1, values.length), 1)).toBeLessThanOrEqual(50);
    for (const [, values] of labels) for (const value of values) expect(value).toMatch(/^[\w -]+$/);
  });
}

test('the table names every issuer and every script', () => {
  const metrics = createApiMetrics();
  const files = globSync('src/**/scripts/*.lua', { cwd: resolve(import.meta.dirname, '../..') }).concat(
    globSync('src/http/rate-limit/*.lua', { cwd: resolve(import.meta.dirname, '../..') }),
  );
  expect(Object.fromEntries(metrics.seconds.labels)).toEqual({ issuer: issuerNames });
  expect(metrics.scriptSeconds.labels.flatMap(([, values]) => values).toSorted()).toEqual(
    files.map((file) => basename(file, '.lua')).toSorted(),
  );
  const time = scriptMeter(metrics);
  time('take', 0.002);
  expect(metrics.scriptSeconds.samples()).toContain('coupon_script_seconds_count{script="take"} 1');
});

test('a request is counted by its result, and its time by its issuer', async () => {
  const metrics = createApiMetrics();
  metrics.observeRequest('locked', 'sold out', 0.02);
  metrics.observeRequest('locked', 'sold out', 0.02);
  const text = await metrics.render();
  expect(text).toContain('coupon_issue_requests_total{issuer="locked",outcome="sold out"} 2\n');
  expect(text).toContain('coupon_issue_requests_total{issuer="scripted",outcome="issued"} 0\n');
  expect(text).toContain('coupon_issue_seconds_bucket{issuer="locked",le="0.01"} 0\n');
  expect(text).toContain('coupon_issue_seconds_bucket{issuer="locked",le="0.025"} 2\n');
});

test('of the process only what is true on this runtime is exposed', async () => {
  const names = new Set(
    [...(await createWorkerMetrics().render()).matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name),
  );
  const ofProcess = [...names].filter((name) => !name?.startsWith('coupon_'));
  expect(ofProcess).toContain('process_resident_memory_bytes');
  expect(ofProcess).toContain('nodejs_eventloop_lag_p99_seconds');
  expect(ofProcess.filter((name) => /heap|gc|active/.test(name ?? ''))).toEqual([]);
});

test('a reading that fails, and one that hangs, are counted and cost nothing else', async () => {
  const metrics = createWorkerMetrics(20);
  metrics.onRender(() => Promise.reject(new Error('the store is away')));
  metrics.onRender(() => new Promise(() => {}));
  metrics.onRender(() => metrics.poolUsed.of('general').set(7));
  await metrics.render();
  const text = await metrics.render();
  expect(text).toContain('coupon_mysql_pool_used_connections{pool="general"} 7\n');
  expect(metrics.collectErrors.of().total()).toBe(4);
});

test('those who ask within the age share one reading', async () => {
  const metrics = createWorkerMetrics();
  let readings = 0;
  metrics.onRender(() => {
    readings += 1;
  }, 60_000);
  await Promise.all([metrics.render(), metrics.render()]);
  await metrics.render();
  expect(readings).toBe(1);
});

test('a broken invariant is counted under the promise that it names', () => {
  expect(promiseBrokenBy(new InvariantViolation('P2: rows changed'))).toBe('P2');
  expect(promiseBrokenBy(new InvariantViolation('take answered in an unknown shape'))).toBe('other');
  expect(promiseBrokenBy(new Error('P2: not one of ours'))).toBeNull();
});
