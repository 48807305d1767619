// tables.ts -- Findings as tables of text: for the terminal, for Markdown and for the page, from the same cells.

import type { CaseResult, Figures } from '../compare/figures.ts';

/** The first row is the head, the first column the name; all others are figures. */
export type Table = readonly (readonly string[])[];

/** Every contestant with its figures. */
export function comparisonTable(cases: readonly CaseResult[]): Table {
  return [
    ['', 'requests/s', 'of echo', 'p50 ms', 'p99 ms', ...cpuHeads, 'rows/s', 'durable p99 ms', 'backlog ms'],
    ...cases.map(({ title, median }) => [title, ...cellsOf(median)]),
  ];
}

const cpuHeads = ['API µs', 'Redis µs', 'worker µs', 'MySQL µs', 'system µs', 'generator'];

function cellsOf(figures: Figures): string[] {
  const { cpuUs } = figures;
  return [
    number(figures.requestsPerS),
    number(figures.shareOfEcho, 2),
    number(figures.p50Ms, 1),
    number(figures.p99Ms, 1),
    ...[cpuUs.api, cpuUs.redis, cpuUs.worker, cpuUs.mysql, figures.systemCpuUs].map((us) => number(us, 1)),
    `${number(figures.generatorShare * 100)}%`,
    number(figures.rowsPerS),
    number(figures.durableP99Ms),
    number(figures.backlogMs),
  ];
}

/**
 * Where the time goes: how much of a core each process was busy. What the cores had left was spent waiting for one another and for
 * disks, and on what the kernel charges to nobody. An API that is busy or waits for a core all the time is what limits.
 *
 * @param cores how many there were
 */
export function busyTable(cases: readonly CaseResult[], cores: number): Table {
  const rows = cases
    .filter(({ group, name }) => group === 'system' || name === 'echo' || name === 'idle')
    .map(({ title, median }) => {
      const { cpuUs, requestsPerS, generatorShare, apiWaitShare } = median;
      const shares = [cpuUs.api, cpuUs.redis, cpuUs.worker, cpuUs.mysql].map((us) => (us * requestsPerS) / 1e6);
      const busy = [...shares, generatorShare];
      const left = cores - busy.reduce((sum, share) => sum + share, 0);
      const percent = (share: number | null) => (share === null ? '' : `${number(share * 100)}%`);
      return [title, ...[...busy, Math.max(0, left), apiWaitShare].map(percent)];
    });
  return [
    ['share of a core', 'API', 'Redis', 'worker', 'MySQL', 'generator', `left of ${cores * 100}%`, 'API waits'],
    ...rows,
  ];
}

/** `41,499`, `0.62`; an empty text for what does not apply. */
export function number(value: number | null, digits = 0): string {
  if (value === null) return '';
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** For a terminal. */
export function textTable(table: Table): string {
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((row) => (row[column] ?? '').length)));
  return table
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  '),
    )
    .join('\n');
}

/** For the README. */
export function markdownTable([head = [], ...rows]: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, column) => (column === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}
