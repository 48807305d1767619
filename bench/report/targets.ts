// targets.ts -- The performance targets, and whether they are reached: each is computed from the findings, none is typed in.

import type { CaseName } from '../compare/cases.ts';
import { type Machine, wasBusy } from '../testbed/machine.ts';
import type { Report } from './report.ts';
import { number, type Table } from './tables.ts';

interface Target {
  readonly title: string;
  readonly wanted: string;
  readonly found: string;
  /** Not decided: the figure is impossible, or was taken while other work kept the machine busy. */
  readonly reached: 'yes' | 'no' | 'not decided';
}

/** As a table, for people. */
export function targetTable(report: Report): Table {
  const rows = targetsOf(report).map(({ title, wanted, found, reached }) => [title, wanted, found, reached]);
  return [['target', 'wanted', 'found', 'reached'], ...rows];
}

/** `found` is NaN when it was not measured or does not apply. CPU is what other work does not change. */
type Bound = readonly [
  title: string,
  kind: 'at least' | 'at most',
  wanted: number,
  found: number,
  digits: number,
  of: 'echo' | 'CPU' | 'time',
];

/** The targets whose figures were measured. */
export function targetsOf({ compare, alone, million }: Report): readonly Target[] {
  const targets = [
    ...(compare ? targetsBy(comparisonBounds(compare.findings.cases), compare.machine) : []),
    ...(alone ? targetsBy(aloneBounds(alone), alone.machine) : []),
  ];
  if (million === undefined) return targets;
  const { broken } = million.findings;
  const reached = broken.length === 0 ? ('yes' as const) : ('no' as const);
  const exact = { wanted: 'exact', found: broken.join('; ') || 'exact', reached };
  return [...targets, { title: 'a million requests for 100,000 coupons', ...exact }];
}

function targetsBy(bounds: readonly Bound[], machine: Machine): readonly Target[] {
  return bounds.filter(([, , , found]) => Number.isFinite(found)).map((bound) => targetOf(bound, machine));
}

function targetOf([title, kind, wanted, found, digits, of]: Bound, machine: Machine): Target {
  // Nothing does more than a route that does nothing else.
  const isImpossible = of === 'echo' && found > 1;
  const isDecided = !isImpossible && (of === 'CPU' || !wasBusy(machine));
  const isReached = kind === 'at least' ? found >= wanted : found <= wanted;
  return {
    title,
    wanted: `${kind} ${wanted.toLocaleString('en')}`,
    found: number(found, digits),
    reached: isDecided ? (isReached ? 'yes' : 'no') : 'not decided',
  };
}

function comparisonBounds(cases: NonNullable<Report['compare']>['findings']['cases']): Bound[] {
  const of = (name: CaseName) => cases.find((each) => each.name === name);
  const median = (name: CaseName) => of(name)?.median;
  const share = (name: CaseName) => median(name)?.shareOfEcho ?? Number.NaN;
  const rate = (name: CaseName) => median(name)?.requestsPerS ?? Number.NaN;
  const ofEcho = (name: CaseName, wanted: number): Bound => [
    `${of(name)?.title}: share of the echo`,
    'at least',
    wanted,
    share(name),
    2,
    'echo',
  ];
  const times = (name: CaseName, ordinary: CaseName): Bound => [
    `${of(name)?.title}: times ${of(ordinary)?.title}`,
    'at least',
    25,
    rate(name) / rate(ordinary),
    1,
    'time',
  ];
  const guarded = share('scripted with tokens and limits') / share('scripted');
  const { cpuUs, systemCpuUs = Number.NaN, durableP99Ms, backlogMs } = median('scripted') ?? {};
  const apiCpu = (cpuUs?.api ?? Number.NaN) / (median('echo')?.cpuUs.api ?? Number.NaN);
  return [
    ofEcho('scripted', 0.6),
    ofEcho('synchronous', 0.55),
    ofEcho('locked', 0.5),
    ofEcho('scripted sold out', 0.95),
    ['POST /v2/issue-async: share that is left with tokens and limits', 'at least', 0.8, guarded, 2, 'echo'],
    times('synchronous', 'row lock'),
    times('locked', 'lock'),
    ['POST /v2/issue-async: CPU of the API, times the echo', 'at most', 1.4, apiCpu, 2, 'CPU'],
    ['POST /v2/issue-async: CPU of all a coupon, µs', 'at most', 45, systemCpuUs, 1, 'CPU'],
    ['POST /v2/issue-async: accept to durable, p99, ms', 'at most', 1000, durableP99Ms ?? Number.NaN, 0, 'time'],
    ['POST /v2/issue-async: backlog after the load, ms', 'at most', 1000, backlogMs ?? Number.NaN, 0, 'time'],
  ];
}

function aloneBounds({ findings }: NonNullable<Report['alone']>): Bound[] {
  return findings.endpoints.map(({ title, p50Ms, unavoidableMs }) => [
    `${title}, alone: beyond its round trips, ms`,
    'at most',
    1,
    p50Ms - unavoidableMs,
    2,
    'time',
  ]);
}
