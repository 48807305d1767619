// readme.ts -- The section of docs/performance.md that is made from the report, so that it cannot say what was not measured.

import { BenchError } from '../bench-error.ts';
import type { CaseResult } from '../compare/figures.ts';
import { quickCases } from '../compare/flags.ts';
import type { Report } from './report.ts';
import { machineText } from './sections.ts';
import { busyTable, type Column, markdownTable, number, tableOf } from './tables.ts';
import { targetTable } from './targets.ts';

/** Between these two the section stands. */
const block = /(<!-- bench -->\n)[\s\S]*?(<!-- \/bench -->)/;

/**
 * The document with its section made again.
 *
 * @throws BenchError when it has no markers, or when nothing was compared yet, or not every case that belongs in it
 */
export function withBenchSection(readme: string, report: Report): string {
  if (!block.test(readme))
    throw new BenchError('docs/performance.md has no section between <!-- bench --> and <!-- /bench -->');
  return readme.replace(block, (_, start: string, end: string) => `${start}\n${benchSection(report)}\n\n${end}`);
}

/** The section, in Markdown. */
export function benchSection(report: Report): string {
  if (report.compare === undefined)
    throw new BenchError('reports/bench.json has no comparison yet: run bun run bench first');
  const { machine, findings } = report.compare;
  const { rounds, seconds, connections, cases } = findings;
  const missing = quickCases.filter((name) => !cases.some((each) => each.name === name));
  if (missing.length > 0)
    throw new BenchError(`reports/bench.json has no ${missing.join(', ')}: run bun run bench first`);
  const columns: readonly Column<CaseResult>[] = [
    ['', ({ title }) => title],
    ['requests/s', ({ median }) => number(median.requestsPerS)],
    ['of echo', ({ median }) => number(median.shareOfEcho, 2)],
    ['p99 ms', ({ median }) => number(median.p99Ms)],
    ['CPU of all, µs', ({ median }) => number(median.systemCpuUs)],
    ['rows/s', ({ median }) => number(median.rowsPerS)],
  ];
  return [
    `${machineText(machine)} Medians of ${rounds} rounds of ${seconds} s at ${connections} connections, interleaved.`,
    markdownTable(tableOf(columns, cases)),
    markdownTable(targetTable(report)),
    'Where the time goes, and what a missed target is spent on:',
    markdownTable(busyTable(cases, machine.cores.length)),
  ].join('\n\n');
}
