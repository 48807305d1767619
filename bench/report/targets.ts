// targets.ts -- The performance targets, and whether they are reached: each is computed from the findings, none is typed in.

import type { CaseName } from '../compare/cases.ts';
import type { Report } from './report.ts';
import { number, type Table } from './tables.ts';

interface Target {
  readonly title: string;
  readonly wanted: string;
  readonly found: string;
  readonly reached: boolean;
}

/** As a table, for people. */
export function targetTable(report: Report): Table {
  const rows = targetsOf(report).map(({ title, wanted, found, reached }) => [
    title,
    wanted,
    found,
    reached ? 'yes' : 'no',
  ]);
  return [['target', 'wanted', 'found', 'reached'], ...rows];
}

/** `found` is NaN when it was not measured or does not apply. */
type Bound = readonly [title: string, kind: 'at least' | 'at most', wanted: number, found: number, digits: number];

/** The targets whose figures were measured. */
export function targetsOf({ compare, alone, million }: Report): readonly Target[] {
  const bounds = [...(compare === undefined ? [] : comparisonBounds(compare.findings.cases)), ...aloneBounds(alone)];
  const targets = bounds
    .filter(([, , , found]) => Number.isFinite(found))
    .map(([title, kind, wanted, found, digits]) => ({
      title,
      wanted: `${kind} ${wanted.toLocaleString('en')}`,
      found: number(found, digits),
      reached: kind === 'at least' ? found >= wanted : found <= wanted,
    }));
  if (million === undefined) return targets;
  const { broken } = million.findings;
  const exact = { wanted: 'exact', found: broken.join('; ') || 'exact', reached: broken.length === 0 };
  return [...targets, { title: 'a million requests for 100,000 coupons', ...exact }];
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
  ];
  const times = (name: CaseName, ordinary: CaseName): Bound => [
    `${of(name)?.title}: times ${of(ordinary)?.title}`,
    'at least',
    25,
    rate(name) / rate(ordinary),
    1,
  ];
  const guarded = share('scripted with tokens and limits') / share('scripted');
  const { cpuUs, systemCpuUs = Number.NaN, durableP99Ms, backlogMs } = median('scripted') ?? {};
  const apiCpu = (cpuUs?.api ?? Number.NaN) / (median('echo')?.cpuUs.api ?? Number.NaN);
  return [
    ofEcho('scripted', 0.6),
    ofEcho('synchronous', 0.55),
    ofEcho('locked', 0.5),
    ofEcho('scripted sold out', 0.95),
    ['POST /v2/issue-async: share that is left with tokens and limits', 'at least', 0.8, guarded, 2],
    times('synchronous', 'row lock'),
    times('locked', 'lock'),
    ['POST /v2/issue-async: CPU of the API, times the echo', 'at most', 1.4, apiCpu, 2],
    ['POST /v2/issue-async: CPU of all a coupon, µs', 'at most', 45, systemCpuUs, 1],
    ['POST /v2/issue-async: accept to durable, p99, ms', 'at most', 1000, durableP99Ms ?? Number.NaN, 0],
    ['POST /v2/issue-async: backlog after the load, ms', 'at most', 1000, backlogMs ?? Number.NaN, 0],
  ];
}

function aloneBounds(alone: Report['alone']): Bound[] {
  return (alone?.findings.endpoints ?? []).map(({ title, p50Ms, unavoidableMs }) => [
    `${title}, alone: beyond its round trips, ms`,
    'at most',
    1,
    p50Ms - unavoidableMs,
    2,
  ]);
}
