// api-types.ts -- What the server takes and answers, generated from its OpenAPI document by `bun run docs`.

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
  schemas: {
    readonly IssueRequest: {
      /**
       * Format: int64
       * @description id of a coupon: an integer from 1 to 9007199254740991
       */
      readonly couponId: number;
      /** @description id of a user: 1 to 255 visible ASCII characters but " ' , \ { and }, and not . or .. (send base64url or a hash of an id with others), or an integer from 0 to 9007199254740991 in plain digits (send any other number as text) */
      readonly userId: string;
    };
    readonly Issue: {
      /**
       * Format: int64
       * @description id of a coupon: an integer from 1 to 9007199254740991
       */
      readonly couponId: number;
      /** @description id of a user: 1 to 255 visible ASCII characters but " ' , \ { and }, and not . or ..; base64url or a hash of an id with other characters is one */
      readonly userId: string;
      /**
       * Format: int64
       * @description Number of the issue within its coupon, from 1.
       */
      readonly sequence: number;
      /**
       * @description `ISSUED`: a row in MySQL. `ACCEPTED`: durable in Redis, and soon a row.
       * @enum {string}
       */
      readonly status: 'ISSUED' | 'ACCEPTED';
    };
    /** @description An error or a refusal, as defined in RFC 9457. */
    readonly Problem: {
      /** @description The path of an explanation of the code on this server. */
      readonly type: string;
      /** @description The code in words; the same for every occurrence. */
      readonly title: string;
      /** @description The HTTP status. */
      readonly status: number;
      /**
       * @description Stable; clients should branch on it.
       * @enum {string}
       */
      readonly code:
        | 'CODES_TAKEN'
        | 'CODE_NOT_EXIST'
        | 'COUPON_ARCHIVED'
        | 'COUPON_HAS_CODES'
        | 'COUPON_HAS_ISSUES'
        | 'COUPON_NOT_EXIST'
        | 'COUPON_TERMS_FIXED'
        | 'COUPON_TOTAL_ABOVE_CODES'
        | 'COUPON_TOTAL_BELOW_ISSUED'
        | 'DEAD_LETTER_NOT_EXIST'
        | 'DEAD_LETTER_UNREADABLE'
        | 'DUPLICATED_COUPON_ISSUE'
        | 'FAIL_COUPON_ISSUE_REQUEST'
        | 'FORBIDDEN'
        | 'IDEMPOTENCY_KEY_REUSED'
        | 'INTERNAL'
        | 'INVALID_COUPON_ISSUE_DATE'
        | 'INVALID_COUPON_ISSUE_QUANTITY'
        | 'INVALID_REQUEST'
        | 'ISSUE_ALREADY_USED'
        | 'ISSUE_NOT_EXIST'
        | 'ISSUE_NOT_USABLE'
        | 'ISSUE_NOT_USED'
        | 'ISSUE_REVOKED'
        | 'MALFORMED_REQUEST'
        | 'METHOD_NOT_ALLOWED'
        | 'NOT_FOUND'
        | 'PAYLOAD_TOO_LARGE'
        | 'PRECONDITION_FAILED'
        | 'TOO_MANY_REQUESTS'
        | 'UNAUTHENTICATED'
        | 'UNSUPPORTED_MEDIA_TYPE'
        | 'WEBHOOK_LIMIT_REACHED'
        | 'WEBHOOK_NOT_EXIST';
      /** @description An explanation of this occurrence, for people. */
      readonly detail: string;
      /**
       * Format: int64
       * @description With DUPLICATED_COUPON_ISSUE, ISSUE_ALREADY_USED, _NOT_USABLE, _NOT_USED and _REVOKED: the sequence of the existing issue.
       */
      readonly sequence?: number;
      /** @description With ISSUE_ALREADY_USED: when, in UTC. */
      readonly dateUsed?: string;
      /** @description With ISSUE_NOT_USABLE: the first instant at which it can be used, in UTC. */
      readonly usableFrom?: string;
      /** @description With ISSUE_NOT_USABLE: the first instant at which it can no longer be used, in UTC. */
      readonly usableUntil?: string;
      /** @description With ISSUE_REVOKED: when, in UTC. */
      readonly dateRevoked?: string;
      /**
       * Format: int64
       * @description With COUPON_TOTAL_BELOW_ISSUED: the number of issues.
       */
      readonly issuedQuantity?: number;
      /** @description With INVALID_REQUEST: all faults of the request. */
      readonly faults?: readonly {
        /** @enum {string} */
        readonly in: 'body' | 'path' | 'query' | 'header';
        /** @description JSON pointer; empty for the whole body. */
        readonly pointer: string;
        /** @description The expected value. The value that was sent is not repeated. */
        readonly expected: string;
        /**
         * Format: int64
         * @description In an upload: the line of the CSV, or the number of the array element.
         */
        readonly line?: number;
      }[];
      /** @description The `X-Request-Id` of the response. Quote it when you contact support. */
      readonly requestId?: string;
    };
    readonly IssueManyRequest: {
      /** @description 1 to 1000 ids of users, each as in the body of the other issue endpoints */
      readonly users: readonly string[];
    };
    readonly IssueManyAnswer: {
      /**
       * Format: int64
       * @description id of a coupon: an integer from 1 to 9007199254740991
       */
      readonly couponId: number;
      /** @description one for each user, in their order */
      readonly outcomes: readonly components['schemas']['UserOutcome'][];
    };
    readonly UserOutcome: {
      /** @description id of a user: 1 to 255 visible ASCII characters but " ' , \ { and }, and not . or ..; base64url or a hash of an id with other characters is one */
      readonly userId: string;
      /**
       * @description Durable in Redis, and soon a row. Missing if there is a `code`.
       * @enum {string}
       */
      readonly status?: 'ACCEPTED';
      /**
       * Format: int64
       * @description Number of the issue that the user has now, or had before.
       */
      readonly sequence?: number;
      /** @description `true` when an earlier request under the same `Idempotency-Key` made this issue. */
      readonly replayed?: boolean;
      /**
       * @description The problem code, as the other issue endpoints answer it. After `FAIL_COUPON_ISSUE_REQUEST` and `INTERNAL`, retry to find out.
       * @enum {string}
       */
      readonly code?:
        | 'DUPLICATED_COUPON_ISSUE'
        | 'INVALID_COUPON_ISSUE_DATE'
        | 'INVALID_COUPON_ISSUE_QUANTITY'
        | 'COUPON_NOT_EXIST'
        | 'TOO_MANY_REQUESTS'
        | 'IDEMPOTENCY_KEY_REUSED'
        | 'FAIL_COUPON_ISSUE_REQUEST'
        | 'INTERNAL';
      /** @description What the code does not say by itself. */
      readonly detail?: string;
    };
    readonly IssueState: {
      /**
       * Format: int64
       * @description id of a coupon: an integer from 1 to 9007199254740991
       */
      readonly couponId: number;
      /** @description id of a user: 1 to 255 visible ASCII characters but " ' , \ { and }, and not . or ..; base64url or a hash of an id with other characters is one */
      readonly userId: string;
      /**
       * Format: int64
       * @description Number of the issue; null with `NONE` and `ARCHIVED`.
       */
      readonly sequence: number | null;
      /** @description The code of the issue; null if the coupon has no codes, or while the issue is not yet a row. */
      readonly code: string | null;
      /**
       * @description `NONE`: not issued. `ACCEPTED`: not yet a row, so that the members below are null. `ISSUED`: a row. `USED`: redeemed. `EXPIRED`: not used until its end. `REVOKED`: ended by an operator. `ARCHIVED`: the issues of this coupon were moved to a file, in which it would be found.
       * @enum {string}
       */
      readonly status: 'NONE' | 'ACCEPTED' | 'ISSUED' | 'USED' | 'EXPIRED' | 'REVOKED' | 'ARCHIVED';
      /** @description The first instant at which it can be used, in UTC; null without such a bound. */
      readonly usableFrom: string | null;
      /** @description The first instant at which it can no longer be used, in UTC; null without such a bound. */
      readonly usableUntil: string | null;
      /** @description When it was used, in UTC; null while it is not. */
      readonly dateUsed: string | null;
      /** @description What it was used for, such as the id of an order; null where nothing was named. */
      readonly reference: string | null;
      /** @description When an operator ended it, in UTC; null while it counts. */
      readonly dateRevoked: string | null;
    };
    readonly IssueUse: {
      /** @description what it is used for, such as the id of an order: 1 to 128 characters in one line, not all blank */
      readonly reference?: string;
    };
    readonly UsedIssue: {
      /**
       * Format: int64
       * @description id of a coupon: an integer from 1 to 9007199254740991
       */
      readonly couponId: number;
      /** @description id of a user: 1 to 255 visible ASCII characters but " ' , \ { and }, and not . or ..; base64url or a hash of an id with other characters is one */
      readonly userId: string;
      /**
       * Format: int64
       * @description Number of the issue within its coupon, from 1.
       */
      readonly sequence: number;
      /** @description The code of the issue; null if the coupon has no codes, or while the issue is not yet a row. */
      readonly code: string | null;
      /** @enum {string} */
      readonly status: 'USED';
      /** @description When it was used, in UTC. */
      readonly dateUsed: string;
      /** @description What it was used for; null if no reference was sent. */
      readonly reference: string | null;
    };
    readonly IssueRevocation: {
      /** @description why, for other operators: 1 to 200 characters in one line, not all blank */
      readonly reason: string;
    };
    readonly IssuePage: {
      /** @description in order of coupon */
      readonly issues: readonly components['schemas']['OwnedIssue'][];
      /**
       * Format: int64
       * @description `after` of the next page; null on the last
       */
      readonly next: number | null;
    };
    readonly OwnedIssue: {
      /**
       * Format: int64
       * @description id of a coupon: an integer from 1 to 9007199254740991
       */
      readonly couponId: number;
      /**
       * Format: int64
       * @description Number of the issue within its coupon, from 1.
       */
      readonly sequence: number;
      /** @description The code of the issue; null if the coupon has no codes, or while the issue is not yet a row. */
      readonly code: string | null;
      /** @enum {string} */
      readonly status: 'ISSUED' | 'USED' | 'EXPIRED' | 'REVOKED';
      /** @description When it was accepted, in UTC. */
      readonly dateIssued: string;
      /** @description When its row was written, in UTC. */
      readonly dateWritten: string;
      /** @description The first instant at which it can be used, in UTC; null without such a bound. */
      readonly usableFrom: string | null;
      /** @description The first instant at which it can no longer be used, in UTC; null without such a bound. */
      readonly usableUntil: string | null;
      /** @description When it was used, in UTC; null while it is not. */
      readonly dateUsed: string | null;
      /** @description What it was used for, such as the id of an order; null where nothing was named. */
      readonly reference: string | null;
      /** @description When an operator ended it, in UTC; null while it counts. */
      readonly dateRevoked: string | null;
      /**
       * @description The endpoint that accepted it; null if unknown, for example for issues of earlier releases.
       * @enum {string|null}
       */
      readonly endpoint: 'POST /v1/issue' | 'POST /v1/issue-async' | 'POST /v2/issue-async' | null;
      /** @description The title of the coupon. */
      readonly title: string;
      /**
       * Format: int64
       * @description The discount, in the smallest unit of the currency.
       */
      readonly discountAmount: number;
      /**
       * Format: int64
       * @description The minimum order, in the smallest unit of the currency.
       */
      readonly minAvailableAmount: number;
      /** @description A code of ISO 4217. */
      readonly currency: string;
    };
    readonly CouponIssuePage: {
      /** @description in order of sequence */
      readonly issues: readonly components['schemas']['CouponIssue'][];
      /**
       * Format: int64
       * @description `after` of the next request: the last sequence of this page, or as it was where there is none
       */
      readonly next: number;
      /** @description true if there are further issues; false if there are none at the moment */
      readonly more: boolean;
    };
    readonly CouponIssue: {
      /**
       * Format: int64
       * @description id of a coupon: an integer from 1 to 9007199254740991
       */
      readonly couponId: number;
      /**
       * Format: int64
       * @description Number of the issue within its coupon, from 1.
       */
      readonly sequence: number;
      /** @description id of a user: 1 to 255 visible ASCII characters but " ' , \ { and }, and not . or ..; base64url or a hash of an id with other characters is one */
      readonly userId: string;
      /** @description The code of the issue; null if the coupon has no codes, or while the issue is not yet a row. */
      readonly code: string | null;
      /** @enum {string} */
      readonly status: 'ISSUED' | 'USED' | 'EXPIRED' | 'REVOKED';
      /** @description When it was accepted, in UTC. */
      readonly dateIssued: string;
      /** @description When its row was written, in UTC. */
      readonly dateWritten: string;
      /** @description The first instant at which it can be used, in UTC; null without such a bound. */
      readonly usableFrom: string | null;
      /** @description The first instant at which it can no longer be used, in UTC; null without such a bound. */
      readonly usableUntil: string | null;
      /** @description When it was used, in UTC; null while it is not. */
      readonly dateUsed: string | null;
      /** @description What it was used for, such as the id of an order; null where nothing was named. */
      readonly reference: string | null;
      /** @description When an operator ended it, in UTC; null while it counts. */
      readonly dateRevoked: string | null;
      /**
       * @description The endpoint that accepted it; null if unknown, for example for issues of earlier releases.
       * @enum {string|null}
       */
      readonly endpoint: 'POST /v1/issue' | 'POST /v1/issue-async' | 'POST /v2/issue-async' | null;
    };
    readonly CouponDraft: {
      /** @description the title: 1 to 200 characters, not all blank, in one line */
      readonly title: string;
      /**
       * Format: int64
       * @description the number of coupons: an integer from 1 to 9007199254740991, or null for no limit
       */
      readonly totalQuantity: number | null;
      /**
       * Format: int64
       * @description the discount, in the smallest unit of the currency: an integer from 0 to 4294967295
       */
      readonly discountAmount: number;
      /**
       * Format: int64
       * @description the minimum order, in the smallest unit of the currency: an integer from 0 to 4294967295
       */
      readonly minAvailableAmount: number;
      /** @description the first instant at which it is issued: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds */
      readonly dateIssueStart: string;
      /** @description the first instant at which it is no longer issued, after dateIssueStart: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds */
      readonly dateIssueEnd: string;
      /** @description the currency of its amounts: an ISO 4217 code; KRW by default */
      readonly currency?: string;
      /** @description the first instant at which an issue can be used: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds; null: from the start */
      readonly usableFrom?: string | null;
      /** @description the first instant at which it can no longer be used, after usableFrom and dateIssueStart: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds; null: without end */
      readonly usableUntil?: string | null;
      /** @description how many days after the day of issue it can be used, until the end of that day in timeZone: an integer from 1 to 3650, without usableFrom and usableUntil; null: not counted in days */
      readonly usableDays?: number | null;
      /** @description the time zone of these days: an IANA name such as Asia/Seoul; UTC by default */
      readonly timeZone?: string;
      /** @description whether anyone, and not only operators, may read it at `/v1/drops` and follow it: true or false; false by default */
      readonly listed?: boolean;
    };
    readonly Coupon: {
      /**
       * Format: int64
       * @description id of a coupon: an integer from 1 to 9007199254740991
       */
      readonly id: number;
      /** @description the title: 1 to 200 characters, not all blank, in one line */
      readonly title: string;
      /** @enum {string} */
      readonly couponType: 'FIRST_COME_FIRST_SERVED';
      /**
       * Format: int64
       * @description the number of coupons: an integer from 1 to 9007199254740991, or null for no limit
       */
      readonly totalQuantity: number | null;
      /**
       * Format: int64
       * @description rows in MySQL; accepted issues that are not yet rows are missing
       */
      readonly issuedQuantity: number;
      /**
       * Format: int64
       * @description the discount, in the smallest unit of the currency: an integer from 0 to 4294967295
       */
      readonly discountAmount: number;
      /**
       * Format: int64
       * @description the minimum order, in the smallest unit of the currency: an integer from 0 to 4294967295
       */
      readonly minAvailableAmount: number;
      /** @description the currency of its amounts: an ISO 4217 code; KRW by default */
      readonly currency: string;
      /** @description the first instant at which an issue can be used: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds; null: from the start */
      readonly usableFrom: string | null;
      /** @description the first instant at which it can no longer be used, after usableFrom and dateIssueStart: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds; null: without end */
      readonly usableUntil: string | null;
      /** @description how many days after the day of issue it can be used, until the end of that day in timeZone: an integer from 1 to 3650, without usableFrom and usableUntil; null: not counted in days */
      readonly usableDays: number | null;
      /** @description the time zone of these days: an IANA name such as Asia/Seoul; UTC by default */
      readonly timeZone: string;
      /** @description the first instant at which it is issued: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds */
      readonly dateIssueStart: string;
      /** @description the first instant at which it is no longer issued, after dateIssueStart: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds */
      readonly dateIssueEnd: string;
      /** @description whether an operator has paused issuing */
      readonly paused: boolean;
      /** @description whether anyone, and not only operators, may read it at `/v1/drops` and follow it: true or false; false by default */
      readonly listed: boolean;
      /** @description when its issues were moved to a file; since then it cannot be issued, used or edited; null if it is not archived */
      readonly dateArchived: string | null;
      /**
       * Format: int64
       * @description rises with every edit
       */
      readonly version: number;
      /** @description when it was created: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds */
      readonly dateCreated: string;
      /** @description when it was last changed: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds */
      readonly dateUpdated: string;
    };
    readonly CouponPage: {
      /** @description in the order that was asked for */
      readonly coupons: readonly components['schemas']['Coupon'][];
      /**
       * Format: int64
       * @description `after` of the next page; null on the last, and in orders that are not by id
       */
      readonly next: number | null;
      /**
       * Format: int64
       * @description how many coupons there are on all pages
       */
      readonly total: number;
    };
    /** @description At least one of its members. */
    readonly CouponChanges: {
      /** @description the title: 1 to 200 characters, not all blank, in one line */
      readonly title?: string;
      /**
       * Format: int64
       * @description the number of coupons: an integer from 1 to 9007199254740991, or null for no limit
       */
      readonly totalQuantity?: number | null;
      /**
       * Format: int64
       * @description the discount, in the smallest unit of the currency: an integer from 0 to 4294967295
       */
      readonly discountAmount?: number;
      /**
       * Format: int64
       * @description the minimum order, in the smallest unit of the currency: an integer from 0 to 4294967295
       */
      readonly minAvailableAmount?: number;
      /** @description the first instant at which it is issued: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds */
      readonly dateIssueStart?: string;
      /** @description the first instant at which it is no longer issued, after dateIssueStart: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds */
      readonly dateIssueEnd?: string;
      /** @description the currency of its amounts: an ISO 4217 code; KRW by default */
      readonly currency?: string;
      /** @description the first instant at which an issue can be used: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds; null: from the start */
      readonly usableFrom?: string | null;
      /** @description the first instant at which it can no longer be used, after usableFrom and dateIssueStart: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds; null: without end */
      readonly usableUntil?: string | null;
      /** @description how many days after the day of issue it can be used, until the end of that day in timeZone: an integer from 1 to 3650, without usableFrom and usableUntil; null: not counted in days */
      readonly usableDays?: number | null;
      /** @description the time zone of these days: an IANA name such as Asia/Seoul; UTC by default */
      readonly timeZone?: string;
      /** @description whether anyone, and not only operators, may read it at `/v1/drops` and follow it: true or false; false by default */
      readonly listed?: boolean;
      /** @description whether issuing is paused: true or false */
      readonly paused?: boolean;
    };
    readonly CouponCodes: {
      /**
       * Format: int64
       * @description id of a coupon: an integer from 1 to 9007199254740991
       */
      readonly couponId: number;
      /**
       * @description where its codes come from
       * @enum {string}
       */
      readonly kind: 'NONE' | 'GENERATED' | 'IMPORTED';
      /** @description with `GENERATED`: the pattern */
      readonly pattern: string | null;
      /**
       * Format: int64
       * @description with `IMPORTED`: how many; the first one is that of sequence 1
       */
      readonly codes: number | null;
    };
    readonly CodePattern: {
      /** @description such as SUMMER-####-####: 1 to 16 letters A to Z, digits and hyphens, of which the first is no hyphen, then 6 to 16 # with hyphens between */
      readonly pattern: string;
    };
    readonly CodeList: readonly string[];
    readonly Audit: {
      /**
       * Format: int64
       * @description id of a coupon: an integer from 1 to 9007199254740991
       */
      readonly couponId: number;
      /**
       * @description the store that holds the stock
       * @enum {string}
       */
      readonly stockHome: 'mysql' | 'redis';
      /**
       * Format: int64
       * @description the total of the coupon; null for no limit
       */
      readonly totalQuantity: number | null;
      /** @description whether its rows were moved to a file, where they belong to `issuedQuantity` */
      readonly archived: boolean;
      /**
       * Format: int64
       * @description the counter beside the rows
       */
      readonly issuedQuantity: number;
      /**
       * Format: int64
       * @description rows in MySQL
       */
      readonly rows: number;
      /**
       * Format: int64
       * @description owners in Redis; null while it is not open there
       */
      readonly owners: number | null;
      /**
       * Format: int64
       * @description the sequence that Redis gives next; null while it is not open there
       */
      readonly next: number | null;
      /**
       * Format: int64
       * @description users in the stream, not yet rows
       */
      readonly unpersisted: number;
      /**
       * Format: int64
       * @description users among the dead letters
       */
      readonly dead: number;
      /**
       * Format: int64
       * @description P3: issues that Redis gave and that are nowhere; must be 0
       */
      readonly missing: number;
      /**
       * Format: int64
       * @description P2: issues that Redis does not know of; must be 0
       */
      readonly unknown: number;
      /**
       * Format: int64
       * @description P1: rows above the total, or not in the counter; must be 0
       */
      readonly unexpected: number;
      /**
       * Format: int64
       * @description P5: rows issued outside the period as it is now; must be 0 unless the period was edited
       */
      readonly outsidePeriod: number;
      /**
       * Format: int64
       * @description P4: pieces that are left and that Redis does not give out; must be 0
       */
      readonly withheld: number;
      /**
       * Format: int64
       * @description P3: answers of the last 30 days that a failover of Redis broke, counted by the processes that gave them; must be 0
       */
      readonly lost: number;
    };
    readonly DeadLetterList: {
      /** @description the oldest, at most 100 */
      readonly deadLetters: readonly {
        /** @description names it for replaying and discarding */
        readonly id: string;
        /** @description why it could not be written as a row */
        readonly reason: string;
        /**
         * Format: int64
         * @description null when it cannot be decoded
         */
        readonly couponId: number | null;
        /**
         * Format: int64
         * @description sequence of its first user
         */
        readonly firstSequence: number | null;
        /**
         * Format: int64
         * @description how many users
         */
        readonly users: number;
        /**
         * Format: date-time
         * @description when it was accepted; null when this release cannot read it, such as an entry of a later release
         */
        readonly accepted: string | null;
      }[];
      /** @description whether there are more */
      readonly more: boolean;
    };
    readonly DeadLetter: {
      /** @description names it for replaying and discarding */
      readonly id: string;
      /** @description why it could not be written as a row */
      readonly reason: string;
      /**
       * Format: int64
       * @description null when it cannot be decoded
       */
      readonly couponId: number | null;
      /**
       * Format: int64
       * @description sequence of its first user
       */
      readonly firstSequence: number | null;
      /**
       * Format: int64
       * @description how many users
       */
      readonly users: number;
      /**
       * Format: date-time
       * @description when it was accepted; null when this release cannot read it, such as an entry of a later release
       */
      readonly accepted: string | null;
      /** @description id that the entry had in the stream */
      readonly entryId: string;
      /** @description its users, in order of sequence; empty when they cannot be read */
      readonly userIds: readonly string[];
      /** @description the entry as it stands in Redis */
      readonly fields: readonly {
        readonly name: string;
        readonly value: string;
      }[];
    };
    readonly Load: {
      /** @description which process answered; counts of two processes must not be subtracted */
      readonly process: string;
      /**
       * Format: int64
       * @description milliseconds since it started
       */
      readonly uptimeMs: number;
      /**
       * Format: int64
       * @description requests to the issue endpoints that got a coupon, since the process started
       */
      readonly accepted: number;
      /**
       * Format: int64
       * @description requests that were refused
       */
      readonly refused: number;
      /**
       * Format: int64
       * @description requests without a decision
       */
      readonly failed: number;
      /**
       * Format: int64
       * @description accepted users who are not yet rows, over all coupons
       */
      readonly unpersisted: number;
      /**
       * Format: int64
       * @description age in milliseconds of the oldest of them; 0 without one
       */
      readonly oldestMs: number;
      /**
       * Format: int64
       * @description entries among the dead letters
       */
      readonly deadLetters: number;
    };
    readonly LimitedCallerList: {
      /** @description sorted by the number of refused requests, highest first */
      readonly limitedCallers: readonly {
        /** @enum {string} */
        readonly kind: 'address' | 'user';
        /** @description the address, an IPv6 one as its network; or the id of the user */
        readonly name: string;
        /**
         * Format: int64
         * @description requests answered 429 in this window and the one before
         */
        readonly refused: number;
      }[];
    };
    readonly AuditTrailPage: {
      /** @description the newest first */
      readonly entries: readonly {
        /** Format: int64 */
        readonly id: number;
        /**
         * Format: date-time
         * @description when
         */
        readonly date: string;
        /** @description the action, such as `coupon.edit` */
        readonly action: string;
        /**
         * Format: int64
         * @description null for what is of no coupon
         */
        readonly couponId: number | null;
        /**
         * Format: int64
         * @description id of the API key that did it; null for ADMIN_API_KEY and commands
         */
        readonly keyId: number | null;
        /** @description name of that key, `ADMIN_API_KEY`, or a command such as `command:keys` */
        readonly actor: string;
        /** @description where the request came from, an IPv6 address as its network; null for commands */
        readonly address: string | null;
        /** @description the values before the change; null if there were none */
        readonly from: {
          readonly [key: string]: unknown;
        } | null;
        /** @description the values after the change; null if there are none */
        readonly to: {
          readonly [key: string]: unknown;
        } | null;
      }[];
      /**
       * Format: int64
       * @description `after` of the next page; null on the last
       */
      readonly next: number | null;
    };
    readonly IssueReport: {
      /** @description the time zone of the days */
      readonly timeZone: string;
      /** @description by coupon and date; days on which nothing happened are left out */
      readonly days: readonly {
        /** @description a day of this time zone */
        readonly date: string;
        /**
         * Format: int64
         * @description id of a coupon: an integer from 1 to 9007199254740991
         */
        readonly couponId: number;
        /**
         * Format: int64
         * @description rows that were accepted on this day
         */
        readonly issued: number;
        /**
         * Format: int64
         * @description issues that were used on this day, and are used now
         */
        readonly used: number;
        /**
         * Format: int64
         * @description issues that were revoked on this day
         */
        readonly revoked: number;
        /**
         * Format: int64
         * @description what these uses took off, in the smallest unit of the currency
         */
        readonly discount: number;
        /** @description of `discount`: a code of ISO 4217 */
        readonly currency: string;
      }[];
      /** @description coupons of this page whose issues are archived, and not counted */
      readonly archived: readonly number[];
      /**
       * Format: int64
       * @description `after` of the next page; null on the last
       */
      readonly next: number | null;
    };
    readonly Logging: {
      /**
       * @description one of fatal, error, warn, info, debug, trace, silent
       * @enum {string}
       */
      readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
      /** @description off, errors, sampled:0.01 (any share) or on */
      readonly requestLog: string;
      /**
       * Format: date-time
       * @description when the settings of the processes take effect again; null: they are in effect
       */
      readonly until: string | null;
      /** @description whether the change reaches every process within seconds; false while Redis does not respond */
      readonly shared: boolean;
    };
    readonly LoggingChange: {
      /**
       * @description one of fatal, error, warn, info, debug, trace, silent
       * @enum {string}
       */
      readonly logLevel?: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
      /** @description off, errors, sampled:0.01 (any share) or on */
      readonly requestLog?: string;
      /** @description the duration in minutes: an integer from 1 to 60; 0: back to the settings of the processes */
      readonly minutes: number;
    };
    readonly Preflight: {
      /**
       * Format: int64
       * @description id of a coupon: an integer from 1 to 9007199254740991
       */
      readonly couponId: number;
      /**
       * @description the worst of the checks
       * @enum {string}
       */
      readonly status: 'ok' | 'unknown' | 'warning' | 'error';
      /**
       * Format: int64
       * @description what can still be issued; null without limit
       */
      readonly pieces: number | null;
      /**
       * Format: int64
       * @description what that takes in Redis at most, with its backlog; null without limit
       */
      readonly redisBytes: number | null;
      /**
       * Format: int64
       * @description what its rows take in MySQL; null without limit
       */
      readonly mysqlBytes: number | null;
      /**
       * Format: int64
       * @description APIs and workers that live, as far as they offer; null where they do not
       */
      readonly processes: number | null;
      /**
       * Format: int64
       * @description users in the partition of the coupon who are not yet rows; null where Redis does not answer
       */
      readonly unpersisted: number | null;
      readonly checks: readonly {
        /**
         * @description what was checked
         * @enum {string}
         */
        readonly name:
          | 'period'
          | 'opening'
          | 'servers'
          | 'memory'
          | 'backlog'
          | 'writing'
          | 'mysqlConnections'
          | 'redisConnections'
          | 'files'
          | 'limits'
          | 'clocks'
          | 'replicas'
          | 'fsync'
          | 'otherDrops'
          | 'sockets';
        /**
         * @description the result
         * @enum {string}
         */
        readonly status: 'ok' | 'unknown' | 'warning' | 'error';
        /**
         * @description the finding; stable
         * @enum {string}
         */
        readonly code:
          | 'OK'
          | 'COUPON_OVER'
          | 'COUPON_PAUSED'
          | 'COUPON_NOT_OPENED'
          | 'SERVER_SILENT'
          | 'REPLICA_UNREACHABLE'
          | 'MEMORY_SHORT'
          | 'MEMORY_NEAR'
          | 'MEMORY_UNBOUNDED'
          | 'MEMORY_UNKNOWN'
          | 'BACKLOG_SHORT'
          | 'NO_WORKER'
          | 'WRITING_BEHIND'
          | 'WRITING_UNKNOWN'
          | 'MYSQL_CONNECTIONS_SHORT'
          | 'REDIS_CONNECTIONS_SHORT'
          | 'CONNECTIONS_UNKNOWN'
          | 'FILES_SHORT'
          | 'LIMITS_OFF'
          | 'LIMITS_ONE_ADDRESS'
          | 'CLOCKS_APART'
          | 'REPLICAS_MISSING'
          | 'REPLICAS_BEHIND'
          | 'REPLICAS_UNGUARDED'
          | 'FSYNC_OFF'
          | 'FSYNC_LATE'
          | 'FSYNC_FAILING'
          | 'FSYNC_UNKNOWN'
          | 'OTHER_DROPS'
          | 'SOCKETS_SHORT'
          | 'SOCKETS_UNKNOWN';
        /** @description the figures */
        readonly detail: string;
        /** @description what to do */
        readonly advice: string;
        /** @description the server, if there are several */
        readonly server: string | null;
      }[];
    };
    readonly Timeline: {
      /**
       * Format: int64
       * @description id of a coupon: an integer from 1 to 9007199254740991
       */
      readonly couponId: number;
      /** @description some hundred issues that are rows, evenly spaced, with the first and the last */
      readonly issues: readonly {
        /**
         * Format: date-time
         * @description when it was accepted
         */
        readonly date: string;
        /** Format: int64 */
        readonly sequence: number;
        /**
         * Format: int64
         * @description milliseconds until it was a row in MySQL
         */
        readonly persistedMs: number;
      }[];
      readonly refusals: {
        /**
         * Format: int64
         * @description users who had the coupon
         */
        readonly alreadyIssued: number;
        /**
         * Format: int64
         * @description requests before the start
         */
        readonly notStarted: number;
        /**
         * Format: int64
         * @description requests while it was paused
         */
        readonly paused: number;
        /**
         * Format: int64
         * @description requests after the end
         */
        readonly ended: number;
        /**
         * Format: int64
         * @description requests when nothing was left
         */
        readonly soldOut: number;
      };
      /** @description the newest seconds with refusals, from at most 3600 reports of processes */
      readonly refused: readonly {
        /**
         * Format: date-time
         * @description a second
         */
        readonly date: string;
        /**
         * Format: int64
         * @description callers that were refused in it
         */
        readonly count: number;
      }[];
      /** @description whether these are all seconds with refusals */
      readonly complete: boolean;
    };
    readonly WebhookDraft: {
      /** @description an absolute URL with https, of a public address */
      readonly url: string;
      /** @description the events that it receives: one or more of issue.created, issue.used, issue.use_undone, issue.revoked, coupon.sold_out, coupon.ended */
      readonly kinds: readonly (
        | 'issue.created'
        | 'issue.used'
        | 'issue.use_undone'
        | 'issue.revoked'
        | 'coupon.sold_out'
        | 'coupon.ended'
      )[];
    };
    readonly CreatedWebhook: {
      /**
       * Format: int64
       * @description id of a webhook
       */
      readonly id: number;
      /** @description where events are sent to */
      readonly url: string;
      /** @description the events that it receives: one or more of issue.created, issue.used, issue.use_undone, issue.revoked, coupon.sold_out, coupon.ended */
      readonly kinds: readonly (
        | 'issue.created'
        | 'issue.used'
        | 'issue.use_undone'
        | 'issue.revoked'
        | 'coupon.sold_out'
        | 'coupon.ended'
      )[];
      /**
       * @description `paused`: by an operator. `failed`: stopped after failing for WEBHOOK_FAILING_H_MAX. `gone`: it answered 410. Each until it is resumed.
       * @enum {string}
       */
      readonly state: 'active' | 'paused' | 'failed' | 'gone';
      /**
       * Format: int64
       * @description requests that failed since the last one that succeeded
       */
      readonly failures: number;
      /** @description since when every request failed; null when the last one succeeded */
      readonly dateFailingSince: string | null;
      /** @description when a failed request is sent again */
      readonly dateNextTry: string | null;
      /** @description why the last request failed */
      readonly lastError: string | null;
      /** @description when it was made, in UTC */
      readonly dateCreated: string;
      /** @description the secret that requests are signed with: shown only here */
      readonly secret: string;
    };
    readonly WebhookList: {
      /** @description in order of id */
      readonly webhooks: readonly components['schemas']['Webhook'][];
    };
    readonly Webhook: {
      /**
       * Format: int64
       * @description id of a webhook
       */
      readonly id: number;
      /** @description where events are sent to */
      readonly url: string;
      /** @description the events that it receives: one or more of issue.created, issue.used, issue.use_undone, issue.revoked, coupon.sold_out, coupon.ended */
      readonly kinds: readonly (
        | 'issue.created'
        | 'issue.used'
        | 'issue.use_undone'
        | 'issue.revoked'
        | 'coupon.sold_out'
        | 'coupon.ended'
      )[];
      /**
       * @description `paused`: by an operator. `failed`: stopped after failing for WEBHOOK_FAILING_H_MAX. `gone`: it answered 410. Each until it is resumed.
       * @enum {string}
       */
      readonly state: 'active' | 'paused' | 'failed' | 'gone';
      /**
       * Format: int64
       * @description requests that failed since the last one that succeeded
       */
      readonly failures: number;
      /** @description since when every request failed; null when the last one succeeded */
      readonly dateFailingSince: string | null;
      /** @description when a failed request is sent again */
      readonly dateNextTry: string | null;
      /** @description why the last request failed */
      readonly lastError: string | null;
      /** @description when it was made, in UTC */
      readonly dateCreated: string;
    };
    readonly WebhookChanges: {
      /** @description true pauses it, false resumes it, also after it was stopped */
      readonly paused: boolean;
    };
    readonly WebhookReplay: {
      /**
       * Format: int64
       * @description id of a coupon: an integer from 1 to 9007199254740991
       */
      readonly couponId: number;
      /**
       * Format: int64
       * @description a sequence: events of issues above it are delivered again; 0: of all issues
       */
      readonly after: number;
    };
    readonly DeliveryPage: {
      /** @description the newest first */
      readonly deliveries: readonly {
        /**
         * Format: int64
         * @description id of the delivery
         */
        readonly id: number;
        /** @description when the request ended, in UTC */
        readonly date: string;
        /**
         * Format: int64
         * @description id of a coupon: an integer from 1 to 9007199254740991
         */
        readonly couponId: number;
        /** @description the `webhook-id` of the request */
        readonly messageId: string;
        /**
         * Format: int64
         * @description how many events it carried
         */
        readonly events: number;
        /** @description id of the first of them */
        readonly firstEvent: string;
        /** @description id of the last of them */
        readonly lastEvent: string;
        /**
         * Format: int64
         * @description the HTTP status; null without an answer
         */
        readonly status: number | null;
        /** @description why it failed; null for a success */
        readonly error: string | null;
        /**
         * Format: int64
         * @description how long it took, in milliseconds
         */
        readonly durationMs: number;
      }[];
      /**
       * Format: int64
       * @description `after` of the next page; null on the last
       */
      readonly next: number | null;
    };
    readonly Key: {
      /** @description what it may do; `admin` stands for all of them */
      readonly scopes: readonly ('issue' | 'read' | 'admin')[];
    };
    readonly Drop: {
      /**
       * Format: int64
       * @description id of a coupon: an integer from 1 to 9007199254740991
       */
      readonly couponId: number;
      /** @description the title: 1 to 200 characters, not all blank, in one line */
      readonly title: string;
      /**
       * Format: int64
       * @description the number of coupons: an integer from 1 to 9007199254740991, or null for no limit
       */
      readonly totalQuantity: number | null;
      /**
       * Format: int64
       * @description the discount, in the smallest unit of the currency: an integer from 0 to 4294967295
       */
      readonly discountAmount: number;
      /**
       * Format: int64
       * @description the minimum order, in the smallest unit of the currency: an integer from 0 to 4294967295
       */
      readonly minAvailableAmount: number;
      /** @description the currency of its amounts: an ISO 4217 code; KRW by default */
      readonly currency: string;
      /** @description the first instant at which an issue can be used: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds; null: from the start */
      readonly usableFrom: string | null;
      /** @description the first instant at which it can no longer be used, after usableFrom and dateIssueStart: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds; null: without end */
      readonly usableUntil: string | null;
      /** @description how many days after the day of issue it can be used, until the end of that day in timeZone: an integer from 1 to 3650, without usableFrom and usableUntil; null: not counted in days */
      readonly usableDays: number | null;
      /** @description the time zone of these days: an IANA name such as Asia/Seoul; UTC by default */
      readonly timeZone: string;
      /** @description the first instant at which it is issued: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds */
      readonly dateIssueStart: string;
      /** @description the first instant at which it is no longer issued, after dateIssueStart: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds */
      readonly dateIssueEnd: string;
      /** @description whether an operator has paused issuing */
      readonly paused: boolean;
      /**
       * Format: int64
       * @description rises with every edit
       */
      readonly version: number;
      /**
       * Format: int64
       * @description how many are left, at most a second ago; null without limit, or when it is not known
       */
      readonly left: number | null;
      /** @description the server's clock, in UTC: count down by it, not by the clock of the caller */
      readonly now: string;
    };
    readonly Readiness: {
      /** @description whether requests should be sent here */
      readonly ready: boolean;
      readonly checks: readonly {
        readonly name: string;
        readonly ok: boolean;
        /** @description the reason if it is not ok */
        readonly detail: string;
      }[];
      /** @description for each store by name, the durability in effect */
      readonly durability: {
        readonly [key: string]: string;
      };
    };
  };
  responses: never;
  parameters: never;
  requestBodies: never;
  headers: never;
  pathItems: never;
}
export type IssueRequest = components['schemas']['IssueRequest'];
export type Issue = components['schemas']['Issue'];
export type Problem = components['schemas']['Problem'];
export type IssueManyRequest = components['schemas']['IssueManyRequest'];
export type IssueManyAnswer = components['schemas']['IssueManyAnswer'];
export type UserOutcome = components['schemas']['UserOutcome'];
export type IssueState = components['schemas']['IssueState'];
export type IssueUse = components['schemas']['IssueUse'];
export type UsedIssue = components['schemas']['UsedIssue'];
export type IssueRevocation = components['schemas']['IssueRevocation'];
export type IssuePage = components['schemas']['IssuePage'];
export type OwnedIssue = components['schemas']['OwnedIssue'];
export type CouponIssuePage = components['schemas']['CouponIssuePage'];
export type CouponIssue = components['schemas']['CouponIssue'];
export type CouponDraft = components['schemas']['CouponDraft'];
export type Coupon = components['schemas']['Coupon'];
export type CouponPage = components['schemas']['CouponPage'];
export type CouponChanges = components['schemas']['CouponChanges'];
export type CouponCodes = components['schemas']['CouponCodes'];
export type CodePattern = components['schemas']['CodePattern'];
export type CodeList = components['schemas']['CodeList'];
export type Audit = components['schemas']['Audit'];
export type DeadLetterList = components['schemas']['DeadLetterList'];
export type DeadLetter = components['schemas']['DeadLetter'];
export type Load = components['schemas']['Load'];
export type LimitedCallerList = components['schemas']['LimitedCallerList'];
export type AuditTrailPage = components['schemas']['AuditTrailPage'];
export type IssueReport = components['schemas']['IssueReport'];
export type Logging = components['schemas']['Logging'];
export type LoggingChange = components['schemas']['LoggingChange'];
export type Preflight = components['schemas']['Preflight'];
export type Timeline = components['schemas']['Timeline'];
export type WebhookDraft = components['schemas']['WebhookDraft'];
export type CreatedWebhook = components['schemas']['CreatedWebhook'];
export type WebhookList = components['schemas']['WebhookList'];
export type Webhook = components['schemas']['Webhook'];
export type WebhookChanges = components['schemas']['WebhookChanges'];
export type WebhookReplay = components['schemas']['WebhookReplay'];
export type DeliveryPage = components['schemas']['DeliveryPage'];
export type Key = components['schemas']['Key'];
export type Drop = components['schemas']['Drop'];
export type Readiness = components['schemas']['Readiness'];
export type $defs = Record<string, never>;
export type operations = Record<string, never>;

export const problemCodes: readonly Problem['code'][] = [
  'CODES_TAKEN',
  'CODE_NOT_EXIST',
  'COUPON_ARCHIVED',
  'COUPON_HAS_CODES',
  'COUPON_HAS_ISSUES',
  'COUPON_NOT_EXIST',
  'COUPON_TERMS_FIXED',
  'COUPON_TOTAL_ABOVE_CODES',
  'COUPON_TOTAL_BELOW_ISSUED',
  'DEAD_LETTER_NOT_EXIST',
  'DEAD_LETTER_UNREADABLE',
  'DUPLICATED_COUPON_ISSUE',
  'FAIL_COUPON_ISSUE_REQUEST',
  'FORBIDDEN',
  'IDEMPOTENCY_KEY_REUSED',
  'INTERNAL',
  'INVALID_COUPON_ISSUE_DATE',
  'INVALID_COUPON_ISSUE_QUANTITY',
  'INVALID_REQUEST',
  'ISSUE_ALREADY_USED',
  'ISSUE_NOT_EXIST',
  'ISSUE_NOT_USABLE',
  'ISSUE_NOT_USED',
  'ISSUE_REVOKED',
  'MALFORMED_REQUEST',
  'METHOD_NOT_ALLOWED',
  'NOT_FOUND',
  'PAYLOAD_TOO_LARGE',
  'PRECONDITION_FAILED',
  'TOO_MANY_REQUESTS',
  'UNAUTHENTICATED',
  'UNSUPPORTED_MEDIA_TYPE',
  'WEBHOOK_LIMIT_REACHED',
  'WEBHOOK_NOT_EXIST',
];
