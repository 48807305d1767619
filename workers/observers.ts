// observers.ts -- The observers of the worker: metrics for each step, log lines for what an operator should know.

import { UNKNOWN_VERSION } from '../src/stream/entry.ts';
import type { Log } from '../src/telemetry/log.ts';
import type { WorkerMetrics } from './metrics.ts';
import type { DrainObserver } from './drain.ts';
import type { ReconcileObserver } from './reconcile.ts';
import type { WebhookObserver } from './webhooks.ts';

/** Observes one partition. */
export function createDrainObserver(metrics: WorkerMetrics, log: Log, partition: number): DrainObserver {
  return {
    written({ inserted, unchanged, superseded, renumbered, dead }, entries, seconds) {
      const nowMs = Date.now();
      metrics.rows.of('inserted').add(inserted);
      metrics.rows.of('unchanged').add(unchanged);
      metrics.rows.of('superseded').add(superseded.length);
      metrics.rows.of('renumbered').add(renumbered.length);
      metrics.rows.of('dead').add(dead.length);
      metrics.transactionRows.of().observe(inserted);
      metrics.writeSeconds.of().observe(seconds);
      const durableSeconds = metrics.durableSeconds.of();
      // All users of an entry were accepted at one instant: one observation, of their weight.
      for (const { acceptedMs, users } of entries) {
        durableSeconds.observe(Math.max(0, nowMs - acceptedMs) / 1000, users.length);
      }
      if (renumbered.length + superseded.length === 0) return;
      metrics.brokenPromises.of('P3').add(renumbered.length + superseded.length);
      log.error(
        { partition, renumbered: renumbered.length, superseded: superseded.length },
        'P3: Redis lost acknowledged issues and gave their sequences out again; the rows are right, some answers were not',
      );
    },
    retrying(error, pauseMs) {
      metrics.retries.of().add();
      log.warn({ partition, error, pauseMs }, 'transient failure, retrying');
    },
    deadLetter(reason, users) {
      metrics.deadLetters.of().add();
      if (reason === UNKNOWN_VERSION) {
        log.warn(
          { partition, users },
          'an entry of a later release is kept among the dead letters until a worker can write it',
        );
        return;
      }
      metrics.brokenPromises.of(promiseOf(reason)).add();
      log.error({ partition, reason, users }, 'P3: a dead letter: accepted issues that could not be written as rows');
    },
  };
}

/** Observes the reconciler. */
export function createReconcileObserver(metrics: WorkerMetrics, log: Log): ReconcileObserver {
  return {
    drift(audit) {
      for (const kind of ['missing', 'unknown', 'unexpected'] as const) metrics.drift.of(kind).add(audit[kind]);
      log.error({ audit }, 'P3: Redis and MySQL disagree about a coupon');
    },
    repaired(couponId) {
      metrics.reconciled.of('repaired').add();
      log.warn({ couponId }, 'repaired the settings of a coupon in Redis');
    },
    closed(couponId) {
      metrics.reconciled.of('closed').add();
      log.info({ couponId }, 'closed a coupon that ended long ago');
    },
    restored(couponId, issues) {
      metrics.reconciled.of('restored').add();
      log.error({ couponId, issues }, 'MySQL lost what Redis knows of a coupon; its issues are written again');
    },
    unknownCoupon(couponId, left) {
      if (left === 'removed') {
        log.warn(
          { couponId },
          'removed the stock in Redis of a coupon that MySQL does not have; nothing was issued from it',
        );
        return;
      }
      // Without a state that this release knows there was nothing to stop.
      if (left === 'gone') return;
      metrics.reconciled.of('orphaned').add();
      log.warn(
        { couponId },
        'Redis has issues of a coupon that MySQL does not have, which is stopped; restore its row, or run `bun run reconcile --coupon N --discard`',
      );
    },
    round(sums) {
      metrics.reconciled.of('compared').add(sums.coupons);
      metrics.lastRound.of().set(Date.now() / 1000);
      log.debug(sums, 'reconciled');
    },
  };
}

/** Observes deliveries to webhooks. URLs are not logged, since they may hold a secret of the receiver. */
export function createWebhookObserver(metrics: WorkerMetrics, log: Log): WebhookObserver {
  return {
    delivered(events) {
      metrics.webhookEvents.of().add(events);
      metrics.webhookRequests.of('delivered').add();
    },
    failed(webhookId, error, end) {
      metrics.webhookRequests.of('failed').add();
      if (end === null) log.warn({ webhookId, error }, 'a request to a webhook failed; it is sent again');
      else log.error({ webhookId, error, state: end }, 'a webhook is stopped until an operator resumes it');
    },
    webhooks(targets) {
      const isStopped = ({ state }: (typeof targets)[number]) => state === 'failed' || state === 'gone';
      const failing = targets.filter(({ state }) => state === 'active').map(({ failingS }) => failingS);
      metrics.webhookFailingSeconds.of().set(Math.max(0, ...failing));
      metrics.webhooksStopped.of().set(targets.filter(isStopped).length);
    },
  };
}

/** MySQL's CHECK on the number of issues is the last guard of P1; every other dead letter breaks an answer. */
function promiseOf(reason: string): 'P1' | 'P2' | 'P3' {
  if (/^P1:|^MySQL error (3819|4025)$/.test(reason)) return 'P1';
  return reason.startsWith('P2:') ? 'P2' : 'P3';
}
