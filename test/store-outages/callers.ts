// callers.ts -- Callers of the three endpoints over real HTTP. Every answer is kept, and in the end compared with the rows.

import { createApp } from '../../src/app.ts';
import type { IssuerName } from '../../src/issuing/issuer.ts';
import type { Refusal } from '../../src/coupon/outcome.ts';
import { serve } from '../../src/runtime/serve.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createApiMetrics } from '../../src/wiring/metrics.ts';
import { type Accusation, type Attempt, checkHistory, type RequestResult } from '../checker.ts';
import { fakeAuthority, pages } from '../http/fakes.ts';
import type { Stores, TestApi } from '../stores.ts';

export interface Callers extends AsyncDisposable {
  /**
   * Sends one request.
   *
   * @returns the answer in short: status, code unless it is a success, and the sequence if one was named: `202 #3`,
   *   `409 DUPLICATED_COUPON_ISSUE #3`, `503 FAIL_COUPON_ISSUE_REQUEST`
   */
  ask(issuer: IssuerName, couponId: number, userId: string): Promise<string>;
  /** Drops the answers that these users got so far: the store really lost what they named. */
  forgive(couponId: number, ...userIds: readonly string[]): void;
  /** The answers that the rows prove wrong. Call it when the streams are drained. */
  accusations(couponId: number): Promise<readonly Accusation[]>;
}

const paths = { synchronous: '/v1/issue', locked: '/v1/issue-async', scripted: '/v2/issue-async' } as const;

/** Callers, stores and servers of a test read one clock; rows have whole milliseconds. */
const CLOCK_MS_MAX = 2;

/** Serves the whole HTTP surface of an API on a free port. */
export async function openCallers(stores: Stores, api: TestApi): Promise<Callers> {
  const { config } = stores;
  const unused = () => Promise.reject(new Error('no test needs it here'));
  const app = createApp({
    ...api,
    config,
    authority: fakeAuthority(),
    limiters: { user: null, address: null },
    limitedCallers: () => [],
    pages,
    readiness: unused,
    metrics: createApiMetrics(),
    log: createLog('api', 'silent'),
  });
  const faults: unknown[] = [];
  const server = await serve(app.fetch, { host: '127.0.0.1', port: 0, onError: (error) => faults.push(error) });
  const attempts: Attempt[] = [];
  const forgiven = new Set<number>();
  return {
    async ask(issuer, couponId, userId) {
      const invokedMs = Date.now();
      const response = await fetch(new URL(paths[issuer], server.url), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ couponId, userId }),
      });
      const answer = (await response.json()) as Answer;
      attempts.push({ couponId, userId, invokedMs, endedMs: Date.now(), result: resultOf(response, answer) });
      const { code, sequence } = answer;
      return [response.status, ...(code ? [code] : []), ...(sequence ? [`#${sequence}`] : [])].join(' ');
    },
    forgive(couponId, ...userIds) {
      forgiven.add(couponId);
      attempts.forEach((attempt, i) => {
        if (attempt.couponId === couponId && userIds.includes(attempt.userId))
          attempts[i] = { ...attempt, result: { kind: 'indeterminate' } };
      });
    },
    async accusations(couponId) {
      const coupon = await stores.couponNow(couponId);
      const rows = (await stores.rows(couponId)).map((row) => ({ ...row, couponId }));
      const history = {
        coupons: [{ ...coupon, total: coupon.totalQuantity }],
        attempts: attempts.filter((attempt) => attempt.couponId === couponId),
        rows,
      };
      return checkHistory(history, { clockMsMax: CLOCK_MS_MAX, mayHaveGaps: forgiven.has(couponId) });
    },
    async [Symbol.asyncDispose]() {
      await server.stop();
      if (faults.length > 0) throw new AggregateError(faults, 'the server failed');
    },
  };
}

interface Answer {
  readonly code?: string;
  readonly detail?: string;
  readonly sequence?: number;
}

/** The result for the caller. An answer that no store should ever cause is a bug, and fails the test. */
function resultOf(response: Response, { code = '', detail = '', sequence }: Answer): RequestResult {
  if (response.ok && sequence !== undefined) return { kind: 'ok', sequence };
  if (code === 'DUPLICATED_COUPON_ISSUE' && sequence !== undefined) return { kind: 'duplicate', sequence };
  if (code === 'FAIL_COUPON_ISSUE_REQUEST' && response.headers.has('retry-after')) return { kind: 'indeterminate' };
  const reason = refusals.find(([refusedCode, words]) => refusedCode === code && detail.includes(words))?.[2];
  if (reason === undefined) throw new Error(`an answer that no store excuses: ${response.status} ${code}`);
  return { kind: 'refused', reason };
}

/** Code, a part of the detail, and what they mean. */
const refusals: readonly (readonly [string, string, Refusal['kind']])[] = [
  ['INVALID_COUPON_ISSUE_QUANTITY', '', 'sold out'],
  ['COUPON_NOT_EXIST', '', 'not exist'],
  ['INVALID_COUPON_ISSUE_DATE', 'paused', 'paused'],
  ['INVALID_COUPON_ISSUE_DATE', 'not started', 'not started'],
  ['INVALID_COUPON_ISSUE_DATE', 'ended', 'ended'],
];
