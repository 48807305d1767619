// metrics.ts -- What Prometheus may ask of this process. One registry a process, no label without a fixed set of values.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds: from well below a round trip to the longest a caller waits. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Users or rows in one go. */
const SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

/** The metrics of a process, by the name in code. */
export interface Metrics {
  readonly contentType: string;
  /** The exposition text. */
  render(): Promise<string>;
  /** Adds what is to be read anew whenever Prometheus asks. */
  onRender(refresh: () => void): void;
}

/** Metrics of the API. */
export function createApiMetrics() {
  const registry = newRegistry('api');
  const registers = [registry];
  const requests = new Counter({
    name: 'coupon_issue_requests_total',
    help: 'Answers of the issue endpoints, by issuer and outcome',
    labelNames: ['issuer', 'outcome'] as const,
    registers,
  });
  const seconds = new Histogram({
    name: 'coupon_issue_seconds',
    help: 'Time from arrival to answer, in seconds',
    labelNames: ['issuer'] as const,
    buckets: SECONDS,
    registers,
  });
  return {
    ...exposition(registry),
    /** One answer of an issue endpoint. `outcome` must come from a fixed set. */
    observeRequest(issuer: string, outcome: string, tookSeconds: number): void {
      requests.inc({ issuer, outcome });
      seconds.observe({ issuer }, tookSeconds);
    },
    batchUsers: new Histogram({
      name: 'coupon_batch_users',
      help: 'Users decided together',
      labelNames: ['issuer'] as const,
      buckets: SIZES,
      registers,
    }),
    decisionSeconds: new Histogram({
      name: 'coupon_decision_seconds',
      help: 'Time of one decision for a batch, in seconds',
      labelNames: ['issuer'] as const,
      buckets: SECONDS,
      registers,
    }),
    signRefusals: new Counter({
      name: 'coupon_closed_sign_refusals_total',
      help: 'Requests refused by a closed sign, without a decision',
      registers,
    }),
    openings: new Counter({
      name: 'coupon_openings_total',
      help: 'Openings of a coupon in Redis; a second of the same coupon means that Redis lost data',
      labelNames: ['kind'] as const,
      registers,
    }),
    faults: new Counter({
      name: 'coupon_dependency_faults_total',
      help: 'Failures of Redis or MySQL, as seen by this process',
      labelNames: ['dependency'] as const,
      registers,
    }),
    waiting: new Gauge({
      name: 'coupon_waiting_users',
      help: 'Users waiting for a decision',
      labelNames: ['issuer'] as const,
      registers,
    }),
    inFlight: new Gauge({
      name: 'coupon_batches_in_flight',
      help: 'Decisions under way',
      labelNames: ['issuer'] as const,
      registers,
    }),
  };
}

export type ApiMetrics = ReturnType<typeof createApiMetrics>;

/** Metrics of the worker. */
export function createWorkerMetrics() {
  const registry = newRegistry('worker');
  const registers = [registry];
  return {
    ...exposition(registry),
    rows: new Counter({
      name: 'coupon_ledger_rows_total',
      help: 'Accepted issues by what became of them in MySQL',
      labelNames: ['result'] as const,
      registers,
    }),
    transactionRows: new Histogram({
      name: 'coupon_ledger_transaction_rows',
      help: 'Rows written in one transaction',
      buckets: SIZES,
      registers,
    }),
    transactionSeconds: new Histogram({
      name: 'coupon_ledger_transaction_seconds',
      help: 'Time of one transaction, in seconds',
      buckets: SECONDS,
      registers,
    }),
    durableSeconds: new Histogram({
      name: 'coupon_accept_to_durable_seconds',
      help: 'Time from acceptance in Redis to the commit in MySQL, by the two clocks, in seconds, once for each entry',
      buckets: SECONDS,
      registers,
    }),
    retries: new Counter({
      name: 'coupon_ledger_retries_total',
      help: 'Tries that failed for a reason that may pass',
      registers,
    }),
    deadLetters: new Counter({
      name: 'coupon_dead_letters_total',
      help: 'Issues or entries that can never be rows',
      registers,
    }),
    unpersisted: new Gauge({
      name: 'coupon_unpersisted_users',
      help: 'Users accepted in Redis and not yet in MySQL',
      labelNames: ['partition'] as const,
      registers,
    }),
  };
}

export type WorkerMetrics = ReturnType<typeof createWorkerMetrics>;

function newRegistry(service: 'api' | 'worker'): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  return registry;
}

function exposition(registry: Registry): Metrics {
  const refreshers: (() => void)[] = [];
  return {
    contentType: registry.contentType,
    render: () => {
      for (const refresh of refreshers) refresh();
      return registry.metrics();
    },
    onRender: (refresh) => refreshers.push(refresh),
  };
}
