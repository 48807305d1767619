// generated-requests.ts -- Requests made from what the document says of an operation: most of them right, each part at times not.

import fc from 'fast-check';
import { type OpenApi, type Operation, type Parameter, resolved, type Schema } from './open-api.ts';

/** What the document cannot know: things that are there. */
export interface Known {
  /** Values of parameters and members by their names: `id`, `couponId`, `userId`, `code`. The first one is good for everything. */
  readonly values: Readonly<Record<string, readonly unknown[]>>;
  /** Values of the header `Authorization`; undefined sends none. The first one may do everything. */
  readonly credentials: readonly (string | undefined)[];
}

/** Requests to an operation; the first is as the document shows it, and must succeed. */
export function requestsTo(document: OpenApi, operation: Operation, known: Known) {
  const { parameters = [], requestBody } = operation;
  const media = requestBody?.content['application/json'];
  const sent = Object.fromEntries(
    parameters.map((parameter) => [parameter.name, parameterValues(parameter, known)] as const),
  );
  const body = media === undefined ? fc.constant(undefined) : bodies(document, media.schema, known);
  const parts = fc.record({
    credential: fc.oneof(
      { weight: 2, arbitrary: fc.constant(known.credentials[0]) },
      { weight: 1, arbitrary: fc.constantFrom(...known.credentials) },
    ),
    parameters: fc.record(sent),
    body,
    type: fc.oneof(
      { weight: 20, arbitrary: fc.constant('application/json') },
      { weight: 1, arbitrary: fc.constantFrom('text/plain', 'application/x-www-form-urlencoded', '', 'json') },
    ),
  });
  const [example] = Object.values(media?.examples ?? {});
  const usual = {
    credential: known.credentials[0],
    parameters: Object.fromEntries(
      parameters.flatMap(({ name, in: place }) => (place === 'path' ? [[name, String(known.values[name]?.[0])]] : [])),
    ),
    body: example === undefined ? undefined : JSON.stringify(withKnown(example.value, known)),
    type: 'application/json',
  };
  return { parts, usual };
}

/** A request, apart from where it goes. */
export interface Parts {
  readonly credential: string | undefined;
  /** undefined: not sent. */
  readonly parameters: Readonly<Record<string, string | undefined>>;
  readonly body: string | undefined;
  readonly type: string;
}

export function toRequest({ method, path, parameters = [] }: Operation, parts: Parts): Request {
  const headers = new Headers();
  if (parts.credential !== undefined) headers.set('authorization', parts.credential);
  if (parts.body !== undefined && parts.type !== '') headers.set('content-type', parts.type);
  const query = new URLSearchParams();
  let concrete = path;
  for (const { name, in: place } of parameters) {
    const value = parts.parameters[name];
    if (value === undefined) continue;
    if (place === 'path') concrete = concrete.replace(`{${name}}`, () => encodeURIComponent(value));
    else if (place === 'query') query.set(name, value);
    else headers.set(name, value);
  }
  const body = parts.body === undefined ? {} : { body: parts.body };
  const asked = query.size > 0 ? `?${query.toString()}` : '';
  return new Request(`http://localhost${concrete}${asked}`, { method, headers, ...body });
}

function parameterValues({ name, in: place, schema }: Parameter, known: Known): fc.Arbitrary<string | undefined> {
  const there = known.values[name] ?? [];
  const right = there.length > 0 ? fc.constantFrom(...there.map(String)) : valuesOf(schema).map(String);
  if (place === 'path') {
    // Nothing, and what a URL takes for a step up, would lead to another path.
    const text = fc.string({ unit: 'grapheme', maxLength: 70 });
    const wrong = fc.oneof(valuesOf(schema).map(String), text);
    return mostly(
      right,
      wrong.filter((part) => !/^\.{0,2}$/.test(part)),
    );
  }
  const text = place === 'query' ? fc.string({ unit: 'grapheme', maxLength: 70 }) : fc.string({ maxLength: 70 });
  return fc.oneof(fc.constant(undefined), mostly(right, text));
}

/** Bodies as the schema says, those that differ in a member, and what is no body at all. */
function bodies(document: OpenApi, named: Schema, { values }: Known): fc.Arbitrary<string> {
  const schema = resolved(document, named);
  const { properties = {}, required = [] } = schema;
  const members = Object.fromEntries(
    Object.entries(properties).map(([name, member]) => {
      const there = values[name] ?? [];
      const right = there.length > 0 ? fc.constantFrom(...there) : valuesOf(member);
      return [name, mostly(right, fc.oneof(valuesOf(member), fc.jsonValue()))] as const;
    }),
  );
  const right = fc.record(members, { requiredKeys: [...required] });
  const wrong = fc.oneof(
    fc.record(members, { requiredKeys: [] }),
    fc.tuple(right, fc.dictionary(fc.string(), fc.jsonValue())).map(([one, other]) => ({ ...other, ...one })),
    fc.jsonValue(),
  );
  return mostly(
    mostly(right, wrong).map((value) => JSON.stringify(value)),
    fc.oneof(
      fc.string(),
      fc.constant('x'.repeat(5000)),
      right.map((value) => JSON.stringify(value).slice(0, -1)),
    ),
  );
}

/** Values as a schema says, its bounds among them. */
function valuesOf(schema: Schema): fc.Arbitrary<unknown> {
  const { type, anyOf, enum: choices, nullable, pattern, minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = schema;
  if (nullable) return fc.oneof(fc.constant(null), valuesOf({ ...schema, nullable: false }));
  if (anyOf) return fc.oneof(...anyOf.map((choice) => valuesOf(choice)));
  if (choices) return fc.constantFrom(...choices);
  if (type === 'boolean') return fc.boolean();
  if (type === 'integer') {
    const around = fc.constantFrom(minimum - 1, minimum, maximum, maximum + 1);
    return fc.oneof(fc.integer({ min: minimum, max: maximum }), around);
  }
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern, 'u'), { maxLength: 70 });
  return fc.string({ unit: 'grapheme', maxLength: 70 });
}

function mostly<T>(right: fc.Arbitrary<T>, wrong: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 9, arbitrary: right }, { weight: 1, arbitrary: wrong });
}

/** An example whose members are things that are there, where some are known. */
function withKnown(example: unknown, { values }: Known): unknown {
  if (typeof example !== 'object' || example === null || Array.isArray(example)) return example;
  return Object.fromEntries(Object.entries(example).map(([name, value]) => [name, values[name]?.[0] ?? value]));
}
