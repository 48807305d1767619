// metrics.ts -- The metrics of issuing: requests, batches and locks.

import { counter, gauge, histogram, SECONDS, SIZES } from '../telemetry/registry.ts';
import { type IssuerName, issuerNames } from './issuer.ts';
import type { RequestResult } from './endpoint.ts';

/** What callers got. Of those that failed nothing was decided, or the result is ambiguous. */
const groups: Readonly<Record<RequestResult, 'accepted' | 'refused' | 'failed'>> = {
  issued: 'accepted',
  'already issued': 'refused',
  'not exist': 'refused',
  paused: 'refused',
  'not started': 'refused',
  ended: 'refused',
  'sold out': 'refused',
  overloaded: 'failed',
  stopping: 'failed',
  dependency: 'failed',
  failed: 'failed',
  invalid: 'refused',
  unauthenticated: 'refused',
  forbidden: 'refused',
  limited: 'refused',
};
const results = Object.keys(groups) as RequestResult[];

export type IssuingMetrics = ReturnType<typeof createIssuingMetrics>;

export function createIssuingMetrics() {
  const issuer = ['issuer', issuerNames] as const;
  return {
    requests: counter('coupon_issue_requests_total', 'Requests of the issue endpoints, by result', issuer, [
      'outcome',
      results,
    ]),
    seconds: histogram('coupon_issue_seconds', 'Time from the arrival of a request to its answer', SECONDS, issuer),
    refusalCacheHits: counter('coupon_refusal_cache_hits_total', 'Requests refused from the cache, without a decision'),
    storeFailures: counter(
      'coupon_store_failures_total',
      'Requests that failed because a store did: of operators, of users about their issues, and with an Idempotency-Key',
    ),
    batchUsers: histogram('coupon_batch_users', 'Users decided together', SIZES, issuer),
    decisionSeconds: histogram('coupon_decision_seconds', 'Time of one decision for a batch', SECONDS, issuer),
    failedBatches: counter(
      'coupon_failed_batches_total',
      'Batches that failed: the result is ambiguous for each of their users',
      issuer,
    ),
    waiting: gauge('coupon_waiting_users', 'Users waiting for a decision to begin', issuer),
    inFlight: gauge('coupon_batches_in_flight', 'Decisions under way', issuer),
    lockWaitSeconds: histogram(
      'coupon_lock_wait_seconds',
      'Wait for the Redlock lock of a coupon, by whether it was acquired in time',
      SECONDS,
      ['result', ['acquired', 'timeout']],
    ),
    lockHeldSeconds: histogram(
      'coupon_lock_held_seconds',
      'Time from acquiring the lock of a coupon to the end of the decision under it',
      SECONDS,
    ),
  };
}

/** Observes a request of an issue endpoint. Every request does: the series are looked up without building text. */
export function requestMeter({ requests, seconds }: Pick<IssuingMetrics, 'requests' | 'seconds'>) {
  const meters = byName(issuerNames, (issuer) => ({
    durations: seconds.of(issuer),
    counts: byName(results, (result) => requests.of(issuer, result)),
  }));
  return (issuer: IssuerName, result: RequestResult, durationSeconds: number): void => {
    const { durations, counts } = meters[issuer];
    durations.observe(durationSeconds);
    counts[result].add();
  };
}

/** Requests of the issue endpoints since the process started, by what their callers got. */
export function answerTotals({ requests }: Pick<IssuingMetrics, 'requests'>) {
  const totals = { accepted: 0, refused: 0, failed: 0 };
  for (const issuer of issuerNames) {
    for (const result of results) totals[groups[result]] += requests.of(issuer, result).total();
  }
  return totals;
}

function byName<Name extends string, Value>(names: readonly Name[], make: (name: Name) => Value): Record<Name, Value> {
  return Object.fromEntries(names.map((name) => [name, make(name)])) as Record<Name, Value>;
}
