// document.test.ts -- The OpenAPI document is valid, complete, and says what the code does.

import { describe, expect, test } from 'bun:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Type } from '@sinclair/typebox';
import { toOpenApi } from '../../src/http/document/openapi-schema.ts';
import { problems } from '../../src/http/document/problems.ts';
import { fakeApp, OPERATOR_KEY } from './fakes.ts';

interface Media {
  readonly schema?: object;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly summary?: string; readonly value: unknown }>>;
}

interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description: string;
  readonly security?: readonly object[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly description?: string;
    readonly example?: unknown;
    readonly schema: { readonly pattern?: string };
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<
    Record<
      string,
      { readonly description: string; readonly headers?: object; readonly content?: Readonly<Record<string, Media>> }
    >
  >;
}

interface OpenApi {
  readonly openapi: string;
  readonly info: { readonly description: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, { readonly properties: Record<string, { readonly enum?: string[] }> }>>;
  };
}

const { app } = fakeApp();
const answer = await app.fetch(new Request('http://localhost/swagger/json'));
const text = await answer.text();
const document = JSON.parse(text) as OpenApi;
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    route: `${method.toUpperCase()} ${path}`,
    method,
    path,
    operation,
  })),
);

test('the document is valid OpenAPI 3.0.3, and is served as JSON', async () => {
  const { valid, errors } = await new Validator().validate({ ...document });
  expect({ valid, errors }).toEqual({ valid: true, errors: undefined });
  expect(document.openapi).toBe('3.0.3');
  expect(answer.headers.get('content-type')).toStartWith('application/json');
});

test('the validator would notice: without the description of one response the document is invalid', async () => {
  const broken = JSON.parse(
    text.replace('"description":"In the text format."', '"x-description":""'),
  ) as typeof document;
  expect((await new Validator().validate({ ...broken })).valid).toBe(false);
});

test('nothing of JSON Schema is left that OpenAPI 3.0 does not know', () => {
  expect(text).not.toMatch(/"\$id"|"const"|"type":"null"|"undefined"/);
  const references = [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map((match) => match[1] ?? '');
  expect([...new Set(references)].sort()).toEqual(Object.keys(document.components.schemas).sort());
});

test('a union with null becomes nullable, a literal an enum, what has a name a reference', () => {
  const schema = Type.Object({
    a: Type.Union([Type.Integer(), Type.Null()]),
    b: Type.Array(Type.Literal('x')),
    c: Type.Object({}, { $id: 'Named' }),
  });
  expect(JSON.parse(JSON.stringify(toOpenApi(schema)))).toEqual({
    type: 'object',
    required: ['a', 'b', 'c'],
    properties: {
      a: { type: 'integer', format: 'int64', nullable: true },
      b: { type: 'array', items: { type: 'string', enum: ['x'] } },
      c: { $ref: '#/components/schemas/Named' },
    },
  });
});

test('every route is documented, and nothing else', () => {
  expect(operations.map(({ route }) => route).sort()).toEqual([
    'DELETE /v1/coupons/{couponId}',
    'DELETE /v1/coupons/{couponId}/issues/{userId}/use',
    'DELETE /v1/dead-letters/{id}',
    'DELETE /v1/webhooks/{webhookId}',
    'GET /hello',
    'GET /livez',
    'GET /metrics',
    'GET /problems/{code}',
    'GET /readyz',
    'GET /v1/audit-trail',
    'GET /v1/codes/{couponCode}',
    'GET /v1/coupons',
    'GET /v1/coupons/{couponId}',
    'GET /v1/coupons/{couponId}/audit',
    'GET /v1/coupons/{couponId}/codes',
    'GET /v1/coupons/{couponId}/events',
    'GET /v1/coupons/{couponId}/issues',
    'GET /v1/coupons/{couponId}/issues/{userId}',
    'GET /v1/coupons/{couponId}/preflight',
    'GET /v1/coupons/{couponId}/timeline',
    'GET /v1/dead-letters',
    'GET /v1/dead-letters/{id}',
    'GET /v1/drops/{couponId}',
    'GET /v1/key',
    'GET /v1/limited-callers',
    'GET /v1/load',
    'GET /v1/logging',
    'GET /v1/reports/issues',
    'GET /v1/users/{userId}/issues',
    'GET /v1/webhooks',
    'GET /v1/webhooks/{webhookId}/deliveries',
    'PATCH /v1/coupons/{couponId}',
    'PATCH /v1/logging',
    'PATCH /v1/webhooks/{webhookId}',
    'POST /v1/codes/{couponCode}/use',
    'POST /v1/coupons',
    'POST /v1/coupons/{couponId}/codes',
    'POST /v1/coupons/{couponId}/codes/import',
    'POST /v1/coupons/{couponId}/issues',
    'POST /v1/coupons/{couponId}/issues/{userId}/revoke',
    'POST /v1/coupons/{couponId}/issues/{userId}/use',
    'POST /v1/coupons/{couponId}/open',
    'POST /v1/dead-letters/{id}/replay',
    'POST /v1/issue',
    'POST /v1/issue-async',
    'POST /v1/webhooks',
    'POST /v1/webhooks/{webhookId}/replay',
    'POST /v2/issue-async',
  ]);
  expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
});

test('what every path may answer is said of all of them at once', () => {
  const ofAll = document.info.description.split('\n\n').at(-1);
  for (const code of ['NOT_FOUND', 'METHOD_NOT_ALLOWED', 'INTERNAL', 'MALFORMED_REQUEST', 'TOO_MANY_REQUESTS'])
    expect(ofAll).toContain(code);
});

test('a header that is checked has its form in the document', () => {
  const forms = operations.flatMap(({ operation }) =>
    (operation.parameters ?? [])
      .filter(({ name }) => name === 'Idempotency-Key' || name === 'If-Match')
      .map(({ schema }) => new RegExp(schema.pattern ?? '', 'u')),
  );
  // Four that issue, two that change.
  expect(forms).toHaveLength(6);
  for (const form of forms)
    expect([form.test('"3"'), form.test(''), form.test('"a" "b"')]).toEqual([true, false, false]);
});

test('every code of the table is documented with an example, and no other', () => {
  const codes = Object.keys(problems).sort();
  expect(document.components.schemas.Problem?.properties.code?.enum).toEqual(codes);
  const shown = operations.flatMap(({ operation }) =>
    Object.entries(operation.responses).flatMap(([status, { content }]) =>
      Object.entries(content?.['application/problem+json']?.examples ?? {}).map(([code, { value }]) => {
        expect(value).toMatchObject({ code, status: Number(status) });
        return code;
      }),
    ),
  );
  // A documented operation is never a wrong method.
  expect([...new Set(shown)].sort()).toEqual(codes.filter((code) => code !== 'METHOD_NOT_ALLOWED'));
});

describe.each(operations)('$route', ({ method, path, operation }) => {
  test('says what it is, in whole sentences and under a known tag', () => {
    expect(operation.summary).not.toBe('');
    expect(operation.description).toMatch(/^[A-Z`][^]*\.$/);
    expect(document.tags.map(({ name }) => [name])).toContainEqual([...operation.tags]);
    for (const { name, description, example } of operation.parameters ?? []) {
      // One value of these does not fit every call: a key must be new, a version the present one.
      const shown = example !== undefined || ['Idempotency-Key', 'If-Match'].includes(name);
      expect({ name, described: Boolean(description), shown }).toEqual({ name, described: true, shown: true });
    }
    const inPath = (operation.parameters ?? [])
      .filter((parameter) => parameter.in === 'path')
      .map(({ name }) => `{${name}}`);
    expect([...path.matchAll(/\{\w+\}/g)].map(([name]) => name)).toEqual(inPath);
  });

  test('shows every answer: description, schema and example', () => {
    expect(Object.keys(operation.responses)).toContain('500');
    for (const [status, { description, headers, content = {} }] of Object.entries(operation.responses)) {
      expect(headers).toHaveProperty('X-Request-Id');
      const media = Object.values(content);
      expect({ status, described: description.length > 2, kinds: media.length }).toEqual({
        status,
        described: true,
        kinds: status === '204' || status === '304' ? 0 : 'text/csv' in content ? 2 : 1,
      });
      for (const { schema, example, examples } of media) {
        expect(schema).toBeDefined();
        expect(example ?? examples).toBeDefined();
      }
    }
  });

  const bodies = Object.values(operation.requestBody?.content['application/json']?.examples ?? {});
  if (method === 'post' || method === 'patch') {
    test.each(bodies)('answers its own example as documented: $summary', async ({ value }) => {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${OPERATOR_KEY}` };
      const concrete = path
        .replace('{couponId}', '1')
        .replace('{id}', '1')
        .replace('{userId}', '1')
        .replace('{webhookId}', '1')
        .replace('{couponCode}', 'issued');
      const body = JSON.stringify(value);
      const request = new Request(`http://localhost${concrete}`, { method: method.toUpperCase(), headers, body });
      const sent = await app.fetch(request);
      const documented = operation.responses[sent.status]?.content?.['application/json'];
      expect(sent.ok).toBe(true);
      // An answer without a body is documented without one.
      const answered = JSON.parse((await sent.text()) || '{}') as object;
      expect(Object.keys(answered).sort()).toEqual(Object.keys(documented?.example ?? {}).sort());
    });
  }

  test('is for operators exactly if it refuses those who are not', async () => {
    const concrete = path
      .replace('{couponId}', '1')
      .replace('{id}', '1')
      .replace('{userId}', '1')
      .replace('{code}', 'INTERNAL');
    const sent = await app.fetch(new Request(`http://localhost${concrete}`, { method: method.toUpperCase() }));
    expect(operation.security ?? []).toEqual(sent.status === 401 ? [{ operator: [] }] : []);
  });
});
