// app.test.ts -- The app by itself: the suite of every way of serving, and the calls of its dependencies.

import { expect, test } from 'bun:test';
import { Unavailable } from '../../src/coupon/outcome.ts';
import { servesTheSurface } from './conformance.ts';
import { fakeApp, fakeAuthority, fakeInstallations, ready } from './fakes.ts';

const shared = fakeInstallations();
servesTheSurface('app', async (path, init) =>
  shared.fetch(new Request(`http://localhost${path}`, init), () => '127.0.0.1'),
);

const issue = (body: string) =>
  new Request('http://localhost/v1/issue', { method: 'POST', body, headers: { 'content-type': 'application/json' } });

test('a refused request never reaches an issuer, and an accepted one reaches it once, with the user id as text', async () => {
  const { app, calls } = fakeApp();
  for (const body of ['', '{}', '{"couponId":0,"userId":1}', `{"couponId":1,"userId":1}${' '.repeat(9999)}`]) {
    await app.fetch(issue(body));
  }
  expect(calls.issued).toEqual([]);
  await app.fetch(issue('{"couponId":1,"userId":42}'));
  expect(calls.issued).toEqual([{ issuer: 'synchronous', couponId: 1, userId: '42' }]);
});

test('every request of an issue endpoint is observed once, by how it ended', async () => {
  const { app, calls } = fakeApp();
  for (let couponId = 0; couponId <= 11; couponId += 1) await app.fetch(issue(`{"couponId":${couponId},"userId":1}`));
  const results = ['invalid', 'issued', 'already issued', 'sold out', 'not started', 'ended', 'paused'];
  results.push('overloaded', 'stopping', 'dependency', 'failed', 'not exist');
  expect(calls.observed).toEqual(results.map((result) => ({ endpoint: 'synchronous', result, measured: true })));
});

test('an unknown error is logged with its route, and the log decides what of it may be said', async () => {
  const { app, calls } = fakeApp();
  expect((await app.fetch(issue('{"couponId":10,"userId":"someone"}'))).status).toBe(500);
  expect(calls.logged).toMatchObject([
    { fields: { route: '/v1/issue', error: expect.any(Error) as unknown }, message: 'a request failed' },
  ]);
});

test('a coupon is created from instants in milliseconds', async () => {
  // 200 code points, 398 UTF-16 units.
  const title = `é ${'🎁'.repeat(198)}`;
  const { app, calls } = fakeApp();
  const body = JSON.stringify({
    title,
    totalQuantity: 1,
    discountAmount: 2,
    minAvailableAmount: 3,
    dateIssueStart: '1970-01-01T00:00:00.001Z',
    dateIssueEnd: '9999-12-31T23:59:59.999Z',
  });
  const headers = { 'content-type': 'application/json', authorization: 'Bearer a-key-for-operators-only' };
  expect((await app.fetch(new Request('http://localhost/v1/coupons', { method: 'POST', body, headers }))).status).toBe(
    201,
  );
  expect(calls.created).toEqual([
    {
      title,
      totalQuantity: 1,
      discountAmount: 2,
      minAvailableAmount: 3,
      startMs: 1,
      endMs: 253_402_300_799_999,
      listed: false,
    },
  ]);
});

test('without a configured key the operator routes refuse every key', async () => {
  const { app } = fakeApp({ authority: fakeAuthority({}, []) });
  for (const authorization of ['', 'Bearer undefined', 'Bearer ']) {
    const answer = await app.fetch(new Request('http://localhost/v1/coupons', { headers: { authorization } }));
    expect(await answer.json()).toMatchObject({ code: 'FORBIDDEN', status: 403 });
    expect(answer.status).toBe(403);
  }
});

test('a store that fails under an operator is 503 with Retry-After', async () => {
  const fail = async () => {
    throw new Unavailable('dependency', 'internal');
  };
  const { app, calls } = fakeApp({ catalog: { create: fail, read: fail, list: fail } });
  const headers = { authorization: 'Bearer a-key-for-operators-only' };
  for (const path of ['/v1/coupons', '/v1/coupons/1']) {
    const answer = await app.fetch(new Request(`http://localhost${path}`, { headers }));
    expect(answer.headers.get('retry-after')).toMatch(/^[234]$/);
    expect(await answer.json()).toMatchObject({ code: 'FAIL_COUPON_ISSUE_REQUEST' });
  }
  const message = 'store request failed; result unknown to the caller';
  expect(calls.logged).toMatchObject([{ message }, { message }]);
});

test('what is not ready is 503 and says why', async () => {
  const readiness = { ...ready, ready: false, checks: [{ name: 'mysql', ok: false, detail: 'does not answer' }] };
  const { app } = fakeApp({ readiness: async () => readiness });
  const answer = await app.fetch(new Request('http://localhost/readyz'));
  expect(answer.status).toBe(503);
  expect(await answer.json()).toEqual(readiness);
});

test('a host of few letters hides no path', async () => {
  const { app } = fakeApp();
  for (const host of ['a', 'api', 'localhost:3000', 'coupons.example.com', '[::1]:80']) {
    expect((await app.fetch(new Request(`http://${host}/hello`))).status).toBe(200);
  }
});

test('Retry-After is spread, so that callers who were refused together do not come back together', async () => {
  const waits = new Set<string | null>();
  const { app } = fakeApp();
  const body = '{"couponId":7,"userId":1}';
  const headers = { 'content-type': 'application/json' };
  for (let i = 0; i < 100; i += 1) {
    const answer = await app.fetch(new Request('http://localhost/v2/issue-async', { method: 'POST', headers, body }));
    waits.add(answer.headers.get('retry-after'));
  }
  expect(waits).toEqual(new Set(['2', '3', '4']));
});
