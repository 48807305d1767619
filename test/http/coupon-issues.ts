// coupon-issues.ts -- What every way of serving the app answers about the issues of a coupon: many at once, and the list of them.

import { expect, test } from 'bun:test';
import { SentUserId } from '../../src/coupon/ids.ts';
import { type Ask, expectProblem } from './conformance.ts';
import { GUARDED, OPERATOR_KEY } from './fakes.ts';
import { sign } from './tokens.ts';

const operator = { authorization: `Bearer ${OPERATOR_KEY}` };
const json = { 'content-type': 'application/json' };

function issueMany(ask: Ask, users: unknown, headers: Record<string, string> = operator, couponId = 1) {
  return ask(`/v1/coupons/${couponId}/issues`, {
    method: 'POST',
    headers: { ...json, ...headers },
    body: JSON.stringify({ users }),
  });
}

export function describeMany(ask: Ask): void {
  test('each user has an outcome, in their order', async () => {
    const users = [42, 'kim', 'as-2', 'as-3', 'as-4', 'as-5', 'as-6', 'as-7', 'as-8', 'as-9', 'as-10', 'kim'];
    const answer = await issueMany(ask, users);
    expect(answer.status).toBe(200);
    const fail = { code: 'FAIL_COUPON_ISSUE_REQUEST' };
    const date = { code: 'INVALID_COUPON_ISSUE_DATE' };
    expect(await answer.json()).toEqual({
      couponId: 1,
      outcomes: [
        { userId: '42', status: 'ACCEPTED', sequence: 37 },
        { userId: 'kim', status: 'ACCEPTED', sequence: 37 },
        { userId: 'as-2', code: 'DUPLICATED_COUPON_ISSUE', sequence: 12 },
        { userId: 'as-3', code: 'INVALID_COUPON_ISSUE_QUANTITY' },
        { userId: 'as-4', ...date, detail: 'Issuing of this coupon has not started.' },
        { userId: 'as-5', ...date, detail: 'Issuing of this coupon has ended.' },
        { userId: 'as-6', ...date, detail: 'Issuing of this coupon is paused.' },
        { userId: 'as-7', ...fail, detail: expect.stringContaining('Nothing was decided') as unknown },
        { userId: 'as-8', ...fail, detail: expect.stringContaining('Nothing was decided') as unknown },
        { userId: 'as-9', ...fail, detail: expect.stringContaining('result is ambiguous') as unknown },
        { userId: 'as-10', code: 'INTERNAL', detail: expect.any(String) as unknown },
        { userId: 'kim', status: 'ACCEPTED', sequence: 37 },
      ],
    });
  });

  test('a coupon that is not there, and one of which nothing is known of any user, are problems', async () => {
    await expectProblem(await issueMany(ask, ['a', 'b'], operator, 26), 'COUPON_NOT_EXIST');
    const answer = await issueMany(ask, ['a', 'b'], operator, 9);
    expect((await expectProblem(answer, 'FAIL_COUPON_ISSUE_REQUEST')).detail).toContain('result is ambiguous');
    expect(answer.headers.get('retry-after')).toMatch(/^[234]$/);
    await expectProblem(await issueMany(ask, ['a'], operator, 0), 'INVALID_REQUEST');
  });

  test('under an idempotency key each user is answered as under the key alone', async () => {
    const seen = { ...operator, 'idempotency-key': '"seen before"' };
    const { outcomes } = (await (await issueMany(ask, ['a', 'as-2', 'of-many-keys'], seen)).json()) as Outcomes;
    expect(outcomes).toEqual([
      { userId: 'a', status: 'ACCEPTED', sequence: 37, replayed: true },
      { userId: 'as-2', code: 'DUPLICATED_COUPON_ISSUE', sequence: 12 },
      { userId: 'of-many-keys', code: 'TOO_MANY_REQUESTS', detail: expect.stringContaining('keys') as unknown },
    ]);
    const other = { ...operator, 'idempotency-key': '"of another request"' };
    const { outcomes: reused } = (await (await issueMany(ask, ['a'], other)).json()) as Outcomes;
    expect(reused).toEqual([{ userId: 'a', code: 'IDEMPOTENCY_KEY_REUSED' }]);
    const wrong = await issueMany(ask, ['a'], { ...operator, 'idempotency-key': '' });
    await expectProblem(wrong, 'INVALID_REQUEST');
  });

  test('from 1 to 1,000 users are taken, also with the longest ids', async () => {
    const users = Array.from({ length: 1000 }, (_, i) => `${String(i).padStart(4, '0')}${'x'.repeat(251)}`);
    const { outcomes } = (await (await issueMany(ask, users)).json()) as Outcomes;
    expect(outcomes.map(({ userId }) => userId)).toEqual(users);
    const description = expect.stringContaining('1 to 1000 ids of users') as unknown;
    const list = [{ in: 'body', pointer: '/users', expected: description }];
    for (const wrong of [[], [...users, 'one more'], 'kim', null, { 0: 'kim' }]) {
      expect((await expectProblem(await issueMany(ask, wrong), 'INVALID_REQUEST'))['faults']).toEqual(list);
    }
    await expectProblem(await issueMany(ask, ['y'.repeat(330_000)]), 'PAYLOAD_TOO_LARGE');
  });

  test('users who are none are named by their place, and nobody is issued', async () => {
    const expected = SentUserId.description;
    const document = await expectProblem(
      await issueMany(ask, ['a', 'b c', 'd', null, -1, 1.5, {}, '']),
      'INVALID_REQUEST',
    );
    expect(document['faults']).toEqual(
      [1, 3, 4, 5, 6, 7].map((i) => ({ in: 'body', pointer: `/users/${i}`, expected })),
    );
    const many = await expectProblem(await issueMany(ask, Array(1000).fill('')), 'INVALID_REQUEST');
    expect(many['faults']).toHaveLength(10);
  });

  test('only keys that may issue do so, also where users need not say who they are', async () => {
    await expectProblem(await issueMany(ask, ['a'], {}), 'UNAUTHENTICATED');
    await expectProblem(await issueMany(ask, ['a'], { authorization: 'Bearer no-key' }), 'UNAUTHENTICATED');
    const user = { ...GUARDED, authorization: `Bearer ${await sign({ claims: { sub: 'a' } })}` };
    await expectProblem(await issueMany(ask, ['a'], user), 'UNAUTHENTICATED');
  });
}

interface Outcomes {
  readonly outcomes: readonly (Readonly<Record<string, unknown>> & { readonly userId: string })[];
}

const listOf = (ask: Ask, query = '', headers: Record<string, string> = {}, couponId = 1) =>
  ask(`/v1/coupons/${couponId}/issues${query}`, { headers: { ...operator, ...headers } });

const csv = { accept: 'text/csv' };

export function describeFeed(ask: Ask): void {
  const kim = {
    couponId: 1,
    sequence: 1,
    userId: 'kim',
    code: 'SUMMER-K7WQ-3N9X',
    status: 'ISSUED',
    dateIssued: '2026-12-01T00:00:00.000Z',
    dateWritten: '2026-12-01T00:00:00.064Z',
    usableFrom: null,
    usableUntil: null,
    dateUsed: null,
    reference: null,
    dateRevoked: null,
    endpoint: 'POST /v2/issue-async',
  };
  const head =
    'sequence,userId,code,status,dateIssued,dateWritten,usableFrom,usableUntil,dateUsed,reference,dateRevoked,endpoint';
  const lines = [
    '1,kim,SUMMER-K7WQ-3N9X,ISSUED,2026-12-01T00:00:00.000Z,2026-12-01T00:00:00.064Z,,,,,,POST /v2/issue-async',
    '2,lee,SUMMER-K7WQ-3N9X,USED,2026-12-01T00:00:00.001Z,2026-12-01T00:00:00.064Z,,,2026-12-01T00:00:00.100Z,"order 1, ""gift""",,POST /v2/issue-async',
    '3,auth0|park,SUMMER-K7WQ-3N9X,ISSUED,2026-12-01T00:00:00.002Z,2026-12-01T00:00:00.064Z,,,,,,',
  ];

  test('the issues of a coupon come in pages, and a reader goes on after the last', async () => {
    const first = await (await listOf(ask, '?limit=1')).json();
    expect(first).toEqual({ issues: [kim], next: 1, more: true });
    const rest = await (await listOf(ask, '?after=1')).json();
    expect(rest).toMatchObject({
      issues: [{ sequence: 2, status: 'USED' }, { userId: 'auth0|park' }],
      next: 3,
      more: false,
    });
    expect(await (await listOf(ask, '?after=3')).json()).toEqual({ issues: [], next: 3, more: false });
  });

  test('one user is found, or nobody', async () => {
    expect(await (await listOf(ask, '?userId=kim')).json()).toEqual({ issues: [kim], next: 0, more: false });
    expect(await (await listOf(ask, '?userId=auth0%7Cpark')).json()).toMatchObject({ issues: [{ sequence: 3 }] });
    expect(await (await listOf(ask, '?userId=nobody')).json()).toEqual({ issues: [], next: 0, more: false });
    expect(await (await listOf(ask, '?userId=lee', csv)).text()).toBe(`${head}\n${lines[1]}\n`);
  });

  test('all of them are one file of CSV', async () => {
    const answer = await listOf(ask, '', csv);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'text/csv; charset=utf-8; header=present',
      'content-disposition': 'attachment; filename="coupon-1-issues.csv"',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    expect(await answer.text()).toBe([head, ...lines, ''].join('\n'));
    expect(await (await listOf(ask, '?after=2', csv)).text()).toBe(`${head}\n${lines[2]}\n`);
    expect(await (await listOf(ask, '?after=1&limit=1', csv)).text()).toBe(`${head}\n${lines[1]}\n`);
    expect(await (await listOf(ask, '?after=3', csv)).text()).toBe(`${head}\n`);
  });

  test('a file that cannot be read to its end breaks, and does not look whole', async () => {
    const whole = listOf(ask, '', csv, 7).then((answer) => answer.text());
    expect(await whole.catch(() => 'broken')).toBe('broken');
  });

  test.each([
    ['application/json', 'application/json'],
    ['*/*', 'application/json'],
    ['text/csv;q=0', 'application/json'],
    ['text/csvx', 'application/json'],
    ['TEXT/CSV ; header=present', 'text/csv'],
    ['text/html, text/csv;q=0.5', 'text/csv'],
  ])('who accepts %s gets %s', async (accept, type) => {
    expect((await listOf(ask, '', { accept })).headers.get('content-type')).toStartWith(type);
  });

  test('what there is nothing to read of is a problem, also of a file', async () => {
    for (const headers of [{}, csv]) {
      await expectProblem(await listOf(ask, '', headers, 8), 'COUPON_ARCHIVED');
      await expectProblem(await listOf(ask, '?userId=kim', headers, 8), 'COUPON_ARCHIVED');
      await expectProblem(await listOf(ask, '', headers, 9), 'FAIL_COUPON_ISSUE_REQUEST');
      await expectProblem(await listOf(ask, '', headers, 26), 'COUPON_NOT_EXIST');
      await expectProblem(await listOf(ask, '?userId=kim', headers, 26), 'COUPON_NOT_EXIST');
    }
  });

  test.each([
    'after=-1',
    'after=01',
    'after=1.5',
    'after=9007199254740992',
    'after=x',
    'limit=0',
    'limit=1001',
    'limit=',
    'userId=',
    'userId=b%20c',
  ])('%s is no list', async (query) => {
    await expectProblem(await listOf(ask, `?${query}`), 'INVALID_REQUEST');
  });

  test('only keys that may read do so', async () => {
    await expectProblem(await ask('/v1/coupons/1/issues'), 'UNAUTHENTICATED');
    const user = { ...GUARDED, authorization: `Bearer ${await sign({ claims: { sub: 'kim' } })}` };
    await expectProblem(await ask('/v1/coupons/1/issues?userId=kim', { headers: user }), 'UNAUTHENTICATED');
  });
}
