// routes.test.ts -- Every call of the client before the app itself: the right route, the right credentials, the answer as the schemas have it.

import { describe, expect, test } from 'bun:test';
import { problemCodes } from '../../client/api-types.ts';
import {
  type CouponClient,
  type CouponDraft,
  createCouponClient,
  type Progress,
  type ProgressEvent,
} from '../../client/coupon-client.ts';
import { problems } from '../../src/http/document/problems.ts';
import type { Progress as ServerProgress } from '../../src/issues/progress.ts';
import { fakeApp, limitedCallers, load, OPERATOR_KEY, preflight } from '../http/fakes.ts';
import { type Mishap, startFlakyServer } from './flaky-server.ts';

/** Some time: a test of its own looks which. */
const serverMs = expect.any(Number) as unknown as number;

/** Calls a client before the app; gives the requests beside the result. */
async function call<Result>(use: (client: CouponClient) => Promise<Result>, mishaps: readonly Mishap[] = []) {
  await using server = await startFlakyServer(fakeApp().app, mishaps);
  const client = createCouponClient({ url: `${server.url}/`, token: OPERATOR_KEY, pause: async () => {} });
  return { result: await use(client), requests: server.requests, headers: server.headers };
}

const newCoupon: CouponDraft = {
  title: 'Winter sale',
  totalQuantity: null,
  discountAmount: 5000,
  minAvailableAmount: 20_000,
  dateIssueStart: '2026-12-01T10:00:00+09:00',
  dateIssueEnd: '2027-01-01T00:00:00+09:00',
};

describe('codes', () => {
  test('an issue is found and used by its code, whatever was typed', async () => {
    const { result: found } = await call((client) => client.codes.find('issued'));
    expect(found).toMatchObject({ kind: 'done', value: { couponId: 1, userId: 'issued', status: 'ISSUED' } });
    const { result: used, requests } = await call((client) => client.codes.use('issued'));
    expect(used).toMatchObject({ kind: 'done', value: { userId: 'issued', status: 'USED' } });
    expect(requests).toEqual(['POST /v1/codes/issued/use']);
    const { result: wrong, requests: asked } = await call((client) => client.codes.use('a/b c'));
    expect(wrong).toMatchObject({ kind: 'refused', problem: { code: 'CODE_NOT_EXIST' } });
    expect(asked).toEqual(['POST /v1/codes/a%2Fb%20c/use']);
  });

  test('a coupon gets a pattern, or codes from a list, a text or a file', async () => {
    const { result } = await call((client) => client.codes.generate(1, 'SUMMER-####-####'));
    expect(result).toMatchObject({ kind: 'done', value: { kind: 'GENERATED', pattern: 'SUMMER-####-####' } });
    expect((await call((client) => client.codes.read(2))).result).toMatchObject({
      value: { kind: 'NONE', codes: null },
    });
    for (const codes of [
      ['AUTUMN-1F3K', 'AUTUMN-9Q2M'],
      'AUTUMN-1F3K\nAUTUMN-9Q2M\n',
      new Blob(['AUTUMN-1F3K\r\nAUTUMN-9Q2M']),
    ])
      expect((await call((client) => client.codes.import(1, codes))).result).toMatchObject({
        value: { kind: 'IMPORTED', codes: 2 },
      });
    const { result: refused } = await call((client) => client.codes.import(1, 'AUTUMN-1F3K\nx\n'));
    expect(refused).toMatchObject({ kind: 'refused', problem: { faults: [{ line: 2 }] } });
    // It would be added twice.
    const { result: lost, requests } = await call((client) => client.codes.import(1, 'AUTUMN-1F3K'), ['lost reply']);
    expect([lost.kind, requests.length]).toEqual(['ambiguous', 1]);
  });
});

describe('issues', () => {
  test('the status is read, and waited for', async () => {
    const { result, requests } = await call((client) =>
      client.status({ couponId: 1, userId: 'issued' }, { waitMs: 500 }),
    );
    const unbounded = { usableFrom: null, usableUntil: null, dateUsed: null, reference: null, dateRevoked: null };
    const value = {
      couponId: 1,
      userId: 'issued',
      sequence: 37,
      code: 'SUMMER-K7WQ-3N9X',
      status: 'ISSUED',
      ...unbounded,
    } as const;
    expect(result).toEqual({ kind: 'done', value, isReplayed: false, serverMs });
    expect(requests).toEqual(['GET /v1/coupons/1/issues/issued?waitMs=500']);
  });

  test('a problem has the id of its request', async () => {
    const { result } = await call((client) => client.use({ couponId: 1, userId: 'none' }));
    expect(result).toMatchObject({
      kind: 'refused',
      problem: { code: 'ISSUE_NOT_EXIST', requestId: expect.stringMatching(/^[\da-f]{12}-/) as unknown },
    });
    // Of a proxy that says it in a header alone.
    const page = { status: 403, headers: { 'x-request-id': 'of-the-proxy' }, body: '<h1>Forbidden</h1>' };
    const { result: refused } = await call((client) => client.use({ couponId: 1, userId: 'u1' }), [page]);
    expect(refused).toMatchObject({ kind: 'refused', problem: { code: 'OTHER', requestId: 'of-the-proxy' } });
  });

  test('an issue is used', async () => {
    const { result } = await call((client) => client.use({ couponId: 1, userId: 42 }));
    const dateUsed = '2026-12-01T00:00:00.000Z';
    const value = {
      couponId: 1,
      userId: '42',
      sequence: 37,
      code: 'SUMMER-K7WQ-3N9X',
      status: 'USED',
      dateUsed,
      reference: null,
    } as const;
    expect(result).toEqual({ kind: 'done', value, isReplayed: false, serverMs });
  });

  test('a repeated use returns its time, and whether this call may have been the first', async () => {
    const used = { couponId: 1, userId: 'used' };
    const problem = { code: 'ISSUE_ALREADY_USED', sequence: 37, dateUsed: '2026-12-01T00:00:00.000Z' } as const;
    const { result: plain } = await call((client) => client.use(used));
    expect(plain).toMatchObject({ kind: 'refused', afterAmbiguous: false, problem });
    const { result: echo } = await call((client) => client.use(used), ['lost reply']);
    expect(echo).toMatchObject({ kind: 'refused', afterAmbiguous: true, problem });
  });

  test('a use with a reference is done again, also after a lost answer', async () => {
    const used = { couponId: 1, userId: 'used' };
    const { result, requests } = await call((client) => client.use(used, { reference: 'order-1' }), ['lost reply']);
    expect(result).toMatchObject({ kind: 'done', value: { status: 'USED', reference: 'order-1' } });
    expect(requests).toEqual(Array.from({ length: 2 }, () => 'POST /v1/coupons/1/issues/used/use'));
    const { result: other } = await call((client) => client.use(used, { reference: 'order-2' }));
    expect(other).toMatchObject({ kind: 'refused', problem: { code: 'ISSUE_ALREADY_USED' } });
  });

  test('a use is undone by its reference, whatever is in it', async () => {
    const used = { couponId: 1, userId: 'used' };
    const { result, requests } = await call((client) => client.undoUse(used, { reference: 'order-1' }));
    expect(result).toMatchObject({ kind: 'done', value: { status: 'ISSUED', reference: null } });
    expect(requests).toEqual(['DELETE /v1/coupons/1/issues/used/use?reference=order-1']);
    for (const reference of ['.', 'a&b=c#d', '주문 7', '+'])
      expect((await call((client) => client.undoUse(used, { reference }))).result).toMatchObject({
        kind: 'refused',
        problem: { code: 'ISSUE_ALREADY_USED' },
      });
    const { result: none } = await call((client) => client.undoUse({ couponId: 1, userId: 'issued' }));
    expect(none).toMatchObject({ kind: 'refused', problem: { code: 'ISSUE_NOT_USED', sequence: 37 } });
  });

  test('an issue is revoked, and its refusals bring their instants', async () => {
    const { result } = await call((client) => client.revoke({ couponId: 1, userId: 'issued' }, 'of a test'));
    const dateRevoked = '2026-12-01T00:00:00.000Z';
    expect(result).toMatchObject({ kind: 'done', value: { status: 'REVOKED', dateRevoked } });
    const { result: again } = await call((client) => client.revoke({ couponId: 1, userId: 'revoked' }, 'again'));
    expect(again).toMatchObject({ kind: 'refused', problem: { code: 'ISSUE_REVOKED', dateRevoked } });
    const { result: late } = await call((client) => client.use({ couponId: 1, userId: 'expired' }));
    const usableUntil = '2026-11-30T23:59:59.000Z';
    expect(late).toMatchObject({ kind: 'refused', problem: { code: 'ISSUE_NOT_USABLE', usableUntil } });
  });

  test('what a user has comes in pages', async () => {
    const { result, requests } = await call((client) => client.issuesOf('a', { after: 3, limit: 2 }));
    expect(result).toMatchObject({ kind: 'done', value: { issues: [{ couponId: 4, status: 'USED' }, {}], next: 5 } });
    expect(requests).toEqual(['GET /v1/users/a/issues?after=3&limit=2']);
  });

  test('many users are issued at once, each with an outcome', async () => {
    const { result, requests } = await call((client) => client.issueToMany(1, ['kim', 42, 'as-3']), ['lost reply']);
    expect(result).toMatchObject({
      kind: 'done',
      value: {
        outcomes: [
          { userId: 'kim', status: 'ACCEPTED', sequence: 37 },
          { userId: '42' },
          { userId: 'as-3', code: 'INVALID_COUPON_ISSUE_QUANTITY' },
        ],
      },
    });
    expect(requests).toEqual(['POST /v1/coupons/1/issues', 'POST /v1/coupons/1/issues']);
    const { result: keyed } = await call((client) => client.issueToMany(1, ['a'], { idempotencyKey: '"seen before"' }));
    expect(keyed).toMatchObject({ value: { outcomes: [{ replayed: true }] } });
  });

  test('the issues of a coupon come in order, and those of one user', async () => {
    const { result, requests } = await call((client) => client.coupons.issues(1, { after: 1, limit: 1 }));
    expect(result).toMatchObject({
      kind: 'done',
      value: { issues: [{ sequence: 2, userId: 'lee' }], next: 2, more: true },
    });
    expect(requests).toEqual(['GET /v1/coupons/1/issues?after=1&limit=1']);
    const { requests: found } = await call((client) => client.coupons.issues(1, { userId: 'auth0|park' }));
    expect(found).toEqual(['GET /v1/coupons/1/issues?userId=auth0%7Cpark']);
  });

  test('a user id is one segment of the path, whatever it holds', async () => {
    for (const userId of ['.', '..', '../1 ', 'a/b?c#d,', '\ud800', 'é ']) {
      const { result } = await call((client) => client.status({ couponId: 1, userId }));
      expect(result).toMatchObject({ kind: 'refused', problem: { code: 'INVALID_REQUEST' } });
    }
  });

  test('a token that HTTP cannot carry is a fault of the program, and is thrown', async () => {
    const client = createCouponClient({ url: 'http://localhost', token: 'two\nlines' });
    await expect(client.issue({ couponId: 1, userId: 1 })).rejects.toThrow(TypeError);
  });
});

describe('coupons', () => {
  test('one is created with the key of an operator', async () => {
    const { result, headers } = await call((client) => client.coupons.create(newCoupon));
    expect(result).toMatchObject({ kind: 'done', value: { id: 26, title: 'Winter sale', totalQuantity: null } });
    expect(headers[0]?.get('authorization')).toBe(`Bearer ${OPERATOR_KEY}`);
  });

  test('they are listed, read, opened and audited', async () => {
    const { result: page } = await call((client) => client.coupons.list({ limit: 2 }));
    expect(page).toMatchObject({ kind: 'done', value: { coupons: [{ id: 1 }, { id: 2 }], next: 2 } });
    const { result: read } = await call((client) => client.coupons.read(7));
    expect(read).toMatchObject({ kind: 'done', value: { id: 7, version: 1 } });
    const { result: open } = await call((client) => client.coupons.open(7));
    expect(open).toMatchObject({ kind: 'done', value: { id: 7 } });
    const { result: audit } = await call((client) => client.coupons.audit(1));
    expect(audit).toMatchObject({ kind: 'done', value: { rows: 36, owners: 37, missing: 0 } });
    const { result: checked, requests } = await call((client) => client.coupons.preflight(1));
    expect(checked).toEqual({ kind: 'done', value: preflight, isReplayed: false, serverMs } as never);
    expect(requests).toEqual(['GET /v1/coupons/1/preflight']);
  });

  test('an edit names the version that was seen, and is refused at another', async () => {
    const edit = (version: number) => call((client) => client.coupons.edit(1, { paused: true }, { version }));
    expect((await edit(1)).result).toMatchObject({ kind: 'done', value: { paused: true, version: 2 } });
    expect((await edit(5)).result).toMatchObject({ kind: 'refused', problem: { code: 'PRECONDITION_FAILED' } });
    const { result } = await call((client) => client.coupons.edit(1, { totalQuantity: 3 }));
    expect(result).toMatchObject({ problem: { code: 'COUPON_TOTAL_BELOW_ISSUED', issuedQuantity: 12 } });
  });

  test('one without issues is removed', async () => {
    const { result } = await call((client) => client.coupons.remove(2, { version: 1 }));
    expect(result).toEqual({ kind: 'done', value: 'removed', isReplayed: false, serverMs });
    const { result: refused } = await call((client) => client.coupons.remove(1));
    expect(refused).toMatchObject({ kind: 'refused', problem: { code: 'COUPON_HAS_ISSUES' } });
  });
});

describe('public facts', () => {
  test('needs no key, and comes with the clock of the server', async () => {
    await using server = await startFlakyServer(fakeApp().app, ['reset']);
    const client = createCouponClient({ url: server.url, pause: async () => {} });
    const drop = await client.drops.read(1);
    expect(drop).toMatchObject({ kind: 'done', value: { couponId: 1, title: 'Winter sale', totalQuantity: 1000 } });
    expect(drop.kind === 'done' && Date.parse(drop.value.now)).toBeGreaterThan(Date.UTC(2026, 0, 1));
    expect(await client.drops.read(26)).toMatchObject({ kind: 'refused', problem: { code: 'COUPON_NOT_EXIST' } });
  });
});

describe('the clock of the server', () => {
  test('comes with every result, and is null where no header has it', async () => {
    const { result } = await call((client) => client.coupons.read(7));
    const aheadMs = result.kind === 'done' && result.serverMs !== null ? result.serverMs - Date.now() : Number.NaN;
    expect(Math.abs(aheadMs)).toBeLessThan(5000);
    const withoutDate = async () => Response.json({ scopes: ['admin'] });
    const client = createCouponClient({ url: 'http://localhost', fetch: withoutDate });
    expect(await client.key()).toMatchObject({ kind: 'done', serverMs: null });
  });
});

describe('operations', () => {
  test('what is logged is read and changed', async () => {
    const { result, requests } = await call(async (client) => [
      await client.logging.read(),
      await client.logging.change({ requestLog: 'errors', minutes: 5 }),
    ]);
    const value = { logLevel: 'info', requestLog: 'off', until: null, shared: true };
    expect(result).toMatchObject([
      { kind: 'done', value },
      { kind: 'done', value },
    ]);
    expect(requests).toEqual(['GET /v1/logging', 'PATCH /v1/logging']);
  });

  test('webhooks are made, listed, paused, resumed, replayed, deleted, and their deliveries read', async () => {
    const { result, requests } = await call(async ({ webhooks }) => [
      await webhooks.create({ url: 'https://shop.example/', kinds: ['issue.created'] }),
      await webhooks.list(),
      await webhooks.pause(1),
      await webhooks.resume(1),
      await webhooks.replay(1, { couponId: 1, after: 36 }),
      await webhooks.deliveries(1, { after: 3, limit: 1 }),
      await webhooks.remove(1),
      await webhooks.remove(9),
    ]);
    expect(result).toMatchObject([
      { kind: 'done', value: { id: 4, secret: 'whsec_c2VjcmV0' } },
      { kind: 'done', value: { webhooks: [{ id: 1 }, { id: 2 }, { id: 3, state: 'failed' }] } },
      { kind: 'done', value: { state: 'paused' } },
      { kind: 'done', value: { state: 'active' } },
      { kind: 'done', value: 'replayed' },
      { kind: 'done', value: { deliveries: [{ id: 2 }], next: 2 } },
      { kind: 'done', value: 'removed' },
      { kind: 'refused', problem: { code: 'WEBHOOK_NOT_EXIST' } },
    ]);
    expect(requests.slice(-3)).toEqual([
      'GET /v1/webhooks/1/deliveries?after=3&limit=1',
      'DELETE /v1/webhooks/1',
      'DELETE /v1/webhooks/9',
    ]);
  });

  test('the load and the key are read', async () => {
    const { result } = await call((client) => Promise.all([client.load(), client.key()]), ['reset']);
    expect(result).toEqual([
      { kind: 'done', value: load, isReplayed: false, serverMs },
      { kind: 'done', value: { scopes: ['admin'] }, isReplayed: false, serverMs },
    ]);
  });

  test('what was issued and used is read by day', async () => {
    const { result } = await call((client) =>
      client.reports.issues({ couponId: 4, from: '2026-12-01', days: 2, timeZone: 'Asia/Seoul', limit: 7 }),
    );
    const days = [
      { date: '2026-12-01', couponId: 4, issued: 7, used: 1, revoked: 0, discount: 5000, currency: 'KRW' },
      { date: '2026-12-02', couponId: 4, issued: 0, used: 2, revoked: 3, discount: 10_000, currency: 'KRW' },
    ];
    const value = { timeZone: 'Asia/Seoul', days, archived: [], next: null };
    expect(result).toEqual({ kind: 'done', value, isReplayed: false, serverMs } as never);
  });

  test('who asks too often is read', async () => {
    const { result } = await call((client) => client.limitedCallers());
    expect(result).toEqual({ kind: 'done', value: { limitedCallers }, isReplayed: false, serverMs } as never);
  });

  test('the audit trail comes in pages, the newest first, of one coupon and one key', async () => {
    const asked = { couponId: 1, key: 'ADMIN_API_KEY', limit: 2 };
    const { result, requests } = await call((client) => client.auditTrail(asked));
    expect(result).toMatchObject({
      kind: 'done',
      value: { entries: [{ id: 3, to: { version: 4 } }, { id: 2 }], next: 2 },
    });
    expect(requests).toEqual(['GET /v1/audit-trail?limit=2&couponId=1&key=ADMIN_API_KEY']);
  });

  test('dead letters are listed, replayed and discarded', async () => {
    const { result: list } = await call((client) => client.deadLetters.list());
    const accepted = '1970-01-01T00:00:00.000Z';
    const letter = { id: '0-1-0', reason: 'no such coupon', couponId: 4, firstSequence: 12, users: 2, accepted };
    const other = { id: '0-2-0', couponId: 5, firstSequence: 7, users: 1, accepted: null };
    expect(list).toMatchObject({ kind: 'done', value: { more: true } });
    expect(list.kind === 'done' && list.value.deadLetters.slice(0, 2)).toMatchObject([letter, other]);
    const { result, requests } = await call(async (client) => [
      await client.deadLetters.replay('0-1-0'),
      await client.deadLetters.discard('0-1-0'),
      await client.deadLetters.replay('0-2-0'),
      await client.deadLetters.discard('9/../1'),
    ]);
    expect(result).toMatchObject([
      { kind: 'done', value: 'replayed' },
      { kind: 'done', value: 'discarded' },
      { kind: 'refused', problem: { code: 'DEAD_LETTER_UNREADABLE' } },
      { kind: 'refused', problem: { code: 'DEAD_LETTER_NOT_EXIST' } },
    ]);
    expect(requests).toEqual([
      'POST /v1/dead-letters/0-1-0/replay',
      'DELETE /v1/dead-letters/0-1-0',
      'POST /v1/dead-letters/0-2-0/replay',
      'DELETE /v1/dead-letters/9%2F..%2F1',
    ]);
  });

  test('a letter that is gone after a lost reply may be gone by that very call', async () => {
    const gone = { status: 404, body: '{"code":"DEAD_LETTER_NOT_EXIST","detail":"gone"}' };
    const { result } = await call((client) => client.deadLetters.replay('0-1-0'), ['lost reply', gone]);
    expect(result).toMatchObject({ kind: 'refused', afterAmbiguous: true, attempts: 2 });
  });

  test('what has another shape is no answer', async () => {
    const wrong = [
      '{"deadLetters":[{"id":1}],"more":false}',
      '{"deadLetters":{},"more":false}',
      '{"deadLetters":[]}',
    ].map((body) => ({ status: 200, body }));
    const { result, requests } = await call((client) => client.deadLetters.list(), wrong);
    expect([result.kind, requests.length]).toEqual(['done', 4]);
    const { requests: keyRequests } = await call(
      (client) => client.key(),
      [{ status: 200, body: '{"scopes":"admin"}' }],
    );
    expect(keyRequests).toHaveLength(2);
  });
});

describe('events', () => {
  /** Everything that comes, at most so many. */
  const first = async (events: AsyncGenerator<ProgressEvent, void>, countMax: number) => {
    const received: ProgressEvent[] = [];
    for await (const event of events) if (received.push(event) === countMax) break;
    return received;
  };
  const issued = (events: readonly ProgressEvent[]) =>
    events.map((event) => (event.kind === 'progress' ? event.progress.issued : event.kind));

  test('every event is delivered, and the stream connected again when it ends', async () => {
    const { result, requests } = await call((client) => first(client.events(1), 5));
    expect(issued(result)).toEqual([36, 37, 36, 37, 36]);
    expect(requests).toHaveLength(3);
  });

  test('a stream that the server renews is no retry, and the next one is asked for with its id', async () => {
    const body = (await (await fakeApp().app.fetch(new Request('http://localhost/v1/coupons/1/events'))).text()).split(
      '\n\n',
    );
    const renewed = {
      status: 200,
      body: [...body.slice(0, 2), 'retry: 100\nid: p1\nevent: renew\ndata: {}\n\n'].join('\n\n'),
    };
    let retries = 0;
    const { result, headers } = await call(
      (client) => first(client.events(1, { onRetry: () => (retries += 1) }), 4),
      [renewed, renewed],
    );
    expect(result.map(({ kind }) => kind)).toEqual(Array.from({ length: 4 }, () => 'progress'));
    expect([retries, ...headers.map((each) => each.get('last-event-id'))]).toEqual([0, null, 'p1', 'p1']);
  });

  test('a server that renews without progress is given up', async () => {
    const empty = { status: 200, body: 'id: p1\nevent: renew\ndata: {}\n\n' };
    const { result } = await call(
      (client) => first(client.events(1), 9),
      Array.from({ length: 20 }, () => empty),
    );
    expect(result).toMatchObject([{ kind: 'ambiguous', reason: 'bounds', attempts: 8 }]);
  });

  test('it goes on without a limit while connections bring progress', async () => {
    const { result } = await call((client) => first(client.events(1), 40));
    expect(result.map(({ kind }) => kind)).toEqual(Array.from({ length: 40 }, () => 'progress'));
  });

  test('it survives resets and 503, and ends with a refusal', async () => {
    const { result } = await call((client) => first(client.events(1), 2), ['reset', { status: 503 }, 'lost reply']);
    expect(issued(result)).toEqual([36, 37]);
    const { result: refused } = await call((client) => first(client.events(99), 9));
    expect(refused).toMatchObject([{ kind: 'refused', problem: { code: 'COUPON_NOT_EXIST' } }]);
  });

  test('after too many connections that brought nothing it says so', async () => {
    const { result, requests } = await call((client) => first(client.events(8), 9));
    expect(result).toMatchObject([{ kind: 'ambiguous', reason: 'bounds', attempts: 8 }]);
    expect(requests).toHaveLength(8);
  });

  test('a signal ends it', async () => {
    const abort = new AbortController();
    const { result } = await call(async (client) => {
      const received: ProgressEvent[] = [];
      for await (const event of client.events(1, { signal: abort.signal })) {
        received.push(event);
        abort.abort();
      }
      return received;
    });
    expect(issued(result).at(0)).toBe(36);
    expect(result.at(-1)).toMatchObject({ kind: 'ambiguous', reason: 'aborted' });
  });
});

test('the client knows every code of the server, and no other', () => {
  expect<string[]>(problemCodes.toSorted()).toEqual(Object.keys(problems).toSorted());
});

// Checked by the compiler: events are not in the document, so the type of the client is compared with that of the server.
type Same<A, B> = [A, B] extends [B, A] ? true : false;

test('the progress that the client reads is that which the server sends', () => {
  const same: Same<Progress, ServerProgress> = true;
  expect(same).toBe(true);
});
