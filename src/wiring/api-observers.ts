// api-observers.ts -- What the API counts and logs of faults, batches, locks and load.

import type { RedisStock } from '../stock/redis-stock.ts';
import type { IssuePipeline, PipelineObserver } from '../issuing/pipeline.ts';
import { type IssuerName, issuerNames } from '../issuing/issuer.ts';
import { partitionOf } from '../stream/keys.ts';
import type { LockObserver } from '../issuing/locked.ts';
import type { RefusalCounts } from '../operations/timeline/refusal-counts.ts';
import type { ApiMetrics } from './metrics.ts';
import type { Log } from '../telemetry/log.ts';
import { promiseBrokenBy } from '../telemetry/process-metrics.ts';

export type FaultObservers = ReturnType<typeof createFaultObservers>;

/** Counts faults of the stores; logs those of the connections and of background work. */
export function createFaultObservers(metrics: ApiMetrics, log: Log) {
  // Of a request: it is logged where the request is known.
  const onStoreFault = () => metrics.storeFailures.of().add();
  return {
    onStoreFault,
    onBackgroundFault(error: unknown) {
      onStoreFault();
      log.error({ error }, 'store request failed; result unknown to the caller');
    },
    onRedisFault(error: unknown) {
      metrics.redisFaults.of().add();
      log.warn({ error }, 'the connection to Redis failed; trying again');
    },
  };
}

/** Measures batches and decisions, counts refusals by coupon, and logs a batch that failed. */
export function createPipelineObserver(
  metrics: ApiMetrics,
  log: Log,
  {
    onRequested,
    counts,
    redisStock,
  }: {
    readonly onRequested: (couponId: number) => void;
    readonly counts: RefusalCounts;
    readonly redisStock: Pick<RedisStock, 'partitions'>;
  },
): PipelineObserver {
  const seriesOf = (issuer: IssuerName) => {
    return { batchUsers: metrics.batchUsers.of(issuer), decisionSeconds: metrics.decisionSeconds.of(issuer) };
  };
  const series = { synchronous: seriesOf('synchronous'), locked: seriesOf('locked'), scripted: seriesOf('scripted') };
  const refusalCacheHits = metrics.refusalCacheHits.of();
  return {
    batch(issuer, { users, startedMs, endedMs }) {
      const { batchUsers, decisionSeconds } = series[issuer];
      batchUsers.observe(users);
      decisionSeconds.observe((endedMs - startedMs) / 1000);
    },
    refusedByCache(couponId, refusal) {
      refusalCacheHits.add();
      counts.count(couponId, refusal);
    },
    requested(couponId, outcomes) {
      onRequested(couponId);
      for (const outcome of outcomes) counts.count(couponId, outcome);
    },
    failed(issuer, failure, { couponId, users }) {
      metrics.failedBatches.of(issuer).add();
      const promise = promiseBrokenBy(failure);
      if (promise) metrics.brokenPromises.of(promise).add();
      const partition = partitionOf(couponId, redisStock.partitions.length);
      const batch = { issuer, couponId, partition, users, promise, error: failure };
      log.error(batch, 'a batch failed; its results are unknown to the callers');
    },
  };
}

/** How long the Redlock lock was waited for, and held. */
export function createLockObserver({ lockWaitSeconds, lockHeldSeconds }: ApiMetrics): LockObserver {
  return {
    waited: (result, seconds) => lockWaitSeconds.of(result).observe(seconds),
    held: (seconds) => lockHeldSeconds.of().observe(seconds),
  };
}

/** How many users wait and how many batches are in flight: gauges that are read when they are asked for. */
export function measureLoad(metrics: ApiMetrics, issuance: IssuePipeline): void {
  metrics.onRender(() => {
    for (const issuer of issuerNames) {
      const { waiting, batchesInFlight } = issuance.load(issuer);
      metrics.waiting.of(issuer).set(waiting);
      metrics.inFlight.of(issuer).set(batchesInFlight);
    }
  });
}
