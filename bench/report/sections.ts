// sections.ts -- The report as sections of notes and tables: the page shows all of them, a document takes what it needs.

import type { Curve, Point } from '../growth/growth.ts';
import { type Machine, wasBusy } from '../testbed/machine.ts';
import type { Report } from './report.ts';
import {
  busyTable,
  type Column,
  comparisonTable,
  figureColumns,
  number,
  secondsTable,
  type Table,
  tableOf,
} from './tables.ts';
import { targetTable } from './targets.ts';

export interface Section {
  readonly title: string;
  readonly notes: readonly string[];
  readonly tables: readonly Table[];
  /** A page with more. */
  readonly link?: { readonly text: string; readonly href: string };
}

export function sectionsOf(report: Report): readonly Section[] {
  return [
    ...(report.compare === undefined ? [] : [comparisonSection(report.compare)]),
    ...(report.alone === undefined ? [] : [aloneSection(report.alone)]),
    ...(report.million === undefined ? [] : [millionSection(report.million)]),
    ...(report.growth === undefined ? [] : [growthSection(report.growth)]),
    { title: 'Targets', notes: [], tables: [targetTable(report)] },
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
    // When every core is contended, a case may well seem faster than its ceiling.
    ...(wasBusy(machine)
      ? ['The machine was busy with other work: throughput, shares and times are rough; CPU a request is reliable.']
      : []),
  ].join(' ');
}

function comparisonSection({ machine, findings }: NonNullable<Report['compare']>): Section {
  const { cases, rounds, seconds, connections } = findings;
  return {
    title: 'Comparison',
    notes: [
      machineText(machine),
      `Medians of ${rounds} interleaved rounds of ${seconds} s at ${connections} connections; "of echo" compares with the echo run right before. ` +
        'The echo is an Elysia route with the same body schema that answers an object, served in the same way by a process of its own. ' +
        'CPU is counted from the start of the load until every accepted issue is a row; where a row is a message, until the load ends.',
    ],
    tables: [comparisonTable(cases), busyTable(cases, machine.cores.length)],
  };
}

function aloneSection({ machine, findings: { endpoints, trips } }: NonNullable<Report['alone']>): Section {
  const roundTrips = Object.entries(trips).map(([name, ms]) => `${name} ${number(ms, 3)} ms`);
  const columns: readonly Column<(typeof endpoints)[number]>[] = [
    ['', ({ title }) => title],
    ['p50 ms', ({ p50Ms }) => number(p50Ms, 2)],
    ['unavoidable ms', ({ unavoidableMs }) => number(unavoidableMs, 2)],
    ['beyond ms', ({ p50Ms, unavoidableMs }) => number(p50Ms - unavoidableMs, 2)],
    ['unavoidable is', ({ unavoidable }) => unavoidable],
  ];
  return {
    title: 'One request alone',
    notes: [machineText(machine), `Round trips by themselves: ${roundTrips.join(', ')}.`],
    tables: [tableOf(columns, endpoints)],
  };
}

function millionSection({ machine, findings }: NonNullable<Report['million']>): Section {
  const { requests, coupons, connections, seconds, requestsPerS, accepted, refused, unavailable, broken } = findings;
  return {
    title: 'A million requests',
    notes: [
      machineText(machine),
      `${number(requests)} requests for ${number(coupons)} coupons from ${number(connections)} connections took ` +
        `${number(seconds, 1)} s (${number(requestsPerS)}/s, with the generator recording each winner): ` +
        `${number(accepted)} accepted, ${number(refused)} sold out, ${number(unavailable)} answered 503; ` +
        `p50 ${number(findings.p50Ms)} ms, p99 ${number(findings.p99Ms)} ms; all rows in MySQL ${number(findings.backlogMs)} ms ` +
        `after the last answer; the API had ${findings.apiMemoryMib} MiB. ` +
        (broken.length === 0 ? 'Every winner has the row and the sequence of its answer.' : broken.join('; ')),
    ],
    tables: findings.overTime === undefined ? [] : [secondsTable(findings.overTime)],
  };
}

function growthSection({ machine, findings }: NonNullable<Report['growth']>): Section {
  return {
    title: 'Growth',
    notes: [
      machineText(machine),
      'POST /v2/issue-async at 256 connections, one thing changed at a time, one round of 2 s each. ' +
        'Two API processes have a port and half of the connections each.',
    ],
    tables: findings.map(curveTable),
  };
}

function curveTable({ xTitle, points }: Curve): Table {
  const columns: readonly Column<Point>[] = [
    [xTitle, ({ x }) => number(x)],
    ...figureColumns.map(([head, cell]): Column<Point> => [head, ({ figures }) => cell(figures)]),
    ['opening ms', ({ openingMs }) => number(openingMs)],
    ['Redis bytes an owner', ({ bytesPerOwner }) => number(bytesPerOwner)],
  ];
  return tableOf(columns, points);
}
