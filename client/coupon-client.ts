// coupon-client.ts -- The client: every route as a typed call whose ending is a value. Standards alone, so it runs on Bun, Deno,
// Node 20 and in browsers; it imports nothing from outside this folder.
//
// What would do harm if it were done twice by mistake is asked once: creating a coupon, and an edit that names no version.

import {
  type Audit,
  type Coupon,
  type CouponChanges,
  type DeadLetterList,
  type Drop,
  type IssueStatus,
  type Key,
  type Load,
  type NewCoupon,
  type OwnedIssue,
  readAudit,
  readCoupon,
  readCouponPage,
  readDeadLetters,
  readDrop,
  readKey,
  readLoad,
  readOwnedPage,
  readUsed,
  type UsedIssue,
} from './answers.ts';
import { followProgress, type ProgressEvent } from './events.ts';
import {
  type RequestSpec,
  type Bounds,
  type CallOptions,
  type RequestResult,
  exchange,
  type ClientContext,
} from './exchange.ts';
import { type IssueResult, type IssueOf, type IssueOptions, issueUntilKnown, segment, statusOf } from './issuing.ts';

export type {
  Audit,
  Coupon,
  CouponChanges,
  DeadLetter,
  DeadLetterList,
  Drop,
  Fault,
  Issue,
  IssueStatus,
  Key,
  Load,
  NewCoupon,
  OwnedIssue,
  Problem,
  ProblemCode,
  Progress,
  Scope,
  UsedIssue,
} from './answers.ts';
export type { ProgressEvent } from './events.ts';
export type { Bounds, CallOptions, RequestResult, Refused, Unknown } from './exchange.ts';
export type { IssueResult, IssueOf, IssueOptions } from './issuing.ts';

export interface CouponClientOptions extends Partial<Bounds> {
  /** Root of the server, such as `https://coupons.example`; a path is kept. */
  readonly url: string;
  /** Key or token that says who asks. A function is called before each try, so that a renewed token is used. */
  readonly token?: string | (() => string | null);
  /** The surroundings, for tests and special networks. */
  readonly fetch?: ClientContext['fetch'];
  readonly pause?: ClientContext['pause'];
  readonly random?: ClientContext['random'];
  readonly nowMs?: ClientContext['nowMs'];
}

/** A page that is asked for. */
export interface PageOptions extends CallOptions {
  /** `next` of the page before. */
  readonly after?: number;
  readonly limit?: number;
}

export interface VersionOptions extends CallOptions {
  /** Only this version is changed; else the ending is refused with `PRECONDITION_FAILED`. */
  readonly version?: number;
}

/** Every call ends with a value; it throws only for a token or key that no HTTP header can carry. */
export interface CouponClient {
  issue(wanted: IssueOf, options?: IssueOptions): Promise<IssueResult>;
  /** `waitMs`: an accepted issue is waited for to become a row, at most 30,000. */
  status(issue: IssueOf, options?: CallOptions & { readonly waitMs?: number }): Promise<RequestResult<IssueStatus>>;
  /** Refused with `ISSUE_ALREADY_USED` and `afterAmbiguous`, it may be this very call that used it: `dateUsed` helps to tell. */
  use(issue: IssueOf, options?: CallOptions): Promise<RequestResult<UsedIssue>>;
  issuesOf(
    userId: IssueOf['userId'],
    options?: PageOptions,
  ): Promise<RequestResult<{ readonly issues: readonly OwnedIssue[]; readonly next: number | null }>>;
  /** Ends when the loop is left, the signal is aborted, or with why as the last event. */
  events(couponId: number, options?: CallOptions): AsyncGenerator<ProgressEvent, void>;
  readonly coupons: {
    /** Sent once: when the result is ambiguous, look into the list before you retry. */
    create(coupon: NewCoupon, options?: CallOptions): Promise<RequestResult<Coupon>>;
    list(
      options?: PageOptions,
    ): Promise<RequestResult<{ readonly coupons: readonly Coupon[]; readonly next: number | null }>>;
    read(couponId: number, options?: CallOptions): Promise<RequestResult<Coupon>>;
    /** Sent once unless it names a `version`. */
    edit(couponId: number, changes: CouponChanges, options?: VersionOptions): Promise<RequestResult<Coupon>>;
    remove(couponId: number, options?: VersionOptions): Promise<RequestResult<'removed'>>;
    /** Makes the stock ready ahead of the rush. */
    open(couponId: number, options?: CallOptions): Promise<RequestResult<Coupon>>;
    audit(couponId: number, options?: CallOptions): Promise<RequestResult<Audit>>;
  };
  readonly drops: {
    /** What people may know of a coupon, with the clock of the server. Needs no key; may be a second old. */
    read(couponId: number, options?: CallOptions): Promise<RequestResult<Drop>>;
  };
  /** What could not be written. Refused after a try that nobody knows the ending of, it may be gone by that very try. */
  readonly deadLetters: {
    list(options?: CallOptions): Promise<RequestResult<DeadLetterList>>;
    /** Puts it back into the stream. */
    replay(id: string, options?: CallOptions): Promise<RequestResult<'replayed'>>;
    /** Gives it up for good: its users were told that they have the coupon. */
    discard(id: string, options?: CallOptions): Promise<RequestResult<'discarded'>>;
  };
  /** How busy the process that answers is, and how far MySQL is behind. */
  load(options?: CallOptions): Promise<RequestResult<Load>>;
  /** What the key in use may do. */
  key(options?: CallOptions): Promise<RequestResult<Key>>;
}

/** Makes a client. Nothing is sent yet. @throws TypeError when `url` is none */
export function createCouponClient(options: CouponClientOptions): CouponClient {
  const terms = termsOf(options);
  const ask: Ask = (asked, call) => exchange(asked, terms, call);
  return {
    issue: (wanted, call = {}) => issueUntilKnown(wanted, call, terms),
    status: (issue, call = {}) => ask(statusOf(issue, call.waitMs), call),
    use: ({ couponId, userId }, call) => {
      const path = `/v1/coupons/${couponId}/issues/${segment(userId)}/use`;
      return ask({ method: 'POST', path, read: readUsed, isRepeatable: true }, call);
    },
    issuesOf: (userId, call = {}) => {
      const path = `/v1/users/${segment(userId)}/issues${queryOf(call)}`;
      return ask({ method: 'GET', path, read: readOwnedPage, isRepeatable: true }, call);
    },
    events: (couponId, call = {}) => followProgress(couponId, terms, call),
    coupons: couponCalls(ask),
    drops: {
      read: (couponId, call) =>
        ask({ method: 'GET', path: `/v1/drops/${couponId}`, read: readDrop, isRepeatable: true }, call),
    },
    deadLetters: deadLetterCalls(ask),
    load: (call) => ask({ method: 'GET', path: '/v1/load', read: readLoad, isRepeatable: true }, call),
    key: (call) => ask({ method: 'GET', path: '/v1/key', read: readKey, isRepeatable: true }, call),
  };
}

type Ask = <Value>(asked: RequestSpec<Value>, call?: CallOptions) => Promise<RequestResult<Value>>;

function couponCalls(ask: Ask) {
  const path = (couponId: number) => `/v1/coupons/${couponId}`;
  const calls: CouponClient['coupons'] = {
    create: (body, call) =>
      ask({ method: 'POST', path: '/v1/coupons', body, read: readCoupon, isRepeatable: false }, call),
    list: (call = {}) =>
      ask({ method: 'GET', path: `/v1/coupons${queryOf(call)}`, read: readCouponPage, isRepeatable: true }, call),
    read: (couponId, call) => ask({ method: 'GET', path: path(couponId), read: readCoupon, isRepeatable: true }, call),
    edit: (couponId, body, call = {}) => {
      // Done twice without a version, it could undo what somebody else did between.
      const isRepeatable = call.version !== undefined;
      return ask(
        { method: 'PATCH', path: path(couponId), body, headers: ifMatch(call), read: readCoupon, isRepeatable },
        call,
      );
    },
    remove: (couponId, call = {}) =>
      ask(
        {
          method: 'DELETE',
          path: path(couponId),
          headers: ifMatch(call),
          read: () => 'removed' as const,
          isRepeatable: true,
        },
        call,
      ),
    open: (couponId, call) =>
      ask({ method: 'POST', path: `${path(couponId)}/open`, read: readCoupon, isRepeatable: true }, call),
    audit: (couponId, call) =>
      ask({ method: 'GET', path: `${path(couponId)}/audit`, read: readAudit, isRepeatable: true }, call),
  };
  return calls;
}

function deadLetterCalls(ask: Ask) {
  const path = (id: string) => `/v1/dead-letters/${segment(id)}`;
  // Done twice, the second finds nothing and is refused: a letter leaves its place once.
  const calls: CouponClient['deadLetters'] = {
    list: (call) => ask({ method: 'GET', path: '/v1/dead-letters', read: readDeadLetters, isRepeatable: true }, call),
    replay: (id, call) =>
      ask({ method: 'POST', path: `${path(id)}/replay`, read: () => 'replayed' as const, isRepeatable: true }, call),
    discard: (id, call) =>
      ask({ method: 'DELETE', path: path(id), read: () => 'discarded' as const, isRepeatable: true }, call),
  };
  return calls;
}

function termsOf({ url, token = () => null, ...options }: CouponClientOptions): ClientContext {
  const { origin, pathname } = new URL(url);
  return {
    root: origin + pathname.replace(/\/+$/, ''),
    token: typeof token === 'string' ? () => token : token,
    // Called through `globalThis`: browsers refuse a `fetch` that is called as a member of something else.
    fetch: options.fetch ?? ((target, init) => globalThis.fetch(target, init)),
    pause: options.pause ?? pause,
    random: options.random ?? Math.random,
    // Never set back, unlike the time of day.
    nowMs: options.nowMs ?? (() => performance.now()),
    bounds: {
      // About half a minute in all: a rush is over by then, or the person gone.
      triesMax: options.triesMax ?? 8,
      timeMsMax: options.timeMsMax ?? 30_000,
      tryMsMax: options.tryMsMax ?? 10_000,
      pauseMs: options.pauseMs ?? 250,
      pauseMsMax: options.pauseMsMax ?? 5000,
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

function queryOf({ after, limit }: PageOptions): string {
  const query = new URLSearchParams();
  if (after !== undefined) query.set('after', String(after));
  if (limit !== undefined) query.set('limit', String(limit));
  return query.size > 0 ? `?${query.toString()}` : '';
}
