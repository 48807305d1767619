// conformance.ts -- What every way of serving the app answers: one suite for the bare app, Bun and Deno.

import { describe, expect, test } from 'bun:test';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { SentUserId } from '../../src/coupon/ids.ts';
import { type ProblemCode, problems } from '../../src/http/problem.ts';
import { ADDRESS_REQUESTS_MAX, BODY_BYTES_MAX, GUARDED, OPERATOR_KEY } from './fakes.ts';
import { sign } from './tokens.ts';

type Body = NonNullable<RequestInit['body']>;

/** Sends one request; `path` begins with a slash. */
export type Ask = (path: string, init?: RequestInit) => Promise<Response>;

const json = { 'content-type': 'application/json' };
const operator = { authorization: `Bearer ${OPERATOR_KEY}` };
const endpoints = ['/v1/issue', '/v1/issue-async', '/v2/issue-async'] as const;

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
  describe(`${name}: operations`, () => describeOperations(ask));
}

/** Checks that an answer is the document of one code, whole but for what differs; returns it. */
async function expectProblem(answer: Response, code: ProblemCode): Promise<Record<string, unknown>> {
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
      [9, 'FAIL_COUPON_ISSUE_REQUEST', 'result is unknown'],
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

function describePaths(ask: Ask): void {
  const missing: readonly [string, string][] = [
    ['GET', '/nope'],
    ['GET', '/%'],
    ['GET', '/%00'],
    ['GET', '/%ff'],
    ['GET', '//nope'],
    ['GET', '/v1'],
    ['GET', '/V1/issue'],
    ['GET', '/v1/coupons/1/issues'],
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

  const statuses: readonly [string, object][] = [
    ['none', { couponId: 1, userId: 'none', sequence: null, status: 'NONE' }],
    ['accepted', { couponId: 1, userId: 'accepted', sequence: 37, status: 'ACCEPTED' }],
    ['issued', { couponId: 1, userId: 'issued', sequence: 37, status: 'ISSUED' }],
    ['used', { couponId: 1, userId: 'used', sequence: 37, status: 'USED' }],
    ['archived', { couponId: 1, userId: 'archived', sequence: null, status: 'ARCHIVED' }],
  ];
  test.each(statuses)('the status of an issue that is %s can be read', async (userId, expected) => {
    const answer = await ask(`/v1/coupons/1/issues/${userId}`);
    expect(await answer.json()).toEqual(expected);
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
  ];
  test.each(wrong)('a coupon cannot have the %s %p', async (name, value) => {
    const document = await expectProblem(await create({ [name]: value }), 'INVALID_REQUEST');
    expect(document.faults).toMatchObject([{ in: 'body', pointer: `/${name}` }]);
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
    expect(await page('?after=25')).toEqual({ coupons: [], next: null });
  });

  const queries: readonly [string, string[]][] = [
    ['limit=0', ['/limit']],
    ['limit=101', ['/limit']],
    ['limit=', ['/limit']],
    ['limit=1e1', ['/limit']],
    ['after=-1', ['/after']],
    ['after=9007199254740992&limit=x', ['/after', '/limit']],
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
    await expectProblem(await edit(9, { discountAmount: 1 }), 'COUPON_TERMS_FIXED');
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
  const use = (couponId: number | string, userId: string) =>
    ask(`/v1/coupons/${couponId}/issues/${userId}/use`, { method: 'POST' });

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
      status: 'USED',
      dateUsed: '2026-12-01T00:00:00.000Z',
    });
    const again = await expectProblem(await use(1, 'used'), 'ISSUE_ALREADY_USED');
    expect(again).toMatchObject({ sequence: 37, dateUsed: '2026-12-01T00:00:00.000Z' });
    await expectProblem(await use(1, 'none'), 'ISSUE_NOT_EXIST');
    await expectProblem(await use(1, 'archived'), 'COUPON_ARCHIVED');
    await expectProblem(await use(26, 'issued'), 'COUPON_NOT_EXIST');
    const unwritten = await expectProblem(await use(1, 'accepted'), 'FAIL_COUPON_ISSUE_REQUEST');
    expect(unwritten['detail']).toBe(
      'The issue is accepted, and not yet a row in MySQL. Nothing was used; retry in a moment.',
    );
    await expectProblem(await use('0', 'a,b'), 'INVALID_REQUEST');
  });

  test('a user pages through their issues', async () => {
    const page = async (query: string) => (await ask(`/v1/users/42/issues${query}`)).json();
    expect(await page('?limit=1&after=1')).toEqual({
      issues: [
        {
          couponId: 2,
          sequence: 37,
          status: 'USED',
          dateIssued: '2026-12-01T00:00:00.000Z',
          dateWritten: '2026-12-01T00:00:00.064Z',
          dateUsed: '2026-12-01T00:00:00.001Z',
          title: 'Winter sale',
          discountAmount: 5000,
          minAvailableAmount: 20_000,
        },
      ],
      next: 2,
    });
    expect(await page('?after=24')).toMatchObject({ issues: [{ couponId: 25, status: 'ISSUED' }], next: null });
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
