// operator-calls.ts -- Calls for operators: coupons, codes and dead letters.

import {
  readAudit,
  readCouponIssue,
  readCoupon,
  readCouponIssuePage,
  readCouponCodes,
  readCouponPage,
  readDeadLetter,
  readDeadLetters,
  readPreflight,
  readTimeline,
} from './answers.ts';
import { segment, useCodeRequest } from './issue.ts';
import type { CallOptions, RequestResult, RequestSpec } from './request.ts';
import type {
  CouponListOptions,
  CouponIssueOptions,
  AuditTrailOptions,
  ReportOptions,
  VersionOptions,
  CouponClient,
} from './calls.ts';

/** Sends a request with retries, as the client was set up. */
export type Send = <Value>(request: RequestSpec<Value>, call?: CallOptions) => Promise<RequestResult<Value>>;

/** The calls about coupons. */
export function couponCalls(send: Send) {
  const path = (couponId: number) => `/v1/coupons/${couponId}`;
  const calls: CouponClient['coupons'] = {
    create: (body, call) =>
      send({ method: 'POST', path: '/v1/coupons', body, read: readCoupon, isIdempotent: false }, call),
    list: (call = {}) =>
      send({ method: 'GET', path: `/v1/coupons${queryOf(call)}`, read: readCouponPage, isIdempotent: true }, call),
    read: (couponId, call) => send({ method: 'GET', path: path(couponId), read: readCoupon, isIdempotent: true }, call),
    edit: (couponId, body, call = {}) => {
      // Sent twice without a version, it could undo what somebody else changed in between.
      const isIdempotent = call.version !== undefined;
      return send(
        { method: 'PATCH', path: path(couponId), body, headers: ifMatch(call), read: readCoupon, isIdempotent },
        call,
      );
    },
    remove: (couponId, call = {}) =>
      send(
        {
          method: 'DELETE',
          path: path(couponId),
          headers: ifMatch(call),
          read: () => 'removed' as const,
          isIdempotent: true,
        },
        call,
      ),
    open: (couponId, call) =>
      send({ method: 'POST', path: `${path(couponId)}/open`, read: readCoupon, isIdempotent: true }, call),
    audit: (couponId, call) =>
      send({ method: 'GET', path: `${path(couponId)}/audit`, read: readAudit, isIdempotent: true }, call),
    issues: (couponId, call = {}) => {
      const target = `${path(couponId)}/issues${queryOf(call)}`;
      return send({ method: 'GET', path: target, read: readCouponIssuePage, isIdempotent: true }, call);
    },
    preflight: (couponId, call) =>
      send({ method: 'GET', path: `${path(couponId)}/preflight`, read: readPreflight, isIdempotent: true }, call),
    timeline: (couponId, call) =>
      send({ method: 'GET', path: `${path(couponId)}/timeline`, read: readTimeline, isIdempotent: true }, call),
  };
  return calls;
}

/** As long as a million codes may take on a slow line. */
const IMPORT_MS = 600_000;

/** The calls about codes. */
export function codeCalls(send: Send) {
  const path = (couponId: number) => `/v1/coupons/${couponId}/codes`;
  const calls: CouponClient['codes'] = {
    find: (code, call) =>
      send({ method: 'GET', path: `/v1/codes/${segment(code)}`, read: readCouponIssue, isIdempotent: true }, call),
    use: (code, { reference, ...call } = {}) => send(useCodeRequest(code, reference), call),
    read: (couponId, call) =>
      send({ method: 'GET', path: path(couponId), read: readCouponCodes, isIdempotent: true }, call),
    generate: (couponId, pattern, call) =>
      send(
        { method: 'POST', path: path(couponId), body: { pattern }, read: readCouponCodes, isIdempotent: true },
        call,
      ),
    import: (couponId, codes, call) => {
      const sent = typeof codes === 'string' || codes instanceof Blob ? { csv: codes } : { body: codes };
      const request = { method: 'POST', path: `${path(couponId)}/import`, ...sent, read: readCouponCodes } as const;
      return send({ ...request, isIdempotent: false, waitMs: IMPORT_MS }, call);
    },
  };
  return calls;
}

/** The calls about dead letters. */
export function deadLetterCalls(send: Send) {
  const path = (id: string) => `/v1/dead-letters/${segment(id)}`;
  // A letter leaves its place once: the second request finds nothing and is refused.
  const calls: CouponClient['deadLetters'] = {
    list: (call) => send({ method: 'GET', path: '/v1/dead-letters', read: readDeadLetters, isIdempotent: true }, call),
    read: (id, call) => send({ method: 'GET', path: path(id), read: readDeadLetter, isIdempotent: true }, call),
    replay: (id, call) =>
      send({ method: 'POST', path: `${path(id)}/replay`, read: () => 'replayed' as const, isIdempotent: true }, call),
    discard: (id, call) =>
      send({ method: 'DELETE', path: path(id), read: () => 'discarded' as const, isIdempotent: true }, call),
  };
  return calls;
}

function ifMatch({ version }: VersionOptions) {
  return { 'if-match': version === undefined ? undefined : `"${version}"` };
}

/** The query of a list: a `?` and its parameters, or nothing. */
export function queryOf(options: AuditTrailOptions & ReportOptions & CouponIssueOptions & CouponListOptions): string {
  const { after, limit, from, days, timeZone, couponId, key, userId, skip, order, state, search } = options;
  const sent = { after, limit, from, days, timeZone, couponId, key, userId, skip, order, state, search };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(sent)) if (value !== undefined) query.set(name, String(value));
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}
