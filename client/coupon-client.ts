// coupon-client.ts -- The client: every route as a typed call whose result is a value. Standards alone, so it runs on Bun, Deno,
// Node 20 and in browsers; it imports nothing from outside this folder.
//
// What would do harm if it were done twice is sent once: creating a coupon, and an edit that names no version.

import {
  readAuditTrail,
  readDrop,
  readIssueMany,
  readIssuePage,
  readIssueReport,
  readKey,
  readLimitedCallers,
  readLoad,
  readLogging,
} from './answers.ts';
import { followProgress } from './events.ts';
import { issueWithRetry, revokeRequest, segment, statusRequest, undoRequest, useRequest } from './issue.ts';
import { type Bounds, type ClientContext, requestWithRetry } from './request.ts';
import { webhookCalls } from './webhooks.ts';
import { type Send, couponCalls, codeCalls, deadLetterCalls, queryOf } from './operator-calls.ts';
import type { CouponClient } from './calls.ts';

export type { Fault, Problem, Progress } from './answers.ts';
export type * from './api-types.ts';
export type * from './calls.ts';
export type { WebhookCalls } from './webhooks.ts';
export type { ProgressEvent } from './events.ts';
export type { IssueOptions, IssueRequest, IssueResult, OwnIssueRequest } from './issue.ts';
export type { Ambiguous, Bounds, CallOptions, Done, Refused, RequestResult } from './request.ts';

export interface CouponClientOptions extends Partial<Bounds> {
  /** Root of the server, such as `https://coupons.example`; a path is kept. */
  readonly url: string;
  /** API key or token of the caller. A function is called before each attempt, so that a renewed token is used. */
  readonly token?: string | (() => string | null);
  /** For tests and special networks. */
  readonly fetch?: ClientContext['fetch'];
  readonly pause?: ClientContext['pause'];
  readonly random?: ClientContext['random'];
  readonly nowMs?: ClientContext['nowMs'];
}

/** Makes a client. Nothing is sent yet. @throws TypeError when `url` is none */
export function createCouponClient(options: CouponClientOptions): CouponClient {
  const context = contextOf(options);
  const send: Send = (request, call) => requestWithRetry(request, context, call);
  return {
    issue: (request, call = {}) => issueWithRetry(request, call, context),
    issueToMany: (couponId, users, call = {}) => {
      const headers = { 'idempotency-key': call.idempotencyKey };
      const path = `/v1/coupons/${couponId}/issues`;
      return send({ method: 'POST', path, body: { users }, headers, read: readIssueMany, isIdempotent: true }, call);
    },
    status: (request, call = {}) => send(statusRequest(request, call.waitMs), call),
    use: (request, { reference, ...call } = {}) => send(useRequest(request, reference), call),
    undoUse: (request, { reference, ...call } = {}) => send(undoRequest(request, reference), call),
    revoke: (request, reason, call) => send(revokeRequest(request, reason), call),
    issuesOf: (userId, call = {}) => {
      const path = `/v1/users/${segment(userId)}/issues${queryOf(call)}`;
      return send({ method: 'GET', path, read: readIssuePage, isIdempotent: true }, call);
    },
    events: (couponId, call = {}) => followProgress(couponId, context, call),
    coupons: couponCalls(send),
    codes: codeCalls(send),
    drops: {
      read: (couponId, call) =>
        send({ method: 'GET', path: `/v1/drops/${couponId}`, read: readDrop, isIdempotent: true }, call),
    },
    deadLetters: deadLetterCalls(send),
    reports: {
      issues: (call = {}) =>
        send(
          { method: 'GET', path: `/v1/reports/issues${queryOf(call)}`, read: readIssueReport, isIdempotent: true },
          call,
        ),
    },
    load: (call) => send({ method: 'GET', path: '/v1/load', read: readLoad, isIdempotent: true }, call),
    limitedCallers: (call) =>
      send({ method: 'GET', path: '/v1/limited-callers', read: readLimitedCallers, isIdempotent: true }, call),
    auditTrail: (call = {}) =>
      send({ method: 'GET', path: `/v1/audit-trail${queryOf(call)}`, read: readAuditTrail, isIdempotent: true }, call),
    logging: {
      read: (call) => send({ method: 'GET', path: '/v1/logging', read: readLogging, isIdempotent: true }, call),
      change: (body, call) =>
        send({ method: 'PATCH', path: '/v1/logging', body, read: readLogging, isIdempotent: true }, call),
    },
    webhooks: webhookCalls(send),
    key: (call) => send({ method: 'GET', path: '/v1/key', read: readKey, isIdempotent: true }, call),
  };
}

function contextOf({ url, token = () => null, ...options }: CouponClientOptions): ClientContext {
  const { origin, pathname } = new URL(url);
  return {
    root: origin + pathname.replace(/\/+$/, ''),
    token: typeof token === 'string' ? () => token : token,
    // Called through `globalThis`: browsers refuse a `fetch` that is called as a member of another object.
    fetch: options.fetch ?? ((target, init) => globalThis.fetch(target, init)),
    pause: options.pause ?? pause,
    random: options.random ?? Math.random,
    // Never set back, unlike the time of day.
    nowMs: options.nowMs ?? (() => performance.now()),
    bounds: {
      // About half a minute in all: a rush is over by then, or the person gone.
      attemptsMax: options.attemptsMax ?? 8,
      timeMsMax: options.timeMsMax ?? 30_000,
      attemptMsMax: options.attemptMsMax ?? 10_000,
      backoffMs: options.backoffMs ?? 250,
      backoffMsMax: options.backoffMsMax ?? 5000,
    },
  };
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end);
    if (signal?.aborted) end();
  });
}
