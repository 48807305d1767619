// api.ts -- Wires the parts of the API: connections below, the three issuers above them, one lifetime for all.

import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Config } from '../config/config.ts';
import { type Catalog, createCatalog } from '../coupon/catalog.ts';
import { type Audit, auditCoupon } from '../operations/audit.ts';
import { createDeadLetters, type DeadLetters } from '../operations/dead-letters.ts';
import { RefusalCache } from '../issuing/refusal-cache.ts';
import type { CombinerBounds } from '../issuing/combiner.ts';
import { createRedisStock, type RedisStock } from '../stock/redis-stock.ts';
import { createSnapshots, type Snapshots } from '../stock/snapshot.ts';
import { createIssueOnce, type IssueOnce } from '../issuing/idempotency.ts';
import { createPipeline, type IssuePipeline, type PipelineObserver } from '../issuing/pipeline.ts';
import { type Issuer, type IssuerName, issuerNames } from '../issuing/issuer.ts';
import { CHANGES_CHANNEL } from '../stream/keys.ts';
import { readBacklog } from '../stream/backlog.ts';
import type { Load } from '../operations/load-routes.ts';
import { createLocked, type LockObserver } from '../issuing/locked.ts';
import { createSample, ProgressHub } from '../issues/progress.ts';
import { RowWatcher } from '../issues/row-watcher.ts';
import { createScripted, createTake } from '../issuing/scripted.ts';
import { createIssues, type Issues } from '../issues/status.ts';
import { createStockKeeper, type StockKeeper } from '../stock/opening.ts';
import { withStoreErrors } from '../issuing/store-errors.ts';
import { createSynchronous } from '../issuing/synchronous.ts';
import { createCouponEditor, type CouponEditor } from '../stock/editing.ts';
import { measureStock, measureStores, createOpeningObserver, transactionMeter } from './metrics.ts';
import { closeDatabase, type Database, openDatabase } from '../mysql/database.ts';
import { issuingConnection, subscribingConnection } from '../redis/connection.ts';
import type { HistogramSeries } from '../telemetry/instruments.ts';
import type { Log } from '../telemetry/log.ts';
import { answerTotals, type ApiMetrics, promiseBrokenBy } from '../telemetry/metrics.ts';

/** Everything that answers requests, before HTTP. */
export interface ApiParts {
  readonly redis: Redis;
  readonly redisStock: RedisStock;
  readonly subscriber: Redis;
  readonly database: Database;
  readonly stock: StockKeeper;
  readonly issuers: Readonly<Record<IssuerName, Issuer>>;
  readonly issuance: IssuePipeline;
  readonly catalog: Catalog;
  readonly editor: CouponEditor;
  readonly issueOnce: IssueOnce;
  readonly issues: Issues;
  /** Counts the promises of a coupon; null: no such coupon. */
  readonly audit: (couponId: number) => Promise<Audit | null>;
  readonly deadLetters: DeadLetters;
  readonly progress: ProgressHub;
  /** How busy this process is, and how far MySQL is behind. */
  readonly load: () => Promise<Load>;
  /** Subscribes to edits of coupons; call it once the connections are open. */
  listen(): Promise<void>;
  /** Ends long polls and event streams, so that a server can stop. */
  releaseWaiters(): Promise<void>;
  /** Answers the requests under way, then ends the connections. */
  close(): Promise<void>;
}

export function wireApi(config: Config, metrics: ApiMetrics, log: Log): ApiParts {
  const onRedisFault = (error: unknown) => {
    metrics.redisFaults.of().add();
    log.warn({ error }, 'the connection to Redis failed; trying again');
  };
  const redis = issuingConnection(config, onRedisFault);
  const subscriber = subscribingConnection(config, onRedisFault);
  const database = openDatabase(config, transactionMeter(metrics));
  const redisStock = createRedisStock(redis, config);
  const snapshots = createSnapshots({ redisStock, database, settings: config });
  measureStores(metrics, { redis, database, settings: config });
  measureStock(metrics, { database, snapshots });
  const stock = createStockKeeper({ redisStock, database, settings: config, ...createOpeningObserver(metrics, log) });
  const issuers = createIssuers(config, redisStock, database, stock, createLockObserver(metrics));
  const refusals = createRefusalCache(config, snapshots, log);
  const issuance = createPipeline({
    issuers,
    refusals,
    bounds: boundsOf(config),
    observer: createPipelineObserver(metrics, log),
  });
  measureLoad(metrics, issuance);
  const announce = async (couponId: number) => {
    refusals.invalidate(couponId);
    await redis.publish(CHANGES_CHANNEL, String(couponId)).catch(onRedisFault);
  };
  const onStoreFault = (error: unknown) => {
    metrics.storeFailures.of().add();
    log.error({ error }, 'store request failed; result unknown to the caller');
  };
  const after = createAfterIssuing(config, redisStock, database, snapshots, stock, onStoreFault);
  const issueOnce = createIssueOnce({ redis, issuance, issues: after.issues, settings: config });
  const editor = createCouponEditor({ redisStock, database, stock, announce, onFault: onStoreFault });
  return {
    redis,
    redisStock,
    subscriber,
    database,
    stock,
    issuers,
    issuance,
    catalog: withStoreErrors(createCatalog(database, announce), onStoreFault),
    editor: withStoreErrors(editor, onStoreFault),
    issues: after.issues,
    progress: after.progress,
    ...withStoreErrors(
      {
        issueOnce,
        load: createLoad(config, redis, metrics),
        audit: (couponId: number) => auditCoupon({ redisStock, database }, couponId),
      },
      onStoreFault,
    ),
    deadLetters: createDeadLetters(redisStock),
    async listen() {
      subscriber.on('message', (_, couponId) => refusals.invalidate(Number(couponId)));
      // Messages sent while the connection was down are gone.
      subscriber.on('ready', () => refusals.invalidateAll());
      await subscriber.subscribe(CHANGES_CHANNEL);
    },
    releaseWaiters: after.releaseWaiters,
    async close() {
      await after.releaseWaiters();
      await issuance.drain();
      redis.disconnect();
      subscriber.disconnect();
      await closeDatabase(database);
    },
  };
}

function createIssuers(
  config: Config,
  redisStock: RedisStock,
  database: Database,
  stock: StockKeeper,
  observer: LockObserver,
) {
  const take = createTake(redisStock, stock);
  return {
    synchronous: createSynchronous({ database, take, drop: redisStock.drop }),
    locked: createLocked({ redisStock, stock, take, settings: config, observer }),
    scripted: createScripted(take),
  } satisfies Record<IssuerName, Issuer>;
}

/** What users ask about issues after they were accepted. */
function createAfterIssuing(
  config: Config,
  redisStock: RedisStock,
  database: Database,
  snapshots: Snapshots,
  stock: StockKeeper,
  onFault: (fault: unknown) => void,
) {
  const watch = new RowWatcher({ database, settings: config, onFault });
  const issues = createIssues({ redisStock, database, stock, watch, settings: config });
  const sample = createSample({ database, snapshots });
  const progress = new ProgressHub({ ...withStoreErrors({ sample }, () => undefined), settings: config, onFault });
  return {
    issues: withStoreErrors(issues, onFault),
    progress,
    releaseWaiters: async () => {
      await Promise.all([watch.close(), progress.close()]);
    },
  };
}

function createRefusalCache(config: Config, { read }: Snapshots, log: Log): RefusalCache {
  const bounds = {
    ageMsMax: config.SIGN_MS_MAX,
    entriesMax: config.SIGNS_MAX,
    ownersMax: config.SIGN_OWNERS_MAX,
    skewMsMax: config.CLOCK_SKEW_MS_MAX,
  };
  return new RefusalCache(read, bounds, (error) => log.warn({ error }, 'could not cache a refusal'));
}

function boundsOf(config: Config): CombinerBounds {
  return {
    usersPerBatchMax: config.USERS_PER_BATCH_MAX,
    batchesInFlightMax: config.BATCHES_IN_FLIGHT_MAX,
    waitingMax: config.WAITING_USERS_MAX,
  };
}

function createPipelineObserver(metrics: ApiMetrics, log: Log): PipelineObserver {
  const series = Object.fromEntries(
    issuerNames.map((issuer) => [
      issuer,
      {
        batchUsers: metrics.batchUsers.of(issuer),
        decisionSeconds: metrics.decisionSeconds.of(issuer),
      },
    ]),
  ) as Record<IssuerName, Readonly<Record<'batchUsers' | 'decisionSeconds', HistogramSeries>>>;
  const refusalCacheHits = metrics.refusalCacheHits.of();
  return {
    batch(issuer, { users, startedMs, endedMs }) {
      const { batchUsers, decisionSeconds } = series[issuer];
      batchUsers.observe(users);
      decisionSeconds.observe((endedMs - startedMs) / 1000);
    },
    refusedByCache: () => refusalCacheHits.add(),
    failed(issuer, failure) {
      metrics.failedBatches.of(issuer).add();
      const promise = promiseBrokenBy(failure);
      if (promise) metrics.brokenPromises.of(promise).add();
      log.error({ issuer, promise, error: failure }, 'a batch failed; its results are unknown to the callers');
    },
  };
}

function createLockObserver({ lockWaitSeconds, lockHeldSeconds }: ApiMetrics): LockObserver {
  return {
    waited: (result, seconds) => lockWaitSeconds.of(result).observe(seconds),
    held: (seconds) => lockHeldSeconds.of().observe(seconds),
  };
}

/** Gauges are read when they are asked for. */
function measureLoad(metrics: ApiMetrics, issuance: IssuePipeline): void {
  metrics.onRender(() => {
    for (const issuer of issuerNames) {
      const { waiting, batchesInFlight } = issuance.load(issuer);
      metrics.waiting.of(issuer).set(waiting);
      metrics.inFlight.of(issuer).set(batchesInFlight);
    }
  });
}

function createLoad(config: Config, redis: Redis, metrics: ApiMetrics): () => Promise<Load> {
  const startMs = performance.now();
  const name = randomUUID().slice(0, 8);
  return async () => {
    const { partitions } = await readBacklog(redis, config.PARTITIONS);
    return {
      process: name,
      uptimeMs: Math.round(performance.now() - startMs),
      ...answerTotals(metrics),
      unpersisted: partitions.reduce((sum, { unpersistedUsers }) => sum + unpersistedUsers, 0),
      oldestMs: Math.max(0, ...partitions.map(({ oldestMs }) => oldestMs)),
      deadLetters: partitions.reduce((sum, { deadEntries }) => sum + deadEntries, 0),
    };
  };
}
