// answers.ts -- Which answers the client believes. A proxy's friendly page with status 200 is no answer of the server: taken for
// one, it would tell somebody that they have a coupon. So what a caller acts on is checked; other members are taken as documented.

import type * as api from './api-types.ts';
import { problemCodes } from './api-types.ts';

/** Reads the body of a 2xx answer; null when it is not an answer of the server. */
export type Reader<Value> = (body: unknown) => Value | null;

const issue = { couponId: 'number', userId: 'string', sequence: 'number' } as const;

export const readIssue = readerOf<api.Issue>({ ...issue, status: ['ISSUED', 'ACCEPTED'] });
export const readIssueState = readerOf<api.IssueState>({
  ...issue,
  sequence: 'number or null',
  status: ['NONE', 'ACCEPTED', 'ISSUED', 'USED', 'EXPIRED', 'REVOKED', 'ARCHIVED'],
});
export const readUsedIssue = readerOf<api.UsedIssue>({
  ...issue,
  status: ['USED'],
  dateUsed: 'string',
});
export const readCouponCodes = readerOf<api.CouponCodes>({
  couponId: 'number',
  kind: ['NONE', 'GENERATED', 'IMPORTED'],
  pattern: 'string or null',
  codes: 'number or null',
});
export const readIssuePage = listReaderOf<api.IssuePage, 'issues'>(
  'issues',
  { couponId: 'number', sequence: 'number', status: ['ISSUED', 'USED', 'EXPIRED', 'REVOKED'] },
  { next: 'number or null' },
);

export const readIssueMany = listReaderOf<api.IssueManyAnswer, 'outcomes'>(
  'outcomes',
  { userId: 'string' },
  { couponId: 'number' },
);
const couponIssue = {
  ...issue,
  status: ['ISSUED', 'USED', 'EXPIRED', 'REVOKED'],
} as const satisfies Checks<api.CouponIssue>;
export const readCouponIssue = readerOf<api.CouponIssue>(couponIssue);
export const readCouponIssuePage = listReaderOf<api.CouponIssuePage, 'issues'>('issues', couponIssue, {
  next: 'number',
  more: 'boolean',
});

const coupon: Checks<api.Coupon> = {
  id: 'number',
  title: 'string',
  totalQuantity: 'number or null',
  issuedQuantity: 'number',
  paused: 'boolean',
  version: 'number',
};
export const readCoupon = readerOf<api.Coupon>(coupon);
export const readCouponPage = listReaderOf<api.CouponPage, 'coupons'>('coupons', coupon, { next: 'number or null' });

/** The numbers that must be zero: a missing one would look like a kept promise. */
export const readAudit = readerOf<api.Audit>({
  couponId: 'number',
  rows: 'number',
  missing: 'number',
  unknown: 'number',
  unexpected: 'number',
  outsidePeriod: 'number',
  withheld: 'number',
  lost: 'number',
});
export const readIssueReport = listReaderOf<api.IssueReport, 'days'>(
  'days',
  { date: 'string', couponId: 'number', issued: 'number', used: 'number', discount: 'number' },
  { next: 'number or null', archived: 'list' },
);
const preflightStatuses = ['ok', 'unknown', 'warning', 'error'] as const;
export const readPreflight = listReaderOf<api.Preflight, 'checks'>(
  'checks',
  { name: 'string', status: preflightStatuses, code: 'string', detail: 'string', server: 'string or null' },
  { couponId: 'number', status: preflightStatuses },
);
export const readTimeline = listReaderOf<api.Timeline, 'issues'>(
  'issues',
  { date: 'string', sequence: 'number', persistedMs: 'number' },
  { couponId: 'number', refused: 'list', complete: 'boolean' },
);
export const readDrop = readerOf<api.Drop>({ couponId: 'number', title: 'string', version: 'number', now: 'string' });
export const readLoad = readerOf<api.Load>({ process: 'string', uptimeMs: 'number', unpersisted: 'number' });
export const readLimitedCallers = listReaderOf<api.LimitedCallerList, 'limitedCallers'>(
  'limitedCallers',
  {
    kind: 'string',
    name: 'string',
    refused: 'number',
  },
  {},
);
export const readLogging = readerOf<api.Logging>({ requestLog: 'string', until: 'string or null', shared: 'boolean' });
export const readKey = readerOf<api.Key>({ scopes: 'list' });
export const readDeadLetters = listReaderOf<api.DeadLetterList, 'deadLetters'>(
  'deadLetters',
  { id: 'string', reason: 'string', couponId: 'number or null', firstSequence: 'number or null', users: 'number' },
  { more: 'boolean' },
);

export const readDeadLetter = readerOf<api.DeadLetter>({
  id: 'string',
  reason: 'string',
  userIds: 'list',
  fields: 'list',
});

export const readAuditTrail = listReaderOf<api.AuditTrailPage, 'entries'>(
  'entries',
  { id: 'number', date: 'string', action: 'string', couponId: 'number or null', actor: 'string' },
  { next: 'number or null' },
);

const webhook: Checks<api.Webhook> = {
  id: 'number',
  url: 'string',
  kinds: 'list',
  state: ['active', 'paused', 'failed', 'gone'],
};
export const readWebhook = readerOf<api.Webhook>(webhook);
export const readCreatedWebhook = readerOf<api.CreatedWebhook>({ ...webhook, secret: 'string' });
export const readWebhooks = listReaderOf<api.WebhookList, 'webhooks'>('webhooks', webhook, {});
export const readDeliveries = listReaderOf<api.DeliveryPage, 'deliveries'>(
  'deliveries',
  { id: 'number', date: 'string', couponId: 'number', events: 'number', error: 'string or null' },
  { next: 'number or null' },
);

/** How the issuing of a coupon goes on, in an event; `left` is null without limit. */
export interface Progress {
  readonly couponId: number;
  readonly version: number;
  readonly totalQuantity: number | null;
  readonly issued: number;
  readonly left: number | null;
  readonly unpersisted: number | null;
  readonly issuedPerSecond: number;
  readonly paused: boolean;
}

export const readProgress = readerOf<Progress>({
  couponId: 'number',
  version: 'number',
  issued: 'number',
  left: 'number or null',
  issuedPerSecond: 'number',
  paused: 'boolean',
});

/** Why a request was refused. With `requestId` the operators of the server find the request in their logs. */
export interface Problem extends Omit<api.Problem, 'type' | 'title' | 'code'> {
  /** The member to branch on. `OTHER`: not a code that this client knows; a proxy may have answered. */
  readonly code: api.Problem['code'] | 'OTHER';
}

/** The problem in a body, or `OTHER` when there is none. Status and headers are those of the response. */
export function readProblem({ status, headers }: Pick<Response, 'status' | 'headers'>, body: unknown): Problem {
  const requestId = headers.get('x-request-id');
  const identified = requestId !== null && { requestId };
  if (!hasMembers<api.Problem>(body, { code: problemCodes, detail: 'string' })) {
    return {
      code: 'OTHER',
      status,
      detail: `The response has status ${status} and no problem that this client knows.`,
      ...identified,
    };
  }
  const { code, detail, sequence, dateUsed, dateRevoked, usableFrom, usableUntil, issuedQuantity, faults } = body;
  return {
    code,
    status,
    detail,
    ...(typeof sequence === 'number' && { sequence }),
    ...(typeof dateUsed === 'string' && { dateUsed }),
    ...(typeof dateRevoked === 'string' && { dateRevoked }),
    ...(typeof usableFrom === 'string' && { usableFrom }),
    ...(typeof usableUntil === 'string' && { usableUntil }),
    ...(typeof issuedQuantity === 'number' && { issuedQuantity }),
    ...(Array.isArray(faults) && { faults: faults.filter(isFault) }),
    ...(typeof body.requestId === 'string' ? { requestId: body.requestId } : identified),
  };
}

export type Fault = NonNullable<api.Problem['faults']>[number];

function isFault(value: unknown): value is Fault {
  return hasMembers<Fault>(value, { in: ['body', 'path', 'query', 'header'], pointer: 'string', expected: 'string' });
}

/** How a member of this type is checked; an enum by the list of its texts. */
type Check<Value> = [Value] extends [readonly unknown[]]
  ? 'list'
  : [Value] extends [boolean]
    ? 'boolean'
    : [Value] extends [number]
      ? 'number'
      : [Value] extends [string]
        ? 'string' | readonly Value[]
        : [Value] extends [number | null]
          ? 'number or null'
          : 'string or null';

/** Checks of some members of an object. */
type Checks<Value> = { readonly [Name in keyof Value]?: Check<Value[Name]> };

function readerOf<Value extends object>(checks: Checks<Value>): Reader<Value> {
  return (body) => (hasMembers<Value>(body, checks) ? body : null);
}

/** Reads a list under `name`, with the checks of each item and those of the members beside the list. */
function listReaderOf<Value extends { readonly [N in Name]: readonly object[] }, Name extends keyof Value & string>(
  name: Name,
  item: Checks<Value[Name][number]>,
  beside: Checks<Value>,
): Reader<Value> {
  const isList = (body: unknown): body is Value =>
    hasMembers<Value>(body, beside) && Array.isArray(body[name]) && body[name].every((each) => hasMembers(each, item));
  return (body) => (isList(body) ? body : null);
}

function hasMembers<Value extends object>(value: unknown, checks: Checks<Value>): value is Value {
  if (typeof value !== 'object' || value === null) return false;
  const members = new Map<string, unknown>(Object.entries(value));
  return Object.entries(checks).every(([name, check]) => passes(members.get(name), check));
}

function passes(value: unknown, check: unknown): boolean {
  if (Array.isArray(check)) return check.includes(value);
  if (check === 'list') return Array.isArray(value);
  if (check === 'number or null') return value === null || typeof value === 'number';
  if (check === 'string or null') return value === null || typeof value === 'string';
  return typeof value === check;
}
