// api.ts -- Puts the parts of the API together: connections below, the three issuers above them, one life for all.

import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Config } from '../config/config.ts';
import { type Catalog, createCatalog } from '../coupon/catalog.ts';
import { type Audit, auditCoupon } from '../operations/audit.ts';
import { createDeadLetters, type DeadLetters } from '../operations/dead-letters.ts';
import { RefusalCache } from '../issuing/refusal-cache.ts';
import type { CombinerBounds } from '../issuing/combiner.ts';
import { createInspect } from '../stock/snapshot.ts';
import { createIssueOnce, type IssueOnce } from '../issuing/idempotency.ts';
import { createPipeline, type IssuePipeline, type PipelineObserver } from '../issuing/pipeline.ts';
import { type Issuer, type IssuerName, issuerNames } from '../issuing/issuer.ts';
import { CHANGES_CHANNEL, couponKeys } from '../stream/keys.ts';
import { readBacklog } from '../stream/backlog.ts';
import type { Load } from '../operations/load-routes.ts';
import { createLocked, type LockObserver } from '../issuing/locked.ts';
import { createSample, ProgressHub } from '../issues/progress.ts';
import { RowWatcher } from '../issues/row-watcher.ts';
import { createScripted, createTake } from '../issuing/scripted.ts';
import { createIssues, type Issues } from '../issues/status.ts';
import { createStockKeeper, dropState, type StockKeeper } from '../stock/opening.ts';
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
  /** Listens for edits of coupons; call it once the connections stand. */
  listen(): Promise<void>;
  /** Answers everybody who only waits or listens, so that a server can stop. */
  releaseWaiters(): Promise<void>;
  /** Answers what was accepted, then ends the connections. */
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
  measureStores(metrics, { redis, database, settings: config });
  measureStock(metrics, { redis, database, settings: config });
  const stock = createStockKeeper({ redis, database, settings: config, ...createOpeningObserver(metrics, log) });
  const issuers = createIssuers(config, redis, database, stock, createLockObserver(metrics));
  const signs = createSigns(config, redis, database, log);
  const issuance = createPipeline({
    issuers,
    signs,
    bounds: boundsOf(config),
    reports: createPipelineObserver(metrics, log),
  });
  measureLoad(metrics, issuance);
  const announce = async (couponId: number) => {
    signs.drop(couponId);
    await redis.publish(CHANGES_CHANNEL, String(couponId)).catch(onRedisFault);
  };
  const onStoreFault = (error: unknown) => {
    metrics.storeFailures.of().add();
    log.error({ error }, 'a store failed; the ending is unknown to the caller');
  };
  const after = createAfterIssuing(config, redis, database, stock, onStoreFault);
  const issueOnce = createIssueOnce({ redis, issuance, issues: after.issues, settings: config });
  const editor = createCouponEditor({ redis, database, stock, announce, onFault: onStoreFault, settings: config });
  return {
    redis,
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
        audit: (couponId: number) => auditCoupon({ redis, database, settings: config }, couponId),
      },
      onStoreFault,
    ),
    deadLetters: createDeadLetters(redis, config.PARTITIONS),
    async listen() {
      subscriber.on('message', (_, couponId) => signs.drop(Number(couponId)));
      // Messages sent while the connection was down are gone.
      subscriber.on('ready', () => signs.dropAll());
      await subscriber.subscribe(CHANGES_CHANNEL);
    },
    releaseWaiters: after.releaseWaiters,
    async close() {
      await after.releaseWaiters();
      await issuance.close();
      redis.disconnect();
      subscriber.disconnect();
      await closeDatabase(database);
    },
  };
}

function createIssuers(config: Config, redis: Redis, database: Database, stock: StockKeeper, reports: LockObserver) {
  const take = createTake({ redis, stock, settings: config });
  return {
    synchronous: createSynchronous({
      database,
      take,
      forget: (couponId) => dropState(redis, couponKeys(couponId, config.PARTITIONS)),
    }),
    locked: createLocked({ redis, stock, take, settings: config, reports }),
    scripted: createScripted(take),
  } satisfies Record<IssuerName, Issuer>;
}

/** What is asked of issues once they were promised. */
function createAfterIssuing(
  config: Config,
  redis: Redis,
  database: Database,
  stock: StockKeeper,
  onFault: (fault: unknown) => void,
) {
  const watch = new RowWatcher({ database, settings: config, onFault });
  const issues = createIssues({ redis, database, stock, watch, settings: config });
  const sample = createSample({ redis, database, settings: config });
  const progress = new ProgressHub({ ...withStoreErrors({ sample }, () => undefined), settings: config, onFault });
  return {
    issues: withStoreErrors(issues, onFault),
    progress,
    releaseWaiters: async () => {
      await Promise.all([watch.close(), progress.close()]);
    },
  };
}

function createSigns(config: Config, redis: Redis, database: Database, log: Log): RefusalCache {
  const bounds = {
    signMsMax: config.SIGN_MS_MAX,
    signsMax: config.SIGNS_MAX,
    ownersMax: config.SIGN_OWNERS_MAX,
    skewMsMax: config.CLOCK_SKEW_MS_MAX,
  };
  const inspect = createInspect({ redis, database, settings: config });
  return new RefusalCache(inspect, bounds, (error) => log.warn({ error }, 'a closed sign could not be hung'));
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
      log.error({ issuer, promise, error: failure }, 'a batch failed; its endings are indeterminate');
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
    const { lags } = await readBacklog(redis, config.PARTITIONS);
    return {
      process: name,
      uptimeMs: Math.round(performance.now() - startMs),
      ...answerTotals(metrics),
      unpersisted: lags.reduce((sum, { unpersistedUsers }) => sum + unpersistedUsers, 0),
      oldestMs: Math.max(0, ...lags.map(({ oldestMs }) => oldestMs)),
      deadLetters: lags.reduce((sum, { deadEntries }) => sum + deadEntries, 0),
    };
  };
}
