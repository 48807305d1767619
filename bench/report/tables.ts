// tables.ts -- Findings as tables of text: for the terminal, for documents and for the page, from the same cells.

import type { Second } from '../runs/watch.ts';
import type { CaseResult, Figures } from '../compare/figures.ts';

/** The first row is the head, the first column the name; all others are figures. */
export type Table = readonly (readonly string[])[];

/** A head, and the cell of a row. */
export type Column<Row> = readonly [head: string, cell: (row: Row) => string];

/** A table without the columns that are empty in every row. */
export function tableOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): Table {
  const used = columns.filter(([, cell], column) => column === 0 || rows.some((row) => cell(row) !== ''));
  return [used.map(([head]) => head), ...rows.map((row) => used.map(([, cell]) => cell(row)))];
}

/** All figures of a round. */
export const figureColumns: readonly Column<Figures>[] = [
  ['requests/s', (each) => number(each.requestsPerS)],
  ['of echo', (each) => number(each.shareOfEcho, 2)],
  ['p50 ms', (each) => number(each.p50Ms, 1)],
  ['p99 ms', (each) => number(each.p99Ms, 1)],
  ['API µs', (each) => number(each.cpuUs.api, 1)],
  ['Redis µs', (each) => number(each.cpuUs.redis, 1)],
  ['worker µs', (each) => number(each.cpuUs.worker, 1)],
  ['MySQL µs', (each) => number(each.cpuUs.mysql, 1)],
  ['system µs', (each) => number(each.systemCpuUs, 1)],
  ['generator', (each) => percent(each.generatorShare)],
  ['rows/s', (each) => number(each.rowsPerS)],
  ['durable p99 ms', (each) => number(each.durableP99Ms)],
  ['backlog ms', (each) => number(each.backlogMs)],
];

/** Every case with the medians of its figures. */
export function comparisonTable(cases: readonly CaseResult[]): Table {
  const figures = figureColumns.map(([head, cell]): Column<CaseResult> => [head, ({ median }) => cell(median)]);
  return tableOf([['', ({ title }) => title], ...figures], cases);
}

/**
 * Where the time goes: how much of a core each process was busy. The cores were idle for the rest, while processes waited for one
 * another and for disks, or did kernel work that is charged to no process. What limits is an API that is busy, or waits for a core,
 * all the time.
 *
 * @param cores how many there were
 */
export function busyTable(cases: readonly CaseResult[], cores: number): Table {
  const busy = ({ median: { cpuUs, requestsPerS, generatorShare } }: CaseResult) => [
    ...[cpuUs.api, cpuUs.redis, cpuUs.worker, cpuUs.mysql].map((us) => (us * requestsPerS) / 1e6),
    generatorShare,
  ];
  const left = (each: CaseResult) => Math.max(0, cores - busy(each).reduce((sum, share) => sum + share, 0));
  const names = ['API', 'Redis', 'worker', 'MySQL', 'generator'];
  return tableOf(
    [
      ['share of a core', ({ title }) => title],
      ...names.map((name, i): Column<CaseResult> => [name, (each) => percent(busy(each)[i] ?? null)]),
      [`left of ${cores * 100}%`, (each) => percent(left(each))],
      ['API waits', ({ median }) => percent(median.apiWaitShare)],
    ],
    cases.filter(({ group, name }) => group === 'system' || name === 'echo' || name === 'idle'),
  );
}

/** Answers by outcome and the backlog, second by second. */
export function secondsTable(seconds: readonly Second[]): Table {
  const outcomes = outcomesIn(seconds);
  const rows = seconds.map(({ atS, answers, backlog }) => [
    number(atS, 1),
    ...outcomes.map((outcome) => number(answers[outcome] ?? 0)),
    number(backlog),
  ]);
  return [['second', ...outcomes, 'backlog'], ...rows];
}

/** Every outcome that came at all. */
function outcomesIn(seconds: readonly Second[]): readonly string[] {
  return [...new Set(seconds.flatMap(({ answers }) => Object.keys(answers)))].sort();
}

/** `41,499`, `0.62`; zero has no sign; an empty text for what does not apply. */
export function number(value: number | null, digits = 0): string {
  if (value === null) return '';
  // What rounds to zero from below would be `-0.00`.
  const rounded = Number(value.toFixed(digits)) + 0;
  return rounded.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function percent(share: number | null): string {
  return share === null ? '' : `${number(share * 100)}%`;
}

/** Markdown whose columns are aligned, so that a terminal shows it well too. */
export function markdownTable(table: Table): string {
  const [head = [], ...rows] = table;
  const widths = head.map((_, column) => Math.max(4, ...table.map((row) => (row[column] ?? '').length)));
  const aligned = (width: number, i: number, cell = '') => (i === 0 ? cell.padEnd(width) : cell.padStart(width));
  const line = (cells: readonly string[]) => `| ${widths.map((width, i) => aligned(width, i, cells[i])).join(' | ')} |`;
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}
