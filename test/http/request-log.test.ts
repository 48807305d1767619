// request-log.test.ts -- The request log has a line for each request that it is asked for, and none of them holds a user.

import { describe, expect, test } from 'bun:test';
import { RequestObserver } from '../../src/http/request-log/request-observer.ts';
import { hashUser } from '../../src/http/request-log/user-hash.ts';
import { eventually } from '../eventually.ts';
import { fakeApp, OPERATOR_KEY } from './fakes.ts';

const SECRET = 'a secret of these tests';
const USER = 'kim@example.com';

/** An app whose requests are observed, and the lines of its log. */
function observed(mode: string, { isTimed = false, isHashed = true } = {}) {
  const lines: Record<string, unknown>[] = [];
  const requests = new RequestObserver({
    mode,
    isTimed,
    hashUser: isHashed ? (userId) => hashUser(SECRET, userId) : null,
    write: (line) => lines.push(JSON.parse(JSON.stringify(line)) as Record<string, unknown>),
  });
  const { app } = fakeApp({
    requests,
    issuance: {
      issue: async (_issuer, couponId, _userId, note) => {
        if (note) Object.assign(note, { batchUsers: 37, waitMs: 1.26, decisionMs: 2 });
        return couponId === 3 ? { kind: 'sold out' } : { kind: 'issued', sequence: 1 };
      },
    },
  });
  const ask = (path: string, init?: RequestInit) => app.fetch(new Request(`http://localhost${path}`, init));
  const issue = (couponId: number, headers: Record<string, string> = {}) =>
    ask('/v2/issue-async', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ couponId, userId: USER }),
    });
  return { lines, requests, ask, issue };
}

const ms = expect.any(Number) as unknown as number;

test('a line says who asked for what when, and what came of it', async () => {
  const { lines, issue } = observed('on');
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  await issue(1, { 'x-request-id': 'mine', traceparent: `00-${traceId}-00f067aa0ba902b7-01` });
  const answer = await issue(3);
  await eventually('both lines', () => lines.length === 2);
  const same = { endpoint: 'POST /v2/issue-async', ms, batchUsers: 37, waitMs: 1.3, user: hashUser(SECRET, USER) };
  const requestId = answer.headers.get('x-request-id');
  expect(lines).toEqual([
    { ...same, requestId: 'mine', traceId, couponId: 1, status: 202 },
    { ...same, requestId, couponId: 3, status: 409, code: 'INVALID_COUPON_ISSUE_QUANTITY' },
  ]);
  // The answer is whole.
  expect(await answer.json()).toMatchObject({ code: 'INVALID_COUPON_ISSUE_QUANTITY', requestId });
});

test('other routes have lines too, by the pattern of their path, and so has what is no route', async () => {
  const { lines, ask } = observed('on');
  await ask(`/v1/coupons/7/issues/${encodeURIComponent(USER)}`);
  await ask(`/v1/users/${encodeURIComponent(USER)}/issues`);
  await ask('/v1/load', { headers: { authorization: 'Bearer wrong' } });
  await ask(`/nope/${encodeURIComponent(USER)}`);
  await eventually('all lines', () => lines.length === 4);
  const user = hashUser(SECRET, USER);
  expect(lines).toMatchObject([
    { endpoint: 'GET /v1/coupons/:couponId/issues/:userId', couponId: 7, user, status: 200 },
    { endpoint: 'GET /v1/users/:userId/issues', user, status: 200 },
    { endpoint: 'GET /v1/load', status: 401, code: 'UNAUTHENTICATED' },
    { status: 404, code: 'NOT_FOUND' },
  ]);
  expect(JSON.stringify(lines)).not.toContain('kim');
});

test('without a secret a line says nothing of the user', async () => {
  const { lines, issue } = observed('on', { isHashed: false });
  await issue(1);
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toHaveProperty('user');
});

test('two secrets give a user two hashes, and one secret always the same', () => {
  expect(hashUser(SECRET, USER)).toBe(hashUser(SECRET, USER));
  expect(hashUser('another', USER)).not.toBe(hashUser(SECRET, USER));
  expect(hashUser(SECRET, 'Kim@example.com')).not.toBe(hashUser(SECRET, USER));
  expect(hashUser(SECRET, USER)).toMatch(/^[\w-]{22}$/);
});

describe('REQUEST_LOG', () => {
  const statusesOf = async (mode: string) => {
    const { lines, ask, issue } = observed(mode);
    await issue(1);
    await issue(3);
    await issue(0);
    await ask('/nope');
    await ask('/v1/coupons/10/issues/u1');
    // What is no problem is written before the answer is there, and the rest soon after.
    await Bun.sleep(20);
    return lines.map(({ status }) => Number(status)).toSorted((a, b) => a - b);
  };
  test.each([
    ['off', []],
    ['errors', [404, 422, 500]],
    ['on', [202, 404, 409, 422, 500]],
    ['sampled:1', [202, 404, 409, 422, 500]],
    ['sampled:0.000001', []],
  ])('%s', async (mode, expected) => {
    expect(await statusesOf(mode)).toEqual(expected);
  });

  test('a sample is a share of the requests', async () => {
    const { lines, ask } = observed('sampled:0.5');
    for (let i = 0; i < 400; i += 1) await ask('/hello');
    expect(lines.length).toBeGreaterThan(100);
    expect(lines.length).toBeLessThan(300);
  });

  test('can be changed while requests come', async () => {
    const { lines, requests, ask } = observed('off');
    expect(requests.isOn).toBe(false);
    await ask('/hello');
    requests.setMode('on');
    await ask('/hello');
    requests.setMode('off');
    await ask('/hello');
    expect(lines).toHaveLength(1);
  });
});

test('Server-Timing is there where it is asked for, and nowhere else', async () => {
  const { issue, ask } = observed('off', { isTimed: true });
  expect((await issue(1)).headers.get('server-timing')).toMatch(/^total;dur=[\d.]+, wait;dur=1.3, decision;dur=2$/);
  expect((await ask('/nope')).headers.get('server-timing')).toMatch(/^total;dur=[\d.]+$/);
  expect((await observed('on').issue(1)).headers.get('server-timing')).toBeNull();
});

describe('/v1/logging', () => {
  const authorization = `Bearer ${OPERATOR_KEY}`;
  const change = (
    app: ReturnType<typeof fakeApp>['app'],
    body: object,
    headers: Record<string, string> = { authorization },
  ) =>
    app.fetch(
      new Request('http://localhost/v1/logging', {
        method: 'PATCH',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      }),
    );

  test('is changed by an operator, whose name is noted', async () => {
    const { app, calls } = fakeApp();
    const answer = await change(app, { logLevel: 'debug', requestLog: 'sampled:0.01', minutes: 30 });
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { logLevel: 'info', requestLog: 'off', until: null, shared: true },
    ]);
    expect(calls.logging).toEqual([
      { logLevel: 'debug', requestLog: 'sampled:0.01', durationMs: 1_800_000 },
      { by: 'with admin', logLevel: 'info', requestLog: 'off', untilMs: null },
    ]);
  });

  test('takes no other values, and no longer time', async () => {
    const { app, calls } = fakeApp();
    for (const body of [
      { minutes: 61 },
      { requestLog: 'on' },
      { requestLog: 'sampled:2', minutes: 1 },
      { logLevel: 'loud', minutes: 1 },
      { level: 'debug', minutes: 1 },
    ]) {
      expect([body, (await change(app, body)).status]).toEqual([body, 422]);
    }
    expect((await change(app, { minutes: 1 }, {})).status).toBe(401);
    expect(calls.logging).toEqual([]);
  });
});
