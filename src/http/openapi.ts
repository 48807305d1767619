// openapi.ts -- The OpenAPI 3.0.3 document, built from the same schemas that validate and the same table that answers.
//
// OpenAPI 3.0 is not JSON Schema: it knows no `const` and no type `null`. `toOpenApi` translates, so that the schemas can
// say what TypeBox checks, and nothing has to be said twice.

import type { TSchema } from '@sinclair/typebox';
import type { DocumentDecoration } from 'elysia';
import release from '../../package.json' with { type: 'json' };
import { ProblemDocument, type ProblemCode, type ProblemMembers, problems, problemText } from './problem.ts';

type Detail = NonNullable<DocumentDecoration>;
type Responses = NonNullable<Detail['responses']>;
type Schema = Record<string, unknown>;

/** The groups of the document, in its order. */
export const tags = {
  issuing: 'The three ways to issue a coupon. They share one stock and keep the same promises.',
  users: 'What has become of a request, what a user has, and what everybody may see of a coupon.',
  operators: 'Coupons over their life, audits and dead letters.',
  service: 'Health, metrics and documentation of the service itself.',
} as const;

export const info = {
  title: 'Coupon issuing',
  /** Of this release, see CHANGELOG.md. */
  version: release.version,
  license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
  description: `First come, first served: a limited number of coupons, open for a limited time, one per user.

| | what is promised |
|---|---|
| P1 | **Never too many.** A coupon never has more issues than its \`totalQuantity\`, through any mix of the three endpoints. |
| P2 | **Never twice.** A user has a coupon at most once. |
| P3 | **Never a broken word.** Every 2xx answer becomes exactly one row in MySQL, with the sequence number it named. |
| P4 | **Never too few.** \`sold out\` is answered only when the stock really is gone. |
| P5 | **Never outside the time.** Nothing is issued before \`dateIssueStart\` or from \`dateIssueEnd\` on, by one clock. |

A timeout, a 503, a 500 or a broken connection is *indeterminate*: the coupon may or may not have been issued. Retry to
find out: \`DUPLICATED_COUPON_ISSUE\` with a \`sequence\` means that the user has it.

Every error is an \`application/problem+json\` document (RFC 9457) with a stable \`code\`. Unknown paths answer
\`NOT_FOUND\`, a wrong method on a known path \`METHOD_NOT_ALLOWED\` with \`Allow\`. Every path may answer \`INTERNAL\`, and
\`MALFORMED_REQUEST\` for a URL that is too long; where an operator limits addresses, every path but \`/livez\`, \`/readyz\` and
\`/metrics\` may answer \`TOO_MANY_REQUESTS\`.`,
} as const;

/** What the document says of a route. */
export interface Operation {
  /** Names the method in generated clients: a verb and its object. */
  readonly operationId: string;
  readonly tag: keyof typeof tags;
  readonly summary: string;
  readonly description: string;
  readonly operator?: boolean;
  /** Who may call it, where callers authenticate. Without these two the route requires no authentication. */
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
  /** Left out where no one value fits every call, such as a key that must be new each time. */
  readonly example?: unknown;
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
export function operation(route: Operation): Detail {
  return {
    operationId: route.operationId,
    tags: [route.tag],
    summary: route.summary,
    description: route.description,
    security: route.operator ? [{ operator: [] }] : (route.callers ?? []).map((caller) => ({ [caller]: [] })),
    ...(route.parameters && { parameters: route.parameters.map(toParameter) }),
    ...(route.body && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: reference(route.body.schema), examples: { ...route.body.examples } } },
      },
    }),
    responses: { ...toAnswers(route.answers), ...toProblems(problemsOf(route)) },
  };
}

/** With those that every path may answer before its route is reached. */
function problemsOf({ tag, problems: own }: Operation): readonly ProblemCode[] {
  const ofAll: readonly ProblemCode[] =
    tag === 'service' ? ['MALFORMED_REQUEST'] : ['MALFORMED_REQUEST', 'TOO_MANY_REQUESTS'];
  return [...new Set([...own, ...ofAll])];
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

/** The parts that routes refer to by name. Where users need not authenticate, only operators have a scheme. */
export function components(schemas: Readonly<Record<string, TSchema>>, isAuthOn: boolean) {
  const { operator } = securitySchemes;
  return {
    securitySchemes: isAuthOn ? securitySchemes : { operator },
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
  const described = { name, in: place, required: place === 'path', description: String(description), schema: rest };
  return example === undefined ? described : { ...described, example };
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

/** The largest integer that generated clients hold in 32 bits. */
const INT32_MAX = 2 ** 31 - 1;

/**
 * A TypeBox schema as OpenAPI 3.0.3 understands it, and as generators of clients do: no `anyOf`, since a union of types becomes an
 * empty class in some languages. Of text and number, which a user id may be, the text is documented.
 */
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
  if (rest.type === 'integer' && Number(rest.maximum ?? Number.POSITIVE_INFINITY) > INT32_MAX)
    translated.format = 'int64';
  if (!anyOf) return translated;
  const choices = anyOf.filter((choice) => choice.type !== 'null').map(toOpenApi);
  const nullable = choices.length < anyOf.length ? { nullable: true } : {};
  const literals = choices.flatMap((choice): readonly unknown[] => (Array.isArray(choice.enum) ? choice.enum : []));
  if (literals.length === choices.length) return { type: 'string', enum: literals, ...nullable, ...translated };
  return { ...choices[0], ...nullable, ...translated };
}
