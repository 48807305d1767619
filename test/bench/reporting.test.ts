// The bench's report: the same findings as tables, page and document, and targets that can be missed.
import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { chromium } from 'playwright-core';
import { reportPage } from '../../bench/report/page.ts';
import { benchSection, withBenchSection } from '../../bench/report/readme.ts';
import { machineText, sectionsOf } from '../../bench/report/sections.ts';
import { busyTable, markdownTable, number, tableOf } from '../../bench/report/tables.ts';
import { generatorBound } from '../../bench/k6/summary.ts';
import { targetsOf } from '../../bench/report/targets.ts';
import { findBrowser } from '../../tools/test-programs.ts';
import { sampleMillion, sampleReport, sampleRun } from './sample-report.ts';

test('a number that does not apply is an empty cell, never zero, and zero has no sign', () => {
  expect([number(41_499.4), number(0.617, 2), number(0), number(null)]).toEqual(['41,499', '0.62', '0', '']);
  expect([number(-0.004, 2), number(-0), number(-0.006, 2)]).toEqual(['0.00', '0', '-0.01']);
});

test('a table leaves out what applies to no row, and has its figures below one another', () => {
  const rows = [
    { name: 'long name', perS: '1' },
    { name: 'x', perS: '1,000' },
  ];
  const table = tableOf(
    [
      ['', ({ name }) => name],
      ['a/s', ({ perS }) => perS],
      ['rows/s', () => ''],
    ],
    rows,
  );
  expect(markdownTable(table)).toBe(
    '|           |   a/s |\n| --------- | ----: |\n| long name |     1 |\n| x         | 1,000 |',
  );
});

test('how busy each process was is a share of a core, with what the cores had left and how long the API waited for one', () => {
  const { cases } = sampleReport().compare?.findings ?? { cases: [] };
  const table = busyTable(cases, 2);
  expect([table[0], table.find(([title]) => title === 'scripted')]).toEqual([
    ['share of a core', 'API', 'Redis', 'worker', 'MySQL', 'generator', 'left of 200%', 'API waits'],
    ['scripted', '31%', '3%', '6%', '9%', '25%', '125%', '50%'],
  ]);
  expect(table.some(([title]) => title === 'row lock')).toBe(false);
});

test('the page holds the findings and needs no network, and no text in it can become a tag', () => {
  const page = reportPage(sampleReport());
  const data = /<script type="application\/json" id="data">(.*)<\/script>/.exec(page)?.[1] ?? '';
  expect(JSON.parse(data)).toEqual({ report: sampleReport(), runs: [], sections: sectionsOf(sampleReport()) });
  expect(data).not.toContain('<');
  expect(page).toContain(`content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"`);
  expect(page).not.toMatch(/<link|<(script|img)[^>]* src=|\{\{/);
});

describe.skipIf(findBrowser() === undefined)('in a browser', () => {
  test('the page shows every table, a plot of each kind of figure, and the text of the findings as text', async () => {
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];
    await using browser = await chromium.launch({ executablePath: findBrowser() ?? 'chromium', args: flags });
    const page = await browser.newPage();
    const faults: string[] = [];
    page.on('pageerror', ({ message }) => faults.push(message));
    page.on('console', (message) => faults.push(message.text()));
    const report = sampleReport();
    const { machine } = report.compare ?? {};
    if (machine === undefined) throw new Error('the sample has no comparison');
    await page.setContent(reportPage({ ...report, million: sampleMillion(machine) }, [sampleRun()]));
    expect(faults).toEqual([]);
    expect(await page.locator('h2').allTextContents()).toEqual([
      'k6 mixed-rush',
      'Comparison',
      'A million requests',
      'Growth',
      'Targets',
    ]);
    expect(await page.locator('.wide > table').count()).toBe(9);
    expect(await page.getByText('A <fast> CPU').count()).toBe(3);
    expect(await page.getByRole('cell', { name: '31,000', exact: true }).count()).toBe(1);
    expect(await page.getByRole('link', { name: 'The page of k6' }).getAttribute('href')).toBe(
      'k6/mixed-rush/report.html',
    );
    const plots = [
      'Answers a second',
      'Backlog',
      'Response time in the API',
      'Throughput, ',
      'CPU of ',
      'Response time',
      'Rows in ',
      'Answers a second',
      'Backlog',
      'Throughput by',
      'Cost by',
      'Opening by',
    ];
    const titles = await page.locator('figure:has(canvas) figcaption').allTextContents();
    expect(titles.map((title, i) => title.startsWith(plots[i] ?? '-'))).toEqual(plots.map(() => true));
  }, 60_000);
});

test('figures of a machine that was busy with other work say so', () => {
  const { compare } = sampleReport();
  if (compare === undefined) throw new Error('the sample has no comparison');
  expect(machineText(compare.machine)).not.toContain('was busy');
  expect(machineText({ ...compare.machine, loadBefore: 25 })).toContain('25 on 4 cores. The machine was busy');
});

test('a target is reached or missed by its figure, and left out when nothing was measured', () => {
  const found = targetsOf(sampleReport()).map(({ title, reached }) => [title, reached]);
  expect(found).toContainEqual(['scripted: share of the echo', 'yes']);
  expect(found).toContainEqual(['synchronous: share of the echo', 'no']);
  expect(found).toContainEqual(['synchronous: times row lock', 'yes']);
  expect(found.filter(([title]) => String(title).includes('million'))).toEqual([]);
});

test('a figure that cannot be, or that was taken on a busy machine, decides nothing but CPU', () => {
  const { compare, ...rest } = sampleReport();
  if (compare === undefined) throw new Error('the sample has no comparison');
  const reachedOf = (taken: typeof compare) =>
    new Map(targetsOf({ ...rest, compare: taken }).map(({ title, reached }) => [title, reached]));
  const cases = compare.findings.cases.map((each) =>
    each.name === 'scripted' ? { ...each, median: { ...each.median, shareOfEcho: 1.1 } } : each,
  );
  const impossible = reachedOf({ ...compare, findings: { ...compare.findings, cases } });
  expect(impossible.get('scripted: share of the echo')).toBe('not decided');
  expect(impossible.get('synchronous: share of the echo')).toBe('no');
  const busy = reachedOf({ ...compare, machine: { ...compare.machine, loadBefore: 3 } });
  expect(busy.get('scripted: share of the echo')).toBe('not decided');
  expect(busy.get('synchronous: times row lock')).toBe('not decided');
  expect(busy.get('POST /v2/issue-async: CPU of all a coupon, µs')).toBe('yes');
});

test('a run whose generator could not send what was asked of it says so', () => {
  const metric = (count: number) => ({ type: 'counter', values: { count } });
  const bound = (sent: number, unsent: number) =>
    generatorBound({ metrics: { iterations: metric(sent), dropped_iterations: metric(unsent) } });
  expect(bound(35_000, 65_000)).toBe('k6 was the bound, it left 65 % of the requests unsent (dropped_iterations)');
  expect(bound(1_000, 20)).toBeNull();
  expect(generatorBound({ metrics: {} })).toBeNull();
});

test('the section of docs/performance.md is replaced between its markers, and nothing else is touched', () => {
  const page = 'before\n<!-- bench -->\nyesterday\n<!-- /bench -->\nafter\n';
  const made = withBenchSection(page, sampleReport());
  expect(made.startsWith('before\n<!-- bench -->\n')).toBe(true);
  expect(made.endsWith('<!-- /bench -->\nafter\n')).toBe(true);
  expect(made).toMatch(/^\| scripted +\| +31,000 \| +0.62 \|/m);
  expect(made).not.toContain('yesterday');
  expect(withBenchSection(made, sampleReport())).toBe(made);
});

test('docs/performance.md has a place for the section', () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/performance.md'), 'utf8');
  expect(withBenchSection(page, sampleReport())).toMatch(/^\| scripted +\| +31,000 \| +0.62 \|/m);
});

test('the section is not made of a comparison that leaves out what belongs there, such as hello and duplicates', () => {
  const { compare, ...rest } = sampleReport();
  if (compare === undefined) throw new Error('the sample has no comparison');
  const without = (left: string) => {
    const cases = compare.findings.cases.filter(({ name }) => name !== left);
    return () => benchSection({ ...rest, compare: { ...compare, findings: { ...compare.findings, cases } } });
  };
  expect(benchSection(sampleReport())).toMatch(/^\| hello +\| +1,000 \|/m);
  expect(without('hello')).toThrow('reports/bench.json has no hello: run bun run bench first');
  expect(without('scripted duplicate')).toThrow('has no scripted duplicate');
});

test('without markers, or without a comparison, the document is left alone', () => {
  expect(() => withBenchSection('no markers', sampleReport())).toThrow('docs/performance.md');
  expect(() => withBenchSection('<!-- bench -->\n<!-- /bench -->', { format: 3 })).toThrow('no comparison');
});
