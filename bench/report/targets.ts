// targets.ts -- What the system is held to, and whether it got there: each target is read off the findings, none is typed in.

import type { CaseResult } from '../compare/figures.ts';
import type { Report } from './report.ts';
import { number, type Table } from './tables.ts';

interface Target {
  readonly title: string;
  readonly wanted: string;
  /** Null when what it needs was not measured. */
  readonly found: { readonly text: string; readonly reached: boolean } | null;
}

/** Every target that the findings can tell something about. */
export function targetsOf(report: Report): readonly Target[] {
  const cases = report.compare?.findings.cases ?? [];
  const of = (name: string) => cases.find((each) => each.name === name);
  return [...throughputTargets(of), ...costTargets(of), ...otherTargets(report)].filter(({ found }) => found !== null);
}

/** As a table, for people. */
export function targetTable(report: Report): Table {
  const rows = targetsOf(report).map(({ title, wanted, found }) => [
    title,
    wanted,
    found?.text ?? '',
    found?.reached === true ? 'yes' : 'no',
  ]);
  return [['target', 'wanted', 'found', 'reached'], ...rows];
}

type Find = (name: string) => CaseResult | undefined;

function throughputTargets(of: Find): Target[] {
  const plain = of('scripted')?.median.shareOfEcho ?? null;
  const guarded = of('scripted with tokens and limits')?.median.shareOfEcho ?? null;
  const kept = plain === null || guarded === null ? null : guarded / plain;
  const shares = [
    ['scripted', 0.6],
    ['synchronous', 0.55],
    ['locked', 0.5],
    ['scripted sold out', 0.95],
  ] as const;
  const times = [
    ['synchronous', 'row lock'],
    ['locked', 'lock'],
  ] as const;
  return [
    ...shares.map(([name, wanted]) =>
      atLeast(`${of(name)?.title ?? name}: share of the echo`, wanted, of(name)?.median.shareOfEcho ?? null, 2),
    ),
    atLeast('POST /v2/issue-async: share that is left with tokens and limits', 0.8, kept, 2),
    ...times.map(([name, ordinary]) => {
      const ours = of(name)?.median.requestsPerS;
      const theirs = of(ordinary)?.median.requestsPerS;
      const ratio = ours === undefined || theirs === undefined ? null : ours / theirs;
      return atLeast(`${of(name)?.title ?? name}: times ${of(ordinary)?.title ?? ordinary}`, 25, ratio, 1);
    }),
  ];
}

function costTargets(of: Find): Target[] {
  const scripted = of('scripted')?.median;
  const echo = of('echo')?.median;
  const api = scripted === undefined || echo === undefined ? null : scripted.cpuUs.api / echo.cpuUs.api;
  const slowest = scripted?.durableP99Ms ?? null;
  return [
    atMost('POST /v2/issue-async: CPU of the API, times the echo', 1.4, api, 2),
    atMost('POST /v2/issue-async: CPU of all a coupon, µs', 45, scripted?.systemCpuUs ?? null, 1),
    atMost('POST /v2/issue-async: accept to durable, p99, ms', 1000, slowest, 0),
    atMost('POST /v2/issue-async: backlog after the load, ms', 1000, scripted?.backlogMs ?? null, 0),
  ];
}

function otherTargets({ alone, million }: Report): Target[] {
  const rush = million?.findings;
  return [
    ...(alone?.findings.endpoints ?? []).map(({ title, p50Ms, unavoidableMs }) =>
      atMost(`${title}, alone: beyond its round trips, ms`, 1, p50Ms - unavoidableMs, 2),
    ),
    {
      title: 'a million requests for 100,000 coupons',
      wanted: 'exact',
      found: rush === undefined ? null : { text: rush.broken.join('; ') || 'exact', reached: rush.broken.length === 0 },
    },
  ];
}

function atLeast(title: string, wanted: number, found: number | null, digits: number): Target {
  const text = number(found, digits);
  return { title, wanted: `at least ${wanted}`, found: found === null ? null : { text, reached: found >= wanted } };
}

function atMost(title: string, wanted: number, found: number | null, digits: number): Target {
  const text = number(found, digits);
  return {
    title,
    wanted: `at most ${number(wanted, wanted % 1 === 0 ? 0 : 1)}`,
    found: found === null ? null : { text, reached: found <= wanted },
  };
}
