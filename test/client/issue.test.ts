// issue.test.ts -- The client before a network that loses answers: its results are confirmed, and it retries only what is idempotent.

import { describe, expect, test } from 'bun:test';
import { type CouponClientOptions, createCouponClient, type IssueResult } from '../../client/coupon-client.ts';
import { type Outcome, refusal } from '../../src/coupon/outcome.ts';
import { fakeApp } from '../http/fakes.ts';
import { type FlakyServer, type Mishap, startFlakyServer } from './flaky-server.ts';
import { owningApp } from './owning-app.ts';

const request = { couponId: 1, userId: 42 };

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

describe('a result that is known immediately', () => {
  test.each<[number, IssueResult]>([
    [1, { kind: 'issued', sequence: 37, status: 'ACCEPTED', isRecovered: false }],
    [2, { kind: 'already issued', sequence: 12 }],
    [3, { kind: 'sold out' }],
    [4, { kind: 'not open', detail: 'Issuing of this coupon has not started.' }],
    [5, { kind: 'not open', detail: 'Issuing of this coupon has ended.' }],
    [6, { kind: 'not open', detail: 'Issuing of this coupon is paused.' }],
    [11, { kind: 'not exist' }],
  ])('coupon %d gives its result after one attempt', async (couponId, result) => {
    await using server = await startFlakyServer(fakeApp().app);
    expect(await hastyClient(server).client.issue({ couponId, userId: 'a' })).toEqual(result);
    expect(server.requests).toEqual(['POST /v2/issue-async']);
  });

  test('each issuer has its endpoint, and only the synchronous one says that it is a row', async () => {
    await using server = await startFlakyServer(fakeApp().app);
    const { client } = hastyClient(server);
    const results = [
      await client.issue(request, { by: 'synchronous' }),
      await client.issue(request, { by: 'locked' }),
      await client.issue(request, { by: 'scripted' }),
    ];
    expect(results.map((result) => result.kind === 'issued' && result.status)).toEqual([
      'ISSUED',
      'ACCEPTED',
      'ACCEPTED',
    ]);
    expect(server.requests).toEqual(['POST /v1/issue', 'POST /v1/issue-async', 'POST /v2/issue-async']);
  });

  test('a request that is wrong is refused with every fault, and not repeated', async () => {
    await using server = await startFlakyServer(fakeApp().app);
    const result = await hastyClient(server).client.issue({ couponId: 0, userId: '..' });
    expect(result).toMatchObject({ kind: 'refused', attempts: 1, problem: { code: 'INVALID_REQUEST', status: 422 } });
    expect(result.kind === 'refused' && result.problem.faults?.map(({ pointer }) => pointer).toSorted()).toEqual([
      '/couponId',
      '/userId',
    ]);
  });

  test('the same request under the same key gives a recovered result', async () => {
    await using server = await startFlakyServer(fakeApp().app);
    const result = await hastyClient(server).client.issue(request, { idempotencyKey: '"seen before"' });
    expect(result).toEqual({ kind: 'issued', sequence: 37, status: 'ACCEPTED', isRecovered: true });
  });
});

describe('an ambiguous attempt', () => {
  const lost: readonly [string, Mishap][] = [
    ['a reply that is lost', 'lost reply'],
    ['a page of a proxy with status 200', { status: 200, body: '<h1>Welcome</h1>' }],
    ['JSON that is no issue', { status: 200, body: '{"status":"ISSUED","sequence":"1"}' }],
    ['a connection that is reset', 'reset'],
    ['a 502 of a proxy', { status: 502, body: 'bad gateway' }],
    ['a 500', { status: 500 }],
  ];
  test.each(lost)('%s is retried, until the user has the coupon, once', async (_, mishap) => {
    const { app, owners } = owningApp();
    await using server = await startFlakyServer(app, [mishap]);
    let retries = 0;
    const result = await hastyClient(server).client.issue(request, { onRetry: () => (retries += 1) });
    const isRecovered = mishap === 'lost reply';
    expect(result).toEqual({ kind: 'issued', sequence: 1, status: 'ACCEPTED', isRecovered });
    expect([server.requests.length, retries, owners.size]).toEqual([2, 1, 1]);
  });

  test.each<[string, Outcome]>([
    ['ended', refusal.ended],
    ['paused', refusal.paused],
  ])('a coupon that is %s at the retry is still theirs', async (_, closed) => {
    let isClosed = false;
    const { app } = owningApp(() => (isClosed ? closed : null));
    await using server = await startFlakyServer(app, ['lost reply']);
    const result = await hastyClient(server).client.issue(request, { onRetry: () => (isClosed = true) });
    expect(result).toEqual({ kind: 'issued', sequence: 1, status: 'ISSUED', isRecovered: true });
    expect(server.requests.at(-1)).toBe('GET /v1/coupons/1/issues/42');
  });

  test('an ambiguous result is resolved by the next call, though the coupon has ended by then', async () => {
    let isClosed = false;
    const { app } = owningApp(() => (isClosed ? refusal.ended : null));
    await using server = await startFlakyServer(app, ['lost reply']);
    const { client } = hastyClient(server, { attemptsMax: 1 });
    expect((await client.issue(request)).kind).toBe('ambiguous');
    isClosed = true;
    expect(await client.issue(request)).toMatchObject({ kind: 'not open' });
    const result = await client.issue(request, { afterAmbiguous: true });
    expect(result).toEqual({ kind: 'issued', sequence: 1, status: 'ISSUED', isRecovered: true });
  });

  test('a coupon that ended before the attempt arrived is not theirs', async () => {
    const { app } = owningApp(() => refusal.ended);
    await using server = await startFlakyServer(app, ['reset']);
    expect((await hastyClient(server).client.issue(request)).kind).toBe('not open');
    expect(server.requests).toHaveLength(3);
  });

  test('sold out is believed, since owners are looked for first: no more requests in the middle of a rush', async () => {
    const { app } = owningApp(() => refusal['sold out']);
    await using server = await startFlakyServer(app, ['reset']);
    expect(await hastyClient(server).client.issue(request)).toEqual({ kind: 'sold out' });
    expect(server.requests).toHaveLength(2);
  });

  test('a refusal that says nothing of the coupon leaves the result ambiguous, as does a status that may not be read', async () => {
    const unauthenticated = { status: 401, body: '{"code":"UNAUTHENTICATED","detail":"expired"}' };
    await using first = await startFlakyServer(owningApp().app, ['lost reply', unauthenticated]);
    const expired = await hastyClient(first).client.issue(request);
    expect(expired).toMatchObject({ kind: 'ambiguous', reason: 'refused', problem: { code: 'UNAUTHENTICATED' } });
    const forbidden = { status: 403, body: '{"code":"FORBIDDEN","detail":"scope"}' };
    const ended = { status: 409, body: '{"code":"INVALID_COUPON_ISSUE_DATE","detail":"ended"}' };
    await using second = await startFlakyServer(owningApp().app, ['lost reply', ended, forbidden]);
    expect(await hastyClient(second).client.issue(request)).toMatchObject({ kind: 'ambiguous', reason: 'refused' });
  });

  test('a redirection is not followed, since the POST would become a GET', async () => {
    await using server = await startFlakyServer(owningApp().app, [{ status: 302, headers: { location: '/hello' } }]);
    expect((await hastyClient(server).client.issue(request)).kind).toBe('issued');
    expect(server.requests).toEqual(['POST /v2/issue-async', 'POST /v2/issue-async']);
  });

  test('who is turned away before anything was decided, and then has it, had it before', async () => {
    await using server = await startFlakyServer(fakeApp().app, [{ status: 429, headers: { 'retry-after': '1' } }]);
    const result = await hastyClient(server).client.issue({ couponId: 2, userId: 1 });
    expect(result).toEqual({ kind: 'already issued', sequence: 12 });
  });
});

describe('bounds', () => {
  const busy = { status: 503, headers: { 'retry-after': '2' } };

  test('backoff doubles up to its bound, on top of what the server asks for', async () => {
    await using server = await startFlakyServer(owningApp().app, [busy, 'reset', 'reset', 'reset', busy]);
    const { client, pausesMs } = hastyClient(server, { backoffMs: 100, backoffMsMax: 500 });
    expect((await client.issue(request)).kind).toBe('issued');
    expect(pausesMs).toEqual([2100, 200, 400, 500, 2500]);
  });

  test('jitter halves a backoff at most, and never what the server asks for', async () => {
    await using server = await startFlakyServer(owningApp().app, [busy, 'reset']);
    const { client, pausesMs } = hastyClient(server, { backoffMs: 100, random: () => 0 });
    await client.issue(request);
    expect(pausesMs).toEqual([2050, 100]);
  });

  test('after so many attempts the result is ambiguous', async () => {
    await using server = await startFlakyServer(fakeApp().app);
    const result = await hastyClient(server, { attemptsMax: 3 }).client.issue({ couponId: 9, userId: 1 });
    expect(result).toMatchObject({
      kind: 'ambiguous',
      reason: 'bounds',
      attempts: 3,
      retryAfterMs: expect.any(Number) as number,
      problem: { code: 'FAIL_COUPON_ISSUE_REQUEST' },
    });
    expect(server.requests).toHaveLength(3);
  });

  test('a backoff that its time does not allow for is not begun', async () => {
    const tomorrow = { status: 503, headers: { 'retry-after': new Date(Date.now() + 86_400_000).toUTCString() } };
    await using server = await startFlakyServer(owningApp().app, [tomorrow]);
    const { client, pausesMs } = hastyClient(server);
    expect(await client.issue(request)).toMatchObject({ kind: 'ambiguous', reason: 'bounds', attempts: 1 });
    expect(pausesMs).toEqual([]);
  });

  test('an attempt that is not answered ends by itself, and is retried', async () => {
    await using server = await startFlakyServer(owningApp().app, ['silence']);
    const result = await hastyClient(server, { attemptMsMax: 50 }).client.issue(request);
    expect(result.kind === 'issued' && server.requests.length).toBe(2);
  });

  test('an aborted call ends immediately with an ambiguous result, and one that was never sent says so', async () => {
    await using server = await startFlakyServer(owningApp().app, ['silence']);
    const abort = new AbortController();
    const { client } = hastyClient(server, { fetch: (url, init) => (abort.abort(), fetch(url, init)) });
    expect(await client.issue(request, { signal: abort.signal })).toMatchObject({ reason: 'aborted', attempts: 1 });
    expect(await client.issue(request, { signal: abort.signal })).toMatchObject({ reason: 'aborted', attempts: 0 });
  });

  test('an abort ends a backoff', async () => {
    await using server = await startFlakyServer(owningApp().app, [{ status: 503, headers: { 'retry-after': '300' } }]);
    const abort = new AbortController();
    // The jitter is drawn right before a pause begins.
    const random = () => {
      queueMicrotask(() => abort.abort());
      return 1;
    };
    const client = createCouponClient({ url: server.url, timeMsMax: 600_000, random });
    expect(await client.issue(request, { signal: abort.signal })).toMatchObject({
      kind: 'ambiguous',
      reason: 'aborted',
    });
  });

  test('what would do harm when it is done twice is sent once', async () => {
    await using server = await startFlakyServer(fakeApp().app, ['lost reply', 'lost reply', 'lost reply']);
    const { client } = hastyClient(server, { token: 'a-key-for-operators-only' });
    expect(await client.coupons.edit(1, { paused: true })).toMatchObject({ kind: 'ambiguous', attempts: 1 });
    const coupon = {
      title: 'Winter sale',
      totalQuantity: 1,
      discountAmount: 1,
      minAvailableAmount: 1,
      dateIssueStart: '2026-12-01T00:00:00Z',
      dateIssueEnd: '2027-01-01T00:00:00Z',
    };
    expect(await client.coupons.create(coupon)).toMatchObject({ kind: 'ambiguous', attempts: 1 });
    expect(await client.coupons.edit(1, { paused: true }, { version: 1 })).toMatchObject({ kind: 'done' });
    expect(server.requests).toHaveLength(4);
  });
});

describe('a user whom the token alone names', () => {
  test('is left out of the body', async () => {
    const sent: unknown[] = [];
    const client = createCouponClient({
      url: 'http://localhost',
      token: 'a token',
      fetch: async (_, init) => {
        sent.push(init.body);
        return Response.json({ couponId: 1, userId: 'u1', sequence: 5, status: 'ACCEPTED' }, { status: 202 });
      },
    });
    expect(await client.issue({ couponId: 1 })).toMatchObject({ kind: 'issued', sequence: 5 });
    expect(sent).toEqual(['{"couponId":1}']);
  });

  test('may have it after an ambiguous attempt and the end, since no status can be read', async () => {
    const closed = { code: 'INVALID_COUPON_ISSUE_DATE', detail: 'Issuing of this coupon has ended.' };
    const answers = [Response.error(), Response.json(closed, { status: 409 })];
    const client = createCouponClient({
      url: 'http://localhost',
      pause: async () => undefined,
      fetch: async () => {
        const answer = answers.shift();
        if (!answer || answer.type === 'error') throw new TypeError('fetch failed');
        return answer;
      },
    });
    expect(await client.issue({ couponId: 1 })).toMatchObject({ kind: 'ambiguous', reason: 'refused', attempts: 2 });
  });
});

describe('a page whose answers the browser keeps from it', () => {
  const noAnswer = async (): Promise<Response> => {
    throw new TypeError('Failed to fetch');
  };
  const issueAt = async (origin: string, fetch = noAnswer) => {
    const before = Object.getOwnPropertyDescriptor(globalThis, 'location');
    Object.defineProperty(globalThis, 'location', { value: { origin }, configurable: true });
    try {
      const client = createCouponClient({ url: 'https://api.example', pause: async () => undefined, fetch });
      return await client.issue(request);
    } finally {
      if (before) Object.defineProperty(globalThis, 'location', before);
      else Reflect.deleteProperty(globalThis, 'location');
    }
  };

  test('is told of CORS_ORIGINS, with its own origin', async () => {
    expect(await issueAt('https://shop.example')).toMatchObject({
      kind: 'ambiguous',
      hint: expect.stringMatching(/CORS_ORIGINS of the server must have https:\/\/shop[.]example$/) as unknown,
    });
  });

  test('is not, where CORS plays no part: on the same origin, or after any response', async () => {
    expect(await issueAt('https://api.example')).not.toHaveProperty('hint');
    let attempts = 0;
    const once = async () => {
      attempts += 1;
      if (attempts === 1) return new Response('', { status: 502 });
      return noAnswer();
    };
    expect(await issueAt('https://shop.example', once)).not.toHaveProperty('hint');
  });
});
