// problem.ts -- The one table of error codes, and their RFC 9457 documents. Nothing internal is ever in the text.
//
// A code, once published, keeps its meaning and its status: clients branch on `code`, people read `title` and `detail`.

import { type Static, Type } from '@sinclair/typebox';
import { problems, type ProblemCode } from './document/problems.ts';

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
