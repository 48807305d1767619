// runs.test.ts -- The report of all load tools: seconds out of readings, figures out of each tool's files, and what is written of them.

import { afterAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { figuresIn } from '../../bench/k6/summary.ts';
import { figuresInTable } from '../../bench/locust/figures.ts';
import { earlierOf, readRun, readRuns, type RunReport } from '../../bench/runs/run-report.ts';
import { runSection } from '../../bench/runs/run-sections.ts';
import { metricsUrls, startWatching, watchedIn } from '../../bench/runs/watch.ts';
import { writeReports } from '../../bench/runs/write-reports.ts';
import { readExposition } from '../../bench/testbed/exposition.ts';
import { sampleRun } from './sample-report.ts';

const folder = mkdtempSync(join(tmpdir(), 'coupon-runs-'));
const run = sampleRun();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const exposition = (issued: number, soldOut: number, backlog: number, slow: number) =>
  readExposition(`coupon_issue_requests_total{issuer="scripted",outcome="issued"} ${issued}
coupon_issue_requests_total{issuer="scripted",outcome="sold out"} ${soldOut}
coupon_unpersisted_users{partition="0"} ${backlog}
coupon_unpersisted_users{partition="1"} 1
coupon_issue_seconds_bucket{issuer="scripted",le="0.01"} ${issued}
coupon_issue_seconds_bucket{issuer="scripted",le="0.1"} ${issued + slow}
coupon_issue_seconds_bucket{issuer="scripted",le="+Inf"} ${issued + slow}
`);

test('a second has the answers of this second alone, summed over processes, and the backlog once', () => {
  const readings = [
    { atS: 0, expositions: [exposition(100, 0, 0, 0), exposition(0, 0, 0, 0)] },
    { atS: 1.04, expositions: [exposition(140, 0, 9, 2), exposition(10, 0, 9, 0)] },
    { atS: 2, expositions: [exposition(140, 7, 0, 3), exposition(10, 0, 0, 0)] },
  ];
  expect(watchedIn(readings)).toEqual({
    seconds: [
      { atS: 1, answers: { issued: 50 }, backlog: 10 },
      { atS: 2, answers: { 'sold out': 7 }, backlog: 1 },
    ],
    responseTimes: [
      [10, 50],
      [100, 3],
    ],
  });
});

test('quiet seconds before and after the load are left out, but for one at its end', () => {
  const quiet = [exposition(0, 0, -1, 0)];
  const after = [exposition(5, 0, -1, 0)];
  const readings = [quiet, quiet, quiet, after, after, after].map((expositions, atS) => ({ atS, expositions }));
  expect(watchedIn(readings).seconds).toEqual([
    { atS: 1, answers: { issued: 5 }, backlog: 0 },
    { atS: 2, answers: {}, backlog: 0 },
  ]);
});

test('a target without metrics has no seconds, and its run goes on', async () => {
  const server = Bun.serve({ port: 0, fetch: () => new Response('', { status: 404 }) });
  try {
    const watching = startWatching([server.url.origin], 5);
    expect(await watching.stop()).toEqual({ seconds: [], responseTimes: [] });
  } finally {
    await server.stop(true);
  }
});

test('the metrics of a target are beside its routes, or where METRICS_URL says', () => {
  const url = 'http://target:3000';
  expect(metricsUrls({ url, environment: {} })).toEqual([url]);
  const environment = { METRICS_URL: 'http://a:3002/, http://b:3002' };
  expect(metricsUrls({ url, environment })).toEqual(['http://a:3002', 'http://b:3002']);
});

test('figures of k6 are those of the load alone, with every threshold', () => {
  const metrics = {
    iterations: { type: 'counter', values: { count: 300, rate: 99.5 } },
    http_req_duration: { type: 'trend', values: { med: 900, 'p(99)': 900 } },
    'http_req_duration{scenario:steady}': {
      type: 'trend',
      values: { med: 4, 'p(95)': 9, 'p(99)': 12, max: 30 },
      thresholds: { 'p(99)<1000': { ok: true } },
    },
    dropped_iterations: { type: 'counter', values: { count: 2 }, thresholds: { 'count==0': { ok: false } } },
  };
  expect(figuresIn({ metrics })).toEqual({
    requests: 300,
    requestsPerS: 99.5,
    latencyMs: { p50: 4, p95: 9, p99: 12, max: 30 },
    thresholds: [
      { rule: 'http_req_duration{scenario:steady} p(99)<1000', held: true },
      { rule: 'dropped_iterations count==0', held: false },
    ],
  });
});

test('figures of Locust are those of all requests, held against its bounds', () => {
  const table = `Type,Name,Request Count,Failure Count,Requests/s,50%,95%,99%,100%\r
POST,/v1/issue,100,0,10.5,5,9,20,30\r
,Aggregated,400,3,41.5,6,10,2500,2600\r
`;
  expect(figuresInTable(table, 2_000)).toEqual({
    requests: 400,
    requestsPerS: 41.5,
    latencyMs: { p50: 6, p95: 10, p99: 2500, max: 2600 },
    thresholds: [
      { rule: 'requests above 0', held: true },
      { rule: 'failures 0', held: false },
      { rule: 'p99 up to 2000 ms', held: false },
    ],
  });
  expect(figuresInTable('Type,Name\n', 2_000)).toBeNull();
});

test('one report of all tools is written as JSON, Markdown and a page, with a link to the page of the tool', async () => {
  mkdirSync(join(folder, 'k6/mixed-rush'), { recursive: true });
  await Bun.write(join(folder, 'k6/mixed-rush/run.json'), JSON.stringify(run));
  expect(readRuns(folder)).toEqual([run]);
  const page = readFileSync(writeReports(folder), 'utf8');
  expect(page).toContain('k6/mixed-rush/report.html');
  expect(page).not.toMatch(/\{\{\w/);
  expect(JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8'))).toMatchObject({ runs: [run] });
  const text = readFileSync(join(folder, 'report.md'), 'utf8');
  for (const part of [
    '## k6 mixed-rush',
    'RATE=500',
    'P1 to P5 verified',
    '(k6/mixed-rush/report.html)',
    '| 1.0 | 900 | 3 |',
  ]) {
    expect(text.replaceAll(/ +/g, ' ')).toContain(part);
  }
});

test('a run is compared with the one before it, without what that one was compared with', () => {
  const before: RunReport = {
    ...run,
    figures: { requests: 450, requestsPerS: 45, latencyMs: { p99: 100 }, thresholds: [] },
  };
  const [figures] = runSection({ ...run, earlier: earlierOf(before) }).tables;
  expect(figures).toEqual([
    ['commit', 'abc', 'abc', 'change'],
    ['requests', '900', '450', '+100 %'],
    ['requests/s', '90.0', '45.0', '+100 %'],
    ['p99 ms', '50.0', '100.0', '-50 %'],
  ]);
  expect(earlierOf(before)).not.toHaveProperty('earlier');
});

test('a run that failed or broke a promise says so first; a file of another format is no run', async () => {
  const broken = { ...run, passed: false, promises: { account: 'coupon 1', faults: ['P2: a user has two rows'] } };
  const { notes } = runSection(broken);
  expect(notes[0]).toStartWith('FAILED.');
  expect(notes.join()).toContain('NOT verified: P2: a user has two rows');
  await Bun.write(join(folder, 'run.json'), JSON.stringify({ ...run, format: 0 }));
  expect(readRun(folder)).toBeNull();
});
