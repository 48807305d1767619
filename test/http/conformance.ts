// conformance.ts -- What every way of serving the app answers: one suite for the bare app, Bun and Deno.

import { describe, expect, test } from 'bun:test';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { SentUserId } from '../../src/coupon/ids.ts';
import { type ProblemCode, problems } from '../../src/http/document/problems.ts';
import { describeFeed, describeMany } from './coupon-issues.ts';
import { ADDRESS_REQUESTS_MAX, BODY_BYTES_MAX, GUARDED, OPERATOR_KEY } from './fakes.ts';
import { sign } from './tokens.ts';

type Body = NonNullable<RequestInit['body']>;

/** Sends one request; `path` begins with a slash. */
export type Ask = (path: string, init?: RequestInit) => Promise<Response>;

const json = { 'content-type': 'application/json' };
const operator = { authorization: `Bearer ${OPERATOR_KEY}` };
const endpoints = ['/v1/issue', '/v1/issue-async', '/v2/issue-async'] as const;

/** What a coupon has that says nothing of when it can be used. */
const usable = { currency: 'KRW', usableFrom: null, usableUntil: null, usableDays: null, timeZone: 'UTC' };

const newCoupon = {
  title: 'Spring sale',
  totalQuantity: 700,
  discountAmount: 0,
  minAvailableAmount: 4_294_967_295,
  dateIssueStart: '2027-03-01T10:00:00+09:00',
  dateIssueEnd: '2027-04-01T00:00:00Z',
};

/** Runs the suite against one way of serving. `ask` is looked up late, since a server starts in `beforeAll`. */
export function servesTheSurface(name: string, ask: Ask): void {
  describe(`${name}: issuing`, () => describeIssuing(ask));
  describe(`${name}: bad bodies`, () => describeBadBodies(ask));
  describe(`${name}: paths and methods`, () => describePaths(ask));
  describe(`${name}: coupons`, () => describeCoupons(ask));
  describe(`${name}: coupons over their life`, () => describeEdits(ask));
  describe(`${name}: edits that are refused`, () => describeEditRefusals(ask));
  describe(`${name}: callers`, () => describeCallers(ask));
  describe(`${name}: idempotency keys`, () => describeKeys(ask));
  describe(`${name}: issues over their life`, () => describeIssueLife(ask));
  describe(`${name}: many users at once`, () => describeMany(ask));
  describe(`${name}: the issues of a coupon`, () => describeFeed(ask));
  describe(`${name}: codes`, () => describeCodes(ask));
  describe(`${name}: operations`, () => describeOperations(ask));
  describe(`${name}: webhooks`, () => describeWebhooks(ask));
}

/** Checks that an answer is the document of one code, whole but for what differs; returns it. */
export async function expectProblem(answer: Response, code: ProblemCode): Promise<Record<string, unknown>> {
  const { status, title } = problems[code];
  const document = (await answer.json()) as Record<string, unknown>;
  expect({ ...document, http: answer.status, contentType: answer.headers.get('content-type') }).toMatchObject({
    http: status,
    contentType: 'application/problem+json',
    type: `/problems/${code}`,
    title,
    status,
    code,
    detail: expect.stringMatching(/^[A-Z].*\.$/) as unknown,
    requestId: answer.headers.get('x-request-id'),
  });
  expect(JSON.stringify(document)).not.toContain('internal:');
  return document;
}

function post(ask: Ask, path: string, body: Body, headers: Record<string, string> = json): Promise<Response> {
  return ask(path, { method: 'POST', body, headers });
}

function describeWebhooks(ask: Ask): void {
  const headers = { ...json, ...operator };
  const send = (method: string, path: string, body: unknown) =>
    ask(path, { method, headers, body: JSON.stringify(body) });
  const draft = { url: 'https://shop.example/hooks', kinds: ['issue.used', 'coupon.ended'] };

  test('one is registered, with its secret in this answer alone', async () => {
    const answer = await send('POST', '/v1/webhooks', draft);
    expect(answer.status).toBe(201);
    expect(await answer.json()).toMatchObject({ id: 4, ...draft, state: 'active', secret: 'whsec_c2VjcmV0' });
    const listed = await ask('/v1/webhooks', { headers: operator });
    expect(await listed.json()).toMatchObject({
      webhooks: [{ id: 1 }, { id: 2, state: 'active' }, { id: 3, state: 'failed', lastError: 'answered 503' }],
    });
  });

  const wrong: readonly (readonly [what: string, body: object, pointer: string])[] = [
    ['credentials', { ...draft, url: 'https://user:password@shop.example/' }, '/url'],
    ['a file', { ...draft, url: 'file:///etc/passwd' }, '/url'],
    ['no TLS', { ...draft, url: 'http://shop.example/' }, '/url'],
    ['a private address', { ...draft, url: 'https://10.0.0.7/' }, '/url'],
    ['no URL', { ...draft, url: 'hooks' }, '/url'],
    ['a URL that is too long', { ...draft, url: `https://shop.example/${'a'.repeat(2048)}` }, '/url'],
    ['no kinds', { ...draft, kinds: [] }, '/kinds'],
    ['an unknown kind', { ...draft, kinds: ['issue.lost'] }, '/kinds/0'],
    ['a kind twice', { ...draft, kinds: ['issue.used', 'issue.used'] }, '/kinds'],
    ['a secret of its own', { ...draft, secret: 'whsec_c2VjcmV0' }, ''],
  ];
  test.each(wrong)('%s is refused', async (_, body, pointer) => {
    const document = await expectProblem(await send('POST', '/v1/webhooks', body), 'INVALID_REQUEST');
    expect(document.faults).toMatchObject([{ in: 'body', pointer }]);
    expect(JSON.stringify(document)).not.toContain('password');
  });

  test('there may be only so many', async () => {
    const full = { ...draft, url: 'https://full.example/' };
    await expectProblem(await send('POST', '/v1/webhooks', full), 'WEBHOOK_LIMIT_REACHED');
  });

  test('one is paused, resumed, replayed and deleted', async () => {
    expect(await (await send('PATCH', '/v1/webhooks/2', { paused: true })).json()).toMatchObject({ state: 'paused' });
    expect(await (await send('PATCH', '/v1/webhooks/2', { paused: false })).json()).toMatchObject({ state: 'active' });
    expect((await send('POST', '/v1/webhooks/2/replay', { couponId: 1, after: 0 })).status).toBe(204);
    expect((await ask('/v1/webhooks/2', { method: 'DELETE', headers: operator })).status).toBe(204);
    for (const body of [{}, { couponId: 1 }, { couponId: 1, after: -1 }, { couponId: '1', after: 0 }])
      await expectProblem(await send('POST', '/v1/webhooks/2/replay', body), 'INVALID_REQUEST');
  });

  test('deliveries come in pages, the newest first', async () => {
    const page = await (await ask('/v1/webhooks/1/deliveries?limit=2', { headers: operator })).json();
    expect(page).toMatchObject({ deliveries: [{ id: 3, status: 204, error: null }, { id: 2 }], next: 2 });
    const rest = await (await ask('/v1/webhooks/1/deliveries?after=2', { headers: operator })).json();
    expect(rest).toMatchObject({ deliveries: [{ id: 1 }], next: null });
  });

  test('of one that is not there nothing is done', async () => {
    const answers = [
      await send('PATCH', '/v1/webhooks/9', { paused: true }),
      await send('POST', '/v1/webhooks/9/replay', { couponId: 1, after: 0 }),
      await ask('/v1/webhooks/9', { method: 'DELETE', headers: operator }),
      await ask('/v1/webhooks/9/deliveries', { headers: operator }),
    ];
    for (const answer of answers) await expectProblem(answer, 'WEBHOOK_NOT_EXIST');
  });
}

function describeIssuing(ask: Ask): void {
  for (const endpoint of endpoints) {
    test(`${endpoint} answers an issue with its number and where to read it`, async () => {
      const answer = await post(ask, endpoint, '{"couponId":1,"userId":42}');
      const status = endpoint === '/v1/issue' ? 'ISSUED' : 'ACCEPTED';
      expect(await answer.json()).toEqual({ couponId: 1, userId: '42', sequence: 37, status });
      expect(answer.status).toBe(endpoint === '/v1/issue' ? 201 : 202);
      expect(answer.headers.get('location')).toBe('/v1/coupons/1/issues/42');
      expect(answer.headers.get('content-type')).toBe('application/json');
    });

    const refusals: readonly [number, ProblemCode, string][] = [
      [3, 'INVALID_COUPON_ISSUE_QUANTITY', 'All pieces'],
      [4, 'INVALID_COUPON_ISSUE_DATE', 'has not started'],
      [5, 'INVALID_COUPON_ISSUE_DATE', 'has ended'],
      [6, 'INVALID_COUPON_ISSUE_DATE', 'is paused'],
      [7, 'FAIL_COUPON_ISSUE_REQUEST', 'Nothing was decided'],
      [8, 'FAIL_COUPON_ISSUE_REQUEST', 'is stopping'],
      [9, 'FAIL_COUPON_ISSUE_REQUEST', 'result is ambiguous'],
      [10, 'INTERNAL', 'was logged'],
      [11, 'COUPON_NOT_EXIST', 'no coupon'],
    ];
    test.each(refusals)(`${endpoint} answers the outcome of coupon %d: %s, "%s"`, async (couponId, code, detail) => {
      const answer = await post(ask, endpoint, JSON.stringify({ couponId, userId: 'u' }));
      const document = await expectProblem(answer, code);
      expect(document.detail).toContain(detail);
      expect(answer.headers.get('retry-after') ?? '').toMatch(code === 'FAIL_COUPON_ISSUE_REQUEST' ? /^[234]$/ : /^$/);
    });

    test(`${endpoint} answers a duplicate request with the sequence`, async () => {
      const document = await expectProblem(
        await post(ask, endpoint, '{"couponId":2,"userId":"u"}'),
        'DUPLICATED_COUPON_ISSUE',
      );
      expect(document).toEqual({
        type: '/problems/DUPLICATED_COUPON_ISSUE',
        title: 'Already issued',
        status: 409,
        code: 'DUPLICATED_COUPON_ISSUE',
        detail: problems.DUPLICATED_COUPON_ISSUE.when,
        sequence: 12,
        requestId: document['requestId'],
      });
    });
  }

  const users: readonly [string, string][] = [
    ['0', '0'],
    ['9007199254740991', '9007199254740991'],
    ['"__proto__"', '__proto__'],
    ['"null"', 'null'],
    [`"${'a'.repeat(255)}"`, 'a'.repeat(255)],
    ...idsOfProviders.map((id): [string, string] => [JSON.stringify(id), id]),
    ['"\\u0041-_z9"', 'A-_z9'],
  ];
  test.each(users)('the user %s is taken as %s', async (sent, userId) => {
    const answer = await post(ask, '/v2/issue-async', `{"couponId":1,"userId":${sent}}`);
    expect(await answer.json()).toEqual({ couponId: 1, userId, sequence: 37, status: 'ACCEPTED' });
  });

  const contentTypes = [
    'application/json',
    'Application/JSON',
    'application/json; charset=utf-8',
    'application/json ;x=y',
  ];
  test.each(contentTypes)('a body of type %s is read', async (type) => {
    const answer = await post(ask, '/v2/issue-async', '{"couponId":1,"userId":1}', { 'content-type': type });
    expect(answer.status).toBe(202);
  });

  test('a body may begin with a byte order mark and be padded up to the limit', async () => {
    const body = '{"couponId":1,"userId":1}';
    expect((await post(ask, '/v2/issue-async', `\uFEFF${body}`)).status).toBe(202);
    expect((await post(ask, '/v2/issue-async', body.padEnd(BODY_BYTES_MAX))).status).toBe(202);
    await expectProblem(await post(ask, '/v2/issue-async', body.padEnd(BODY_BYTES_MAX + 1)), 'PAYLOAD_TOO_LARGE');
  });
}

const COUPON = { in: 'body', pointer: '/couponId', expected: 'id of a coupon: an integer from 1 to 9007199254740991' };
const USER = { in: 'body', pointer: '/userId', expected: SentUserId.description };
const OTHER = { in: 'body', pointer: '', expected: 'no members but couponId, userId' };
const WHOLE = { in: 'body', pointer: '', expected: 'an object with couponId, userId' };

/** User ids as identity providers make them, and others that a path, a query or a pattern could stumble over. */
const idsOfProviders = [
  'auth0|5f7c8ec7c33c6c004bbafe82',
  'google-oauth2|113456789012345678901',
  '001234.5678abcdef.0910',
  'f:5c1e2a3b-0d4f-4a6b:kim',
  'Zm9v+YmFy/YmF6==',
  'kim@example.com',
  '/',
  '%2F',
  '...',
  '?a=1&b#c',
  '*',
];

/** Numbers that a parser rounds to an id that they do not say. */
const inexact = ['42.0', '1e3', '1E0', '-0', '4.2e1', '9007199254740991.4'];

const malformed: readonly [string, Body][] = [
  ['nothing', ''],
  ['blanks', '   '],
  ['a cut object', '{"couponId":1,'],
  ['two values', '{}{}'],
  ['single quotes', "{'couponId':1}"],
  ['a trailing comma', '{"couponId":1,"userId":1,}'],
  ['NaN', '{"couponId":NaN,"userId":1}'],
  ['a comment', '{"couponId":1,"userId":1}//'],
  ['deep nesting without an end', '['.repeat(BODY_BYTES_MAX)],
  ['a bare line break in a text', '{"couponId":1,"userId":"a\nb"}'],
  ['bytes that are not UTF-8', new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
  ['UTF-16', new Uint8Array([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00])],
  ['a NUL', '\0'],
];

function describeBadBodies(ask: Ask): void {
  test.each(malformed)('%s is malformed', async (_, body) => {
    await expectProblem(await post(ask, '/v1/issue', body), 'MALFORMED_REQUEST');
  });

  const nested = `${'['.repeat(2000)}${']'.repeat(2000)}`;
  const wrong: readonly [string, object[]][] = [
    ['null', [WHOLE]],
    ['1', [WHOLE]],
    ['"couponId"', [WHOLE]],
    ['[]', [WHOLE]],
    ['[{"couponId":1,"userId":1}]', [WHOLE]],
    [nested, [WHOLE]],
    ['{}', [COUPON, USER]],
    ['{"couponId":1}', [USER]],
    ['{"userId":1}', [COUPON]],
    ['{"couponId":1,"userId":1,"quantity":2}', [OTHER]],
    ['{"couponId":1,"userId":1,"__proto__":{"admin":true}}', [OTHER]],
    ['{"__proto__":{"couponId":1,"userId":1}}', [COUPON, USER, OTHER]],
    ['{"constructor":1,"toString":2}', [COUPON, USER, OTHER]],
    ['{"couponId":1,"couponId":0,"userId":1}', [COUPON]],
    ...['0', '-1', '1.5', '1e300', '9007199254740992', '"1"', 'true', 'null', '[1]', '{}', ...inexact].map(
      (couponId): [string, object[]] => [`{"couponId":${couponId},"userId":1}`, [COUPON]],
    ),
    ...[
      ...inexact,
      '-1',
      '1.5',
      '9007199254740992',
      'true',
      '[]',
      '{"id":1}',
      '""',
      '" "',
      '"a b"',
      '"a}b"',
      '"{p}"',
    ].map((userId): [string, object[]] => [`{"couponId":1,"userId":${userId}}`, [USER]]),
    ...[
      '"a\\n"',
      '"\\u0000"',
      '"\\ud800"',
      '"é"',
      '"Ａ"',
      '"a,b"',
      `"a'b"`,
      '"a\\\\b"',
      '"a\\"b"',
      '"."',
      '".."',
      `"${'a'.repeat(256)}"`,
    ].map((userId): [string, object[]] => [`{"couponId":1,"userId":${userId}}`, [USER]]),
  ];
  test.each(wrong)('%s is invalid, and every fault is reported without its value', async (body, faults) => {
    const document = await expectProblem(await post(ask, '/v2/issue-async', body), 'INVALID_REQUEST');
    expect(document.faults).toEqual(faults);
  });

  const types = [
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/jsonp',
    'application/json5',
    'json',
    '*/*',
  ];
  test.each(types)('a body of type %s is not supported', async (type) => {
    const answer = await post(ask, '/v1/issue', '{"couponId":1,"userId":1}', { 'content-type': type });
    await expectProblem(answer, 'UNSUPPORTED_MEDIA_TYPE');
  });

  test.each(['gzip', 'br', 'deflate'])('a body that is compressed with %s is not supported', async (encoding) => {
    const zip = { gzip: gzipSync, br: brotliCompressSync, deflate: deflateSync }[encoding] ?? gzipSync;
    const body = new Uint8Array(zip('{"couponId":1,"userId":1}'));
    const answer = await post(ask, '/v1/issue', body, { ...json, 'content-encoding': encoding });
    expect(answer.headers.get('accept-encoding')).toBe('identity');
    await expectProblem(answer, 'UNSUPPORTED_MEDIA_TYPE');
  });

  test('a request without body and type is not supported', async () => {
    await expectProblem(await ask('/v1/issue', { method: 'POST' }), 'UNSUPPORTED_MEDIA_TYPE');
    await expectProblem(await ask('/v1/issue', { method: 'POST', headers: json }), 'MALFORMED_REQUEST');
  });

  test('a large body is refused, announced or in pieces', async () => {
    await expectProblem(await post(ask, '/v1/issue', 'x'.repeat(1_000_000)), 'PAYLOAD_TOO_LARGE');
    const pieces = new Blob(['x'.repeat(100_000)]).stream();
    await expectProblem(await post(ask, '/v1/issue', pieces), 'PAYLOAD_TOO_LARGE');
  });
}

const unchanged = { usableFrom: null, usableUntil: null, dateUsed: null, reference: null, dateRevoked: null };
const statuses: readonly [string, object][] = [
  ['none', { couponId: 1, userId: 'none', sequence: null, code: null, status: 'NONE' }],
  ['accepted', { couponId: 1, userId: 'accepted', sequence: 37, code: null, status: 'ACCEPTED' }],
  ['issued', { couponId: 1, userId: 'issued', sequence: 37, code: 'SUMMER-K7WQ-3N9X', status: 'ISSUED' }],
  [
    'used',
    {
      couponId: 1,
      userId: 'used',
      sequence: 37,
      code: 'SUMMER-K7WQ-3N9X',
      status: 'USED',
      dateUsed: '2026-12-01T00:00:00.000Z',
      reference: 'order-1',
    },
  ],
  [
    'revoked',
    {
      couponId: 1,
      userId: 'revoked',
      sequence: 37,
      code: 'SUMMER-K7WQ-3N9X',
      status: 'REVOKED',
      dateRevoked: '2026-12-01T00:00:00.000Z',
    },
  ],
  ['archived', { couponId: 1, userId: 'archived', sequence: null, code: null, status: 'ARCHIVED' }],
];

function describePaths(ask: Ask): void {
  const missing: readonly [string, string][] = [
    ['GET', '/nope'],
    ['GET', '/%'],
    ['GET', '/%00'],
    ['GET', '/%ff'],
    ['GET', '//nope'],
    ['GET', '/v1'],
    ['GET', '/V1/issue'],
    ['GET', '/v1/coupons/1/issues/1/2'],
    ['GET', '/swagger/assets/package.json'],
    ['GET', '/swagger/assets/..%2Fpackage.json'],
    ['GET', '/swagger/assets/%'],
    ['GET', '/problems/toString'],
  ];
  test.each(missing)('%s %s is not found', async (method, path) => {
    await expectProblem(await ask(path, { method }), 'NOT_FOUND');
  });

  const wrong: readonly [string, string, string][] = [
    ['GET', '/v1/issue', 'POST'],
    ['PUT', '/v1/issue', 'POST'],
    ['DELETE', '/v1/issue', 'POST'],
    ['PATCH', '/v2/issue-async', 'POST'],
    ['OPTIONS', '/v1/issue', 'POST'],
    ['POST', '/hello', 'GET, HEAD'],
    ['POST', '/v1/coupons/1', 'DELETE, GET, HEAD, PATCH'],
    ['DELETE', '/v1/coupons/1/issues/42', 'GET, HEAD'],
  ];
  test.each(wrong)('%s %s is a wrong method, and %s would be right', async (method, path, allow) => {
    const answer = await ask(path, { method });
    expect(answer.headers.get('allow')).toBe(allow);
    await expectProblem(answer, 'METHOD_NOT_ALLOWED');
  });

  test('the bare address leads people to the documentation and the pages', async () => {
    const page = await (await ask('/')).text();
    for (const link of ['/swagger', '/console', '/drop/1']) expect(page).toContain(`href="${link}"`);
  });

  test('a query does not hide a path', async () => {
    expect((await ask('/hello?x=%&y=1')).status).toBe(200);
  });

  test('HEAD has the status of GET and no body', async () => {
    for (const [path, status] of [
      ['/hello', 200],
      ['/nope', 404],
      ['/v1/coupons/99/issues/1', 404],
    ] as const) {
      const answer = await ask(path, { method: 'HEAD' });
      expect(answer.status).toBe(status);
    }
  });

  test.each(statuses)('the status of an issue that is %s can be read', async (userId, expected) => {
    const answer = await ask(`/v1/coupons/1/issues/${userId}`);
    expect(await answer.json()).toEqual({ ...unchanged, ...expected });
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  test('the status of a coupon that does not exist is not found', async () => {
    await expectProblem(await ask('/v1/coupons/99/issues/1'), 'COUPON_NOT_EXIST');
  });

  const couponIds = [
    '0',
    '01',
    '-1',
    '+1',
    '1.0',
    '1e3',
    '9007199254740992',
    '99999999999999999999',
    'x',
    '%31x',
    '%zz',
    '%',
    '%00',
  ];
  test.each(couponIds)('%s in a path is no coupon id', async (id) => {
    const document = await expectProblem(await ask(`/v1/coupons/${id}/issues/1`), 'INVALID_REQUEST');
    expect(document.faults).toEqual([{ ...COUPON, in: 'path' }]);
  });

  const userIds = ['a b', '%7Bp%7D', 'a%0A', '%', '%E0%A4%A', '%C3%A9', 'a'.repeat(256), 'a%2Cb', 'a%27b'];
  test.each(userIds)('%s in a path is no user id', async (id) => {
    const document = await expectProblem(await ask(`/v1/coupons/1/issues/${id}`), 'INVALID_REQUEST');
    expect(document.faults).toMatchObject([{ in: 'path', pointer: '/userId' }]);
  });
}

function describeCoupons(ask: Ask): void {
  const create = (change: object, headers: Record<string, string> = operator) =>
    post(ask, '/v1/coupons', JSON.stringify({ ...newCoupon, ...change }), { ...json, ...headers });

  test('an operator creates a coupon and gets all of it back', async () => {
    const answer = await create({});
    expect(answer.status).toBe(201);
    expect(answer.headers.get('location')).toBe('/v1/coupons/26');
    expect(await answer.json()).toEqual({
      ...newCoupon,
      ...usable,
      id: 26,
      couponType: 'FIRST_COME_FIRST_SERVED',
      issuedQuantity: 0,
      dateIssueStart: '2027-03-01T01:00:00.000Z',
      dateIssueEnd: '2027-04-01T00:00:00.000Z',
      paused: false,
      // Not announced, unless the operator says so.
      listed: false,
      dateArchived: null,
      version: 1,
      dateCreated: '2026-11-22T08:30:00.000Z',
      dateUpdated: '2026-11-22T08:30:00.000Z',
    });
  });

  const terms: readonly object[] = [
    { currency: 'USD', usableDays: 1, timeZone: 'America/Argentina/Buenos_Aires' },
    { usableDays: 3650, timeZone: 'Asia/Seoul' },
    { usableFrom: '2027-03-05T00:00:00.000Z', usableUntil: '2027-05-01T00:00:00.000Z' },
    { usableUntil: '2027-03-01T01:00:00.001Z' },
    { usableFrom: '2026-01-01T00:00:00.000Z', usableUntil: null, usableDays: null },
  ];
  test.each(terms)('a coupon may say when it can be used: %p', async (change) => {
    const answer = await create(change);
    expect([answer.status, await answer.json()]).toMatchObject([201, { ...usable, ...change }]);
  });

  test('a coupon may be announced from the start', async () => {
    expect(await (await create({ listed: true })).json()).toMatchObject({ listed: true });
  });

  test.each([...inexact, '9007199254740993'])('a quantity of %s is refused by its text', async (number) => {
    for (const name of ['totalQuantity', 'discountAmount', 'minAvailableAmount']) {
      const body = (change: object) => JSON.stringify({ ...change, [name]: 'a number' }).replace('"a number"', number);
      const created = await post(ask, '/v1/coupons', body(newCoupon), { ...json, ...operator });
      const init = { method: 'PATCH', body: body({}), headers: { ...json, ...operator } };
      for (const answer of [created, await ask('/v1/coupons/1', init)]) {
        const { faults } = await expectProblem(answer, 'INVALID_REQUEST');
        expect(faults).toMatchObject([{ in: 'body', pointer: `/${name}` }]);
      }
    }
  });

  test('a coupon may be without limit', async () => {
    expect(await (await create({ totalQuantity: null })).json()).toMatchObject({ totalQuantity: null });
  });

  const wrong: readonly [string, unknown][] = [
    ...[
      '',
      ' \n',
      'x'.repeat(201),
      '🎁'.repeat(201),
      '\u3164\u200b',
      'a\nb',
      'a\u202eb',
      '\x1b[31m',
      1,
      null,
      '\ud800',
      ['x'],
    ].map((value): [string, unknown] => ['title', value]),
    ...[0, -1, 1.5, 2 ** 53, '1', true].map((value): [string, unknown] => ['totalQuantity', value]),
    ...[-1, 0.5, 2 ** 32, '1', null].map((value): [string, unknown] => ['discountAmount', value]),
    ...[-1, 2 ** 32].map((value): [string, unknown] => ['minAvailableAmount', value]),
    ...['2027-03-01', '2027-03-01T10:00:00', '2027-02-29T10:00:00Z', '2027-03-01T24:00:00Z', 1_800_000_000, null].map(
      (value): [string, unknown] => ['dateIssueStart', value],
    ),
    ...['2027-03-01T01:00:00Z', '2026-01-01T00:00:00Z', '10000-01-01T00:00:00Z', 'tomorrow'].map(
      (value): [string, unknown] => ['dateIssueEnd', value],
    ),
    ...['XXXX', 'krw', 'QQQ', '', '₩', 410, null].map((value): [string, unknown] => ['currency', value]),
    ...['Mars/Olympus', '+09:00', '', 'x'.repeat(65), 9, null].map((value): [string, unknown] => ['timeZone', value]),
    ...[0, -1, 1.5, 3651, 100_000, '7'].map((value): [string, unknown] => ['usableDays', value]),
    ...['2027-03-01T01:00:00Z', '2026-01-01T00:00:00Z', '2027-02-30T00:00:00Z', 'never', 1].map(
      (value): [string, unknown] => ['usableUntil', value],
    ),
    ...['2027-02-30T00:00:00Z', 'at once', 1].map((value): [string, unknown] => ['usableFrom', value]),
  ];
  test.each(wrong)('a coupon cannot have the %s %p', async (name, value) => {
    const document = await expectProblem(await create({ [name]: value }), 'INVALID_REQUEST');
    expect(document.faults).toMatchObject([{ in: 'body', pointer: `/${name}` }]);
  });

  test('a coupon cannot contradict itself in when it can be used', async () => {
    for (const [name, change] of [
      ['usableUntil', { usableFrom: '2027-06-01T00:00:00Z', usableUntil: '2027-06-01T00:00:00Z' }],
      ['usableDays', { usableDays: 7, usableUntil: '2027-06-01T00:00:00Z' }],
      ['usableDays', { usableDays: 7, usableFrom: '2027-06-01T00:00:00Z' }],
    ] as const) {
      const { faults } = await expectProblem(await create(change), 'INVALID_REQUEST');
      expect(faults).toMatchObject([{ in: 'body', pointer: `/${name}` }]);
    }
  });

  test('members that only the system sets are refused', async () => {
    const document = await expectProblem(await create({ id: 7, issuedQuantity: 0 }), 'INVALID_REQUEST');
    expect(document.faults).toMatchObject([{ in: 'body', pointer: '' }]);
  });

  const routes: readonly [string, string][] = [
    ['POST', '/v1/coupons'],
    ['GET', '/v1/coupons'],
    ['GET', '/v1/coupons/1'],
    ['PATCH', '/v1/coupons/1'],
    ['DELETE', '/v1/coupons/1'],
    ['POST', '/v1/coupons/1/open'],
  ];
  test.each(routes)('%s %s is for operators, whatever is sent', async (method, path) => {
    for (const authorization of [undefined, '', 'Bearer', 'Basic eDp5', OPERATOR_KEY, `Token ${OPERATOR_KEY}`]) {
      const answer = await ask(path, { method, headers: authorization === undefined ? {} : { authorization } });
      await expectProblem(answer, 'UNAUTHENTICATED');
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    }
    for (const key of ['wrong', `${OPERATOR_KEY}x`, OPERATOR_KEY.slice(1), OPERATOR_KEY.toUpperCase()]) {
      const answer = await ask(path, { method, headers: { authorization: `Bearer ${key}` } });
      await expectProblem(answer, 'UNAUTHENTICATED');
      expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    }
  });

  test('an operator reads a coupon', async () => {
    const answer = await ask('/v1/coupons/7', { headers: { authorization: `bearer  ${OPERATOR_KEY}` } });
    expect(await answer.json()).toMatchObject({ id: 7, title: 'Winter sale' });
    await expectProblem(await ask('/v1/coupons/26', { headers: operator }), 'COUPON_NOT_EXIST');
    await expectProblem(await ask('/v1/coupons/1e1', { headers: operator }), 'INVALID_REQUEST');
  });

  test('paging through the list returns each coupon once', async () => {
    const seen: number[] = [];
    const sizes: number[] = [];
    let next: number | null = 0;
    while (next !== null && sizes.length < 10) {
      const answer: Response = await ask(`/v1/coupons?after=${next}&limit=10`, { headers: operator });
      const page = (await answer.json()) as { coupons: { id: number }[]; next: number | null };
      sizes.push(page.coupons.length);
      seen.push(...page.coupons.map(({ id }) => id));
      next = page.next;
    }
    expect(sizes).toEqual([10, 10, 5]);
    expect(seen).toEqual(Array.from({ length: 25 }, (_, index) => index + 1));
  });

  test('a page has 20 coupons by default, and the last page says so', async () => {
    const page = async (query: string) => (await ask(`/v1/coupons${query}`, { headers: operator })).json();
    expect(await page('')).toMatchObject({ coupons: { length: 20 }, next: 20 });
    expect(await page('?limit=25')).toMatchObject({ coupons: { length: 25 }, next: null });
    expect(await page('?after=25')).toEqual({ coupons: [], next: null, total: 25 });
  });

  const queries: readonly [string, string[]][] = [
    ['limit=0', ['/limit']],
    ['limit=101', ['/limit']],
    ['limit=', ['/limit']],
    ['limit=1e1', ['/limit']],
    ['after=-1', ['/after']],
    ['after=9007199254740992&limit=x', ['/after', '/limit']],
    ['skip=-1&order=Oldest&state=', ['/skip', '/order', '/state']],
    [`search=${'a'.repeat(201)}`, ['/search']],
  ];
  test.each(queries)('the query %s is invalid', async (query, pointers) => {
    const answer = await ask(`/v1/coupons?${query}`, { headers: operator });
    const { faults } = await expectProblem(answer, 'INVALID_REQUEST');
    expect(faults).toMatchObject(pointers.map((pointer) => ({ in: 'query', pointer })));
  });
}

function describeEdits(ask: Ask): void {
  const { edit } = editsOf(ask);
  const changes: readonly object[] = [
    { title: 'Winter sale, longer' },
    { totalQuantity: 12 },
    { totalQuantity: null },
    { discountAmount: 0, minAvailableAmount: 4_294_967_295 },
    { dateIssueStart: '2026-12-05T00:00:00.000Z' },
    { dateIssueStart: '2027-12-05T00:00:00.000Z', dateIssueEnd: '2028-01-01T00:00:00.000Z' },
    { paused: true },
    { currency: 'USD', usableDays: 30, timeZone: 'Asia/Seoul' },
    { usableFrom: '2026-12-05T00:00:00.000Z', usableUntil: '2027-12-05T00:00:00.000Z' },
  ];
  test.each(changes)('an operator changes %p and nothing else, and gets the new version', async (change) => {
    const before = (await (await ask('/v1/coupons/7', { headers: operator })).json()) as object;
    const answer = await edit(7, change);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('etag')).toBe('"2"');
    expect(await answer.json()).toEqual({ ...before, ...change, version: 2 });
  });

  const wrong: readonly [string, object][] = [
    ['', {}],
    ['', { version: 7 }],
    ['', { paused: true, issuedQuantity: 0 }],
    ['/paused', { paused: 1 }],
    ['/title', { title: '\ud800' }],
    ['/title', { title: null }],
    ['/totalQuantity', { totalQuantity: 0 }],
    ['/dateIssueStart', { dateIssueStart: '2027-02-30T00:00:00Z' }],
    ['/dateIssueEnd', { dateIssueStart: '2027-02-01T00:00:00Z', dateIssueEnd: '2027-02-01T00:00:00Z' }],
    ['/dateIssueEnd', { dateIssueEnd: '2026-01-01T00:00:00Z' }],
    ['/dateIssueEnd', { dateIssueStart: '2028-01-01T00:00:00Z' }],
    ['/usableUntil', { usableUntil: '2026-12-01T00:00:00Z' }],
    ['/usableDays', { usableDays: 1, usableFrom: '2027-01-01T00:00:00Z' }],
    ['/usableDays', { usableDays: 0 }],
    ['/timeZone', { timeZone: 'Mars/Olympus' }],
    ['/currency', { currency: 'ABC' }],
  ];
  test.each(wrong)('at %p, the change %p is invalid', async (pointer, change) => {
    const document = await expectProblem(await edit(7, change), 'INVALID_REQUEST');
    expect(document.faults).toMatchObject([{ in: 'body', pointer }]);
  });
}

function describeEditRefusals(ask: Ask): void {
  const { edit, remove } = editsOf(ask);

  test('a total cannot go below what was issued, and an issued coupon cannot be deleted', async () => {
    const document = await expectProblem(await edit(7, { totalQuantity: 11 }), 'COUPON_TOTAL_BELOW_ISSUED');
    expect(document.issuedQuantity).toBe(12);
    for (const change of [{ discountAmount: 1 }, { usableDays: 30 }, { timeZone: 'Asia/Seoul' }, { currency: 'USD' }])
      await expectProblem(await edit(9, change), 'COUPON_TERMS_FIXED');
    await expectProblem(await edit(8, { paused: true }), 'COUPON_ARCHIVED');
    await expectProblem(await remove(7), 'COUPON_HAS_ISSUES');
    const removed = await remove(2);
    expect({ status: removed.status, body: await removed.text() }).toEqual({ status: 204, body: '' });
  });

  test('the tag of a coupon is its version, and only the version that was seen is changed', async () => {
    expect((await ask('/v1/coupons/7', { headers: operator })).headers.get('etag')).toBe('"1"');
    for (const tag of ['"1"', '*', ' "7", "1" ', '"x","1"']) {
      expect((await edit(7, { paused: true }, { 'if-match': tag })).status).toBe(200);
      expect((await remove(2, { 'if-match': tag })).status).toBe(204);
    }
    for (const tag of ['"2"', 'W/"1"', '"01"', '""', '"1 "', '"-1"']) {
      const refused = tag === '"1 "' ? 'INVALID_REQUEST' : 'PRECONDITION_FAILED';
      await expectProblem(await edit(7, { paused: true }, { 'if-match': tag }), refused);
      await expectProblem(await remove(2, { 'if-match': tag }), refused);
    }
    for (const tag of ['1', '"1', '"1""2"', '*, "1"', 'x'.repeat(5000)]) {
      const { faults } = await expectProblem(await edit(7, {}, { 'if-match': tag }), 'INVALID_REQUEST');
      expect(faults).toMatchObject([{ in: 'header', pointer: '/If-Match' }]);
    }
  });

  test('a coupon is opened ahead of its rush, unless it is over', async () => {
    const open = (id: number | string) => ask(`/v1/coupons/${id}/open`, { method: 'POST', headers: operator });
    expect(await (await open(7)).json()).toMatchObject({ id: 7 });
    await expectProblem(await open(5), 'INVALID_COUPON_ISSUE_DATE');
    await expectProblem(await open(26), 'COUPON_NOT_EXIST');
    await expectProblem(await open('x'), 'INVALID_REQUEST');
  });

  test('a coupon that is not there is neither changed nor deleted', async () => {
    await expectProblem(await edit(26, { paused: true }), 'COUPON_NOT_EXIST');
    await expectProblem(await remove(26), 'COUPON_NOT_EXIST');
    await expectProblem(await remove(0), 'INVALID_REQUEST');
  });
}

/** Sends edits as an operator. */
function editsOf(ask: Ask) {
  const edit = (id: number, changes: object, headers: Record<string, string> = {}) =>
    ask(`/v1/coupons/${id}`, {
      method: 'PATCH',
      body: JSON.stringify(changes),
      headers: { ...json, ...operator, ...headers },
    });
  const remove = (id: number, headers: Record<string, string> = {}) =>
    ask(`/v1/coupons/${id}`, { method: 'DELETE', headers: { ...operator, ...headers } });
  return { edit, remove };
}

function describeCallers(ask: Ask): void {
  const issue = (authorization?: string, headers: Record<string, string> = {}) =>
    post(ask, '/v2/issue-async', '{"couponId":1,"userId":"u1"}', {
      ...json,
      ...GUARDED,
      ...(authorization !== undefined && { authorization }),
      ...headers,
    });

  test('a user issues with a token of their own, once verified and once remembered', async () => {
    const token = await sign();
    expect((await issue(`Bearer ${token}`)).status).toBe(202);
    expect((await issue(`Bearer ${token}`)).status).toBe(202);
    expect((await issue(`Bearer ${OPERATOR_KEY}`)).status).toBe(202);
  });

  test('a missing token, a wrong one and that of another user are refused', async () => {
    await expectProblem(await issue(), 'UNAUTHENTICATED');
    await expectProblem(await issue(`Bearer ${await sign({ claims: { exp: 1 } })}`), 'UNAUTHENTICATED');
    await expectProblem(await issue(`Bearer ${await sign({ claims: { sub: 'u2' } })}`), 'FORBIDDEN');
    await expectProblem(await ask('/v1/coupons/1/issues/u1', { headers: GUARDED }), 'UNAUTHENTICATED');
  });

  test('the address of a caller is known, and that behind a named proxy too', async () => {
    const remaining = async (headers: Record<string, string>) =>
      Number((await ask('/hello', { headers: { ...GUARDED, ...headers } })).headers.get('ratelimit-remaining'));
    const other = { 'x-forwarded-for': '198.51.100.7' };
    // What is left is told from half of the limit on.
    for (const headers of [{}, other]) {
      let left = 0;
      for (let asked = 0; asked < ADDRESS_REQUESTS_MAX && left === 0; asked += 1) left = await remaining(headers);
      expect(left).toBe(ADDRESS_REQUESTS_MAX / 2);
      expect(await remaining(headers)).toBe(left - 1);
    }
  });
}

function describeKeys(ask: Ask): void {
  const issue = (couponId: number, key: string, endpoint = '/v2/issue-async') =>
    post(ask, endpoint, JSON.stringify({ couponId, userId: 'u' }), { ...json, 'idempotency-key': key });

  test.each(endpoints)('%s answers a request under a key, and marks a replay', async (endpoint) => {
    for (const key of ['"a new one"', 'seen-never', `"${'k'.repeat(255)}"`, String.raw`"a \"quoted\" one"`]) {
      const answer = await issue(1, key, endpoint);
      expect(answer.ok).toBe(true);
      expect(answer.headers.get('idempotency-replayed')).toBe(null);
    }
    const first = await issue(1, '"a new one"', endpoint);
    const again = await issue(1, '"seen before"', endpoint);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect([again.status, await again.json()]).toEqual([first.status, await first.json()]);
  });

  test('a refusal under a key is a refusal', async () => {
    await expectProblem(await issue(2, '"x"'), 'DUPLICATED_COUPON_ISSUE');
    await expectProblem(await issue(3, '"x"'), 'INVALID_COUPON_ISSUE_QUANTITY');
    await expectProblem(await issue(9, '"x"'), 'FAIL_COUPON_ISSUE_REQUEST');
  });

  test('a key that stands for another request decides nothing', async () => {
    await expectProblem(await issue(1, '"of another request"'), 'IDEMPOTENCY_KEY_REUSED');
  });

  test.each(['""', '"', '"a"b"', 'a b', `"${'k'.repeat(256)}"`, 'k'.repeat(256), 'caf\u00e9', '"a\tb"'])(
    'the key %p is none',
    async (key) => {
      const { faults } = await expectProblem(await issue(1, key), 'INVALID_REQUEST');
      expect(faults).toMatchObject([{ in: 'header', pointer: '/Idempotency-Key' }]);
    },
  );
}

function describeIssueLife(ask: Ask): void {
  const use = (couponId: number | string, userId: string, init: RequestInit = {}) =>
    ask(`/v1/coupons/${couponId}/issues/${userId}/use`, { method: 'POST', ...init });
  const useFor = (userId: string, body: unknown) =>
    use(1, userId, { headers: json, body: typeof body === 'string' ? body : JSON.stringify(body) });
  const undo = (userId: string, query = '') =>
    ask(`/v1/coupons/1/issues/${userId}/use${query}`, { method: 'DELETE', headers: operator });
  const revoke = (userId: string, body: unknown) =>
    post(ask, `/v1/coupons/1/issues/${userId}/revoke`, JSON.stringify(body), { ...json, ...operator });
  /** Text that is no reference and no reason. */
  const unreadable = ['', ' ', 'a\nb', 'a\u0000', 'a\u202eb', '\u200b'];

  test('a status can be waited for, in milliseconds or as a wish in seconds', async () => {
    const path = '/v1/coupons/1/issues/issued';
    for (const query of ['', '?waitMs=0', '?waitMs=30000']) expect((await ask(path + query)).status).toBe(200);
    const wished = await ask(path, { headers: { prefer: 'respond-async, wait=100' } });
    expect(wished.headers.get('preference-applied')).toBe('wait=30');
    for (const query of ['?waitMs=', '?waitMs=-1', '?waitMs=30001', '?waitMs=1.5', '?waitMs=x']) {
      const { faults } = await expectProblem(await ask(path + query), 'INVALID_REQUEST');
      expect(faults).toMatchObject([{ in: 'query', pointer: '/waitMs' }]);
    }
  });

  test('an issue is used once', async () => {
    const used = await use(1, 'issued');
    expect(await used.json()).toEqual({
      couponId: 1,
      userId: 'issued',
      sequence: 37,
      code: 'SUMMER-K7WQ-3N9X',
      status: 'USED',
      dateUsed: '2026-12-01T00:00:00.000Z',
      reference: null,
    });
    const again = await expectProblem(await use(1, 'used'), 'ISSUE_ALREADY_USED');
    expect(again).toMatchObject({ sequence: 37, dateUsed: '2026-12-01T00:00:00.000Z' });
    await expectProblem(await use(1, 'none'), 'ISSUE_NOT_EXIST');
    await expectProblem(await use(1, 'archived'), 'COUPON_ARCHIVED');
    await expectProblem(await use(26, 'issued'), 'COUPON_NOT_EXIST');
    const unwritten = await expectProblem(await use(1, 'accepted'), 'FAIL_COUPON_ISSUE_REQUEST');
    expect(unwritten['detail']).toBe(
      'The issue is accepted, and not yet a row in MySQL. Nothing was changed; retry in a moment.',
    );
    await expectProblem(await use('0', 'a,b'), 'INVALID_REQUEST');
  });

  test('a use may name what it is for, and the same reference again is the same use', async () => {
    expect(await (await useFor('issued', { reference: 'order-7' })).json()).toMatchObject({ reference: 'order-7' });
    for (const reference of ['주문 7', '🎁'.repeat(128), "a'b, c"])
      expect(await (await useFor('issued', { reference })).json()).toMatchObject({ reference });
    expect(await (await useFor('used', { reference: 'order-1' })).json()).toMatchObject({ status: 'USED' });
    const other = await expectProblem(await useFor('used', { reference: 'order-2' }), 'ISSUE_ALREADY_USED');
    // The reference of another caller is nobody's business.
    expect(JSON.stringify(other)).not.toContain('order-1');
    for (const reference of [...unreadable, 'x'.repeat(129), '🎁'.repeat(129), 7, null]) {
      const { faults } = await expectProblem(await useFor('issued', { reference }), 'INVALID_REQUEST');
      expect(faults).toMatchObject([{ in: 'body', pointer: '/reference' }]);
    }
    await expectProblem(await useFor('issued', { order: 7 }), 'INVALID_REQUEST');
    await expectProblem(await useFor('issued', '{'), 'MALFORMED_REQUEST');
    await expectProblem(await use(1, 'issued', { body: 'reference=7' }), 'UNSUPPORTED_MEDIA_TYPE');
    // No body is no reference, whatever its type would be.
    for (const headers of [{}, json]) expect((await use(1, 'issued', { headers })).status).toBe(200);
    expect(await (await useFor('issued', {})).json()).toMatchObject({ reference: null });
  });

  test('outside its period an issue is not used, and says when it could be', async () => {
    const problem = await expectProblem(await use(1, 'expired'), 'ISSUE_NOT_USABLE');
    expect(problem).toMatchObject({ sequence: 37, usableUntil: '2026-11-30T23:59:59.000Z' });
    expect(problem).not.toHaveProperty('usableFrom');
    expect(await (await ask('/v1/coupons/1/issues/expired')).json()).toEqual({
      couponId: 1,
      userId: 'expired',
      sequence: 37,
      code: 'SUMMER-K7WQ-3N9X',
      status: 'EXPIRED',
      usableFrom: null,
      usableUntil: '2026-11-30T23:59:59.000Z',
      dateUsed: null,
      reference: null,
      dateRevoked: null,
    });
  });

  test('a use is undone with its reference alone', async () => {
    const undone = await undo('used', '?reference=order-1');
    expect(await undone.json()).toMatchObject({ sequence: 37, status: 'ISSUED', dateUsed: null, reference: null });
    for (const query of ['', '?reference=order-2'])
      await expectProblem(await undo('used', query), 'ISSUE_ALREADY_USED');
    await expectProblem(await undo('issued', '?reference=order-1'), 'ISSUE_NOT_USED');
    await expectProblem(await undo('none', '?reference=order-1'), 'ISSUE_NOT_EXIST');
    for (const text of [...unreadable, 'x'.repeat(129)]) {
      const { faults } = await expectProblem(
        await undo('used', `?reference=${encodeURIComponent(text)}`),
        'INVALID_REQUEST',
      );
      expect(faults).toMatchObject([{ in: 'query', pointer: '/reference' }]);
    }
    // Whoever uses it must not give it back to themselves.
    await expectProblem(await use(1, 'used', { method: 'DELETE' }), 'UNAUTHENTICATED');
  });

  test('an issue is revoked with a reason, and then neither used nor revoked', async () => {
    const revoked = await revoke('issued', { reason: 'taken by a program' });
    expect(await revoked.json()).toMatchObject({ status: 'REVOKED', dateRevoked: '2026-12-01T00:00:00.000Z' });
    const again = await expectProblem(await revoke('revoked', { reason: 'again' }), 'ISSUE_REVOKED');
    expect(again).toMatchObject({ sequence: 37, dateRevoked: '2026-12-01T00:00:00.000Z' });
    await expectProblem(await use(1, 'revoked'), 'ISSUE_REVOKED');
    await expectProblem(await undo('revoked'), 'ISSUE_REVOKED');
    await expectProblem(await revoke('used', { reason: 'too late' }), 'ISSUE_ALREADY_USED');
    for (const reason of [...unreadable, 'x'.repeat(201), 7, null, undefined]) {
      const { faults } = await expectProblem(await revoke('issued', { reason }), 'INVALID_REQUEST');
      expect(faults).toMatchObject([{ in: 'body', pointer: '/reason' }]);
    }
    await expectProblem(await use(1, 'issued/../issued/revoke'), 'NOT_FOUND');
  });

  test('a user pages through their issues', async () => {
    const page = async (query: string) => (await ask(`/v1/users/42/issues${query}`)).json();
    expect(await page('?limit=1&after=1')).toEqual({
      issues: [
        {
          couponId: 2,
          sequence: 37,
          code: null,
          status: 'USED',
          dateIssued: '2026-12-01T00:00:00.000Z',
          dateWritten: '2026-12-01T00:00:00.064Z',
          usableFrom: null,
          usableUntil: null,
          dateUsed: '2026-12-01T00:00:00.001Z',
          endpoint: 'POST /v1/issue-async',
          reference: null,
          dateRevoked: null,
          title: 'Winter sale',
          discountAmount: 5000,
          minAvailableAmount: 20_000,
          currency: 'KRW',
        },
      ],
      next: 2,
    });
    expect(await page('?after=24')).toMatchObject({
      issues: [{ couponId: 25, status: 'ISSUED', endpoint: null }],
      next: null,
    });
    expect(await (await ask('/v1/users/nobody/issues')).json()).toEqual({ issues: [], next: null });
    await expectProblem(await ask('/v1/users/a,b/issues'), 'INVALID_REQUEST');
    await expectProblem(await ask('/v1/users/42/issues?limit=0'), 'INVALID_REQUEST');
  });

  test('the progress of a coupon comes as events, and the stream ends', async () => {
    const answer = await ask('/v1/coupons/1/events');
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    const [retry, ...events] = (await answer.text()).trimEnd().split('\n\n');
    expect(retry).toBe('retry: 2000');
    expect(events).toHaveLength(2);
    for (const event of events) expect(event).toMatch(/^event: progress\ndata: \{"couponId":1,.*\}$/);
    await expectProblem(await ask('/v1/coupons/26/events'), 'COUPON_NOT_EXIST');
    await expectProblem(await ask('/v1/coupons/8/events'), 'FAIL_COUPON_ISSUE_REQUEST');
    await expectProblem(await ask('/v1/coupons/x/events'), 'INVALID_REQUEST');
  });
}

function describeOperations(ask: Ask): void {
  test('hello, alive, ready and metrics answer', async () => {
    expect(await (await ask('/hello')).text()).toBe('hello');
    expect(await (await ask('/livez')).text()).toBe('alive');
    expect(await (await ask('/readyz')).json()).toEqual({
      ready: true,
      checks: [{ name: 'redis', ok: true, detail: 'answers' }],
      durability: { redis: 'appendonly yes, appendfsync always' },
    });
    const metrics = await ask('/metrics');
    expect(await metrics.text()).toBe('up 1\n');
    expect(metrics.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  });

  test('every problem type is explained at its URL', async () => {
    for (const [code, { status, title }] of Object.entries(problems)) {
      const answer = await ask(`/problems/${code}`);
      expect(await answer.text()).toStartWith(`${code} (${status}): ${title}\n`);
    }
  });

  test('the documentation page and its assets are served by the API itself', async () => {
    const page = await ask('/swagger');
    const html = await page.text();
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'");
    expect(html).not.toMatch(/https?:|<script>|\son\w+=/);
    const loaded = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(loaded).toHaveLength(4);
    for (const path of loaded) {
      const asset = await ask(path);
      expect({ path, status: asset.status }).toEqual({ path, status: 200 });
      expect((await asset.bytes()).length).toBeGreaterThan(100);
    }
  });

  test('an asset that a browser has is not sent again', async () => {
    const path = '/swagger/assets/swagger-ui.css';
    const etag = (await ask(path)).headers.get('etag') ?? '';
    expect(etag).toMatch(/^"[\w-]{43}"$/);
    expect((await ask(path, { headers: { 'if-none-match': etag } })).status).toBe(304);
  });
}

function describeCodes(ask: Ask): void {
  const generate = (couponId: number, pattern: unknown) =>
    post(ask, `/v1/coupons/${couponId}/codes`, JSON.stringify({ pattern }), { ...json, ...operator });
  const upload = (couponId: number, body: Body, type = 'text/csv') =>
    post(ask, `/v1/coupons/${couponId}/codes/import`, body, { ...operator, 'content-type': type });

  test('an operator reads what codes a coupon has, and gives it a pattern', async () => {
    const read = async (id: number) => (await ask(`/v1/coupons/${id}/codes`, { headers: operator })).json();
    const generated = { couponId: 1, kind: 'GENERATED', pattern: 'SUMMER-####-####', codes: null };
    expect(await read(1)).toEqual(generated);
    expect(await read(2)).toEqual({ couponId: 2, kind: 'NONE', pattern: null, codes: null });
    expect(await (await generate(1, 'SUMMER-####-####')).json()).toEqual(generated);
    await expectProblem(await ask('/v1/coupons/26/codes', { headers: operator }), 'COUPON_NOT_EXIST');
  });

  const wrongPatterns = [
    '',
    'SUMMER',
    '####-####',
    'SUMMER-#####',
    'summer-########',
    'A-########-',
    'A-####A####',
    42,
    null,
  ];
  test.each([...wrongPatterns, `A${'#'.repeat(17)}`, `${'A'.repeat(17)}######`])(
    '%p is no pattern',
    async (pattern) => {
      const { faults } = await expectProblem(await generate(1, pattern), 'INVALID_REQUEST');
      expect(faults).toMatchObject([{ in: 'body', pointer: '/pattern' }]);
    },
  );

  test('codes are refused where they cannot be had', async () => {
    const csv = 'AUTUMN-1F3K\n';
    for (const each of [generate(26, 'A-########'), upload(26, csv)])
      await expectProblem(await each, 'COUPON_NOT_EXIST');
    for (const each of [generate(3, 'A-########'), upload(3, csv)]) await expectProblem(await each, 'COUPON_HAS_CODES');
    for (const each of [generate(4, 'A-########'), upload(4, csv)])
      await expectProblem(await each, 'COUPON_TOTAL_ABOVE_CODES');
    for (const each of [generate(8, 'A-########'), upload(8, csv)]) await expectProblem(await each, 'COUPON_ARCHIVED');
    await expectProblem(await generate(1, 'TAKEN-########'), 'CODES_TAKEN');
  });

  const uploads: readonly [string, Body, string][] = [
    ['CSV', 'AUTUMN-1F3K\nAUTUMN-9Q2M\n', 'text/csv'],
    [
      'CSV with a byte order mark, a head, quotes, CRLF and empty lines',
      '\uFEFFCode\r\n\r\n"AUTUMN-1F3K"\r\n\r\n AUTUMN-9Q2M \r\n',
      'text/csv; charset=utf-8',
    ],
    ['CSV without a last line end', 'AUTUMN-1F3K\nAUTUMN-9Q2M', 'Text/CSV'],
    ['JSON', '["AUTUMN-1F3K","AUTUMN-9Q2M"]', 'application/json'],
    ['JSON with blanks and escapes', '\uFEFF \n[ "AUTUMN-1F3\\u004b" ,\n "AUTUMN-9Q2M" ] \n', 'application/json'],
  ];
  test.each(uploads)('%s is read', async (_, body, type) => {
    const answer = await upload(1, body, type);
    expect(await answer.json()).toEqual({ couponId: 1, kind: 'IMPORTED', pattern: null, codes: 2 });
  });

  const wrongUploads: readonly [string, Body, string, number[]][] = [
    ['a code of five characters', 'AUTUMN-1F3K\n\nABCDE\n', 'text/csv', [3]],
    ['two columns and a control character', 'AUTUMN-1F3K,x\nAUTUMN-9Q\u00002M\n', 'text/csv', [1, 2]],
    ['a code that is too long, and an open quote', `${'A'.repeat(65)}\n"AUTUMN-1F3K\n`, 'text/csv', [1, 2]],
    ['a line without an end', 'A'.repeat(300_000), 'text/csv', [1]],
    ['what is no text', '[1, "AUTUMN-1F3K", true, 123456, ""]', 'application/json', [1, 3, 4, 5]],
  ];
  test.each(wrongUploads)('%s is refused by the number of its line', async (_, body, type, lines) => {
    const { faults } = await expectProblem(await upload(1, body, type), 'INVALID_REQUEST');
    expect(faults).toMatchObject(lines.map((line) => ({ in: 'body', line })));
  });

  const unreadable = [
    '',
    '[',
    '["AUTUMN-1F3K",]',
    '["AUTUMN-1F3K"',
    '[["AUTUMN-1F3K"]]',
    '{"a":"AUTUMN-1F3K"}',
    '[] []',
    '["\\x"]',
    `["${'A'.repeat(200_000)}`,
  ];
  test.each(unreadable)('%p is no array of codes', async (body) => {
    await expectProblem(await upload(1, body, 'application/json'), 'MALFORMED_REQUEST');
  });

  test('what is not UTF-8, of another type, compressed or too large is refused as a whole', async () => {
    await expectProblem(await upload(1, new Uint8Array([0x41, 0xff, 0x42, 0x0a])), 'MALFORMED_REQUEST');
    for (const type of ['text/plain', 'multipart/form-data', 'text/csvx'])
      await expectProblem(await upload(1, 'AUTUMN-1F3K', type), 'UNSUPPORTED_MEDIA_TYPE');
    const zipped = { ...operator, 'content-type': 'text/csv', 'content-encoding': 'gzip' };
    const path = '/v1/coupons/1/codes/import';
    await expectProblem(
      await post(ask, path, new Uint8Array(gzipSync('AUTUMN-1F3K')), zipped),
      'UNSUPPORTED_MEDIA_TYPE',
    );
    await expectProblem(await upload(1, new Uint8Array(80_000_001)), 'PAYLOAD_TOO_LARGE');
  });

  test('an issue is found and used by its code', async () => {
    const find = (code: string) => ask(`/v1/codes/${code}`, { headers: operator });
    const use = (code: string) => ask(`/v1/codes/${code}/use`, { method: 'POST' });
    expect(await (await find('issued')).json()).toEqual({
      code: 'SUMMER-K7WQ-3N9X',
      couponId: 1,
      userId: 'issued',
      sequence: 1,
      status: 'ISSUED',
      dateIssued: '2026-12-01T00:00:00.000Z',
      dateWritten: '2026-12-01T00:00:00.064Z',
      ...unchanged,
      endpoint: null,
    });
    expect(await (await use('issued')).json()).toMatchObject({
      userId: 'issued',
      code: 'SUMMER-K7WQ-3N9X',
      status: 'USED',
    });
    await expectProblem(await use('used'), 'ISSUE_ALREADY_USED');
    await expectProblem(await use('archived'), 'COUPON_ARCHIVED');
    for (const code of ['none', 'WRONG', '%C3%A9', 'a%20b', "'", '%00'])
      for (const each of [find(code), use(code)]) await expectProblem(await each, 'CODE_NOT_EXIST');
    for (const code of ['a'.repeat(65), '%'])
      for (const each of [find(code), use(code)]) await expectProblem(await each, 'INVALID_REQUEST');
  });
}
