// process-metrics.ts -- The metrics that API and worker share: scripts, transactions, connections, broken promises, the process itself.

import { readdirSync, readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { InvariantViolation } from '../invariant.ts';
import { poolNames } from '../mysql/database.ts';
import { scriptNames } from '../redis/script.ts';
import { recordSpan } from './tracing.ts';
import { counter, type Exposed, gauge, type Histogram, histogram, SECONDS } from './registry.ts';

const promises = ['P1', 'P2', 'P3', 'P4', 'P5', 'other'] as const;

export type ProcessMetrics = ReturnType<typeof createProcessMetrics>;

export function createProcessMetrics() {
  const script = ['script', [...scriptNames]] as const;
  const pool = ['pool', poolNames] as const;
  return {
    scriptSeconds: histogram('coupon_script_seconds', 'Time from sending a script to its reply', SECONDS, script),
    transactionSeconds: histogram(
      'coupon_mysql_transaction_seconds',
      'Time of a transaction, including the wait for a connection',
      SECONDS,
      ['result', ['committed', 'failed']],
    ),
    poolUsed: gauge('coupon_mysql_pool_used_connections', 'Connections to MySQL in use', pool),
    poolMax: gauge('coupon_mysql_pool_max_connections', 'Connections to MySQL that may be in use', pool),
    poolWaiting: gauge('coupon_mysql_pool_waiting_requests', 'Requests waiting for a connection to MySQL', pool),
    redisFaults: counter('coupon_redis_connection_faults_total', 'Connections to Redis that broke or failed to open'),
    durabilityFaults: gauge(
      'coupon_redis_durability_faults',
      'What lets Redis lose accepted issues, such as a policy that evicts; 0 while nothing does, or ALLOW_VOLATILE_REDIS accepts it',
    ),
    storesMismatch: gauge(
      'coupon_installation_faults',
      'What is wrong with the stores as one installation: 1 while they do not belong together, and nothing is accepted in Redis',
    ),
    brokenPromises: counter(
      'coupon_broken_promises_total',
      'Events that break one of the promises P1 to P5, or that the program holds to be impossible',
      ['promise', promises],
    ),
    collectErrors: counter(
      'coupon_metrics_collect_errors_total',
      'Readings of a store for these metrics that failed; their gauges are left out',
    ),
    droppedLogLines: counter(
      'coupon_log_dropped_lines_total',
      'Log lines that could not be written, as on a full disk, and were dropped',
    ),
    droppedConnections: counter(
      'coupon_dropped_connections_total',
      'New connections that the system dropped since its start because a queue of a listening socket was full; of all processes here',
    ),
    clockSkew: gauge(
      'coupon_clock_skew_seconds',
      'How far the clock of a store is ahead of the clock of this process',
      ['store', ['redis', 'mysql']],
    ),
  };
}

/** Observes the time of a script by its name, and makes a span of it. A script that was not defined when the metrics were created is left out. */
export function scriptMeter({ scriptSeconds }: ProcessMetrics): (script: string, seconds: number) => void {
  const series = new Map<string, Histogram>([...scriptNames].map((script) => [script, scriptSeconds.of(script)]));
  return (script, seconds) => {
    series.get(script)?.observe(seconds);
    recordSpan(`script ${script}`, seconds);
  };
}

/** Which promise a failure breaks; null when it breaks none. */
export function promiseBrokenBy(failure: unknown): (typeof promises)[number] | null {
  if (!(failure instanceof InvariantViolation)) return null;
  return promises.find((promise) => failure.message.startsWith(`${promise}:`)) ?? 'other';
}

/** The runtime's own series, under the names of the Prometheus clients. Only those that are correct on Bun and on Deno. */
export function createRuntimeMetrics() {
  return {
    cpu: counter('process_cpu_seconds_total', 'CPU time of the process, user and system'),
    start: gauge('process_start_time_seconds', 'Start of the process, in seconds since 1970'),
    memory: gauge('process_resident_memory_bytes', 'Resident memory'),
    openFiles: gauge('process_open_fds', 'Open file descriptors'),
    maxFiles: gauge('process_max_fds', 'Limit of open file descriptors'),
    lagP50: gauge('nodejs_eventloop_lag_p50_seconds', 'Delay of the event loop since the last scrape, median'),
    lagP99: gauge('nodejs_eventloop_lag_p99_seconds', 'Delay of the event loop since the last scrape, 99th percentile'),
    lagMax: gauge('nodejs_eventloop_lag_max_seconds', 'Delay of the event loop since the last scrape, maximum'),
  };
}

/** Reads them at each scrape. File descriptors are counted on Linux only. */
export function measureRuntime(
  metrics: ReturnType<typeof createRuntimeMetrics> & Pick<ProcessMetrics, 'droppedConnections'>,
  onRender: Exposed['onRender'],
): void {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const cpu = metrics.cpu.of();
  const dropped = metrics.droppedConnections.of();
  metrics.start.of().set(Math.round(Date.now() / 1000 - process.uptime()));
  onRender(() => {
    const { user, system } = process.cpuUsage();
    cpu.add((user + system) / 1e6 - cpu.total());
    metrics.memory.of().set(process.memoryUsage().rss);
    metrics.lagP50.of().set(delay.percentile(50) / 1e9);
    metrics.lagP99.of().set(delay.percentile(99) / 1e9);
    metrics.lagMax.of().set(delay.max / 1e9);
    delay.reset();
    if (process.platform !== 'linux') return;
    metrics.openFiles.of().set(readdirSync('/proc/self/fd').length);
    dropped.add(readDroppedConnections() - dropped.total());
    const limit = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    metrics.maxFiles.of().set(Number(limit));
  });
}

/** `ListenOverflows` of Linux, for the network namespace of this process: two lines, names and values. */
export function readDroppedConnections(): number {
  const [names = [], values = []] = readFileSync('/proc/self/net/netstat', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  return Number(values[names.indexOf('ListenOverflows')] ?? 0);
}
