// answers.ts -- What the server answers, as shapes and their types. A test holds them against the server's own schemas.

import { isRecord, isShaped, listReaderOf, pageReaderOf, readerOf, type Shaped } from './shape.ts';

const issue = { couponId: 'number', userId: 'string', sequence: 'number', status: ['ISSUED', 'ACCEPTED'] } as const;

const issueStatus = {
  couponId: 'number',
  userId: 'string',
  sequence: 'number or null',
  status: ['NONE', 'ACCEPTED', 'ISSUED', 'USED'],
} as const;

const usedIssue = {
  couponId: 'number',
  userId: 'string',
  sequence: 'number',
  status: ['USED'],
  dateUsed: 'string',
} as const;

const ownedIssue = {
  couponId: 'number',
  sequence: 'number',
  status: ['ISSUED', 'USED'],
  dateIssued: 'string',
  dateUsed: 'string or null',
  title: 'string',
  discountAmount: 'number',
  minAvailableAmount: 'number',
} as const;

const coupon = {
  id: 'number',
  title: 'string',
  couponType: ['FIRST_COME_FIRST_SERVED'],
  totalQuantity: 'number or null',
  issuedQuantity: 'number',
  discountAmount: 'number',
  minAvailableAmount: 'number',
  dateIssueStart: 'string',
  dateIssueEnd: 'string',
  paused: 'boolean',
  version: 'number',
  dateCreated: 'string',
  dateUpdated: 'string',
} as const;

const audit = {
  couponId: 'number',
  stockHome: ['mysql', 'redis'],
  totalQuantity: 'number or null',
  issuedQuantity: 'number',
  rows: 'number',
  owners: 'number or null',
  next: 'number or null',
  unpersisted: 'number',
  dead: 'number',
  missing: 'number',
  unknown: 'number',
  unexpected: 'number',
  outsidePeriod: 'number',
} as const;

const progress = {
  couponId: 'number',
  version: 'number',
  totalQuantity: 'number or null',
  issued: 'number',
  left: 'number or null',
  unpersisted: 'number or null',
  issuedPerSecond: 'number',
  paused: 'boolean',
} as const;

const drop = {
  couponId: 'number',
  title: 'string',
  totalQuantity: 'number or null',
  discountAmount: 'number',
  minAvailableAmount: 'number',
  dateIssueStart: 'string',
  dateIssueEnd: 'string',
  paused: 'boolean',
  version: 'number',
  now: 'string',
} as const;

const load = {
  process: 'string',
  uptimeMs: 'number',
  accepted: 'number',
  refused: 'number',
  failed: 'number',
  unpersisted: 'number',
  oldestMs: 'number',
  deadLetters: 'number',
} as const;

const deadLetter = {
  id: 'string',
  reason: 'string',
  couponId: 'number or null',
  firstSequence: 'number or null',
  users: 'number',
  accepted: 'string or null',
} as const;

/** `ISSUED`: a row. `ACCEPTED`: durable, and soon a row. */
export type Issue = Shaped<typeof issue>;
/** What has become of an issue; `sequence` is null with `NONE`. */
export type IssueStatus = Shaped<typeof issueStatus>;
/** An issue that was used now. */
export type UsedIssue = Shaped<typeof usedIssue>;
/** An issue as its user sees it. Times are ISO 8601, UTC. */
export type OwnedIssue = Shaped<typeof ownedIssue>;
/** A coupon; `totalQuantity` null: without limit. Times are ISO 8601, UTC. */
export type Coupon = Shaped<typeof coupon>;
/** The promises of a coupon, counted. */
export type Audit = Shaped<typeof audit>;
/** How the issuing of a coupon goes on; `left` is null without limit. */
export type Progress = Shaped<typeof progress>;

/** What people may know of a coupon. `now` is the clock of the server: count down by it. Times are ISO 8601, UTC. */
export type Drop = Shaped<typeof drop>;
/** How busy the process that answered is. Counts are since its start: those of two processes must not be subtracted. */
export type Load = Shaped<typeof load>;
/** Accepted issues that could not become rows. `couponId` is null when the entry cannot be understood. */
export type DeadLetter = Shaped<typeof deadLetter>;
/** The oldest dead letters; `more`: there are more than these. */
export interface DeadLetterList {
  readonly deadLetters: readonly DeadLetter[];
  readonly more: boolean;
}
/** What a key may do; `admin` stands for all of them. */
export interface Key {
  readonly scopes: readonly Scope[];
}
export type Scope = (typeof scopes)[number];
const scopes = ['issue', 'read', 'admin'] as const;

/** What a new coupon is made of. Times are RFC 3339 with an offset. */
export type NewCoupon = Pick<
  Coupon,
  'title' | 'totalQuantity' | 'discountAmount' | 'minAvailableAmount' | 'dateIssueStart' | 'dateIssueEnd'
>;
/** What is to be changed of a coupon: at least one member. */
export type CouponChanges = Partial<NewCoupon & Pick<Coupon, 'paused'>>;

export const readIssue = readerOf(issue);
export const readStatus = readerOf(issueStatus);
export const readUsed = readerOf(usedIssue);
export const readOwnedPage = pageReaderOf('issues', ownedIssue);
export const readCoupon = readerOf(coupon);
export const readCouponPage = pageReaderOf('coupons', coupon);
export const readAudit = readerOf(audit);
export const readProgress = readerOf(progress);
export const readDrop = readerOf(drop);
export const readLoad = readerOf(load);
export const readDeadLetters: (body: unknown) => DeadLetterList | null = listReaderOf('deadLetters', deadLetter, {
  more: 'boolean',
});
/** The key that a body tells of; null when it tells of none. */
export function readKey(body: unknown): Key | null {
  // A scope of a later server is none that this client could ask about.
  if (!isRecord(body) || !Array.isArray(body.scopes)) return null;
  return { scopes: scopes.filter((scope) => (body.scopes as readonly unknown[]).includes(scope)) };
}

/** Every code that the server refuses with. */
export const problemCodes = [
  'COUPON_NOT_EXIST',
  'INVALID_COUPON_ISSUE_DATE',
  'DUPLICATED_COUPON_ISSUE',
  'INVALID_COUPON_ISSUE_QUANTITY',
  'COUPON_TOTAL_BELOW_ISSUED',
  'DEAD_LETTER_NOT_EXIST',
  'DEAD_LETTER_UNREADABLE',
  'COUPON_HAS_ISSUES',
  'ISSUE_NOT_EXIST',
  'ISSUE_ALREADY_USED',
  'IDEMPOTENCY_KEY_REUSED',
  'PRECONDITION_FAILED',
  'FAIL_COUPON_ISSUE_REQUEST',
  'MALFORMED_REQUEST',
  'INVALID_REQUEST',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NOT_FOUND',
  'METHOD_NOT_ALLOWED',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'TOO_MANY_REQUESTS',
  'INTERNAL',
] as const;

export type ProblemCode = (typeof problemCodes)[number];

/** Why a request was refused. */
export interface Problem {
  /** The member to branch on. `OTHER`: no code that this client knows; something between us and the server may have answered. */
  readonly code: ProblemCode | 'OTHER';
  readonly status: number;
  /** For people. */
  readonly detail: string;
  /** With `DUPLICATED_COUPON_ISSUE` and `ISSUE_ALREADY_USED`. */
  readonly sequence?: number;
  /** With `ISSUE_ALREADY_USED`. */
  readonly dateUsed?: string;
  /** With `COUPON_TOTAL_BELOW_ISSUED`. */
  readonly issuedQuantity?: number;
  /** With `INVALID_REQUEST`: everything that is wrong. */
  readonly faults?: readonly Fault[];
}

/** Something wrong with a request. */
export interface Fault {
  readonly in: 'body' | 'path' | 'query' | 'header';
  /** JSON pointer. */
  readonly pointer: string;
  readonly expected: string;
}

/** The problem that a body tells, or `OTHER` when it tells none. `status` is that of the answer. */
export function readProblem(status: number, body: unknown): Problem {
  if (!isRecord(body) || !isShaped({ code: problemCodes, detail: 'string' }, body)) {
    return {
      code: 'OTHER',
      status,
      detail: `The answer has status ${status} and is no problem that this client knows.`,
    };
  }
  const { code, detail, sequence, dateUsed, issuedQuantity, faults } = { ...members, ...body };
  return {
    code,
    status,
    detail,
    ...(typeof sequence === 'number' && { sequence }),
    ...(typeof dateUsed === 'string' && { dateUsed }),
    ...(typeof issuedQuantity === 'number' && { issuedQuantity }),
    ...(Array.isArray(faults) && { faults: faults.filter(isFault) }),
  };
}

/** Members that only some problems have: of whatever type until they are looked at. */
const members: Readonly<Record<'sequence' | 'dateUsed' | 'issuedQuantity' | 'faults', unknown>> = {
  sequence: undefined,
  dateUsed: undefined,
  issuedQuantity: undefined,
  faults: undefined,
};

function isFault(value: unknown): value is Fault {
  return isShaped({ in: ['body', 'path', 'query', 'header'], pointer: 'string', expected: 'string' }, value);
}
