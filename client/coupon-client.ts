// coupon-client.ts -- The client: every route as a typed call whose result is a value. Standards alone, so it runs on Bun, Deno,
// Node 20 and in browsers; it imports nothing from outside this folder.
//
// What would do harm if it were done twice is sent once: creating a coupon, and an edit that names no version.

import {
  readAudit,
  readAuditTrail,
  readCouponIssue,
  readCoupon,
  readCouponIssuePage,
  readCouponCodes,
  readCouponPage,
  readDeadLetter,
  readDeadLetters,
  readDrop,
  readIssueMany,
  readIssuePage,
  readIssueReport,
  readKey,
  readLimitedCallers,
  readLoad,
  readLogging,
  readPreflight,
  readTimeline,
} from './answers.ts';
import type {
  Audit,
  AuditTrailPage,
  CouponIssue,
  Coupon,
  CouponChanges,
  CouponCodes,
  CouponDraft,
  CouponIssuePage,
  CouponPage,
  DeadLetter,
  DeadLetterList,
  LimitedCallerList,
  Drop,
  IssueManyAnswer,
  IssuePage,
  IssueReport,
  IssueState,
  Key,
  Load,
  Logging,
  LoggingChange,
  Preflight,
  Timeline,
  UsedIssue,
} from './api-types.ts';
import { followProgress, type ProgressEvent } from './events.ts';
import {
  type IssueOptions,
  type IssueRequest,
  type IssueResult,
  issueWithRetry,
  type OwnIssueRequest,
  revokeRequest,
  segment,
  statusRequest,
  undoRequest,
  useCodeRequest,
  useRequest,
} from './issue.ts';
import {
  type Bounds,
  type CallOptions,
  type ClientContext,
  type RequestResult,
  type RequestSpec,
  requestWithRetry,
} from './request.ts';
import { type WebhookCalls, webhookCalls } from './webhooks.ts';

export type { Fault, Problem, Progress } from './answers.ts';
export type * from './api-types.ts';
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

/** Which page of a list. */
export interface PageOptions extends CallOptions {
  /** `next` of the page before. */
  readonly after?: number;
  readonly limit?: number;
}

/** Which coupons, and in which order. */
export interface CouponListOptions extends PageOptions {
  /** Goes on in every order, unlike `after`. */
  readonly skip?: number;
  /** By default `oldest`. */
  readonly order?: 'oldest' | 'newest' | 'start' | 'issued' | 'title';
  readonly state?: 'any' | 'open' | 'not started' | 'paused' | 'sold out' | 'ended' | 'archived';
  /** A part of the title, or an id. */
  readonly search?: string;
}

/** Which issues of a coupon. */
export interface CouponIssueOptions extends PageOptions {
  /** Only the issue of this user. */
  readonly userId?: string;
}

export interface AuditTrailOptions extends PageOptions {
  readonly couponId?: number;
  /** The id of an API key, or the name of an actor without one: `ADMIN_API_KEY`, `command:keys`. */
  readonly key?: number | string;
}

/** Which days of which coupons. */
export interface ReportOptions extends PageOptions {
  /** Such as `2026-12-01`; without it, today is the last day. */
  readonly from?: string;
  readonly days?: number;
  /** Such as `Asia/Seoul`. */
  readonly timeZone?: string;
  readonly couponId?: number;
}

export interface VersionOptions extends CallOptions {
  /** Only this version is changed; at another the call is refused with `PRECONDITION_FAILED`. */
  readonly version?: number;
}

export interface ReferenceOptions extends CallOptions {
  /** What the issue is used for, or was; 1 to 128 characters. */
  readonly reference?: string;
}

/** The result of every call is a value; it throws only for a token or key that no HTTP header can carry. */
export interface CouponClient {
  /** Without a `userId` the user is that of the token. */
  issue(request: OwnIssueRequest, options?: IssueOptions): Promise<IssueResult>;
  /**
   * Issues to up to 1,000 users at once, with the key of a backend. Ask again for those whose code is `FAIL_COUPON_ISSUE_REQUEST`; under an
   * `idempotencyKey` one who was issued by an earlier attempt is answered so.
   */
  issueToMany(
    couponId: number,
    users: readonly IssueRequest['userId'][],
    options?: CallOptions & { readonly idempotencyKey?: string },
  ): Promise<RequestResult<IssueManyAnswer>>;
  /** `waitMs`: an accepted issue is waited for to become a row, at most 30,000. */
  status(
    request: IssueRequest,
    options?: CallOptions & { readonly waitMs?: number },
  ): Promise<RequestResult<IssueState>>;
  /**
   * With a `reference`, such as the id of an order, a repetition is `done` again. Without one, refused with `ISSUE_ALREADY_USED` and
   * `afterAmbiguous`, it may be this very call that used it: compare `dateUsed`.
   */
  use(request: IssueRequest, options?: ReferenceOptions): Promise<RequestResult<UsedIssue>>;
  /** Makes it usable again. Refused with `ISSUE_NOT_USED` and `afterAmbiguous`, it may be this very call that did. */
  undoUse(request: IssueRequest, options?: ReferenceOptions): Promise<RequestResult<IssueState>>;
  /** Ends an issue for good, for operators. Refused with `ISSUE_REVOKED` and `afterAmbiguous`, it may be this very call that did. */
  revoke(request: IssueRequest, reason: string, options?: CallOptions): Promise<RequestResult<IssueState>>;
  issuesOf(userId: IssueRequest['userId'], options?: PageOptions): Promise<RequestResult<IssuePage>>;
  /** Ends when the loop is left; else its last event is the reason. */
  events(couponId: number, options?: CallOptions): AsyncGenerator<ProgressEvent, void>;
  readonly coupons: {
    /** Sent once: when the result is ambiguous, look into the list before you retry. */
    create(draft: CouponDraft, options?: CallOptions): Promise<RequestResult<Coupon>>;
    list(options?: CouponListOptions): Promise<RequestResult<CouponPage>>;
    read(couponId: number, options?: CallOptions): Promise<RequestResult<Coupon>>;
    /** Sent once unless it names a `version`. */
    edit(couponId: number, changes: CouponChanges, options?: VersionOptions): Promise<RequestResult<Coupon>>;
    remove(couponId: number, options?: VersionOptions): Promise<RequestResult<'removed'>>;
    /** Opens the stock in Redis before the first request does. */
    open(couponId: number, options?: CallOptions): Promise<RequestResult<Coupon>>;
    audit(couponId: number, options?: CallOptions): Promise<RequestResult<Audit>>;
    /** In order of sequence, each exactly once for who sends `next` as `after`. */
    issues(couponId: number, options?: CouponIssueOptions): Promise<RequestResult<CouponIssuePage>>;
    /** Whether a drop will hold: each check green, or with what to do. */
    preflight(couponId: number, options?: CallOptions): Promise<RequestResult<Preflight>>;
    /** How its drop went: when issues were accepted and written, and how often callers were refused. */
    timeline(couponId: number, options?: CallOptions): Promise<RequestResult<Timeline>>;
  };
  /** Codes of issues. A wrong code is refused with `CODE_NOT_EXIST`, too many of them with `TOO_MANY_REQUESTS`. */
  readonly codes: {
    /** Who has a code. */
    find(code: string, options?: CallOptions): Promise<RequestResult<CouponIssue>>;
    /** As `use`, by the code alone. */
    use(code: string, options?: ReferenceOptions): Promise<RequestResult<UsedIssue>>;
    /** What codes a coupon has. */
    read(couponId: number, options?: CallOptions): Promise<RequestResult<CouponCodes>>;
    /** Gives a coupon generated codes, such as `SUMMER-####-####`. */
    generate(couponId: number, pattern: string, options?: CallOptions): Promise<RequestResult<CouponCodes>>;
    /** Adds up to a million codes, all or none; of a text or a file, one a line. Sent once: when the result is ambiguous, `read` shows it. */
    import(
      couponId: number,
      codes: readonly string[] | string | Blob,
      options?: CallOptions,
    ): Promise<RequestResult<CouponCodes>>;
  };
  readonly drops: {
    /** What is public of a coupon, with the clock of the server. Requires no authentication; may be a second old. */
    read(couponId: number, options?: CallOptions): Promise<RequestResult<Drop>>;
  };
  /** Accepted issues that could not be written. Refused with `afterAmbiguous`, a letter may be gone by this very call. */
  readonly deadLetters: {
    list(options?: CallOptions): Promise<RequestResult<DeadLetterList>>;
    /** With its users, and the entry as it stands in Redis. */
    read(id: string, options?: CallOptions): Promise<RequestResult<DeadLetter>>;
    /** Puts it back into the stream. */
    replay(id: string, options?: CallOptions): Promise<RequestResult<'replayed'>>;
    /** Gives it up for good, though its users were promised the coupon. */
    discard(id: string, options?: CallOptions): Promise<RequestResult<'discarded'>>;
  };
  readonly reports: {
    /** What was issued and used, by day and coupon. May take as long as reading a million rows. */
    issues(options?: ReportOptions): Promise<RequestResult<IssueReport>>;
  };
  /** The load of the process that answers, and how far MySQL is behind. */
  load(options?: CallOptions): Promise<RequestResult<Load>>;
  /** Addresses and users that ask too often, as counted by the process that answers this request. */
  limitedCallers(options?: CallOptions): Promise<RequestResult<LimitedCallerList>>;
  /** Who changed what, the newest first. */
  auditTrail(options?: AuditTrailOptions): Promise<RequestResult<AuditTrailPage>>;
  /** What is logged, which operators may change for up to an hour. */
  readonly logging: {
    read(options?: CallOptions): Promise<RequestResult<Logging>>;
    change(change: LoggingChange, options?: CallOptions): Promise<RequestResult<Logging>>;
  };
  readonly webhooks: WebhookCalls;
  /** The scopes of the API key in use. */
  key(options?: CallOptions): Promise<RequestResult<Key>>;
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

type Send = <Value>(request: RequestSpec<Value>, call?: CallOptions) => Promise<RequestResult<Value>>;

function couponCalls(send: Send) {
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

function codeCalls(send: Send) {
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

function deadLetterCalls(send: Send) {
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

function ifMatch({ version }: VersionOptions) {
  return { 'if-match': version === undefined ? undefined : `"${version}"` };
}

function queryOf(options: AuditTrailOptions & ReportOptions & CouponIssueOptions & CouponListOptions): string {
  const { after, limit, from, days, timeZone, couponId, key, userId, skip, order, state, search } = options;
  const sent = { after, limit, from, days, timeZone, couponId, key, userId, skip, order, state, search };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(sent)) if (value !== undefined) query.set(name, String(value));
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}
