// route.ts -- A route is declared once: what it takes and what it answers is checked, documented and typed by one declaration.
//
// Elysia's own schemas would coerce bodies and stop at the first fault; here every fault of a request is reported at once.

import type { Static, TSchema } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { type CreateEden, Elysia } from 'elysia';
import { bodyReader, isBodiless } from './body.ts';
import { operation } from './document/openapi.ts';
import type { Declaration, Parameter, Parameters, RawParameters } from './document/declaration.ts';
import { type Fault, invalid, type ProblemDocument } from './problem.ts';
import type { ProblemStatus } from './document/problems.ts';
import { noteOf } from './request-log/request-notes.ts';

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';
type MaybePromise<Value> = Value | Promise<Value>;

/** A route, ready to be served. */
export interface Route {
  readonly method: Method;
  readonly path: string;
  readonly declaration: Declaration;
  handle(request: Request, params: RawParameters): MaybePromise<Response>;
}

/** The same, with its declaration as a type: Eden's client is made of these. */
export interface TypedRoute<Verb extends Method, Path extends string, Declared extends Declaration> extends Route {
  readonly method: Verb;
  readonly path: Path;
  readonly declaration: Declared;
}

/** What a handler is given: everything as it was declared, already checked. */
interface Input<Declared extends Declaration> {
  readonly request: Request;
  readonly params: ValuesOf<Declared['params']>;
  readonly query: ValuesOf<Declared['query']>;
  readonly headers: ValuesOf<Declared['headers']>;
  readonly body: BodyOf<Declared>;
}

/** What a handler answers: the value of one of its schemas, or a whole answer, such as a problem. */
type Reply<Declared extends Declaration> =
  | Response
  | {
      readonly status?: keyof Declared['answers'];
      readonly body?: AnswersOf<Declared>[keyof Declared['answers']];
      readonly headers?: Readonly<Record<string, string>>;
    };

type ValuesOf<Declared> = Declared extends Parameters
  ? { readonly [Name in keyof Declared]: ValueOf<Declared[Name]> }
  : Record<never, never>;
type ValueOf<Declared> = Declared extends { read: (text: string | null) => infer Value }
  ? Exclude<Value, undefined>
  : Declared extends { schema: infer Schema extends TSchema }
    ? Static<Schema>
    : never;
type BodyOf<Declared> = Declared extends { body: { schema: infer Schema extends TSchema } }
  ? Static<Schema> | (Declared['body'] extends { isOptional: true } ? undefined : never)
  : undefined;
type AnswersOf<Declared extends Declaration> = {
  [Status in keyof Declared['answers']]: Declared['answers'][Status] extends { schema: infer Schema extends TSchema }
    ? Static<Schema>
    : undefined;
};

/** A route whose handler is called with what was declared; problem documents refuse everything else before. */
export function route<Verb extends Method, Path extends string, const Declared extends Declaration>(
  method: Verb,
  path: Path,
  declaration: Declared,
  handler: (input: Input<Declared>) => MaybePromise<Reply<Declared>>,
): TypedRoute<Verb, Path, Declared> {
  const { access, body } = declaration;
  const readBody = body && bodyReader(body.schema, body.bytesMax);
  const [success = '200'] = Object.keys(declaration.answers);
  const answer = async (request: Request, raw: RawParameters): Promise<Response> => {
    const refused = await access?.refuse(request, raw);
    if (refused) return refused;
    const faults: Fault[] = [];
    const params = valuesOf('path', declaration.params, (name) => raw[name] ?? null, faults);
    const search = declaration.query && new URL(request.url).searchParams;
    const query = valuesOf('query', declaration.query, (name) => search?.get(name) ?? null, faults);
    const headers = valuesOf('header', declaration.headers, (name) => request.headers.get(name), faults);
    if (faults.length > 0) return invalid(faults);
    const sent = body?.isOptional && isBodiless(request) ? undefined : await readBody?.(request);
    if (sent instanceof Response) return sent;
    // What was read is what the declaration says, which is where its type comes from.
    const reply = await handler({ request, params, query, headers, body: sent } as unknown as Input<Declared>);
    if (reply instanceof Response) return reply;
    const init = { status: Number(reply.status ?? success), headers: { ...noStore, ...reply.headers } };
    return reply.body === undefined ? new Response(null, init) : Response.json(reply.body, init);
  };
  return { method, path, declaration, handle: answer };
}

/** A route that reads the request and writes the answer itself: what it declares is only documented and typed. */
export function rawRoute<Verb extends Method, Path extends string, const Declared extends Declaration>(
  method: Verb,
  path: Path,
  declaration: Declared,
  handle: (request: Request) => MaybePromise<Response>,
): TypedRoute<Verb, Path, Declared> {
  return { method, path, declaration, handle };
}

/** Every answer changes within milliseconds, and most are for one caller: no cache may keep them. */
const noStore = { 'cache-control': 'no-store' };

function valuesOf(
  place: Fault['in'],
  declared: Parameters = {},
  textOf: (name: string) => string | null,
  faults: Fault[],
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(declared).map(([name, parameter]) => {
      const value = valueOf(parameter, textOf(name));
      const { description = 'another value' } = parameter.schema;
      if (value === undefined) faults.push({ in: place, pointer: `/${name}`, expected: description });
      return [name, value];
    }),
  );
}

/** Undefined for text that is no such value. An integer has no sign, no leading zero and no fraction. */
function valueOf({ schema, read }: Parameter, text: string | null): unknown {
  if (read) return read(text);
  if (text === null) return schema.default;
  const value = schema.type === 'integer' ? (/^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : null) : text;
  return Value.Check(schema, value) ? value : undefined;
}

/** What of a path may be noted: a coupon's id as the number that it is, and the user, who is never logged as they are. */
function notedOf({ couponId = '', userId }: Readonly<Record<string, string | null>>) {
  return {
    ...(couponId !== null && /^[1-9]\d{0,15}$/.test(couponId) && { couponId: Number(couponId) }),
    ...(typeof userId === 'string' && { userId }),
  };
}

/** The routes as a plugin of the framework. Handlers take only what they need, since Elysia prepares what their text mentions. */
export function plugin<const Routes extends readonly Route[]>(routes: Routes) {
  const app = new Elysia({ name: 'routes' });
  for (const { method, path, declaration, handle: answer } of routes) {
    const handle: Route['handle'] = (request, params) => {
      const note = noteOf(request);
      if (note) Object.assign(note, { endpoint: `${method} ${path}`, ...notedOf(params) });
      return answer(request, params);
    };
    // `parse: 'none'`: bodies are read within their limit, by their declaration.
    const hook = { parse: 'none', detail: operation(declaration) } as const;
    if (path.includes(':')) app.route(method, path, ({ request, params }) => handle(request, params), hook);
    else app.route(method, path, ({ request }) => handle(request, {}), hook);
  }
  return app;
}

/** Routes as Eden reads them. */
export type EdenRoutes<Routes extends readonly Route[]> = Intersection<
  Routes[number] extends infer One
    ? One extends TypedRoute<infer Verb, infer Path, infer Declared>
      ? CreateEden<Path, { [Name in Lowercase<Verb>]: EdenRoute<Declared> }>
      : never
    : never
>;

type Intersection<Union> = (Union extends unknown ? (one: Union) => void : never) extends (all: infer All) => void
  ? All
  : never;

interface EdenRoute<Declared extends Declaration> {
  body: BodyOf<Declared>;
  headers: { authorization?: string } & LowercaseNames<Sent<Declared['headers']>>;
  params: unknown;
  query: Sent<Declared['query']>;
  response: AnswersOf<Declared> & Record<ProblemStatus, Static<typeof ProblemDocument>>;
}

/** Parameters that a caller may send or leave out. */
type Sent<Declared> = Declared extends Parameters
  ? { -readonly [Name in keyof Declared]?: Static<Declared[Name]['schema']> }
  : Record<never, never>;
type LowercaseNames<Named> = { [Name in keyof Named as Lowercase<Name & string>]: Named[Name] };
