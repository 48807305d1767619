// figures.ts -- What is measured: of one round, and of a case over all its rounds.

import { median } from '../testbed/statistics.ts';

/** The processes whose CPU is counted, the generator first; only the others are part of the system's cost. */
export const processNames = ['generator', 'api', 'redis', 'worker', 'mysql'] as const;
export type ProcessName = (typeof processNames)[number];

/** One round of one case, or the medians of several. Null: does not apply. */
export interface Figures {
  readonly requestsPerS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Throughput as a share of the ceiling's in the same round. */
  readonly shareOfEcho: number | null;
  /** CPU microseconds a request, each process from the start of the load until its backlog is gone. */
  readonly cpuUs: Readonly<Record<ProcessName, number>>;
  /** CPU of the whole system a request: all but the generator. */
  readonly systemCpuUs: number;
  /** Share of one core that the generator took. At 1 it would be what is measured. */
  readonly generatorShare: number;
  /** Share of the load's time in which the API was ready to run and waited for a core. Null: the kernel does not count it. */
  readonly apiWaitShare: number | null;
  /** Rows in MySQL by the end of the load, a second. */
  readonly rowsPerS: number | null;
  readonly durableP50Ms: number | null;
  readonly durableP99Ms: number | null;
  /** From the end of the load until every accepted issue is a row. */
  readonly backlogMs: number | null;
}

/** Where a case belongs. */
export type Group = 'ceiling' | 'system' | 'ordinary';

/** A case's result. */
export interface CaseResult {
  readonly name: string;
  readonly title: string;
  readonly group: Group;
  readonly median: Figures;
  readonly rounds: readonly Figures[];
  /** Answers by outcome, over all rounds. */
  readonly answers: Readonly<Record<string, number>>;
}

/** The medians of every figure by itself. @throws Error without a round */
export function mediansOf(rounds: readonly Figures[]): Figures {
  const required = (pick: (figures: Figures) => number): number => {
    const value = median(rounds.map(pick));
    if (value === null) throw new Error('there is no round to take a median of');
    return value;
  };
  const optional = (pick: (figures: Figures) => number | null): number | null =>
    median(rounds.map(pick).filter((value) => value !== null));
  return {
    requestsPerS: required((f) => f.requestsPerS),
    p50Ms: required((f) => f.p50Ms),
    p99Ms: required((f) => f.p99Ms),
    shareOfEcho: optional((f) => f.shareOfEcho),
    cpuUs: {
      generator: required((f) => f.cpuUs.generator),
      api: required((f) => f.cpuUs.api),
      redis: required((f) => f.cpuUs.redis),
      worker: required((f) => f.cpuUs.worker),
      mysql: required((f) => f.cpuUs.mysql),
    },
    systemCpuUs: required((f) => f.systemCpuUs),
    generatorShare: required((f) => f.generatorShare),
    apiWaitShare: optional((f) => f.apiWaitShare),
    rowsPerS: optional((f) => f.rowsPerS),
    durableP50Ms: optional((f) => f.durableP50Ms),
    durableP99Ms: optional((f) => f.durableP99Ms),
    backlogMs: optional((f) => f.backlogMs),
  };
}
