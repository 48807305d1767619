// callers.test.ts -- Every route by every kind of caller, in one table; and that no refusal depends on who or what exists.

import { describe, expect, test } from 'bun:test';
import type { Scope } from '../../src/auth/api-keys.ts';
import { fakeApp, fakeAuthority, storedKey } from './fakes.ts';
import { type OpenApi, operationsOf } from './open-api.ts';
import { sign, tokensWith } from './tokens.ts';

const scopes = ['issue', 'read', 'admin'] as const;
const keyOf = (scope: Scope) => `ck_a-key-for-${scope}`;
const { app } = fakeApp({
  authority: fakeAuthority(
    { isOn: true, tokens: tokensWith() },
    scopes.map((scope) => storedKey(keyOf(scope), scope)),
  ),
});

const callers = {
  nobody: null,
  'a wrong key': 'ck_wrong',
  'an ended token': await sign({ claims: { sub: 'issued', exp: 1 } }),
  'a token for others': await sign({ claims: { sub: 'issued', aud: 'payments' } }),
  'another user': await sign({ claims: { sub: 'somebody' } }),
  'the user': await sign({ claims: { sub: 'issued' } }),
  'scope issue': keyOf('issue'),
  'scope read': keyOf('read'),
  'scope admin': keyOf('admin'),
} as const;

async function ask(route: string, credential: string | null, body?: object): Promise<Response> {
  const [method = '', path = ''] = route.split(' ');
  const headers = new Headers(body === undefined ? {} : { 'content-type': 'application/json' });
  // Nothing else may tell two refusals apart.
  headers.set('x-request-id', 'of-this-test');
  if (credential !== null) headers.set('authorization', `Bearer ${credential}`);
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  return app.fetch(new Request(`http://localhost${path}`, { method, headers, ...sent }));
}

/** What each caller is answered, in the order of `callers`: let in, 401 or 403. */
const OPEN = 'in  in  in  in  in  in  in  in  in';
const ISSUE = '401 401 401 401 403 in  in  403 in';
const BACKEND = '401 401 401 401 401 401 in  403 in';
const OWN = '401 401 401 401 403 in  403 in  in';
const READ = '401 401 401 401 401 401 403 in  in';
const ADMIN = '401 401 401 401 401 401 403 403 in';
/** Whose code it is, is not seen before it is looked up. */
const CODE = '401 401 401 401 in  in  in  403 in';
const KEY = '401 401 401 401 401 401 in  in  in';

const table: readonly (readonly [route: string, expected: string, body?: object])[] = [
  ['POST /v1/issue', ISSUE, { couponId: 1, userId: 'issued' }],
  ['POST /v1/issue-async', ISSUE, { couponId: 1, userId: 'issued' }],
  ['POST /v2/issue-async', ISSUE, { couponId: 1, userId: 'issued' }],
  ['POST /v1/coupons/1/issues', BACKEND, { users: ['issued'] }],
  ['GET /v1/coupons/1/issues', READ],
  ['GET /v1/coupons/1/issues/issued', OWN],
  ['POST /v1/coupons/1/issues/issued/use', ISSUE],
  ['DELETE /v1/coupons/1/issues/issued/use', BACKEND],
  ['POST /v1/coupons/1/issues/issued/revoke', ADMIN, { reason: 'of a test' }],
  ['GET /v1/users/issued/issues', OWN],
  ['POST /v1/codes/issued/use', CODE],
  ['GET /v1/codes/issued', READ],
  ['GET /v1/coupons/1/codes', READ],
  ['POST /v1/coupons/1/codes', ADMIN, {}],
  ['POST /v1/coupons/1/codes/import', ADMIN, []],
  ['GET /v1/coupons', READ],
  ['GET /v1/coupons/1', READ],
  ['GET /v1/coupons/1/audit', READ],
  ['GET /v1/coupons/1/preflight', READ],
  ['GET /v1/coupons/1/timeline', READ],
  ['POST /v1/coupons', ADMIN, {}],
  ['PATCH /v1/coupons/1', ADMIN, {}],
  ['DELETE /v1/coupons/1', ADMIN],
  ['POST /v1/coupons/1/open', ADMIN],
  ['GET /v1/dead-letters', ADMIN],
  ['GET /v1/dead-letters/1', ADMIN],
  ['POST /v1/dead-letters/1/replay', ADMIN],
  ['DELETE /v1/dead-letters/1', ADMIN],
  ['GET /v1/limited-callers', READ],
  ['GET /v1/audit-trail', READ],
  ['GET /v1/reports/issues', READ],
  ['GET /v1/load', READ],
  ['GET /v1/logging', READ],
  ['PATCH /v1/logging', ADMIN, {}],
  ['POST /v1/webhooks', ADMIN, {}],
  ['GET /v1/webhooks', ADMIN],
  ['PATCH /v1/webhooks/1', ADMIN, {}],
  ['DELETE /v1/webhooks/1', ADMIN],
  ['POST /v1/webhooks/1/replay', ADMIN, {}],
  ['GET /v1/webhooks/1/deliveries', ADMIN],
  ['GET /v1/key', KEY],
  ['GET /v1/coupons/1/events', OPEN],
  ['GET /v1/drops/1', OPEN],
  ['GET /hello', OPEN],
  ['GET /livez', OPEN],
  ['GET /readyz', OPEN],
  ['GET /metrics', READ],
  ['GET /problems/INTERNAL', OPEN],
];

test('the table has every operation of the document, and no other', async () => {
  const document = (await (await ask('GET /swagger/json', null)).json()) as OpenApi;
  const documented = operationsOf(document).map(({ method, path }) => `${method} ${path.replaceAll(/\{\w+\}/g, '*')}`);
  const tried = table.map(([route]) => route.replaceAll(/(?<=\/)(1|issued|INTERNAL)(?=\/|$)/g, '*'));
  expect(tried.sort()).toEqual(documented.sort());
});

test.each(table)('%s admits exactly the callers in the table', async (route, expected, body) => {
  const found: Record<string, string> = {};
  for (const [caller, credential] of Object.entries(callers)) {
    const { status } = await ask(route, credential, body);
    found[caller] = status === 401 || status === 403 ? String(status) : 'in';
  }
  const names = Object.keys(callers);
  expect(found).toEqual(Object.fromEntries(expected.split(/ +/).map((answer, i) => [names[i] ?? '', answer])));
});

describe('a refusal says the same', () => {
  const strangers = Object.entries(callers).filter(([caller]) => !/^(the user|scope)/.test(caller));
  const places = ['1', '26'].flatMap((couponId) => ['issued', 'none'].map((userId) => ({ couponId, userId })));
  const asked: readonly (readonly [string, (place: { couponId: string; userId: string }) => [string, object?]])[] = [
    ['the status', ({ couponId, userId }) => [`GET /v1/coupons/${couponId}/issues/${userId}`]],
    ['using', ({ couponId, userId }) => [`POST /v1/coupons/${couponId}/issues/${userId}/use`]],
    ['undoing', ({ couponId, userId }) => [`DELETE /v1/coupons/${couponId}/issues/${userId}/use`]],
    ['revoking', ({ couponId, userId }) => [`POST /v1/coupons/${couponId}/issues/${userId}/revoke`, { reason: 'x' }]],
    ['the list', ({ userId }) => [`GET /v1/users/${userId}/issues`]],
    ['issuing', ({ couponId, userId }) => ['POST /v2/issue-async', { couponId: Number(couponId), userId }]],
    ['a coupon', ({ couponId }) => [`GET /v1/coupons/${couponId}`]],
    ['an audit', ({ couponId }) => [`GET /v1/coupons/${couponId}/audit`]],
    ['a preflight', ({ couponId }) => [`GET /v1/coupons/${couponId}/preflight`]],
    ['deleting', ({ couponId }) => [`DELETE /v1/coupons/${couponId}`]],
  ];
  test.each(asked)('of %s, whether user and coupon exist or not', async (_, routeOf) => {
    for (const [, credential] of strangers) {
      const answers = new Set<string>();
      for (const place of places) {
        const [route, body] = routeOf(place);
        const answer = await ask(route, credential, body);
        expect([401, 403]).toContain(answer.status);
        answers.add(JSON.stringify([answer.status, [...answer.headers], await answer.text()]));
      }
      expect([...answers]).toHaveLength(1);
    }
  });
});
