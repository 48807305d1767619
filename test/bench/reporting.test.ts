// The bench's report: the same findings as text, page and README, and targets that can be missed.
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { reportPage } from '../../bench/report/page.ts';
import { barPlot, linePlot } from '../../bench/report/plot.ts';
import { benchSection, withBenchSection } from '../../bench/report/readme.ts';
import { machineText } from '../../bench/report/sections.ts';
import { busyTable, markdownTable, number, textTable } from '../../bench/report/tables.ts';
import { targetsOf } from '../../bench/report/targets.ts';
import { sampleReport } from './sample-report.ts';

test('a number that does not apply is an empty cell, never zero', () => {
  expect([number(41_499.4), number(0.617, 2), number(0), number(null)]).toEqual(['41,499', '0.62', '0', '']);
});

test('a table of text has its names on the left and its figures under one another', () => {
  const table = [
    ['', 'a/s'],
    ['long name', '1'],
    ['x', '1,000'],
  ];
  expect(textTable(table)).toBe('             a/s\nlong name      1\nx          1,000');
  expect(markdownTable(table)).toBe('|  | a/s |\n| --- | ---: |\n| long name | 1 |\n| x | 1,000 |');
});

test('what each process was busy is told in shares of a core, with what the cores had left and how long the API waited for one', () => {
  const { cases } = sampleReport().compare?.findings ?? { cases: [] };
  const table = busyTable(cases, 2);
  expect(table[0]).toEqual([
    'share of a core',
    'API',
    'Redis',
    'worker',
    'MySQL',
    'generator',
    'left of 200%',
    'API waits',
  ]);
  expect(table.find(([title]) => title === 'scripted')).toEqual([
    'scripted',
    '31%',
    '3%',
    '6%',
    '9%',
    '25%',
    '125%',
    '50%',
  ]);
  expect(table.some(([title]) => title === 'row lock')).toBe(false);
});

test('the longest bar has the full width, and the others their share of it', () => {
  const bars = [
    { title: 'one', value: 100, kind: 'system' },
    { title: 'half', value: 50, kind: 'ordinary' },
  ];
  const widths = [...barPlot('t', 'u', bars).matchAll(/<rect class="(\w+)".*? width="([\d.]+)"/g)];
  expect(widths.map(([, kind, width]) => [kind, Number(width)])).toEqual([
    ['system', 370],
    ['ordinary', 185],
  ]);
});

test('a line goes from left to right over a logarithmic axis', () => {
  const dots = [
    { x: 10, y: 1 },
    { x: 100, y: 2 },
    { x: 1000, y: 4 },
  ];
  const points = /points="([^"]+)"/.exec(linePlot('t', 'u', 'x', dots))?.[1]?.split(' ');
  expect(points?.map((point) => Number(point.split(',')[0]))).toEqual([70, 400, 730]);
});

test('the page needs nothing from elsewhere, and no text in it can become a tag', () => {
  const page = reportPage(sampleReport());
  expect(page).toContain('A &lt;fast&gt; CPU');
  expect(page).toContain('31,000');
  expect(page).not.toMatch(/<script|<link|\b(src|href)=|https?:/);
  expect(page.match(/<svg/g)?.length).toBe(page.match(/<\/svg>/g)?.length ?? 0);
  expect(page).not.toMatch(/NaN|undefined|Infinity/);
});

test('figures of a machine that was busy with something else say so', () => {
  const { compare } = sampleReport();
  if (compare === undefined) throw new Error('the sample has no comparison');
  expect(machineText(compare.machine)).not.toContain('Others were busy');
  expect(machineText({ ...compare.machine, loadBefore: 25 })).toContain('25 on 4 cores. Others were busy');
});

test('a target is reached or missed by its figure, and left out when nothing was measured', () => {
  const found = targetsOf(sampleReport()).map(({ title, found: end }) => [title, end?.reached]);
  expect(found).toContainEqual(['scripted: share of the echo', true]);
  expect(found).toContainEqual(['synchronous: share of the echo', false]);
  expect(found).toContainEqual(['synchronous: times row lock', true]);
  expect(found.filter(([title]) => String(title).includes('million'))).toEqual([]);
});

test('the section of docs/performance.md is replaced between its markers, and nothing else is touched', () => {
  const readme = 'before\n<!-- bench -->\nyesterday\n<!-- /bench -->\nafter\n';
  const made = withBenchSection(readme, sampleReport());
  expect(made.startsWith('before\n<!-- bench -->\n')).toBe(true);
  expect(made.endsWith('<!-- /bench -->\nafter\n')).toBe(true);
  expect(made).toContain('| scripted | 31,000 | 0.62 |');
  expect(made).not.toContain('yesterday');
  expect(withBenchSection(made, sampleReport())).toBe(made);
});

test('docs/performance.md has a place for the section', () => {
  const readme = readFileSync(resolve(import.meta.dirname, '../../docs/performance.md'), 'utf8');
  expect(withBenchSection(readme, sampleReport())).toContain('| scripted | 31,000 | 0.62 |');
});

test('the section is not made of a comparison that leaves out what belongs there, such as hello and duplicates', () => {
  const { compare, ...rest } = sampleReport();
  if (compare === undefined) throw new Error('the sample has no comparison');
  const without = (left: string) => {
    const cases = compare.findings.cases.filter(({ name }) => name !== left);
    return () => benchSection({ ...rest, compare: { ...compare, findings: { ...compare.findings, cases } } });
  };
  expect(benchSection(sampleReport())).toContain('| hello | 1,000 |');
  expect(without('hello')).toThrow('reports/bench.json has no hello: run bun run bench first');
  expect(without('scripted again')).toThrow('has no scripted again');
});

test('without markers, or without a comparison, the document is left alone', () => {
  expect(() => withBenchSection('no markers', sampleReport())).toThrow('docs/performance.md');
  expect(() => withBenchSection('<!-- bench -->\n<!-- /bench -->', { format: 3 })).toThrow('no comparison');
});
