// api.ts -- Wires the parts of the API: connections below, the three issuers above them, one lifetime for all.

import { randomUUID } from 'node:crypto';
import { listTrail, recordIn, type TrailFilter } from '../auth/audit-trail.ts';
import { createCodes } from '../codes/codes.ts';
import { keepRemovingAbandoned } from '../codes/abandoned.ts';
import type { Config } from '../config/config.ts';
import { createCatalog } from '../coupon/catalog.ts';
import { readAudit } from '../operations/audit.ts';
import { createDeadLetters, type DeadLetters } from '../operations/dead-letters.ts';
import type { CouponReader } from '../issuing/coupon-reader.ts';
import type { CombinerBounds } from '../issuing/combiner.ts';
import { createRedisStock, type RedisStock } from '../stock/redis-stock.ts';
import { createSnapshots, type Snapshots } from '../stock/snapshot.ts';
import { answerTotals } from '../issuing/metrics.ts';
import { createIssueOnce } from '../issuing/idempotency.ts';
import { createPipeline } from '../issuing/pipeline.ts';
import type { Issuer, IssuerName } from '../issuing/issuer.ts';
import { readBacklog } from '../stream/backlog.ts';
import type { Load } from '../operations/routes.ts';
import { checkDrop } from '../operations/preflight/checks.ts';
import { readFacts } from '../operations/preflight/facts.ts';
import type { Preflight } from '../operations/preflight/findings.ts';
import { fileLimitFault } from '../runtime/file-limit.ts';
import { socketBacklog } from '../runtime/socket-backlog.ts';
import { createLocked, type LockObserver } from '../issuing/locked.ts';
import { createFeed } from '../issues/feed.ts';
import { createSample, ProgressHub } from '../issues/progress.ts';
import { Places } from '../issues/places.ts';
import { RowWatcher } from '../issues/row-watcher.ts';
import { createReplicas } from '../issuing/replicas.ts';
import { createScripted, createTake } from '../issuing/scripted.ts';
import { createIssues } from '../issues/status.ts';
import { createEpochReader, type EpochReader } from '../stock/restoring.ts';
import { freeIds } from '../operations/orphans.ts';
import { createReports } from '../operations/reports.ts';
import { RefusalCounts } from '../operations/timeline/refusal-counts.ts';
import { readTimeline } from '../operations/timeline/timeline.ts';
import type { RecentAnswers } from '../stock/recent-answers.ts';
import type { StockKeeper } from '../stock/opening.ts';
import { iterateWithStoreErrors, withStoreErrors } from '../issuing/store-errors.ts';
import { createSynchronous } from '../issuing/synchronous.ts';
import { createCouponEditor } from '../stock/editing.ts';
import {
  createChanges,
  createCodeLimiters,
  createCouponReader,
  createKeyLimiter,
  createRefusalCache,
  knownRefusals,
  ofExisting,
} from './caches.ts';
import { type ApiMetrics, measureStock, measureStores, transactionMeter } from './metrics.ts';
import { closeDatabase, type Database, openDatabase, throughPool } from '../mysql/database.ts';
import { issuingConnection, type OnFault, subscribingConnection } from '../redis/connection.ts';
import { wireOffering } from './offering.ts';
import { wireRequestLog } from './logging.ts';
import type { Log } from '../telemetry/log.ts';
import { certainSequenceReader } from '../webhooks/certain-sequence.ts';
import { createWebhooks } from '../webhooks/webhook-store.ts';
import {
  type FaultObservers,
  createFaultObservers,
  createPipelineObserver,
  createLockObserver,
  measureLoad,
} from './api-observers.ts';

/** Everything that answers requests, before HTTP. */
export type ApiParts = ReturnType<typeof wireApi>;

/** What most parts are built on. */
interface Foundation {
  readonly redisStock: RedisStock;
  readonly database: Database;
  readonly settings: Config;
}

/** With what opens coupons, and sees what Redis knows of one whose home is MySQL. */
interface Opened extends Foundation {
  readonly stock: StockKeeper;
  readonly answers: RecentAnswers;
  readonly epochInRedis: EpochReader;
}

export function wireApi(config: Config, metrics: ApiMetrics, log: Log) {
  const faults = createFaultObservers(metrics, log);
  const { onRedisFault, onStoreFault } = faults;
  const { redis, subscriber, connections, redisStock } = connectRedis(config, onRedisFault);
  const database = openDatabase(config, transactionMeter(metrics));
  const foundation: Foundation = { redisStock, database, settings: config };
  const snapshots = createSnapshots(foundation);
  measureStores(metrics, foundation);
  const onRequested = measureStock(metrics, { database, snapshots });
  const { answers, stock, leave, ...offering } = wireOffering(foundation, metrics, log);
  const opened: Opened = { ...foundation, stock, answers, epochInRedis: createEpochReader(redisStock) };
  const reader = createCouponReader(foundation, onStoreFault);
  const issuers = createIssuers(opened, reader, createLockObserver(metrics));
  const refusals = createRefusalCache(config, snapshots, log);
  const counts = new RefusalCounts(redisStock);
  const observer = createPipelineObserver(metrics, log, { onRequested, counts, redisStock });
  const issuance = createPipeline({ issuers, refusals, bounds: boundsOf(config), observer });
  measureLoad(metrics, issuance);
  const { announce, listen } = createChanges(redis, [refusals, reader], onRedisFault);
  const { releaseWaiters, ...after } = createAfterIssuing({ ...opened, snapshots, reader }, faults);
  const requestLog = wireRequestLog(config, redis, database, log);
  const editor = createCouponEditor({ redisStock, database, stock, announce, onFault: faults.onBackgroundFault });
  return {
    redis,
    redisStock,
    subscriber,
    connections,
    database,
    stock,
    issuers,
    issuance,
    catalog: withStoreErrors(createCatalog(database, announce, freeIds(redisStock)), onStoreFault),
    editor: withStoreErrors(editor, onStoreFault),
    ...after,
    ...withStoreErrors(
      {
        issueOnce: createIssueOnce({
          redis,
          issuance,
          issues: after.issues,
          settings: config,
          refusalOf: knownRefusals(refusals, reader, config),
          allKeys: createKeyLimiter(config, redis, onRedisFault),
        }),
      },
      onStoreFault,
    ),
    ...createOperations(foundation, metrics, onStoreFault),
    feed: withStoreErrors(createFeed({ redisStock, database, stock }), onStoreFault),
    ...offering,
    ...requestLog,
    /** Subscribes to edits of coupons, and follows changes of the log; call it once the connections are open. */
    listen: async () => {
      await listen(subscriber);
      requestLog.logging.watch();
    },
    /** Ends long polls and event streams, so that a server can stop. */
    releaseWaiters,
    /** Answers the requests under way, then ends the connections. */
    async close() {
      requestLog.logging.stop();
      await releaseWaiters();
      await issuance.drain();
      await counts.send();
      await leave();
      for (const connection of connections) connection.disconnect();
      await closeDatabase(database);
    },
  };
}

/** `connections` are all of them, the one that decides first. */
function connectRedis(config: Config, onFault: OnFault) {
  const redis = issuingConnection(config, onFault);
  const subscriber = subscribingConnection(config, onFault);
  const replicas = createReplicas(config, onFault);
  const connections = [redis, subscriber, ...(replicas?.connections ?? [])] as const;
  return { redis, subscriber, connections, redisStock: createRedisStock(redis, config, replicas?.confirm) };
}

function createIssuers(opened: Opened, reader: CouponReader, observer: LockObserver) {
  const { redisStock, database, stock, answers, epochInRedis } = opened;
  const take = createTake(redisStock, stock, answers);
  const reserve = createTake(redisStock, stock, answers, false);
  const exists = (couponId: number) => reader.exists(couponId, 'general');
  return {
    synchronous: createSynchronous({ database, take: reserve, exists, epochInRedis, drop: redisStock.drop }),
    locked: ofExisting(createLocked({ ...opened, take, observer }), reader),
    scripted: ofExisting(createScripted(take), reader),
  } satisfies Record<IssuerName, Issuer>;
}

/** What users ask about issues after they were accepted. */
function createAfterIssuing(
  { snapshots, reader, ...opened }: Opened & { readonly snapshots: Snapshots; readonly reader: CouponReader },
  { onStoreFault, onBackgroundFault: onFault, onRedisFault }: FaultObservers,
) {
  const { settings, redisStock } = opened;
  const database = throughPool(opened.database, 'public');
  const watch = new RowWatcher({ database, settings, onFault });
  // What listeners follow changes all the time: nothing from the cache.
  const sample = createSample((couponId) => reader.read(couponId, 0), snapshots);
  const exists = (couponId: number) => reader.exists(couponId, 'public');
  const read = (couponId: number) => reader.read(couponId);
  const progress = new ProgressHub({ ...withStoreErrors({ sample }, () => undefined), settings, onFault });
  return {
    issues: withStoreErrors(createIssues({ ...opened, database, exists, read, watch }), onStoreFault),
    codes: withStoreErrors(createCodes(database), onStoreFault),
    codeLimiters: createCodeLimiters(settings, redisStock.redis, onRedisFault),
    /** Removes what uploads of codes have left that did not end, until the signal aborts. */
    keepCodesClean: (signal: AbortSignal) => keepRemovingAbandoned(opened.database, signal, onFault),
    progress,
    places: new Places(settings),
    readPublic: read,
    /** Ends long polls and event streams, so that a server can stop. */
    releaseWaiters: async () => {
      await Promise.all([watch.close(), progress.close()]);
    },
  };
}

/** What operators watch and recover with, throwing as the rest of the API does. */
function createOperations(foundation: Foundation, metrics: ApiMetrics, onFault: (fault: unknown) => void) {
  const { redisStock, database } = foundation;
  const { list, ...letters } = createDeadLetters(redisStock, recordIn(database));
  const deadLetters: DeadLetters = {
    list: () => iterateWithStoreErrors(list(), onFault),
    ...withStoreErrors(letters, onFault),
  };
  const reading = {
    load: createLoad(redisStock, metrics),
    audit: (couponId: number) => readAudit({ redisStock, database }, couponId),
    report: createReports(database),
    timeline: (couponId: number) => readTimeline({ redisStock, database }, couponId),
    preflight: createPreflight(foundation),
    listTrail: (filter: TrailFilter) => listTrail(database, filter),
  };
  const readCertain = certainSequenceReader(redisStock, database);
  const webhooks = createWebhooks({ database, readCertain, settings: foundation.settings });
  return { deadLetters, webhooks: withStoreErrors(webhooks, onFault), ...withStoreErrors(reading, onFault) };
}

function boundsOf(config: Config): CombinerBounds {
  return {
    usersPerBatchMax: config.USERS_PER_BATCH_MAX,
    batchesInFlightMax: config.BATCHES_IN_FLIGHT_MAX,
    waitingMax: config.WAITING_USERS_MAX,
  };
}

function createPreflight(foundation: Foundation): (couponId: number) => Promise<Preflight | null> {
  const { settings } = foundation;
  const host = () => ({ filesFault: fileLimitFault(settings), socketBacklog: socketBacklog() });
  return async (couponId) => {
    const facts = await readFacts({ ...foundation, host }, couponId);
    return facts && checkDrop(facts, settings);
  };
}

function createLoad(redisStock: RedisStock, metrics: ApiMetrics): () => Promise<Load> {
  const startMs = performance.now();
  const name = randomUUID().slice(0, 8);
  return async () => {
    const { partitions } = await readBacklog(redisStock.redis, redisStock.partitions);
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
