// sections.ts -- The report as sections of words, tables and plots; page and README are made from these.

import { processNames } from '../compare/figures.ts';
import type { Curve } from '../growth/growth.ts';
import type { Machine } from '../testbed/machine.ts';
import { barPlot, linePlot } from './plot.ts';
import type { Report } from './report.ts';
import { busyTable, comparisonTable, number, type Table } from './tables.ts';
import { targetTable } from './targets.ts';

export interface Section {
  readonly title: string;
  readonly words: readonly string[];
  readonly tables: readonly Table[];
  /** SVG, each in a `figure`. */
  readonly plots: readonly string[];
}

export function sectionsOf(report: Report): readonly Section[] {
  return [
    ...(report.compare === undefined ? [] : [comparisonSection(report.compare)]),
    ...(report.alone === undefined ? [] : [aloneSection(report.alone)]),
    ...(report.million === undefined ? [] : [millionSection(report.million)]),
    ...(report.growth === undefined ? [] : [growthSection(report.growth)]),
    { title: 'Targets', words: [], tables: [targetTable(report)], plots: [] },
  ];
}

/** Where figures come from, and how far to trust them. */
export function machineText(machine: Machine): string {
  const { cores, coresOfMachine, cpu, memoryGib, loadBefore, kernel, bun, elysia, redis, mysql, wrk, commit, takenAt } =
    machine;
  return [
    `Measured on ${cores.length} of ${coresOfMachine} cores of ${cpu}, generator included, ${memoryGib} GiB, Linux ${kernel};`,
    `Bun ${bun}, Elysia ${elysia}, Redis ${redis} (AOF, every write flushed), MySQL ${mysql} (every commit flushed), wrk ${wrk};`,
    `commit ${commit}, ${takenAt.slice(0, 10)}; load of the machine before the run: ${loadBefore} on ${coresOfMachine} cores.`,
    // With every core wanted twice, a contestant may well seem faster than its ceiling.
    ...(loadBefore > coresOfMachine / 2
      ? ['Others were busy on it: throughput, shares and times are rough, and CPU a request is what to go by.']
      : []),
  ].join(' ');
}

function comparisonSection({ machine, findings }: NonNullable<Report['compare']>): Section {
  const { cases, rounds, seconds, connections } = findings;
  const bars = (pick: (each: (typeof cases)[number]) => number | null) =>
    cases.flatMap((each) => {
      const value = pick(each);
      return value === null ? [] : [{ title: each.title, value, kind: each.group }];
    });
  const costs = processNames.filter((name) => name !== 'generator');
  return {
    title: 'Comparison',
    words: [
      machineText(machine),
      `Medians of ${rounds} interleaved rounds of ${seconds} s at ${connections} connections; "of echo" compares with the echo run right before. ` +
        'The echo is an Elysia route with the same body schema that answers an object, served in the same way by a process of its own. ' +
        'CPU is counted from the start of the load until every accepted issue is a row; where a row is a message, until the load ends.',
    ],
    tables: [comparisonTable(cases), busyTable(cases, machine.cores.length)],
    plots: [
      barPlot(
        'Throughput',
        'requests a second',
        bars(({ median }) => median.requestsPerS),
      ),
      barPlot(
        'CPU of the whole system',
        'µs a request',
        bars(({ median }) => median.systemCpuUs),
        1,
      ),
      ...costs.map((name) =>
        barPlot(
          `CPU of ${name}`,
          'µs a request',
          bars(({ median }) => median.cpuUs[name]),
          1,
        ),
      ),
      barPlot(
        'Slowest of a hundred',
        'p99, ms',
        bars(({ median }) => median.p99Ms),
        1,
      ),
      barPlot(
        'Rows in MySQL',
        'a second, during the load',
        bars(({ median }) => median.rowsPerS),
      ),
    ],
  };
}

function aloneSection({ machine, findings: { endpoints, trips } }: NonNullable<Report['alone']>): Section {
  const rows = endpoints.map(({ title, p50Ms, unavoidableMs, unavoidable }) => [
    title,
    number(p50Ms, 2),
    number(unavoidableMs, 2),
    number(p50Ms - unavoidableMs, 2),
    unavoidable,
  ]);
  const trip = ([name, ms]: readonly [string, number]) => `${name} ${number(ms, 3)} ms`;
  return {
    title: 'One request alone',
    words: [machineText(machine), `Round trips by themselves: ${Object.entries(trips).map(trip).join(', ')}.`],
    tables: [[['', 'p50 ms', 'unavoidable ms', 'beyond ms', 'unavoidable is'], ...rows]],
    plots: [],
  };
}

function millionSection({ machine, findings }: NonNullable<Report['million']>): Section {
  const { requests, coupons, connections, seconds, requestsPerS, accepted, refused, unavailable } = findings;
  return {
    title: 'A million requests',
    words: [
      machineText(machine),
      `${number(requests)} requests for ${number(coupons)} coupons from ${number(connections)} connections took ` +
        `${number(seconds, 1)} s (${number(requestsPerS)}/s, with the generator noting each winner): ` +
        `${number(accepted)} accepted, ${number(refused)} sold out, ${number(unavailable)} answered 503; ` +
        `p50 ${number(findings.p50Ms)} ms, p99 ${number(findings.p99Ms)} ms; all rows in MySQL ${number(findings.backlogMs)} ms ` +
        `after the last answer; the API had ${findings.apiMemoryMib} MiB. ` +
        (findings.broken.length === 0
          ? 'Every winner has the row and the sequence it was told.'
          : findings.broken.join('; ')),
    ],
    tables: [],
    plots: [],
  };
}

function growthSection({ machine, findings }: NonNullable<Report['growth']>): Section {
  return {
    title: 'Growth',
    words: [
      machineText(machine),
      'POST /v2/issue-async at 256 connections, one thing changed at a time, one round of 2 s each. ' +
        'Two API processes have a port and half of the connections each.',
    ],
    tables: findings.map(curveTable),
    plots: findings.flatMap(curvePlots),
  };
}

function curveTable({ xTitle, points }: Curve): Table {
  const extra = points.some(({ openingMs }) => openingMs !== null);
  const rows = points.map(({ x, figures, openingMs, bytesPerOwner }) => [
    number(x),
    number(figures.requestsPerS),
    number(figures.p50Ms, 1),
    number(figures.p99Ms, 1),
    ...[figures.cpuUs.api, figures.cpuUs.redis, figures.cpuUs.worker, figures.cpuUs.mysql].map((us) => number(us, 1)),
    number(figures.systemCpuUs, 1),
    ...(extra ? [number(openingMs), number(bytesPerOwner)] : []),
  ]);
  const heads = ['requests/s', 'p50 ms', 'p99 ms', 'API µs', 'Redis µs', 'worker µs', 'MySQL µs', 'system µs'];
  return [[xTitle, ...heads, ...(extra ? ['opening ms', 'Redis bytes an owner'] : [])], ...rows];
}

function curvePlots({ name, xTitle, points }: Curve): string[] {
  const dots = (pick: (point: Curve['points'][number]) => number | null) =>
    points.flatMap((point) => {
      const y = pick(point);
      return y === null ? [] : [{ x: point.x, y }];
    });
  const opening = dots(({ openingMs }) => openingMs);
  return [
    linePlot(
      `Throughput by ${name}`,
      'requests a second',
      xTitle,
      dots(({ figures }) => figures.requestsPerS),
    ),
    linePlot(
      `Cost by ${name}`,
      'system CPU, µs a request',
      xTitle,
      dots(({ figures }) => figures.systemCpuUs),
      1,
    ),
    ...(opening.length === 0 ? [] : [linePlot(`Opening by ${name}`, 'ms', xTitle, opening)]),
  ];
}
