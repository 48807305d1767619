// sample-report.ts -- A small report with round numbers, to check pages and tables with.
import type { CaseResult, Figures, Group } from '../../bench/compare/figures.ts';
import type { Report } from '../../bench/report/report.ts';
import type { Machine } from '../../bench/testbed/machine.ts';
import type { RunReport } from '../../bench/runs/run-report.ts';

/** Figures, some of them given. */
export function figures(own: Partial<Figures> = {}): Figures {
  return {
    requestsPerS: 1000,
    p50Ms: 1,
    p99Ms: 9,
    shareOfEcho: 1,
    cpuUs: { generator: 5, api: 10, redis: 1, worker: 2, mysql: 3 },
    systemCpuUs: 16,
    generatorShare: 0.25,
    apiWaitShare: 0.5,
    rowsPerS: null,
    durableP50Ms: null,
    durableP99Ms: null,
    backlogMs: null,
    ...own,
  };
}

/** Cases that the document shows and no test checks one by one. */
const plain = [
  'idle',
  'hello',
  'scripted duplicate',
  'scripted sold out',
  'locked',
  'locked duplicate',
  'synchronous duplicate',
  'lock',
  'script',
];

/** A report of one comparison and one curve. */
export function sampleReport(): Report {
  const machine = {
    cpu: 'A <fast> CPU',
    coresOfMachine: 4,
    cores: [1, 3],
    memoryGib: 8,
    loadBefore: 0.5,
    kernel: '6.1',
    bun: '1.4.5',
    elysia: '1.4.30',
    redis: '7.0.15',
    mysql: '10.11',
    wrk: '4.1.0',
    commit: '0123456789',
    takenAt: '2026-11-22T22:00:00.000Z',
  };
  const cases = [
    result('echo', 'ceiling', figures({ requestsPerS: 50_000 })),
    result('scripted', 'system', figures({ requestsPerS: 31_000, shareOfEcho: 0.62, rowsPerS: 30_500 })),
    result('synchronous', 'system', figures({ requestsPerS: 20_000, shareOfEcho: 0.4 })),
    result('row lock', 'ordinary', figures({ requestsPerS: 500, shareOfEcho: 0.01 })),
    ...plain.map((name) => result(name, 'system', figures())),
  ];
  const points = [10, 1000].map((x) => ({ x, figures: figures(), openingMs: x, bytesPerOwner: 50 }));
  return {
    format: 3,
    compare: { machine, findings: { rounds: 3, seconds: 2, connections: 256, cases } },
    growth: { machine, findings: [{ name: 'owners', xTitle: 'owners of the coupon', points }] },
  };
}

/** A million requests that took two seconds. */
export function sampleMillion(machine: Machine): NonNullable<Report['million']> {
  const findings = {
    requests: 1_000_000,
    coupons: 100_000,
    connections: 2000,
    seconds: 2,
    requestsPerS: 500_000,
    p50Ms: 1,
    p99Ms: 9,
    accepted: 100_000,
    refused: 900_000,
    unavailable: 0,
    backlogMs: 300,
    apiMemoryMib: 200,
    overTime: [
      { atS: 1, answers: { issued: 100_000, sold_out: 400_000 }, backlog: 60_000 },
      { atS: 2, answers: { sold_out: 500_000 }, backlog: 0 },
    ],
    broken: [],
  };
  return { machine, findings };
}

function result(name: string, group: Group, median: Figures): CaseResult {
  return { name, title: name, group, median, rounds: [median], answers: {} };
}

/** A run of k6 of one second. */
export function sampleRun(): RunReport {
  return {
    format: 1,
    tool: 'k6',
    run: 'mixed-rush',
    settings: { RATE: '500' },
    host: {
      cpu: 'a processor',
      coresOfMachine: 2,
      memoryGib: 8,
      loadBefore: 0.2,
      kernel: '6.1',
      bun: '1.4.5',
      commit: 'abc',
      takenAt: '2026-11-28T01:00:00.000Z',
    },
    passed: true,
    undecided: null,
    figures: { requests: 900, requestsPerS: 90, latencyMs: { p99: 50 }, thresholds: [{ rule: 'p99', held: true }] },
    watched: { seconds: [{ atS: 1, answers: { issued: 900 }, backlog: 3 }], responseTimes: [[10, 900]] },
    promises: { account: 'coupon 1: 900 rows', faults: [] },
    toolPage: 'k6/mixed-rush/report.html',
    earlier: null,
  };
}
