// problems.ts -- Every problem that the API answers: its status, its title, and when it comes.

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

/** Whether `text` is a code of the table. */
export function isProblemCode(text: string): text is ProblemCode {
  return Object.hasOwn(problems, text);
}
