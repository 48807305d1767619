// metrics.ts -- The metrics of the worker: rows written, retries, dead letters, reconciling.

import { counter, gauge, histogram, SIZES } from '../src/telemetry/registry.ts';
import { exposeMetrics, READING_MS_MAX } from '../src/wiring/metrics.ts';

/** Seconds between two stores: an outage may last for hours. */
const LONG_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200] as const;

export type WorkerMetrics = ReturnType<typeof createWorkerMetrics>;

export function createWorkerMetrics(readingMsMax = READING_MS_MAX) {
  return exposeMetrics(createTable(), readingMsMax);
}

function createTable() {
  const rowResult = ['result', ['inserted', 'unchanged', 'superseded', 'renumbered', 'dead']] as const;
  return {
    rows: counter('coupon_ledger_rows_total', 'Accepted issues by what became of them in MySQL', rowResult),
    transactionRows: histogram(
      'coupon_ledger_transaction_rows',
      'Rows that one transaction of the worker inserted',
      SIZES,
    ),
    writeSeconds: histogram(
      'coupon_ledger_write_seconds',
      'Time to write entries to MySQL, including retries',
      LONG_SECONDS,
    ),
    durableSeconds: histogram(
      'coupon_accept_to_durable_seconds',
      'Time from acceptance in Redis to the commit in MySQL, by the clocks of Redis and the worker, once for each user',
      LONG_SECONDS,
    ),
    retries: counter('coupon_ledger_retries_total', 'Tries of the worker that failed with a transient error'),
    deadLetters: counter('coupon_dead_letters_total', 'Entries that the worker moved to the dead stream'),
    drift: counter(
      'coupon_audit_drift_issues_total',
      'Issues about which Redis and MySQL disagree, counted again in every round of the reconciler',
      ['kind', ['missing', 'unknown', 'unexpected']],
    ),
    reconciled: counter(
      'coupon_reconciled_coupons_total',
      'Coupons that the reconciler compared, repaired and closed, whose issues it restored to MySQL, and of which Redis has issues and MySQL has no row',
      ['result', ['compared', 'repaired', 'closed', 'restored', 'orphaned']],
    ),
    reconcileFaults: counter(
      'coupon_reconcile_faults_total',
      'Rounds of the reconciler that failed, and of others the parts that did: a node of a cluster, a partition, a coupon',
    ),
    webhookEvents: counter('coupon_webhook_events_total', 'Events that webhooks have received'),
    webhookRequests: counter('coupon_webhook_requests_total', 'Requests to webhooks by their result', [
      'result',
      ['delivered', 'failed'],
    ]),
    webhookFailingSeconds: gauge(
      'coupon_webhook_failing_seconds',
      'How long the webhook that fails the longest has failed, as the worker that delivers sees it',
    ),
    webhooksStopped: gauge(
      'coupon_stopped_webhooks',
      'Webhooks that are stopped, since they failed for too long or answered 410, as the worker that delivers sees it',
    ),
    webhookFaults: counter(
      'coupon_webhook_faults_total',
      'Rounds of looking for events to deliver that failed on our side, and deliveries that did',
    ),
    lastRound: gauge(
      'coupon_reconcile_last_round_timestamp_seconds',
      'When this worker last finished a round of reconciling; only one worker at a time does',
    ),
  };
}
