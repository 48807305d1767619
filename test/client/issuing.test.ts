// issuing.test.ts -- The client before a network that loses answers: it says only what is known, and asks only what does no harm.

import { describe, expect, test } from 'bun:test';
import { type CouponClientOptions, createCouponClient, type IssueResult } from '../../client/coupon-client.ts';
import { type Outcome, refusal } from '../../src/coupon/outcome.ts';
import { fakeApp } from '../http/fakes.ts';
import { type FlakyServer, type Mishap, startFlakyServer } from './flaky-server.ts';
import { owningApp } from './owning-app.ts';

const wanted = { couponId: 1, userId: 42 };

/** A client that does not wait, and notes how long it would have. */
function hastyClient(server: FlakyServer, change: Partial<CouponClientOptions> = {}) {
  const pausesMs: number[] = [];
  const client = createCouponClient({
    url: server.url,
    random: () => 1,
    pause: async (ms) => void pausesMs.push(ms),
    ...change,
  });
  return { client, pausesMs };
}

describe('an ending that is known at once', () => {
  test.each<[number, IssueResult]>([
    [1, { kind: 'issued', sequence: 37, status: 'ACCEPTED', isRecovered: false }],
    [2, { kind: 'already issued', sequence: 12 }],
    [3, { kind: 'sold out' }],
    [4, { kind: 'not open', detail: 'Issuing of this coupon has not started.' }],
    [5, { kind: 'not open', detail: 'Issuing of this coupon has ended.' }],
    [6, { kind: 'not open', detail: 'Issuing of this coupon is paused.' }],
    [11, { kind: 'not exist' }],
  ])('coupon %d is told as what it is, after one try', async (couponId, ending) => {
    await using server = await startFlakyServer(fakeApp().app);
    const told = await hastyClient(server).client.issue({ couponId, userId: 'a' });
    expect(told).toEqual(ending);
    expect(server.asked).toEqual(['POST /v2/issue-async']);
  });

  test('each issuer has its endpoint, and only the synchronous one says that it is a row', async () => {
    await using server = await startFlakyServer(fakeApp().app);
    const { client } = hastyClient(server);
    const endings = [
      await client.issue(wanted, { by: 'synchronous' }),
      await client.issue(wanted, { by: 'locked' }),
      await client.issue(wanted, { by: 'scripted' }),
    ];
    expect(endings.map((ending) => ending.kind === 'issued' && ending.status)).toEqual([
      'ISSUED',
      'ACCEPTED',
      'ACCEPTED',
    ]);
    expect(server.asked).toEqual(['POST /v1/issue', 'POST /v1/issue-async', 'POST /v2/issue-async']);
  });

  test('a request that is wrong is refused with every fault, and not repeated', async () => {
    await using server = await startFlakyServer(fakeApp().app);
    const ending = await hastyClient(server).client.issue({ couponId: 0, userId: '..' });
    expect(ending).toMatchObject({ kind: 'refused', tries: 1, problem: { code: 'INVALID_REQUEST', status: 422 } });
    expect(ending.kind === 'refused' && ending.problem.faults?.map(({ pointer }) => pointer).toSorted()).toEqual([
      '/couponId',
      '/userId',
    ]);
  });

  test('the same request under the same key is told as recovered', async () => {
    await using server = await startFlakyServer(fakeApp().app);
    const ending = await hastyClient(server).client.issue(wanted, { idempotencyKey: '"seen before"' });
    expect(ending).toEqual({ kind: 'issued', sequence: 37, status: 'ACCEPTED', isRecovered: true });
  });
});

describe('a try whose ending nobody knows', () => {
  const lost: readonly [string, Mishap][] = [
    ['a reply that is lost', 'lost reply'],
    ['a page of a proxy with status 200', { status: 200, body: '<h1>Welcome</h1>' }],
    ['JSON that is no issue', { status: 200, body: '{"status":"ISSUED","sequence":"1"}' }],
    ['a connection that is reset', 'reset'],
    ['a 502 of a proxy', { status: 502, body: 'bad gateway' }],
    ['a 500', { status: 500 }],
  ];
  test.each(lost)('%s is asked again, until the user has the coupon, once', async (_, mishap) => {
    const { app, owners } = owningApp();
    await using server = await startFlakyServer(app, [mishap]);
    let again = 0;
    const ending = await hastyClient(server).client.issue(wanted, { onAgain: () => (again += 1) });
    const isRecovered = mishap === 'lost reply';
    expect(ending).toEqual({ kind: 'issued', sequence: 1, status: 'ACCEPTED', isRecovered });
    expect([server.asked.length, again, owners.size]).toEqual([2, 1, 1]);
  });

  test.each<[string, Outcome]>([
    ['ended', refusal.ended],
    ['paused', refusal.paused],
  ])('a coupon that is %s when it is asked again is still theirs', async (_, closed) => {
    let isClosed = false;
    const { app } = owningApp(() => (isClosed ? closed : null));
    await using server = await startFlakyServer(app, ['lost reply']);
    const ending = await hastyClient(server).client.issue(wanted, { onAgain: () => (isClosed = true) });
    expect(ending).toEqual({ kind: 'issued', sequence: 1, status: 'ISSUED', isRecovered: true });
    expect(server.asked.at(-1)).toBe('GET /v1/coupons/1/issues/42');
  });

  test('what an earlier call has left unknown is found out by the next, though the coupon has ended by then', async () => {
    let isClosed = false;
    const { app } = owningApp(() => (isClosed ? refusal.ended : null));
    await using server = await startFlakyServer(app, ['lost reply']);
    const { client } = hastyClient(server, { triesMax: 1 });
    expect((await client.issue(wanted)).kind).toBe('unknown');
    isClosed = true;
    expect(await client.issue(wanted)).toMatchObject({ kind: 'not open' });
    const ending = await client.issue(wanted, { afterAmbiguous: true });
    expect(ending).toEqual({ kind: 'issued', sequence: 1, status: 'ISSUED', isRecovered: true });
  });

  test('a coupon that ended before the try arrived is not theirs', async () => {
    const { app } = owningApp(() => refusal.ended);
    await using server = await startFlakyServer(app, ['reset']);
    expect((await hastyClient(server).client.issue(wanted)).kind).toBe('not open');
    expect(server.asked).toHaveLength(3);
  });

  test('sold out is believed, since owners are looked for first: no more questions in the middle of a rush', async () => {
    const { app } = owningApp(() => refusal['sold out']);
    await using server = await startFlakyServer(app, ['reset']);
    expect(await hastyClient(server).client.issue(wanted)).toEqual({ kind: 'sold out' });
    expect(server.asked).toHaveLength(2);
  });

  test('a refusal that says nothing of the coupon leaves it unknown, as does a status that may not be read', async () => {
    const unauthenticated = { status: 401, body: '{"code":"UNAUTHENTICATED","detail":"expired"}' };
    await using first = await startFlakyServer(owningApp().app, ['lost reply', unauthenticated]);
    const expired = await hastyClient(first).client.issue(wanted);
    expect(expired).toMatchObject({ kind: 'unknown', because: 'refused', problem: { code: 'UNAUTHENTICATED' } });
    const forbidden = { status: 403, body: '{"code":"FORBIDDEN","detail":"scope"}' };
    const ended = { status: 409, body: '{"code":"INVALID_COUPON_ISSUE_DATE","detail":"ended"}' };
    await using second = await startFlakyServer(owningApp().app, ['lost reply', ended, forbidden]);
    expect(await hastyClient(second).client.issue(wanted)).toMatchObject({ kind: 'unknown', because: 'refused' });
  });

  test('a redirection is not followed, since the issue would become a question', async () => {
    await using server = await startFlakyServer(owningApp().app, [{ status: 302, headers: { location: '/hello' } }]);
    expect((await hastyClient(server).client.issue(wanted)).kind).toBe('issued');
    expect(server.asked).toEqual(['POST /v2/issue-async', 'POST /v2/issue-async']);
  });

  test('who is turned away before anything was decided, and then has it, had it before', async () => {
    await using server = await startFlakyServer(fakeApp().app, [{ status: 429, headers: { 'retry-after': '1' } }]);
    const ending = await hastyClient(server).client.issue({ couponId: 2, userId: 1 });
    expect(ending).toEqual({ kind: 'already issued', sequence: 12 });
  });
});

describe('bounds', () => {
  const busy = { status: 503, headers: { 'retry-after': '2' } };

  test('pauses double up to their bound, on top of what the server asks for', async () => {
    await using server = await startFlakyServer(owningApp().app, [busy, 'reset', 'reset', 'reset', busy]);
    const { client, pausesMs } = hastyClient(server, { pauseMs: 100, pauseMsMax: 500 });
    expect((await client.issue(wanted)).kind).toBe('issued');
    expect(pausesMs).toEqual([2100, 200, 400, 500, 2500]);
  });

  test('chance halves a pause at most, and never what the server asks for', async () => {
    await using server = await startFlakyServer(owningApp().app, [busy, 'reset']);
    const { client, pausesMs } = hastyClient(server, { pauseMs: 100, random: () => 0 });
    await client.issue(wanted);
    expect(pausesMs).toEqual([2050, 100]);
  });

  test('after so many tries it says that nobody knows', async () => {
    await using server = await startFlakyServer(fakeApp().app);
    const ending = await hastyClient(server, { triesMax: 3 }).client.issue({ couponId: 9, userId: 1 });
    expect(ending).toMatchObject({
      kind: 'unknown',
      because: 'bounds',
      tries: 3,
      retryAfterMs: 2000,
      problem: { code: 'FAIL_COUPON_ISSUE_REQUEST' },
    });
    expect(server.asked).toHaveLength(3);
  });

  test('a pause that its time does not allow for is not begun', async () => {
    const tomorrow = { status: 503, headers: { 'retry-after': new Date(Date.now() + 86_400_000).toUTCString() } };
    await using server = await startFlakyServer(owningApp().app, [tomorrow]);
    const { client, pausesMs } = hastyClient(server);
    expect(await client.issue(wanted)).toMatchObject({ kind: 'unknown', because: 'bounds', tries: 1 });
    expect(pausesMs).toEqual([]);
  });

  test('a try that is not answered ends by itself, and is asked again', async () => {
    await using server = await startFlakyServer(owningApp().app, ['silence']);
    const ending = await hastyClient(server, { tryMsMax: 50 }).client.issue(wanted);
    expect(ending.kind === 'issued' && server.asked.length).toBe(2);
  });

  test('an aborted call ends at once, unknown, and what was never sent says so', async () => {
    await using server = await startFlakyServer(owningApp().app, ['silence']);
    const abort = new AbortController();
    const { client } = hastyClient(server, { fetch: (url, init) => (abort.abort(), fetch(url, init)) });
    expect(await client.issue(wanted, { signal: abort.signal })).toMatchObject({ because: 'aborted', tries: 1 });
    expect(await client.issue(wanted, { signal: abort.signal })).toMatchObject({ because: 'aborted', tries: 0 });
  });

  test('an abort ends a pause', async () => {
    await using server = await startFlakyServer(owningApp().app, [{ status: 503, headers: { 'retry-after': '300' } }]);
    const abort = new AbortController();
    // Chance is asked for right before a pause begins.
    const random = () => {
      queueMicrotask(() => abort.abort());
      return 1;
    };
    const client = createCouponClient({ url: server.url, timeMsMax: 600_000, random });
    expect(await client.issue(wanted, { signal: abort.signal })).toMatchObject({ kind: 'unknown', because: 'aborted' });
  });

  test('what would do harm when it is done twice is asked once', async () => {
    await using server = await startFlakyServer(fakeApp().app, ['lost reply', 'lost reply', 'lost reply']);
    const { client } = hastyClient(server, { token: 'a-key-for-operators-only' });
    expect(await client.coupons.edit(1, { paused: true })).toMatchObject({ kind: 'unknown', tries: 1 });
    const coupon = {
      title: 'Winter sale',
      totalQuantity: 1,
      discountAmount: 1,
      minAvailableAmount: 1,
      dateIssueStart: '2026-12-01T00:00:00Z',
      dateIssueEnd: '2027-01-01T00:00:00Z',
    };
    expect(await client.coupons.create(coupon)).toMatchObject({ kind: 'unknown', tries: 1 });
    expect(await client.coupons.edit(1, { paused: true }, { version: 1 })).toMatchObject({ kind: 'done' });
    expect(server.asked).toHaveLength(4);
  });
});
