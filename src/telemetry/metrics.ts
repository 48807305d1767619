// metrics.ts -- Everything that Prometheus may ask of a process, in one table: name, unit, help, labels with all their values,
// buckets. No label is unbounded: users and addresses are never one, and coupons only as the few that are newest.
//
// What operators look at and are woken by is made from these: see `monitoring/`. There the names are part of a contract.

import { collectDefaultMetrics, Registry } from 'prom-client';
import { InvariantViolation } from '../invariant.ts';
import {
  type CounterSeries,
  counter,
  type HistogramSeries,
  exposition,
  gauge,
  histogram,
  type Instrument,
  dynamicGauge,
  type Told,
} from './instruments.ts';

/** Seconds: from well below a round trip to the longest a caller waits. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;
/** Seconds between two stores: an outage may last for hours. */
const LONG_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200] as const;
/** Users or rows in one go. */
const SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] as const;

const issuers = ['synchronous', 'locked', 'scripted'] as const;
/** The outcomes, and the reasons why there is none. `dependency` and `failed` are indeterminate. */
const endings = [
  'issued',
  'already issued',
  'not exist',
  'paused',
  'not started',
  'ended',
  'sold out',
  'overloaded',
  'stopping',
  'dependency',
  'failed',
  'invalid',
  'unauthenticated',
  'forbidden',
  'limited',
] as const;
const scripts = [
  'take',
  'look',
  'put',
  'settle',
  'begin-opening',
  'load-owners',
  'finish-opening',
  'prove-state',
  'end-opening',
  'apply-edit',
  'lower-total',
  'close',
  'remove-unissued',
  'lose-key',
  'replay',
  'discard',
  'count-requests',
] as const;
/** The pools of a process: that of `POST /v1/issue`, and that of everything else. */
const pools = ['general', 'issuing'] as const;
const promises = ['P1', 'P2', 'P3', 'P4', 'P5', 'other'] as const;

/** Coupons that are told one by one, at most; the newest that are not over. */
export const COUPONS_TOLD_MAX = 20;
/** As many as `PARTITIONS` may be. */
const PARTITIONS_MAX = 1024;

/** How a request of an issue endpoint ended. */
export type RequestResult = (typeof endings)[number];
type Issuer = (typeof issuers)[number];

/** The metrics of a process. */
export interface Exposed {
  readonly contentType: string;
  /** The exposition text. A reading that fails or takes too long is counted and leaves its gauges out; never the rest. */
  render(): Promise<string>;
  /** Adds what is read anew when Prometheus asks, at most once in `ageMsMax` milliseconds. */
  onRender(refresh: () => void | Promise<void>, ageMsMax?: number): void;
}

export type ApiMetrics = ReturnType<typeof createApiMetrics>;
export type WorkerMetrics = ReturnType<typeof createWorkerMetrics>;
/** What both processes tell. */
export type ProcessMetrics = ReturnType<typeof processTable>;

/** A store that hangs must not cost the whole scrape, for which Prometheus waits 10 s. */
const READING_MS_MAX = 2000;

/** Metrics of the API. */
export function createApiMetrics(readingMsMax = READING_MS_MAX) {
  const table = { ...apiTable(), ...processTable() };
  return { ...table, ...expose(table, table.collectErrors, readingMsMax), observeRequest: requestMeter(table) };
}

/** Metrics of the worker. */
export function createWorkerMetrics(readingMsMax = READING_MS_MAX) {
  const table = { ...workerTable(), ...processTable() };
  return { ...table, ...expose(table, table.collectErrors, readingMsMax) };
}

function apiTable() {
  return {
    requests: counter({
      name: 'coupon_issue_requests_total',
      unit: 'requests',
      help: 'Requests of the issue endpoints, by how they ended',
      labels: [
        ['issuer', issuers],
        ['outcome', endings],
      ],
    }),
    seconds: histogram({
      name: 'coupon_issue_seconds',
      unit: 'seconds',
      help: 'Time from the arrival of a request to its answer',
      labels: [['issuer', issuers]],
      buckets: SECONDS,
    }),
    refusalCacheHits: counter({
      name: 'coupon_refusal_cache_hits_total',
      unit: 'requests',
      help: 'Requests refused by a closed sign, without a decision',
    }),
    storeFailures: counter({
      name: 'coupon_store_failures_total',
      unit: 'requests',
      help: 'Requests that failed because a store did: of operators, of users about what they have, and with an Idempotency-Key',
    }),
    ...combinerTable(),
    ...lockTable(),
    ...stockTable(),
  };
}

function combinerTable() {
  return {
    batchUsers: histogram({
      name: 'coupon_batch_users',
      unit: 'users',
      help: 'Users decided together',
      labels: [['issuer', issuers]],
      buckets: SIZES,
    }),
    decisionSeconds: histogram({
      name: 'coupon_decision_seconds',
      unit: 'seconds',
      help: 'Time of one decision for a batch',
      labels: [['issuer', issuers]],
      buckets: SECONDS,
    }),
    failedBatches: counter({
      name: 'coupon_failed_batches_total',
      unit: 'batches',
      help: 'Batches that failed: each of their users has an indeterminate ending',
      labels: [['issuer', issuers]],
    }),
    waiting: gauge({
      name: 'coupon_waiting_users',
      unit: 'users',
      help: 'Users waiting for a decision to begin',
      labels: [['issuer', issuers]],
    }),
    inFlight: gauge({
      name: 'coupon_batches_in_flight',
      unit: 'batches',
      help: 'Decisions under way',
      labels: [['issuer', issuers]],
    }),
  };
}

function lockTable() {
  return {
    lockWaitSeconds: histogram({
      name: 'coupon_lock_wait_seconds',
      unit: 'seconds',
      help: 'Wait for the Redlock lock of a coupon, by whether it was got before the patience ended',
      labels: [['result', ['acquired', 'timeout']]],
      buckets: SECONDS,
    }),
    lockHeldSeconds: histogram({
      name: 'coupon_lock_held_seconds',
      unit: 'seconds',
      help: 'Time from getting the lock of a coupon to the end of the decision under it',
      buckets: SECONDS,
    }),
  };
}

/** Of the newest coupons that are not over, at most `COUPONS_TOLD_MAX` of them. */
function stockTable() {
  const by = ['coupon'] as const;
  const seriesMax = COUPONS_TOLD_MAX;
  return {
    stockQuantity: dynamicGauge({
      name: 'coupon_stock_quantity',
      unit: 'issues',
      help: 'Issues that a coupon may have in all; none for an unlimited coupon',
      by,
      seriesMax,
    }),
    stockIssued: dynamicGauge({
      name: 'coupon_stock_issued',
      unit: 'issues',
      help: 'Issues that the home of the stock has given out',
      by,
      seriesMax,
    }),
    stockRows: dynamicGauge({
      name: 'coupon_stock_rows',
      unit: 'rows',
      help: 'Issues that are rows in MySQL',
      by,
      seriesMax,
    }),
    stockLeft: dynamicGauge({
      name: 'coupon_stock_left',
      unit: 'issues',
      help: 'Issues left at the home of the stock; none for an unlimited coupon',
      by,
      seriesMax,
    }),
  };
}

function workerTable() {
  return {
    rows: counter({
      name: 'coupon_ledger_rows_total',
      unit: 'rows',
      help: 'Accepted issues by what became of them in MySQL',
      labels: [['result', ['inserted', 'unchanged', 'superseded', 'renumbered', 'dead']]],
    }),
    transactionRows: histogram({
      name: 'coupon_ledger_transaction_rows',
      unit: 'rows',
      help: 'Rows that one transaction of the worker brought',
      buckets: SIZES,
    }),
    writeSeconds: histogram({
      name: 'coupon_ledger_write_seconds',
      unit: 'seconds',
      help: 'Time to write entries to MySQL, with every try',
      buckets: LONG_SECONDS,
    }),
    durableSeconds: histogram({
      name: 'coupon_accept_to_durable_seconds',
      unit: 'seconds',
      help: 'Time from acceptance in Redis to the commit in MySQL, by the clocks of Redis and the worker, once for each user',
      buckets: LONG_SECONDS,
    }),
    retries: counter({
      name: 'coupon_ledger_retries_total',
      unit: 'tries',
      help: 'Tries of the worker that failed for a reason that may pass',
    }),
    deadLetters: counter({
      name: 'coupon_dead_letters_total',
      unit: 'entries',
      help: 'Entries that the worker moved to the dead stream',
    }),
    ...reconcileTable(),
  };
}

function reconcileTable() {
  return {
    drift: counter({
      name: 'coupon_audit_drift_issues_total',
      unit: 'issues',
      help: 'Issues about which Redis and MySQL disagree, counted anew in every round of the reconciler',
      labels: [['kind', ['missing', 'unknown', 'unexpected']]],
    }),
    reconciled: counter({
      name: 'coupon_reconciled_coupons_total',
      unit: 'coupons',
      help: 'Coupons that the reconciler compared, those that it repaired, and those that it put away',
      labels: [['result', ['compared', 'repaired', 'closed']]],
    }),
    lastRound: gauge({
      name: 'coupon_reconcile_last_round_timestamp_seconds',
      unit: 'seconds',
      help: 'When this worker last ended a round of reconciling; only one worker at a time does',
    }),
  };
}

function processTable() {
  return {
    scriptSeconds: histogram({
      name: 'coupon_script_seconds',
      unit: 'seconds',
      help: 'Time from sending a script to its reply',
      labels: [['script', scripts]],
      buckets: SECONDS,
    }),
    transactionSeconds: histogram({
      name: 'coupon_mysql_transaction_seconds',
      unit: 'seconds',
      help: 'Time of a transaction, with the wait for a connection',
      labels: [['result', ['committed', 'failed']]],
      buckets: SECONDS,
    }),
    poolUsed: gauge({
      name: 'coupon_mysql_pool_used_connections',
      unit: 'connections',
      help: 'Connections to MySQL in use',
      labels: [['pool', pools]],
    }),
    poolMax: gauge({
      name: 'coupon_mysql_pool_max_connections',
      unit: 'connections',
      help: 'Connections to MySQL that may be in use',
      labels: [['pool', pools]],
    }),
    poolWaiting: gauge({
      name: 'coupon_mysql_pool_waiting_requests',
      unit: 'requests',
      help: 'Requests that wait for a connection to MySQL',
      labels: [['pool', pools]],
    }),
    redisFaults: counter({
      name: 'coupon_redis_connection_faults_total',
      unit: 'faults',
      help: 'Times that a connection to Redis broke or could not be made',
    }),
    brokenPromises: counter({
      name: 'coupon_broken_promises_total',
      unit: 'events',
      help: 'Events that break one of the promises P1 to P5, or that the program holds to be impossible',
      labels: [['promise', promises]],
    }),
    collectErrors: counter({
      name: 'coupon_metrics_collect_errors_total',
      unit: 'readings',
      help: 'Readings of a store for these metrics that failed; what they would have told is left out',
    }),
    openings: counter({
      name: 'coupon_openings_total',
      unit: 'openings',
      help: 'Openings of a coupon in Redis: first, rebuilt after a loss, proven after a restart, or blocked by an entry that cannot be counted',
      labels: [['kind', ['first', 'rebuilt', 'proven', 'blocked']]],
    }),
    ...backlogTable(),
  };
}

/** Read from Redis by both processes: how far MySQL is behind must be seen above all when the worker is gone. */
function backlogTable() {
  const by = ['partition'] as const;
  const seriesMax = PARTITIONS_MAX;
  return {
    unpersisted: dynamicGauge({
      name: 'coupon_unpersisted_users',
      unit: 'users',
      help: 'Users accepted in Redis and not yet in MySQL',
      by,
      seriesMax,
    }),
    unpersistedMax: gauge({
      name: 'coupon_unpersisted_users_max',
      unit: 'users',
      help: 'Unpersisted users of a partition beyond which requests are answered 503',
    }),
    oldestSeconds: dynamicGauge({
      name: 'coupon_oldest_unpersisted_seconds',
      unit: 'seconds',
      help: 'Age of the oldest entry of the stream, 0 if there is none',
      by,
      seriesMax,
    }),
    deadEntries: dynamicGauge({
      name: 'coupon_dead_entries',
      unit: 'entries',
      help: 'Entries in the dead stream, which wait for an operator',
      by,
      seriesMax,
    }),
    clockSkew: gauge({
      name: 'coupon_clock_skew_seconds',
      unit: 'seconds',
      help: 'How far the clock of a store is ahead of the clock of this process',
      labels: [['store', ['redis', 'mysql']]],
    }),
  };
}

/**
 * Makes the one thing that every request of an issue endpoint does here, so its series are looked up without building text.
 *
 * @returns takes the endpoint's issuer, how the request ended, and the seconds from its arrival to its answer
 */
function requestMeter({ requests, seconds }: Pick<ReturnType<typeof apiTable>, 'requests' | 'seconds'>) {
  const meters = byName(issuers, (issuer) => ({
    distribution: seconds.of(issuer),
    counts: byName(endings, (ending) => requests.of(issuer, ending)),
  }));
  return (issuer: Issuer, ending: RequestResult, durationSeconds: number): void => {
    const { distribution, counts } = meters[issuer];
    distribution.observe(durationSeconds);
    counts[ending].add();
  };
}

/** Requests of the issue endpoints since the process started, by what their callers got. */
export function answerTotals({ requests }: Pick<ReturnType<typeof apiTable>, 'requests'>) {
  const totals = { accepted: 0, refused: 0, failed: 0 };
  for (const ending of endings) {
    const kind = ending === 'issued' ? 'accepted' : indeterminate.has(ending) ? 'failed' : 'refused';
    for (const issuer of issuers) totals[kind] += requests.of(issuer, ending).total();
  }
  return totals;
}

/** Nothing was decided, or nobody knows what. */
const indeterminate: ReadonlySet<RequestResult> = new Set(['overloaded', 'stopping', 'dependency', 'failed']);

/**
 * Takes the name of a script and the seconds it took.
 *
 * A script that the table does not name is left out; a test holds the table against the files.
 */
export function scriptMeter({ scriptSeconds }: ProcessMetrics): (script: string, seconds: number) => void {
  const distributions = new Map<string, HistogramSeries>(scripts.map((script) => [script, scriptSeconds.of(script)]));
  return (script, seconds) => distributions.get(script)?.observe(seconds);
}

function byName<const Name extends string, Value>(
  names: readonly Name[],
  make: (name: Name) => Value,
): Record<Name, Value> {
  return Object.fromEntries(names.map((name) => [name, make(name)])) as Record<Name, Value>;
}

/** Which promise a failure breaks; null when it breaks none. */
export function promiseBrokenBy(failure: unknown): (typeof promises)[number] | null {
  if (!(failure instanceof InvariantViolation)) return null;
  return promises.find((promise) => failure.message.startsWith(`${promise}:`)) ?? 'other';
}

/** The instruments of a table. */
export function instrumentsOf(table: object): readonly Told[] {
  return Object.values(table).filter(
    (each): each is Told => typeof each === 'object' && each !== null && 'samples' in each,
  );
}

function expose(table: object, failures: Instrument<readonly [], CounterSeries>, readingMsMax: number): Exposed {
  const instruments = instrumentsOf(table);
  const registry = processRegistry();
  const refreshers: (() => Promise<void>)[] = [];
  return {
    contentType: registry.contentType,
    async render() {
      await Promise.all(refreshers.map((refresh) => within(readingMsMax, refresh()).catch(() => failures.of().add())));
      return `${exposition(instruments)}\n${await registry.metrics()}`;
    },
    onRender: (refresh, ageMsMax = 0) => {
      refreshers.push(atMostEvery(ageMsMax, refresh));
    },
  };
}

async function within(waitMsMax: number, reading: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${waitMsMax} ms`)), waitMsMax);
  try {
    await Promise.race([reading, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Shares one call among all who ask within `ageMsMax`: anybody may ask for metrics, as often as they like. */
function atMostEvery(ageMsMax: number, refresh: () => void | Promise<void>): () => Promise<void> {
  let startedMs = Number.NEGATIVE_INFINITY;
  let last = Promise.resolve();
  return () => {
    if (performance.now() - startedMs >= ageMsMax) {
      startedMs = performance.now();
      last = (async () => refresh())();
    }
    return last;
  };
}

/**
 * What prom-client tells of the process itself, and of that only what is true. On Bun its numbers of heap and garbage collection
 * are none or wrong (V8's spaces, which JavaScriptCore lacks: always 0; the size of the address space as the heap), and handles
 * and requests are always 0. What the process takes is in the resident memory, what the collector costs in the event loop's lag.
 */
const processMetricNames = [
  'process_cpu_user_seconds_total',
  'process_cpu_system_seconds_total',
  'process_cpu_seconds_total',
  'process_start_time_seconds',
  'process_resident_memory_bytes',
  'process_open_fds',
  'process_max_fds',
  // The reading of this one fills the three below.
  'nodejs_eventloop_lag_seconds',
  'nodejs_eventloop_lag_p50_seconds',
  'nodejs_eventloop_lag_p99_seconds',
  'nodejs_eventloop_lag_max_seconds',
];

function processRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 10 });
  for (const { name } of registry.getMetricsAsArray()) {
    if (!processMetricNames.includes(name)) registry.removeSingleMetric(name);
  }
  return registry;
}
