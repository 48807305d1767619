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
    /** @description An error or a refusal, by RFC 9457. */
    readonly Problem: {
      /** @description Where the code is explained: a path on this server. */
      readonly type: string;
      /** @description The code in words; the same for every occurrence. */
      readonly title: string;
      /** @description The HTTP status. */
      readonly status: number;
      /**
       * @description Stable; the member to branch on.
       * @enum {string}
       */
      readonly code:
        | 'COUPON_ARCHIVED'
        | 'COUPON_HAS_ISSUES'
        | 'COUPON_NOT_EXIST'
        | 'COUPON_TERMS_FIXED'
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
        | 'MALFORMED_REQUEST'
        | 'METHOD_NOT_ALLOWED'
        | 'NOT_FOUND'
        | 'PAYLOAD_TOO_LARGE'
        | 'PRECONDITION_FAILED'
        | 'TOO_MANY_REQUESTS'
        | 'UNAUTHENTICATED'
        | 'UNSUPPORTED_MEDIA_TYPE';
      /** @description What happened this time, for people. */
      readonly detail: string;
      /**
       * Format: int64
       * @description With DUPLICATED_COUPON_ISSUE and ISSUE_ALREADY_USED: the number of the issue the user has.
       */
      readonly sequence?: number;
      /** @description With ISSUE_ALREADY_USED: when, in UTC. */
      readonly dateUsed?: string;
      /**
       * Format: int64
       * @description With COUPON_TOTAL_BELOW_ISSUED: how many were issued.
       */
      readonly issuedQuantity?: number;
      /** @description With INVALID_REQUEST: everything that is wrong. */
      readonly faults?: readonly {
        /** @enum {string} */
        readonly in: 'body' | 'path' | 'query' | 'header';
        /** @description JSON pointer; empty for the body as a whole. */
        readonly pointer: string;
        /** @description What would have been right. The value sent is not repeated. */
        readonly expected: string;
      }[];
      /** @description The `X-Request-Id` of the answer, to be named when asking for help. */
      readonly requestId?: string;
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
      /**
       * @description `NONE`: not issued. `ACCEPTED`: not yet a row. `ISSUED`: a row. `USED`: redeemed. `ARCHIVED`: the issues of this coupon were moved to a file, in which it would be found.
       * @enum {string}
       */
      readonly status: 'NONE' | 'ACCEPTED' | 'ISSUED' | 'USED' | 'ARCHIVED';
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
      /** @enum {string} */
      readonly status: 'USED';
      /** @description When it was used, in UTC. */
      readonly dateUsed: string;
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
      /** @enum {string} */
      readonly status: 'ISSUED' | 'USED';
      /** @description When it was accepted, in UTC. */
      readonly dateIssued: string;
      /** @description When its row was written, in UTC. */
      readonly dateWritten: string;
      /** @description When it was used, in UTC; null before. */
      readonly dateUsed: string | null;
      /** @description What the coupon is called. */
      readonly title: string;
      /**
       * Format: int64
       * @description What it takes off.
       */
      readonly discountAmount: number;
      /**
       * Format: int64
       * @description The smallest order it can be used for.
       */
      readonly minAvailableAmount: number;
    };
    readonly CouponDraft: {
      /** @description what it is called: 1 to 200 characters, not all blank, in one line */
      readonly title: string;
      /**
       * Format: int64
       * @description how many may be issued: an integer from 1 to 9007199254740991, or null for no limit
       */
      readonly totalQuantity: number | null;
      /**
       * Format: int64
       * @description what it takes off, in the smallest unit of the currency: an integer from 0 to 4294967295
       */
      readonly discountAmount: number;
      /**
       * Format: int64
       * @description the smallest order it can be used for, in the smallest unit of the currency: an integer from 0 to 4294967295
       */
      readonly minAvailableAmount: number;
      /** @description the first instant at which it is issued: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds */
      readonly dateIssueStart: string;
      /** @description the first instant at which it is no longer issued, after dateIssueStart: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds */
      readonly dateIssueEnd: string;
      /** @description whether anyone may read it at `/v1/drops` and follow it: true or false; only operators until then, as at first */
      readonly listed?: boolean;
    };
    readonly Coupon: {
      /**
       * Format: int64
       * @description id of a coupon: an integer from 1 to 9007199254740991
       */
      readonly id: number;
      /** @description what it is called: 1 to 200 characters, not all blank, in one line */
      readonly title: string;
      /** @enum {string} */
      readonly couponType: 'FIRST_COME_FIRST_SERVED';
      /**
       * Format: int64
       * @description how many may be issued: an integer from 1 to 9007199254740991, or null for no limit
       */
      readonly totalQuantity: number | null;
      /**
       * Format: int64
       * @description rows in MySQL; accepted issues that are not yet rows are missing
       */
      readonly issuedQuantity: number;
      /**
       * Format: int64
       * @description what it takes off, in the smallest unit of the currency: an integer from 0 to 4294967295
       */
      readonly discountAmount: number;
      /**
       * Format: int64
       * @description the smallest order it can be used for, in the smallest unit of the currency: an integer from 0 to 4294967295
       */
      readonly minAvailableAmount: number;
      /** @description the first instant at which it is issued: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds */
      readonly dateIssueStart: string;
      /** @description the first instant at which it is no longer issued, after dateIssueStart: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds */
      readonly dateIssueEnd: string;
      /** @description whether an operator has stopped issuing for now */
      readonly paused: boolean;
      /** @description whether anyone may read it at `/v1/drops` and follow it: true or false; only operators until then, as at first */
      readonly listed: boolean;
      /** @description when its issues were moved to a file, since which it cannot be issued, used or changed; null while they are here */
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
      /** @description in order of id */
      readonly coupons: readonly components['schemas']['Coupon'][];
      /**
       * Format: int64
       * @description `after` of the next page; null on the last
       */
      readonly next: number | null;
    };
    /** @description At least one of its members. */
    readonly CouponChanges: {
      /** @description what it is called: 1 to 200 characters, not all blank, in one line */
      readonly title?: string;
      /**
       * Format: int64
       * @description how many may be issued: an integer from 1 to 9007199254740991, or null for no limit
       */
      readonly totalQuantity?: number | null;
      /**
       * Format: int64
       * @description what it takes off, in the smallest unit of the currency: an integer from 0 to 4294967295
       */
      readonly discountAmount?: number;
      /**
       * Format: int64
       * @description the smallest order it can be used for, in the smallest unit of the currency: an integer from 0 to 4294967295
       */
      readonly minAvailableAmount?: number;
      /** @description the first instant at which it is issued: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds */
      readonly dateIssueStart?: string;
      /** @description the first instant at which it is no longer issued, after dateIssueStart: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds */
      readonly dateIssueEnd?: string;
      /** @description whether anyone may read it at `/v1/drops` and follow it: true or false; only operators until then, as at first */
      readonly listed?: boolean;
      /** @description whether issuing is stopped for now: true or false */
      readonly paused?: boolean;
    };
    readonly Audit: {
      /**
       * Format: int64
       * @description id of a coupon: an integer from 1 to 9007199254740991
       */
      readonly couponId: number;
      /**
       * @description who gives the stock out
       * @enum {string}
       */
      readonly stockHome: 'mysql' | 'redis';
      /**
       * Format: int64
       * @description how many there may be; null for no limit
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
       * @description P3: answers of the last 30 days that a failover of Redis broke, counted by the processes that gave them; must be 0
       */
      readonly lost: number;
    };
    readonly DeadLetterList: {
      /** @description the oldest, at most 100 */
      readonly deadLetters: readonly {
        /** @description names it for replaying and discarding */
        readonly id: string;
        /** @description why it could not be a row */
        readonly reason: string;
        /**
         * Format: int64
         * @description null when it cannot be understood
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
         * @description when it was accepted; null when this release cannot read it, as one of a later release
         */
        readonly accepted: string | null;
      }[];
      /** @description whether there are more */
      readonly more: boolean;
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
       * @description requests of the issue endpoints that got a coupon, since the start of the process
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
      /** @description by how many of their requests were refused, the most first */
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
        /** @description what was done, such as `coupon.edit` */
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
        /** @description what changed, as it was; null where there was nothing */
        readonly from: {
          readonly [key: string]: unknown;
        } | null;
        /** @description the same, as it is since; null where nothing is left */
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
         * @description issues that were used on this day
         */
        readonly used: number;
        /**
         * Format: int64
         * @description what these uses took off, in the smallest unit of the currency
         */
        readonly discount: number;
      }[];
      /** @description coupons of this page whose issues are in a file, and are not counted */
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
       * @description when the settings of the processes are in effect again; null: they are
       */
      readonly until: string | null;
      /** @description whether every process has it, or will within seconds; false while Redis does not answer */
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
      /** @description for how long: an integer from 1 to 60; 0: back to the settings of the processes */
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
         * @description how it is
         * @enum {string}
         */
        readonly status: 'ok' | 'unknown' | 'warning' | 'error';
        /**
         * @description what was found; stable
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
        /** @description of which server, where there may be several */
        readonly server: string | null;
      }[];
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
      /** @description what it is called: 1 to 200 characters, not all blank, in one line */
      readonly title: string;
      /**
       * Format: int64
       * @description how many may be issued: an integer from 1 to 9007199254740991, or null for no limit
       */
      readonly totalQuantity: number | null;
      /**
       * Format: int64
       * @description what it takes off, in the smallest unit of the currency: an integer from 0 to 4294967295
       */
      readonly discountAmount: number;
      /**
       * Format: int64
       * @description the smallest order it can be used for, in the smallest unit of the currency: an integer from 0 to 4294967295
       */
      readonly minAvailableAmount: number;
      /** @description the first instant at which it is issued: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds */
      readonly dateIssueStart: string;
      /** @description the first instant at which it is no longer issued, after dateIssueStart: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds */
      readonly dateIssueEnd: string;
      /** @description whether an operator has stopped issuing for now */
      readonly paused: boolean;
      /**
       * Format: int64
       * @description rises with every edit
       */
      readonly version: number;
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
export type IssueState = components['schemas']['IssueState'];
export type UsedIssue = components['schemas']['UsedIssue'];
export type IssuePage = components['schemas']['IssuePage'];
export type OwnedIssue = components['schemas']['OwnedIssue'];
export type CouponDraft = components['schemas']['CouponDraft'];
export type Coupon = components['schemas']['Coupon'];
export type CouponPage = components['schemas']['CouponPage'];
export type CouponChanges = components['schemas']['CouponChanges'];
export type Audit = components['schemas']['Audit'];
export type DeadLetterList = components['schemas']['DeadLetterList'];
export type Load = components['schemas']['Load'];
export type LimitedCallerList = components['schemas']['LimitedCallerList'];
export type AuditTrailPage = components['schemas']['AuditTrailPage'];
export type IssueReport = components['schemas']['IssueReport'];
export type Logging = components['schemas']['Logging'];
export type LoggingChange = components['schemas']['LoggingChange'];
export type Preflight = components['schemas']['Preflight'];
export type Key = components['schemas']['Key'];
export type Drop = components['schemas']['Drop'];
export type Readiness = components['schemas']['Readiness'];
export type $defs = Record<string, never>;
export type operations = Record<string, never>;

export const problemCodes: readonly Problem['code'][] = [
  'COUPON_ARCHIVED',
  'COUPON_HAS_ISSUES',
  'COUPON_NOT_EXIST',
  'COUPON_TERMS_FIXED',
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
  'MALFORMED_REQUEST',
  'METHOD_NOT_ALLOWED',
  'NOT_FOUND',
  'PAYLOAD_TOO_LARGE',
  'PRECONDITION_FAILED',
  'TOO_MANY_REQUESTS',
  'UNAUTHENTICATED',
  'UNSUPPORTED_MEDIA_TYPE',
];
