// reports.ts -- What the worker tells of its work: metrics for each step, log lines for what an operator should know.

import type { Log } from '../src/telemetry/log.ts';
import type { WorkerMetrics } from '../src/telemetry/metrics.ts';
import type { DrainReports } from './drain.ts';
import type { ReconcileReports } from './reconcile.ts';

/** Reports of one partition. */
export function reportsTo(metrics: WorkerMetrics, log: Log, partition: number): DrainReports {
  return {
    written({ inserted, replayed, superseded, displaced, dead }, entries, seconds) {
      const nowMs = Date.now();
      metrics.rows.inc({ result: 'inserted' }, inserted);
      metrics.rows.inc({ result: 'replayed' }, replayed);
      metrics.rows.inc({ result: 'superseded' }, superseded.length);
      metrics.rows.inc({ result: 'displaced' }, displaced.length);
      metrics.rows.inc({ result: 'dead' }, dead.length);
      metrics.transactionRows.observe(inserted + replayed);
      metrics.transactionSeconds.observe(seconds);
      for (const { acceptedMs } of entries) metrics.durableSeconds.observe(Math.max(0, nowMs - acceptedMs) / 1000);
      if (displaced.length + superseded.length > 0)
        log.error(
          { partition, displaced: displaced.length, superseded: superseded.length },
          'P3: Redis lost acknowledged issues and gave their sequences out again; the rows are right, some answers were not',
        );
    },
    retrying(error, pauseMs) {
      metrics.retries.inc();
      log.warn({ partition, error, pauseMs }, 'failed for a reason that may pass; trying again');
    },
    deadLetter(reason, users) {
      metrics.deadLetters.inc();
      log.error({ partition, reason, users }, 'P3: a dead letter: accepted issues that cannot be rows');
    },
    settled(unpersisted) {
      metrics.unpersisted.set({ partition: String(partition) }, unpersisted);
    },
  };
}

/** Reports of the reconciler. */
export function reconcileReportsTo(log: Log): ReconcileReports {
  return {
    drift(audit) {
      log.error({ audit }, 'P3: Redis and MySQL disagree about a coupon');
    },
    repaired(couponId) {
      log.warn({ couponId }, 'repaired the copy of a coupon in Redis that lagged behind');
    },
    closed(couponId) {
      log.info({ couponId }, 'put a coupon away that is long over');
    },
    round(sums) {
      log.debug(sums, 'reconciled');
    },
  };
}
