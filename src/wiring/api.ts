// api.ts -- Puts the parts of the API together: connections below, the three issuers above them, one life for all.

import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Config } from '../config/config.ts';
import { type Catalog, createCatalog } from '../coupon/catalog.ts';
import { type Audit, auditCoupon } from '../operations/audit.ts';
import { createDeadLetters, type DeadLetters } from '../operations/dead-letters.ts';
import { ClosedSigns } from '../issuing/refusal-cache.ts';
import type { CombinerBounds } from '../issuing/combiner.ts';
import { createInspect } from '../stock/snapshot.ts';
import { createIssueOnce, type IssueOnce } from '../issuing/idempotency.ts';
import { createIssuance, type Issuance, type IssuanceReports } from '../issuing/pipeline.ts';
import { type Issuer, type IssuerName, issuerNames } from '../issuing/issuer.ts';
import { CHANGES_CHANNEL, couponKeys } from '../stream/keys.ts';
import { readLags } from '../stream/backlog.ts';
import type { Load } from '../operations/load-routes.ts';
import { createLocked, type LockReports } from '../issuing/locked.ts';
import { createSample, ProgressHub } from '../issues/progress.ts';
import { RowWatch } from '../issues/row-watcher.ts';
import { createScripted, createTake } from '../issuing/scripted.ts';
import { createIssues, type Issues } from '../issues/status.ts';
import { createStockKeeper, dropState, type StockKeeper } from '../stock/opening.ts';
import { answering } from '../issuing/store-errors.ts';
import { createSynchronous } from '../issuing/synchronous.ts';
import { createUpkeep, type Upkeep } from '../stock/editing.ts';
import { measureStock, measureStores, openingReportsTo, transactionMeter } from './metrics.ts';
import { closeDatabase, type Database, openDatabase } from '../mysql/database.ts';
import { issuingConnection, subscribingConnection } from '../redis/connection.ts';
import type { Distribution } from '../telemetry/instruments.ts';
import type { Log } from '../telemetry/log.ts';
import { answerTotals, type ApiMetrics, promiseBrokenBy } from '../telemetry/metrics.ts';

/** Everything that answers requests, before HTTP. */
export interface Issuing {
  readonly redis: Redis;
  readonly subscriber: Redis;
  readonly database: Database;
  readonly stock: StockKeeper;
  readonly issuers: Readonly<Record<IssuerName, Issuer>>;
  readonly issuance: Issuance;
  readonly catalog: Catalog;
  readonly upkeep: Upkeep;
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
  letGo(): Promise<void>;
  /** Answers what was accepted, then ends the connections. */
  close(): Promise<void>;
}

export function createIssuing(config: Config, metrics: ApiMetrics, log: Log): Issuing {
  const onRedisFault = (error: unknown) => {
    metrics.redisFaults.of().add();
    log.warn({ error }, 'the connection to Redis failed; trying again');
  };
  const redis = issuingConnection(config, onRedisFault);
  const subscriber = subscribingConnection(config, onRedisFault);
  const database = openDatabase(config, transactionMeter(metrics));
  measureStores(metrics, { redis, database, settings: config });
  measureStock(metrics, { redis, database, settings: config });
  const stock = createStockKeeper({ redis, database, settings: config, ...openingReportsTo(metrics, log) });
  const issuers = createIssuers(config, redis, database, stock, lockReportsTo(metrics));
  const signs = createSigns(config, redis, database, log);
  const issuance = createIssuance({ issuers, signs, bounds: boundsOf(config), reports: reportsTo(metrics, log) });
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
  const upkeep = createUpkeep({ redis, database, stock, announce, onFault: onStoreFault, settings: config });
  return {
    redis,
    subscriber,
    database,
    stock,
    issuers,
    issuance,
    catalog: answering(createCatalog(database, announce), onStoreFault),
    upkeep: answering(upkeep, onStoreFault),
    issues: after.issues,
    progress: after.progress,
    ...answering(
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
    letGo: after.letGo,
    async close() {
      await after.letGo();
      await issuance.close();
      redis.disconnect();
      subscriber.disconnect();
      await closeDatabase(database);
    },
  };
}

function createIssuers(config: Config, redis: Redis, database: Database, stock: StockKeeper, reports: LockReports) {
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
  const watch = new RowWatch({ database, settings: config, onFault });
  const issues = createIssues({ redis, database, stock, watch, settings: config });
  const sample = createSample({ redis, database, settings: config });
  const progress = new ProgressHub({ ...answering({ sample }, () => undefined), settings: config, onFault });
  return {
    issues: answering(issues, onFault),
    progress,
    letGo: async () => {
      await Promise.all([watch.close(), progress.close()]);
    },
  };
}

function createSigns(config: Config, redis: Redis, database: Database, log: Log): ClosedSigns {
  const bounds = {
    signMsMax: config.SIGN_MS_MAX,
    signsMax: config.SIGNS_MAX,
    ownersMax: config.SIGN_OWNERS_MAX,
    skewMsMax: config.CLOCK_SKEW_MS_MAX,
  };
  const inspect = createInspect({ redis, database, settings: config });
  return new ClosedSigns(inspect, bounds, (error) => log.warn({ error }, 'a closed sign could not be hung'));
}

function boundsOf(config: Config): CombinerBounds {
  return {
    usersPerBatchMax: config.USERS_PER_BATCH_MAX,
    batchesInFlightMax: config.BATCHES_IN_FLIGHT_MAX,
    waitingMax: config.WAITING_USERS_MAX,
  };
}

function reportsTo(metrics: ApiMetrics, log: Log): IssuanceReports {
  const series = Object.fromEntries(
    issuerNames.map((issuer) => [
      issuer,
      {
        batchUsers: metrics.batchUsers.of(issuer),
        decisionSeconds: metrics.decisionSeconds.of(issuer),
      },
    ]),
  ) as Record<IssuerName, Readonly<Record<'batchUsers' | 'decisionSeconds', Distribution>>>;
  const signRefusals = metrics.signRefusals.of();
  return {
    batch(issuer, { users, startedMs, endedMs }) {
      const { batchUsers, decisionSeconds } = series[issuer];
      batchUsers.observe(users);
      decisionSeconds.observe((endedMs - startedMs) / 1000);
    },
    refusedBySign: () => signRefusals.add(),
    failed(issuer, failure) {
      metrics.failedBatches.of(issuer).add();
      const promise = promiseBrokenBy(failure);
      if (promise) metrics.brokenPromises.of(promise).add();
      log.error({ issuer, promise, error: failure }, 'a batch failed; its endings are indeterminate');
    },
  };
}

function lockReportsTo({ lockWaitSeconds, lockHeldSeconds }: ApiMetrics): LockReports {
  return {
    waited: (result, seconds) => lockWaitSeconds.of(result).observe(seconds),
    held: (seconds) => lockHeldSeconds.of().observe(seconds),
  };
}

/** Gauges are read when they are asked for. */
function measureLoad(metrics: ApiMetrics, issuance: Issuance): void {
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
    const { lags } = await readLags(redis, config.PARTITIONS);
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
