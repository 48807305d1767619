// calls.ts -- What the client can do: its calls, and their options.

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
import type { ProgressEvent } from './events.ts';
import type { IssueOptions, IssueRequest, IssueResult, OwnIssueRequest } from './issue.ts';
import type { CallOptions, RequestResult } from './request.ts';
import type { WebhookCalls } from './webhooks.ts';

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
    /** What is public of a coupon, with the clock of the server. Requires no authentication; may be a second old, and two through a cache. */
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
