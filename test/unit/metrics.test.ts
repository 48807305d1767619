// The instruments count right, and the table of metrics keeps the conventions of Prometheus and lets no label grow.
import { expect, test } from 'bun:test';
import { globSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { counter, exposition, gauge, histogram, dynamicGauge, metricsOf } from '../../src/telemetry/registry.ts';
import { promiseBrokenBy, scriptMeter } from '../../src/telemetry/process-metrics.ts';
import { createApiMetrics } from '../../src/wiring/metrics.ts';
import { createWorkerMetrics } from '../../workers/metrics.ts';
// These import every script, as the two processes do.
import '../../src/installation/installation.ts';
import '../../src/runtime/redis-self-test.ts';
import '../../src/wiring/access.ts';
import '../../src/wiring/api.ts';
import '../../workers/partition.ts';
import { InvariantViolation } from '../../src/invariant.ts';
import { issuerNames } from '../../src/issuing/issuer.ts';

const thing = ['coupon_thing', 'Things'] as const;
const colours = ['red', 'green'] as const;

test('every series of a counter is there from the start, at 0', () => {
  const things = counter(...thing, ['colour', colours], ['size', ['big']]);
  things.of('red', 'big').add();
  things.of('red', 'big').add(4);
  expect(things.samples()).toEqual([
    'coupon_thing{colour="red",size="big"} 5',
    'coupon_thing{colour="green",size="big"} 0',
  ]);
  expect(things.of('red', 'big').total()).toBe(5);
});

test('a value that a label may not have is refused', () => {
  const things = counter(...thing, ['colour', colours]);
  // A caller without types, such as a parsed message.
  expect(() => things.of('blue' as 'red')).toThrow(InvariantViolation);
});

test('an unknown level is left out', () => {
  const level = gauge(...thing);
  expect(level.samples()).toEqual([]);
  level.of().set(3);
  expect(level.samples()).toEqual(['coupon_thing 3']);
  level.of().set(Number.NaN);
  expect(level.samples()).toEqual([]);
});

test('a histogram counts a value in the first bucket that it is not above, once for each of its weight', () => {
  const spread = histogram(...thing, [0.5, 1]);
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

test('the series of a dynamic gauge are replaced together, and are never too many', () => {
  const left = dynamicGauge(...thing, 'coupon', 2);
  left.replace([
    [1, 10],
    [2, 20],
  ]);
  left.replace([[3, 30]]);
  expect(left.samples()).toEqual(['coupon_thing{coupon="3"} 30']);
  const three = [1, 2, 3].map((id) => [id, id] as const);
  expect(() => left.replace(three)).toThrow(InvariantViolation);
});

test('the exposition has help, type and samples of each', () => {
  expect(exposition([counter(...thing), gauge(...thing)])).toBe(
    '# HELP coupon_thing Things\n# TYPE coupon_thing counter\ncoupon_thing 0\n\n# HELP coupon_thing Things\n# TYPE coupon_thing gauge\n',
  );
});

const tables = [createApiMetrics(), createWorkerMetrics()].map(metricsOf);
const distinct = new Map(tables.flat().map((each) => [each.name, each])).values();

test('the tables have metrics, and no name twice in a process', () => {
  for (const table of tables) {
    expect(table.length).toBeGreaterThan(15);
    expect(new Set(table.map(({ name }) => name)).size).toBe(table.length);
  }
});

const UNITS =
  'seconds users rows issues issued left quantity entries openings batches in_flight hits failures requests connections faults ' +
  'promises errors retries letters coupons lines events webhooks';
const UNIT = new RegExp(`_(${UNITS.replaceAll(' ', '|')})(_total|_max)?$`);

for (const { name, kind, help, labels, buckets } of distinct) {
  test(`${name} follows the conventions`, () => {
    expect(name).toMatch(/^coupon_[a-z]+(_[a-z]+)*$/);
    expect(name.endsWith('_total')).toBe(kind === 'counter');
    // The unit is the last word, but for a total, a limit and a timestamp.
    expect(name).toMatch(UNIT);
    expect(help).toMatch(/^[A-Z][^\\\n]*[^.]$/);
    expect(buckets === undefined).toBe(kind !== 'histogram');
    expect(buckets ?? []).toEqual([...(buckets ?? [])].sort((a, b) => a - b));
    expect(labels.map(([label]) => label).filter((label) => /user|address|sequence/.test(label))).toEqual([]);
    // Every series has a price in every scrape.
    expect(labels.reduce((product, [, values]) => product * Math.max(1, values.length), 1)).toBeLessThanOrEqual(50);
    for (const [, values] of labels) for (const value of values) expect(value).toMatch(/^[\w -]+$/);
  });
}

test('there is a series for every issuer and every script', () => {
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

test('the series of the runtime are those that are correct on it', async () => {
  const names = new Set(
    [...(await createWorkerMetrics().render()).matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name),
  );
  const ofProcess = [...names].filter((name) => !name?.startsWith('coupon_'));
  expect(ofProcess).toEqual([
    'process_cpu_seconds_total',
    'process_start_time_seconds',
    'process_resident_memory_bytes',
    'process_open_fds',
    'process_max_fds',
    'nodejs_eventloop_lag_p50_seconds',
    'nodejs_eventloop_lag_p99_seconds',
    'nodejs_eventloop_lag_max_seconds',
  ]);
});

test('the series of the runtime have correct values', async () => {
  const metrics = createWorkerMetrics();
  await new Promise((resolve) => setTimeout(resolve, 50));
  await metrics.render();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const spunMs = performance.now();
  while (performance.now() - spunMs < 150);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const text = await metrics.render();
  const valueOf = (name: string) => Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
  const cpu = process.cpuUsage();
  expect(valueOf('process_cpu_seconds_total')).toBeCloseTo((cpu.user + cpu.system) / 1e6, 0);
  expect(Math.abs(valueOf('process_start_time_seconds') - (Date.now() / 1000 - process.uptime()))).toBeLessThan(2);
  expect(valueOf('process_resident_memory_bytes')).toBeGreaterThan(10_000_000);
  expect(valueOf('nodejs_eventloop_lag_max_seconds')).toBeGreaterThan(0.1);
  expect(valueOf('nodejs_eventloop_lag_max_seconds')).toBeGreaterThanOrEqual(
    valueOf('nodejs_eventloop_lag_p50_seconds'),
  );
  expect(valueOf('process_open_fds')).toBeGreaterThan(2);
  expect(valueOf('process_max_fds')).toBeGreaterThan(valueOf('process_open_fds'));
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

test('calls within the age share one reading', async () => {
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
