// problem.ts -- The one table of error codes, and their RFC 9457 documents. Nothing internal is ever in the text.
//
// A code, once published, keeps its meaning and its status: clients branch on `code`, people read `title` and `detail`.

import { type Static, Type } from '@sinclair/typebox';

interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** When it is answered, for the documentation; also the `detail` where nothing more can be said. */
  readonly when: string;
}

/** Every code with its HTTP status and title. */
export const problems = {
  COUPON_NOT_EXIST: { status: 404, title: 'No such coupon', when: 'There is no coupon with this id.' },
  INVALID_COUPON_ISSUE_DATE: {
    status: 409,
    title: 'Not open for issuing',
    when: 'The coupon is not open now: before its start, from its end on, or paused. `detail` says which.',
  },
  DUPLICATED_COUPON_ISSUE: {
    status: 409,
    title: 'Already issued',
    when: 'The user already has this coupon. `sequence` is the number of that issue.',
  },
  INVALID_COUPON_ISSUE_QUANTITY: {
    status: 409,
    title: 'Sold out',
    when: 'All pieces of this coupon have been issued.',
  },
  COUPON_TOTAL_BELOW_ISSUED: {
    status: 409,
    title: 'Total below issued quantity',
    when: 'The new total is below the number of issues, `issuedQuantity`.',
  },
  COUPON_ARCHIVED: {
    status: 409,
    title: 'Coupon archived',
    when: 'The issues of this coupon were moved to a file. The coupon cannot be used or edited until an operator restores them.',
  },
  COUPON_TERMS_FIXED: {
    status: 409,
    title: 'Terms are fixed',
    when: 'The coupon has issues, so its amounts, currency and period of use cannot change. Create another coupon instead.',
  },
  CODE_NOT_EXIST: { status: 404, title: 'No such code', when: 'There is no issue with this code.' },
  COUPON_HAS_CODES: {
    status: 409,
    title: 'Coupon has codes',
    when: 'The coupon already has other codes, or another upload completed first. Nothing was changed.',
  },
  CODES_TAKEN: {
    status: 409,
    title: 'Codes are taken',
    when: 'The pattern conflicts with the codes of another coupon. Choose another prefix. Nothing was changed.',
  },
  COUPON_TOTAL_ABOVE_CODES: {
    status: 409,
    title: 'Too few codes',
    when: 'There are fewer codes than the total of the coupon needs: import more, use more placeholders, or lower the total first.',
  },
  DEAD_LETTER_NOT_EXIST: { status: 404, title: 'No such dead letter', when: 'There is no dead letter with this id.' },
  DEAD_LETTER_UNREADABLE: {
    status: 409,
    title: 'Dead letter cannot be decoded',
    when: 'This dead letter cannot be decoded, so it cannot be replayed. It was not changed.',
  },
  COUPON_HAS_ISSUES: {
    status: 409,
    title: 'Coupon has issues',
    when: 'A coupon can be deleted only while it has no issues. Pause it, or let it end.',
  },
  ISSUE_NOT_EXIST: { status: 404, title: 'Not issued', when: 'The user does not have this coupon.' },
  ISSUE_ALREADY_USED: {
    status: 409,
    title: 'Already used',
    when: 'The coupon was used before, at `dateUsed`. `sequence` is the number of the issue.',
  },
  ISSUE_NOT_USABLE: {
    status: 409,
    title: 'Not usable now',
    when: 'The issue can be used only from `usableFrom` on and before `usableUntil`. If a member is missing, there is no such limit.',
  },
  ISSUE_NOT_USED: {
    status: 409,
    title: 'Not used',
    when: 'The issue is not used, so there is no use to undo. The use may already have been undone.',
  },
  ISSUE_REVOKED: {
    status: 409,
    title: 'Revoked',
    when: 'An operator revoked this issue, at `dateRevoked`. It can no longer be used.',
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    title: 'Idempotency key reused',
    when: 'This `Idempotency-Key` was used with another body or endpoint. Nothing was decided.',
  },
  PRECONDITION_FAILED: {
    status: 412,
    title: 'Version mismatch',
    when: 'The version of the coupon is not the one in `If-Match`. Read the coupon again and retry.',
  },
  WEBHOOK_NOT_EXIST: { status: 404, title: 'No such webhook', when: 'There is no webhook with this id.' },
  WEBHOOK_LIMIT_REACHED: {
    status: 409,
    title: 'Too many webhooks',
    when: 'The maximum number of webhooks is reached. Delete one first.',
  },
  FAIL_COUPON_ISSUE_REQUEST: {
    status: 503,
    title: 'Service unavailable',
    when: 'The service is overloaded or stopping, or Redis or MySQL did not respond. Retry after `Retry-After`.',
  },
  MALFORMED_REQUEST: {
    status: 400,
    title: 'Malformed request',
    when: 'The body is empty or not JSON in UTF-8, the URL is too long, or `Host` is not a valid host.',
  },
  INVALID_REQUEST: {
    status: 422,
    title: 'Invalid request',
    when: 'A value is missing, unknown or out of range. `faults` lists each one.',
  },
  UNAUTHENTICATED: {
    status: 401,
    title: 'Authentication required',
    when: 'Send `Authorization: Bearer …` with an API key or a token of the configured issuer.',
  },
  FORBIDDEN: {
    status: 403,
    title: 'Forbidden',
    when: 'Authenticated, but not authorized: the scope of the key does not cover this, or the token belongs to a different user.',
  },
  NOT_FOUND: { status: 404, title: 'No such path', when: 'There is no resource at this path.' },
  METHOD_NOT_ALLOWED: {
    status: 405,
    title: 'Method not allowed',
    when: 'This path has other methods: `Allow` lists them.',
  },
  PAYLOAD_TOO_LARGE: {
    status: 413,
    title: 'Body too large',
    when: 'The body is larger than this installation accepts.',
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    title: 'Unsupported media type',
    when: 'The body must be sent with `Content-Type: application/json`.',
  },
  TOO_MANY_REQUESTS: {
    status: 429,
    title: 'Too many requests',
    when: 'A limit of requests, event streams, idempotency keys or wrong codes of this user, address or key is reached.',
  },
  INTERNAL: {
    status: 500,
    title: 'Internal error',
    when: 'An internal error occurred and was logged. The result of the request is ambiguous.',
  },
} as const satisfies Readonly<Record<string, ProblemKind>>;

export type ProblemCode = keyof typeof problems;
export type ProblemStatus = (typeof problems)[ProblemCode]['status'];

const codes = Object.keys(problems).sort();

const places = ['body', 'path', 'query', 'header'] as const;

const FaultDocument = Type.Object({
  in: Type.Unsafe<(typeof places)[number]>(Type.String({ enum: [...places] })),
  pointer: Type.String({ description: 'JSON pointer; empty for the whole body.' }),
  expected: Type.String({ description: 'The expected value. The value that was sent is not repeated.' }),
  line: Type.Optional(
    Type.Integer({
      minimum: 1,
      description: 'In an upload: the line of the CSV, or the number of the array element.',
    }),
  ),
});

/** Something wrong with a request: with a member of the body, or with a parameter or header. */
export type Fault = Readonly<Static<typeof FaultDocument>>;

/** The shape of every problem document, as it is documented. */
export const ProblemDocument = Type.Object(
  {
    type: Type.String({ description: 'The path of an explanation of the code on this server.' }),
    title: Type.String({ description: 'The code in words; the same for every occurrence.' }),
    status: Type.Integer({ description: 'The HTTP status.', minimum: 400, maximum: 599 }),
    code: Type.Unsafe<ProblemCode>(Type.String({ enum: codes, description: 'Stable; clients should branch on it.' })),
    detail: Type.String({ description: 'An explanation of this occurrence, for people.' }),
    sequence: Type.Optional(
      Type.Integer({
        minimum: 1,
        description:
          'With DUPLICATED_COUPON_ISSUE, ISSUE_ALREADY_USED, _NOT_USABLE, _NOT_USED and _REVOKED: the sequence of the existing issue.',
      }),
    ),
    dateUsed: Type.Optional(Type.String({ description: 'With ISSUE_ALREADY_USED: when, in UTC.' })),
    usableFrom: Type.Optional(
      Type.String({ description: 'With ISSUE_NOT_USABLE: the first instant at which it can be used, in UTC.' }),
    ),
    usableUntil: Type.Optional(
      Type.String({
        description: 'With ISSUE_NOT_USABLE: the first instant at which it can no longer be used, in UTC.',
      }),
    ),
    dateRevoked: Type.Optional(Type.String({ description: 'With ISSUE_REVOKED: when, in UTC.' })),
    issuedQuantity: Type.Optional(
      Type.Integer({ minimum: 1, description: 'With COUPON_TOTAL_BELOW_ISSUED: the number of issues.' }),
    ),
    faults: Type.Optional(
      Type.Array(FaultDocument, { description: 'With INVALID_REQUEST: all faults of the request.' }),
    ),
    requestId: Type.Optional(
      Type.String({ description: 'The `X-Request-Id` of the response. Quote it when you contact support.' }),
    ),
  },
  { $id: 'Problem', description: 'An error or a refusal, as defined in RFC 9457.' },
);

/** Members that only some problems have. */
export type ProblemMembers = Readonly<
  Omit<Static<typeof ProblemDocument>, 'type' | 'title' | 'status' | 'code' | 'detail'>
>;

/** The document of a problem as JSON text. */
export function problemText(
  code: ProblemCode,
  detail: string = problems[code].when,
  members: ProblemMembers = {},
): string {
  const { status, title } = problems[code];
  return JSON.stringify({ type: `/problems/${code}`, title, status, code, detail, ...members });
}

/** What `new Response` needs beside the text. */
export function problemInit(code: ProblemCode, headers: Readonly<Record<string, string>> = {}): ResponseInit {
  return { status: problems[code].status, headers: { ...common, ...headers } };
}

export const PROBLEM_TYPE = 'application/problem+json';
const common = { 'content-type': PROBLEM_TYPE, 'x-content-type-options': 'nosniff' };

/** Makes answers that differ by the id of their request alone: a rush is answered millions of the same refusal. */
export function problemMaker(code: ProblemCode, detail?: string): (requestId: string) => Response {
  const toText = withRequestId(problemText(code, detail));
  // Each answer copies them, which costs half of what new ones would.
  const headers = new Headers(common);
  const init = { status: problems[code].status, headers };
  return (requestId) => {
    headers.set('x-request-id', requestId);
    return new Response(toText(requestId), init);
  };
}

/** Adds the id of a request to the text of a problem, as its last member. */
export function withRequestId(text: string): (requestId: string) => string {
  const open = text.slice(0, -1);
  return (requestId) => `${open},"requestId":"${requestId}"}`;
}

/**
 * The answer that reports a problem.
 *
 * @param code which problem; decides status and title
 * @param detail what happened this time: never a value of the caller, never anything internal
 * @param members members that only this code has
 * @param headers more headers, such as `retry-after`
 */
export function problem(
  code: ProblemCode,
  detail?: string,
  members?: ProblemMembers,
  headers?: Readonly<Record<string, string>>,
): Response {
  // Made once: a flood of unknown ids is answered with one of these.
  const text = detail === undefined && members === undefined ? texts.get(code) : undefined;
  return new Response(text ?? problemText(code, detail, members), problemInit(code, headers));
}

const texts = new Map((Object.keys(problems) as ProblemCode[]).map((code) => [code, problemText(code)]));

/** Seconds over which those who were refused together are spread, so that they do not come back together. */
const RETRY_SPREAD_S = 3;

/** `Retry-After`: so many seconds, or up to two more. */
export function retryAfter(leastS: number): { readonly 'retry-after': string } {
  return { 'retry-after': String(leastS + Math.floor(Math.random() * RETRY_SPREAD_S)) };
}

/** The answer to a request that can be read but not accepted. */
export function invalid(faults: readonly Fault[]): Response {
  const count = faults.length === 1 ? 'one fault' : `${faults.length} faults`;
  return problem('INVALID_REQUEST', `The request has ${count}.`, { faults: [...faults] });
}

/** Whether `text` is a code of the table. */
export function isProblemCode(text: string): text is ProblemCode {
  return Object.hasOwn(problems, text);
}
