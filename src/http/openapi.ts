// openapi.ts -- The OpenAPI 3.0.3 document, built from the same schemas that validate and the same table that answers.
//
// OpenAPI 3.0 is not JSON Schema: it knows no `const` and no type `null`. `toOpenApi` translates, so that the schemas can
// say what TypeBox checks, and nothing has to be said twice.

import type { TSchema } from '@sinclair/typebox';
import type { DocumentDecoration } from 'elysia';
import release from '../../package.json' with { type: 'json' };
import { ProblemDocument, type ProblemCode, type ProblemMembers, problems, problemText } from './problem.ts';

type Operation = NonNullable<DocumentDecoration>;
type Responses = NonNullable<Operation['responses']>;
type Schema = Record<string, unknown>;

/** The groups of the document, in its order. */
export const tags = {
  issuing: 'The three ways to issue a coupon. They share one stock and keep the same promises.',
  coupons: 'What operators do, and what has become of a request.',
  operations: 'For those who run it.',
} as const;

export const info = {
  title: 'Coupon issuing',
  /** Of this release, see CHANGELOG.md. */
  version: release.version,
  description: `First come, first served: a limited number of coupons, open for a limited time, one per user.

| | what is promised |
|---|---|
| P1 | **Never too many.** A coupon never has more issues than its \`totalQuantity\`, through any mix of the three endpoints. |
| P2 | **Never twice.** A user has a coupon at most once. |
| P3 | **Never a broken word.** Every 2xx answer becomes exactly one row in MySQL, with the sequence number it named. |
| P4 | **Never too few.** \`sold out\` is answered only when the stock really is gone. |
| P5 | **Never outside the time.** Nothing is issued before \`dateIssueStart\` or from \`dateIssueEnd\` on, by one clock. |

A timeout, a 503, a 500 or a broken connection is *indeterminate*: the coupon may or may not have been issued. Asking again
tells which: \`DUPLICATED_COUPON_ISSUE\` with a \`sequence\` means that the user has it.

Every error is an \`application/problem+json\` document (RFC 9457) with a stable \`code\`. Unknown paths answer
\`NOT_FOUND\`. On every path \`INTERNAL\` is possible, and \`MALFORMED_REQUEST\` for a URL that is too long; where an operator limits
addresses, \`TOO_MANY_REQUESTS\` on every path but \`/livez\`, \`/readyz\` and \`/metrics\`.`,
} as const;

/** What a route says of itself. */
export interface Told {
  readonly tag: keyof typeof tags;
  readonly summary: string;
  readonly description: string;
  readonly operator?: boolean;
  /** Who may call it, where callers must say who they are. */
  readonly callers?: readonly (keyof typeof securitySchemes)[];
  readonly parameters?: readonly Parameter[];
  readonly body?: {
    readonly schema: string;
    readonly examples: Readonly<Record<string, { summary: string; value: unknown }>>;
  };
  readonly answers: Readonly<Record<number, Answer>>;
  readonly problems: readonly ProblemCode[];
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly schema: TSchema;
  readonly example: unknown;
}

/** An answer that is no problem: JSON with a named schema, or text. */
export interface Answer {
  readonly description: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly type?: string;
  /** Name of a schema of the document; without one the answer is text. */
  readonly schema?: string;
  /** Left out where the answer has no body. */
  readonly example?: unknown;
}

/** The part of the document for one route. */
export function told(route: Told): Operation {
  return {
    tags: [route.tag],
    summary: route.summary,
    description: route.description,
    ...(route.operator && { security: [{ operator: [] }] }),
    ...(route.callers && { security: route.callers.map((caller) => ({ [caller]: [] })) }),
    ...(route.parameters && { parameters: route.parameters.map(toParameter) }),
    ...(route.body && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: reference(route.body.schema), examples: { ...route.body.examples } } },
      },
    }),
    responses: { ...toAnswers(route.answers), ...toProblems(route.problems) },
  };
}

const bearer = (description: string) => ({ type: 'http' as const, scheme: 'bearer', description });

/** Who callers are, and how they show it. */
const securitySchemes = {
  operator: bearer(
    'A key with the scope `admin`, or for reading `read`: ADMIN_API_KEY, or one from `bun run keys create`.',
  ),
  backend: bearer('A key with the scope `issue`, of a backend that knows its users and acts for them.'),
  user: { ...bearer('A token of the user, for that user alone.'), bearerFormat: 'JWT' },
};

/** The parts that routes refer to by name. */
export function components(schemas: Readonly<Record<string, TSchema>>) {
  return {
    securitySchemes,
    schemas: Object.fromEntries(
      Object.entries({ ...schemas, Problem: ProblemDocument }).map(([name, schema]) => [name, toOpenApi(schema)]),
    ),
  };
}

function reference(schema: string): { $ref: string } {
  return { $ref: `#/components/schemas/${schema}` };
}

function toParameter({ name, in: place, schema, example }: Parameter) {
  const { description, ...rest } = toOpenApi(schema);
  return { name, in: place, required: place === 'path', description: String(description), schema: rest, example };
}

function toAnswers(answers: Readonly<Record<number, Answer>>): Responses {
  return Object.fromEntries(
    Object.entries(answers).map(([status, { description, headers = {}, type, schema, example }]) => [
      status,
      {
        description,
        headers: toHeaders(headers),
        ...(example !== undefined && {
          content: {
            [type ?? (schema ? 'application/json' : 'text/plain')]: {
              schema: schema ? reference(schema) : { type: 'string' as const },
              example,
            },
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
        headers: toHeaders(problemHeaders(status)),
        content: {
          'application/problem+json': {
            schema: reference('Problem'),
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
      'Retry-After': 'Seconds to wait before asking again.',
      'RateLimit-Limit': 'Requests in a window.',
      'RateLimit-Remaining': 'Requests left in this window.',
      'RateLimit-Reset': 'Seconds to the next window.',
    };
  }
  if (status === 503) return { 'Retry-After': 'Seconds to wait before asking again.' };
  if (status === 401) return { 'WWW-Authenticate': 'How to authenticate: `Bearer`.' };
  return {};
}

function exampleOf(code: ProblemCode): unknown {
  return JSON.parse(problemText(code, problems[code].when, exampleMembers[code]));
}

/** What only some problems have. */
const exampleMembers: { readonly [Code in ProblemCode]?: ProblemMembers } = {
  DUPLICATED_COUPON_ISSUE: { sequence: 37 },
  COUPON_TOTAL_BELOW_ISSUED: { issuedQuantity: 700 },
  ISSUE_ALREADY_USED: { sequence: 37, dateUsed: '2026-12-24T09:00:00.000Z' },
  INVALID_REQUEST: {
    faults: [{ in: 'body', pointer: '/couponId', expected: 'an integer from 1 to 9007199254740991' }],
  },
};

function toHeaders(headers: Readonly<Record<string, string>>) {
  return Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [name, { description, schema: { type: 'string' as const } }]),
  );
}

/** The members of a schema that the two languages say differently. */
interface SchemaParts extends Schema {
  readonly anyOf?: readonly TSchema[];
  readonly items?: TSchema;
  readonly properties?: Readonly<Record<string, TSchema>>;
}

/** A TypeBox schema as OpenAPI 3.0.3 understands it. */
export function toOpenApi(schema: TSchema): Schema {
  const { $id: _, const: literal, anyOf, items, properties, ...rest }: SchemaParts = schema;
  const translated: Schema = { ...rest };
  if (literal !== undefined) translated.enum = [literal];
  if (items) translated.items = toOpenApi(items);
  if (properties) {
    translated.properties = Object.fromEntries(
      Object.entries(properties).map(([name, member]) => [name, toOpenApi(member)]),
    );
  }
  if (!anyOf) return translated;
  const choices = anyOf.filter((choice) => choice.type !== 'null').map(toOpenApi);
  const nullable = choices.length < anyOf.length ? { nullable: true } : {};
  const [only] = choices;
  return choices.length === 1
    ? { ...only, ...nullable, ...translated }
    : { ...translated, ...nullable, anyOf: choices };
}
