// openapi.ts -- The OpenAPI 3.0.3 document, built from the same schemas that validate and the same table that answers.

import type { TSchema } from '@sinclair/typebox';
import release from '../../../package.json' with { type: 'json' };
import { collectNamed, reference, toOpenApi } from './openapi-schema.ts';
import { ProblemDocument, type ProblemMembers, problemText } from '../problem.ts';
import { type ProblemCode, problems } from './problems.ts';
import type { Detail, Responses, Declaration, Parameters, Answer } from './declaration.ts';
import { securitySchemes } from './tags.ts';

export const info = {
  title: 'Coupon issuing',
  /** Of this release, see CHANGELOG.md. */
  version: release.version,
  license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
  description: `First come, first served: a limited number of coupons, open for a limited time, one per user.

**Which endpoint?** All three share one stock and keep all promises, also mixed on one coupon. Use \`POST /v2/issue-async\` unless you
need the row immediately.

| | what a success means | how it decides | CPU, µs |
|---|---|---|---|
| \`POST /v2/issue-async\` | 202: durable in Redis, a row soon | one Lua script for the batch | 37 |
| \`POST /v1/issue-async\` | 202: durable in Redis, a row soon | a lock around read and write, for comparison | 44 |
| \`POST /v1/issue\` | 201: the row is in MySQL | one MySQL transaction for the batch | 42 |

\`GET /v1/coupons/{couponId}/issues/{userId}\` then returns the status of the issue, \`GET /v1/drops/{couponId}\` is the public view, and
[/console](/console) is the page for operators.

| | promise |
|---|---|
| P1 | **Never too many.** A coupon never has more issues than its \`totalQuantity\`, through any mix of the three endpoints. |
| P2 | **Never twice.** A user has a coupon at most once. |
| P3 | **Never a broken word.** Every 2xx answer becomes exactly one row in MySQL, with the sequence number it named. |
| P4 | **Never too few.** \`sold out\` is answered only when the stock really is gone. |
| P5 | **Never outside the time.** Nothing is issued before \`dateIssueStart\` or from \`dateIssueEnd\` on, by one clock. |

A timeout, a 503, a 500 or a broken connection is *indeterminate*: the coupon may or may not have been issued. Retry to
find out: \`DUPLICATED_COUPON_ISSUE\` with a \`sequence\` means that the user has it.

Every response has \`X-Request-Id\`, and every problem document \`requestId\`: quote it when you contact support. A request may send its own,
with 1 to 128 letters, digits and \`_.:=+/-\`; any other value is replaced.

Every error is an \`application/problem+json\` document (RFC 9457) with a stable \`code\`. Unknown paths answer
\`NOT_FOUND\`, a wrong method on a known path \`METHOD_NOT_ALLOWED\` with \`Allow\`. Every path may answer \`INTERNAL\`, and
\`MALFORMED_REQUEST\` for a URL that is too long; where an operator limits addresses, every path but \`/livez\`, \`/readyz\` and
\`/metrics\` may answer \`TOO_MANY_REQUESTS\`.`,
} as const;

/** The part of the document for one route. */
export function operation(route: Declaration): Detail {
  return {
    operationId: route.operationId,
    tags: [route.tag],
    summary: route.summary,
    description: route.description,
    security: (route.access?.callers ?? []).map((caller) => ({ [caller]: [] })),
    ...(route.samples && { 'x-codeSamples': route.samples }),
    ...(hasParameters(route) && {
      parameters: [
        ...toParameters('path', route.params),
        ...toParameters('query', route.query),
        ...toParameters('header', route.headers),
      ],
    }),
    ...(route.body && {
      requestBody: {
        required: route.body.isOptional !== true,
        content: { 'application/json': { schema: reference(route.body.schema), examples: { ...route.body.examples } } },
      },
    }),
    ...(route.upload && {
      requestBody: {
        required: true,
        content: Object.fromEntries(
          Object.entries(route.upload).map(([type, { schema, examples }]) => [
            type,
            { schema: schema.$id === undefined ? { type: 'string' as const } : reference(schema), examples },
          ]),
        ),
      },
    }),
    responses: { ...toAnswers(route.answers), ...toProblems(problemsOf(route)) },
  };
}

/** With those that come of its declaration, and those that every path may answer before its route is reached. */
function problemsOf(route: Declaration): readonly ProblemCode[] {
  const codes: ProblemCode[] = [...(route.problems ?? []), 'MALFORMED_REQUEST'];
  if (route.access) codes.push('UNAUTHENTICATED', 'FORBIDDEN');
  if (route.body || route.upload) codes.push('PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE');
  if (route.tag !== 'service') {
    codes.push('TOO_MANY_REQUESTS');
    if (hasParameters(route) || route.body) codes.push('INVALID_REQUEST');
  }
  return [...new Set(codes)];
}

function hasParameters({ params, query, headers }: Declaration): boolean {
  return params !== undefined || query !== undefined || headers !== undefined;
}

/** The parts that the routes refer to by name. Where users need not authenticate, only operators have a scheme. */
export function components(routes: readonly Declaration[], isAuthOn: boolean) {
  const { operator } = securitySchemes;
  const named = new Map<string, TSchema>();
  for (const { body, upload = {}, answers } of routes) {
    const sent = [body?.schema, ...Object.values(upload).map((each) => each.schema)];
    for (const schema of [...sent, ...Object.values(answers).map((answer) => answer.schema), ProblemDocument]) {
      if (schema) collectNamed(schema, named);
    }
  }
  return {
    securitySchemes: isAuthOn ? securitySchemes : { operator },
    schemas: Object.fromEntries([...named].map(([name, schema]) => [name, toOpenApi(schema)])),
  };
}

function toParameters(place: 'path' | 'query' | 'header', parameters: Parameters = {}) {
  return Object.entries(parameters).map(([name, { schema, example }]) => {
    const { description, ...rest } = toOpenApi(schema);
    const described = { name, in: place, required: place === 'path', description: String(description), schema: rest };
    return example === undefined ? described : { ...described, example };
  });
}

function toAnswers(answers: Readonly<Record<number, Answer>>): Responses {
  const text = { type: 'string' as const };
  return Object.fromEntries(
    Object.entries(answers).map(([status, { description, headers = {}, type, schema, example, others = {} }]) => [
      status,
      {
        description,
        headers: toHeaders({ ...headers, ...requestIdHeader }),
        ...(example !== undefined && {
          content: {
            [type ?? (schema ? 'application/json' : 'text/plain')]: {
              schema: schema ? reference(schema) : text,
              example,
            },
            ...Object.fromEntries(
              Object.entries(others).map(([other, sent]) => [other, { schema: text, example: sent }]),
            ),
          },
        }),
      },
    ]),
  );
}

/** One response for each status, with one example for each code that has it. */
function toProblems(codes: readonly ProblemCode[]): Responses {
  const statuses = Map.groupBy([...codes, 'INTERNAL' as const], (code) => problems[code].status);
  return Object.fromEntries(
    [...statuses].map(([status, group]) => [
      String(status),
      {
        description: group.map((code) => `\`${code}\`: ${problems[code].when}`).join('\n\n'),
        headers: toHeaders({ ...problemHeaders(status), ...requestIdHeader }),
        content: {
          'application/problem+json': {
            schema: reference(ProblemDocument),
            examples: Object.fromEntries(
              group.map((code) => [code, { summary: problems[code].title, value: exampleOf(code) }]),
            ),
          },
        },
      },
    ]),
  );
}

function problemHeaders(status: number): Readonly<Record<string, string>> {
  if (status === 429) {
    return {
      'Retry-After': 'Seconds to wait before a retry.',
      'RateLimit-Limit': 'Requests allowed per window.',
      'RateLimit-Remaining': 'Requests left in this window.',
      'RateLimit-Reset': 'Seconds to the next window.',
    };
  }
  if (status === 503) return { 'Retry-After': 'Seconds to wait before a retry.' };
  if (status === 401) {
    return {
      'WWW-Authenticate':
        'How to authenticate: `Bearer`, as in RFC 6750, with `error="invalid_token"`, and an `error_description` if the issuer signed the token.',
    };
  }
  return {};
}

/** Of every answer. */
const requestIdHeader = { 'X-Request-Id': 'The id of the request: the one that was sent, or a generated one.' };

function exampleOf(code: ProblemCode): unknown {
  const members = { ...exampleMembers[code], requestId: '5f1d0c52a7e3-2k' };
  return JSON.parse(problemText(code, problems[code].when, members));
}

/** What only some problems have. */
const exampleMembers: Partial<Record<ProblemCode, ProblemMembers>> = {
  DUPLICATED_COUPON_ISSUE: { sequence: 37 },
  COUPON_TOTAL_BELOW_ISSUED: { issuedQuantity: 700 },
  ISSUE_ALREADY_USED: { sequence: 37, dateUsed: '2026-12-24T09:00:00.000Z' },
  ISSUE_NOT_USABLE: { sequence: 37, usableUntil: '2026-12-31T15:00:00.000Z' },
  ISSUE_NOT_USED: { sequence: 37 },
  ISSUE_REVOKED: { sequence: 37, dateRevoked: '2026-12-24T09:00:00.000Z' },
  INVALID_REQUEST: {
    faults: [{ in: 'body', pointer: '/couponId', expected: 'an integer from 1 to 9007199254740991' }],
  },
};

function toHeaders(headers: Readonly<Record<string, string>>) {
  return Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [name, { description, schema: { type: 'string' as const } }]),
  );
}
