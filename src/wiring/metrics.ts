// metrics.ts -- Connects the metrics of a process with their sources. Stores are read when Prometheus scrapes, at most once a
// second, and their gauges are left out while the store does not answer: an outdated value would be worse than none.

import type { Redis } from 'ioredis';
import QuickLRU from 'quick-lru';
import type { Config } from '../config/config.ts';
import { type PartitionBacklog, readBacklog } from '../stream/backlog.ts';
import type { StockDependencies } from '../stock/opening.ts';
import type { RedisStock } from '../stock/redis-stock.ts';
import { readStockLevels, type StockLevel, type StockLevelsDependencies } from '../stock/stock-levels.ts';
import { type Database, type OnTransaction, poolNames, poolSizes } from '../mysql/database.ts';
import { durabilityFaults, readDurabilities } from '../redis/durability.ts';
import { timeScripts } from '../redis/script.ts';
import type { Log } from '../telemetry/log.ts';
import { createAuthMetrics } from '../auth/metrics.ts';
import { createIssuingMetrics, requestMeter } from '../issuing/metrics.ts';
import { COUPONS_LISTED_MAX, createOpeningMetrics, createStockMetrics, type OpeningMetrics } from '../stock/metrics.ts';
import { createStreamMetrics } from '../stream/metrics.ts';
import {
  createProcessMetrics,
  createRuntimeMetrics,
  measureRuntime,
  scriptMeter,
} from '../telemetry/process-metrics.ts';
import { expose, type Gauge } from '../telemetry/registry.ts';
import { recordSpan } from '../telemetry/tracing.ts';

/** How often a store is asked, however often Prometheus asks: less than once a second, as often as it usually does. */
const AGE_MS_MAX = 500;
/** A store that hangs must not cost the whole scrape, for which Prometheus waits 10 s. */
export const READING_MS_MAX = 2000;

export type ApiMetrics = ReturnType<typeof createApiMetrics>;
/** What API and worker have in common. */
type Metrics = ReturnType<typeof exposeMetrics>;

export function createApiMetrics() {
  const issuing = createIssuingMetrics();
  const exposed = exposeMetrics({ ...issuing, ...createAuthMetrics(), ...createStockMetrics() }, READING_MS_MAX);
  return { ...exposed, observeRequest: requestMeter(issuing) };
}

/** Exposes the metrics of a process together with those that every process has. */
export function exposeMetrics<Table extends object>(own: Table, readingMsMax: number) {
  const runtime = createRuntimeMetrics();
  const table = { ...own, ...createProcessMetrics(), ...createOpeningMetrics(), ...createStreamMetrics() };
  const exposed = expose({ ...table, ...runtime }, table.collectErrors.of(), readingMsMax);
  measureRuntime({ ...table, ...runtime }, exposed.onRender);
  return { ...table, ...exposed };
}

interface MeasuredStores {
  readonly redisStock: RedisStock;
  readonly database: Database;
  readonly settings: Pick<Config, 'UNPERSISTED_USERS_MAX' | 'MYSQL_CONNECTIONS_MAX' | 'ALLOW_VOLATILE_REDIS'>;
}

/** Transactions of a database that is about to be opened, as metrics and spans. */
export function transactionMeter({ transactionSeconds }: Metrics): OnTransaction {
  const committed = transactionSeconds.of('committed');
  const failed = transactionSeconds.of('failed');
  return (result, seconds) => {
    (result === 'committed' ? committed : failed).observe(seconds);
    recordSpan('transaction', seconds, result === 'failed');
  };
}

/** Logs and shows whether the stores belong together. */
export function mismatchReporter({ storesMismatch }: Metrics, log: Log): (fault: string | null) => void {
  storesMismatch.of().set(0);
  return (fault) => {
    storesMismatch.of().set(fault === null ? 0 : 1);
    if (fault === null) log.info('Redis and MySQL belong together again');
    else log.error(fault);
  };
}

/** Pool, scripts and backlog: what API and worker have in common. */
export function measureStores(metrics: Metrics, { redisStock, database, settings }: MeasuredStores): void {
  timeScripts(redisStock.redis, scriptMeter(metrics));
  metrics.unpersistedMax.of().set(settings.UNPERSISTED_USERS_MAX);
  const sizes = poolSizes(settings);
  metrics.onRender(() => {
    for (const name of poolNames) {
      metrics.poolUsed.of(name).set(database.use[name].used);
      metrics.poolWaiting.of(name).set(database.use[name].waiting);
      metrics.poolMax.of(name).set(sizes[name]);
    }
  });
  metrics.onRender(() => measureBacklog(metrics, redisStock), AGE_MS_MAX);
  const allowVolatile = settings.ALLOW_VOLATILE_REDIS === 'on';
  metrics.onRender(() => measureDurability(metrics, redisStock.redis, allowVolatile), AGE_MS_MAX);
}

/** What was right at start may be changed while Redis runs. */
async function measureDurability({ durabilityFaults: gauge }: Metrics, redis: Redis, allowVolatile: boolean) {
  gauge.of().set(Number.NaN);
  const durabilities = await readDurabilities(redis);
  gauge.of().set(durabilities.flatMap((each) => durabilityFaults(each, allowVolatile)).length);
}

async function measureBacklog(metrics: Metrics, { redis, partitions }: RedisStock): Promise<void> {
  for (const each of [metrics.unpersisted, metrics.oldestSeconds, metrics.deadEntries]) each.replace([]);
  const skew = metrics.clockSkew.of('redis');
  const { partitions: backlogs } = await withSkew(skew, () => readBacklog(redis, partitions));
  const series = (value: (backlog: PartitionBacklog) => number) =>
    backlogs.map((backlog) => [backlog.partition, value(backlog)] as const);
  metrics.unpersisted.replace(series(({ unpersistedUsers }) => unpersistedUsers));
  metrics.oldestSeconds.replace(series(({ oldestMs }) => oldestMs / 1000));
  metrics.deadEntries.replace(series(({ deadEntries }) => deadEntries));
}

/** How much is left of the coupons that matter now. Returns what must be called with the id of each that is requested. */
export function measureStock(metrics: ApiMetrics, dependencies: StockLevelsDependencies): (couponId: number) => void {
  // It keeps up to twice as many.
  const requested = new QuickLRU<number, true>({ maxSize: COUPONS_LISTED_MAX });
  metrics.onRender(async () => {
    const { stockQuantity, stockIssued, stockRows, stockLeft } = metrics;
    for (const each of [stockQuantity, stockIssued, stockRows, stockLeft]) each.replace([]);
    const skew = metrics.clockSkew.of('mysql');
    const ids = [...requested.entriesDescending()].slice(0, COUPONS_LISTED_MAX).map(([id]) => id);
    const { levels } = await withSkew(skew, () => readStockLevels(dependencies, COUPONS_LISTED_MAX, ids));
    stockQuantity.replace(seriesOf(levels, ({ quantity }) => quantity));
    stockIssued.replace(seriesOf(levels, ({ issued }) => issued));
    stockRows.replace(seriesOf(levels, ({ rows }) => rows));
    stockLeft.replace(seriesOf(levels, ({ left }) => left));
  }, AGE_MS_MAX);
  return (couponId) => requested.set(couponId, true);
}

/** Reads a store, and how far its clock is ahead: it looked at it at some instant between the request and the answer. */
async function withSkew<Reading extends { readonly nowMs: number }>(skew: Gauge, read: () => Promise<Reading>) {
  skew.set(Number.NaN);
  const askedMs = Date.now();
  const reading = await read();
  skew.set((reading.nowMs - (askedMs + Date.now()) / 2) / 1000);
  return reading;
}

function seriesOf(levels: readonly StockLevel[], valueOf: (level: StockLevel) => number | null) {
  return levels.flatMap((level) => {
    const value = valueOf(level);
    return value === null ? [] : [[level.couponId, value] as const];
  });
}

/** Counts and logs openings. */
export function createOpeningObserver(
  { openings, failoverIssues }: OpeningMetrics,
  log: Log,
): Pick<StockDependencies, 'onOpened' | 'onRestored' | 'onBlocked'> {
  return {
    onOpened(couponId, kind, owners) {
      openings.of(kind).add();
      log.info({ couponId, kind, owners }, 'opened the stock of a coupon in Redis');
    },
    onRestored(couponId, issues) {
      failoverIssues.of('restored').add(issues);
      log.warn(
        { couponId, issues },
        'Redis lost acknowledged issues; processes that remembered them have restored them',
      );
    },
    onBlocked(error) {
      openings.of('blocked').add();
      const { couponId, place } = error;
      log.error(
        { couponId, place, error },
        'a coupon is not opened, since a later release wrote what this one cannot read',
      );
    },
  };
}
