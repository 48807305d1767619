// request-ids.test.ts -- Every answer names its request, and what is logged about a request has the same name.

import { describe, expect, test } from 'bun:test';
import { Unavailable } from '../../src/coupon/outcome.ts';
import { createHumanVerifier } from '../../src/http/captcha.ts';
import { idsOf } from '../../src/http/request-log/request-ids.ts';
import { fakeApp, fakeAuthority, fakeConfig, OPERATOR_KEY } from './fakes.ts';

const at = (path: string, init?: RequestInit) => new Request(`http://localhost${path}`, init);
const issue = (couponId: number, headers: Record<string, string> = {}, path = '/v2/issue-async') =>
  at(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ couponId, userId: 1 }),
  });

test('every answer has an id, and every problem has it in its text too', async () => {
  const { app } = fakeApp({ config: { ...fakeConfig, CORS_ORIGINS: 'https://shop.example' } });
  const authorization = `Bearer ${OPERATOR_KEY}`;
  const requests = [
    // Every way in which issuing ends.
    ...Array.from({ length: 12 }, (_, i) => issue(i)),
    issue(1, { 'idempotency-key': 'of another request' }),
    issue(1, { 'idempotency-key': 'a key' }),
    issue(1, { 'content-type': 'text/plain' }),
    ...['/', '/hello', '/livez', '/readyz', '/metrics', '/nope', '/console', '/pages/none.js', '/swagger/json'].map(
      (path) => at(path),
    ),
    ...['/v1/coupons/1/issues/u1', '/v1/coupons/99/issues/u1', '/v1/coupons/1/events', '/v1/drops/99', '/v1/key'].map(
      (path) => at(path),
    ),
    at('/v1/coupons', { headers: { authorization } }),
    at('/v1/coupons/1/audit', { headers: { authorization } }),
    at('/v1/coupons/2', { method: 'DELETE', headers: { authorization } }),
    at('/hello', { method: 'HEAD' }),
    at('/v1/coupons', { method: 'HEAD' }),
    at('/hello', { method: 'PUT' }),
    at(`/${'x'.repeat(3000)}`),
    at('/hello', {
      method: 'OPTIONS',
      headers: { origin: 'https://shop.example', 'access-control-request-method': 'GET' },
    }),
  ];
  const seen = new Set<string>();
  for (const request of requests) {
    const answer = await app.fetch(request);
    const id = answer.headers.get('x-request-id') ?? 'none';
    expect(id).toMatch(/^[\da-f]{12}-[\da-z]+$/);
    seen.add(id);
    if (answer.headers.get('content-type') !== 'application/problem+json' || request.method === 'HEAD') continue;
    const { requestId, status } = (await answer.json()) as { requestId?: string; status?: number };
    expect([request.url, requestId, status]).toEqual([request.url, id, answer.status]);
  }
  expect(seen.size).toBe(requests.length);
});

test.each(['/hello', '/nope', '/v1/coupons/1/issues/u1'])(
  'a valid id of the caller is kept by %s, any other replaced',
  async (path) => {
    const { app } = fakeApp();
    const answered = async (id: string) =>
      (await app.fetch(at(path, { headers: { 'x-request-id': id } }))).headers.get('x-request-id');
    for (const id of ['a', 'Root=1-67891233-abcdef012345678912345678', 'x'.repeat(128), 'Az09_.:=+/-'])
      expect(await answered(id)).toBe(id);
    for (const id of ['x'.repeat(129), 'a b', '"quoted"', '<b>', 'a,b', 'kim@example.com', 'ä'])
      expect(await answered(id)).toMatch(/^[\da-f]{12}-[\da-z]+$/);
  },
);

test.each([1, 2, 3, 9, 99])('an issue endpoint keeps it too, whatever it answers (coupon %d)', async (couponId) => {
  const answer = await fakeApp().app.fetch(issue(couponId, { 'x-request-id': 'mine' }));
  expect(answer.headers.get('x-request-id')).toBe('mine');
  if (answer.status >= 400) expect(await answer.json()).toMatchObject({ requestId: 'mine' });
});

test('pages of other origins may send one, and read it', async () => {
  const { app } = fakeApp({ config: { ...fakeConfig, CORS_ORIGINS: 'https://shop.example' } });
  const origin = 'https://shop.example';
  const { headers } = await app.fetch(issue(3, { origin }));
  expect(headers.get('access-control-expose-headers')).toContain('X-Request-Id');
  const preflight = at('/hello', { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
  expect((await app.fetch(preflight)).headers.get('access-control-allow-headers')).toContain('X-Request-Id');
});

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';

test.each([
  [`00-${traceId}-00f067aa0ba902b7-01`, traceId],
  [`cc-${traceId}-00f067aa0ba902b7-01-what-comes-later`, traceId],
  [`00-${traceId}-00f067aa0ba902b7-01-more`, undefined],
  [`ff-${traceId}-00f067aa0ba902b7-01`, undefined],
  [`00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, undefined],
  [`00-${traceId}-${'0'.repeat(16)}-01`, undefined],
  [`00-${traceId.toUpperCase()}-00f067aa0ba902b7-01`, undefined],
  ['nonsense', undefined],
])('the trace of %s is %p', (traceparent, expected) => {
  expect(idsOf(at('/', { headers: { traceparent, 'x-request-id': 'r' } }))).toEqual({
    requestId: 'r',
    ...(expected !== undefined && { traceId: expected }),
  });
});

describe('what is logged about a request has its ids', () => {
  const ids = { 'x-request-id': 'mine', traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
  const named = { requestId: 'mine', traceId };
  const lost = new Unavailable('dependency', 'Redis or MySQL failed');

  test('a fault of ours', async () => {
    const { app, calls } = fakeApp();
    await app.fetch(issue(10, ids));
    expect(calls.logged).toMatchObject([
      { fields: { ...named, route: '/v2/issue-async' }, message: 'a request failed' },
    ]);
  });

  test('one that was made, as its answer has it', async () => {
    const { app, calls } = fakeApp();
    const answer = await app.fetch(issue(10));
    expect(calls.logged).toMatchObject([{ fields: { requestId: answer.headers.get('x-request-id') } }]);
  });

  test('a store that failed', async () => {
    const message = 'store request failed; result unknown to the caller';
    const { app, calls } = fakeApp({ load: () => Promise.reject(lost), issueOnce: () => Promise.reject(lost) });
    await app.fetch(at('/v1/load', { headers: { ...ids, authorization: `Bearer ${OPERATOR_KEY}` } }));
    await app.fetch(issue(1, { ...ids, 'idempotency-key': 'a-key' }));
    expect(calls.logged).toMatchObject([
      { fields: named, message },
      { fields: named, message },
    ]);
    // Its batch is logged, once for all.
    await app.fetch(issue(9, ids));
    expect(calls.logged).toHaveLength(2);
  });

  test('a caller who was turned away', async () => {
    const refused: unknown[] = [];
    const onRefused = (reason: string, request: Request) => refused.push([reason, idsOf(request)]);
    const { app } = fakeApp({ authority: fakeAuthority({ isOn: true, onRefused }) });
    await app.fetch(issue(1, ids));
    await app.fetch(issue(1, { ...ids, authorization: 'Bearer wrong' }));
    await app.fetch(at('/v1/coupons', { headers: { ...ids, authorization: 'Bearer wrong' } }));
    const reasons = ['none sent', 'unknown credential', 'unknown credential'];
    expect(refused).toEqual(reasons.map((reason) => [reason, named]));
  });

  test('a CAPTCHA that could not be checked', async () => {
    const { app, calls } = fakeApp({ humanVerifier: createHumanVerifier('http://127.0.0.1:1/', 'secret') });
    await app.fetch(issue(1, { ...ids, 'x-captcha-token': 'a-token' }));
    expect(calls.logged).toMatchObject([{ fields: named, message: 'could not check a CAPTCHA' }]);
  });
});
