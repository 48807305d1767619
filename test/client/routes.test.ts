// routes.test.ts -- Every call of the client before the app itself: the right route, the right credentials, the answer as the schemas have it.

import type { Static } from '@sinclair/typebox';
import { describe, expect, test } from 'bun:test';
import { problemCodes } from '../../client/answers.ts';
import {
  type Audit,
  type Coupon,
  type CouponChanges,
  type CouponClient,
  createCouponClient,
  type DeadLetterList,
  type Drop,
  type Issue,
  type Key,
  type Load,
  type NewCoupon,
  type Problem,
  type ProgressEvent,
} from '../../client/coupon-client.ts';
import type { CouponAnswer, CouponChangesRequest, NewCouponRequest } from '../../src/coupon/json.ts';
import { type ProblemMembers, problems } from '../../src/http/problem.ts';
import type { dropSchemas } from '../../src/issues/drop-routes.ts';
import type { KeyAnswer } from '../../src/auth/routes.ts';
import type { loadSchemas } from '../../src/operations/load-routes.ts';
import type { AuditAnswer, DeadLetterList as DeadLetterListAnswer } from '../../src/operations/routes.ts';
import type { Issue as IssueAnswer } from '../../src/issuing/routes.ts';
import { fakeApp, load, OPERATOR_KEY } from '../http/fakes.ts';
import { type Mishap, startFlakyServer } from './flaky-server.ts';

/** Calls a client before the app; gives the requests beside the ending. */
async function call<RequestResult>(
  ask: (client: CouponClient) => Promise<RequestResult>,
  mishaps: readonly Mishap[] = [],
) {
  await using server = await startFlakyServer(fakeApp().app, mishaps);
  const client = createCouponClient({ url: `${server.url}/`, token: OPERATOR_KEY, pause: async () => {} });
  return { ending: await ask(client), asked: server.asked, headers: server.headers };
}

const newCoupon: NewCoupon = {
  title: 'Winter sale',
  totalQuantity: null,
  discountAmount: 5000,
  minAvailableAmount: 20_000,
  dateIssueStart: '2026-12-01T10:00:00+09:00',
  dateIssueEnd: '2027-01-01T00:00:00+09:00',
};

describe('issues', () => {
  test('the status is read, and waited for', async () => {
    const { ending, asked } = await call((client) => client.status({ couponId: 1, userId: 'issued' }, { waitMs: 500 }));
    const value = { couponId: 1, userId: 'issued', sequence: 37, status: 'ISSUED' } as const;
    expect(ending).toEqual({ kind: 'done', value, isReplayed: false });
    expect(asked).toEqual(['GET /v1/coupons/1/issues/issued?waitMs=500']);
  });

  test('an issue is used', async () => {
    const { ending } = await call((client) => client.use({ couponId: 1, userId: 42 }));
    const dateUsed = '2026-12-01T00:00:00.000Z';
    const value = { couponId: 1, userId: '42', sequence: 37, status: 'USED', dateUsed } as const;
    expect(ending).toEqual({ kind: 'done', value, isReplayed: false });
  });

  test('one that was used before tells when, and whether this call may have been the one', async () => {
    const used = { couponId: 1, userId: 'used' };
    const problem = { code: 'ISSUE_ALREADY_USED', sequence: 37, dateUsed: '2026-12-01T00:00:00.000Z' } as const;
    const { ending: plain } = await call((client) => client.use(used));
    expect(plain).toMatchObject({ kind: 'refused', afterAmbiguous: false, problem });
    const { ending: echo } = await call((client) => client.use(used), ['lost reply']);
    expect(echo).toMatchObject({ kind: 'refused', afterAmbiguous: true, problem });
  });

  test('what a user has comes in pages', async () => {
    const { ending, asked } = await call((client) => client.issuesOf('a', { after: 3, limit: 2 }));
    expect(ending).toMatchObject({ kind: 'done', value: { issues: [{ couponId: 4, status: 'USED' }, {}], next: 5 } });
    expect(asked).toEqual(['GET /v1/users/a/issues?after=3&limit=2']);
  });

  test('a user id is one segment of the path, whatever it holds', async () => {
    for (const userId of ['.', '..', '../1', 'a/b?c#d', '\ud800', 'é ']) {
      const { ending } = await call((client) => client.status({ couponId: 1, userId }));
      expect(ending).toMatchObject({ kind: 'refused', problem: { code: 'INVALID_REQUEST' } });
    }
  });

  test('a token that HTTP cannot carry is a fault of the program, and is thrown', async () => {
    const client = createCouponClient({ url: 'http://localhost', token: 'two\nlines' });
    await expect(client.issue({ couponId: 1, userId: 1 })).rejects.toThrow(TypeError);
  });
});

describe('coupons', () => {
  test('one is created by whoever shows the key', async () => {
    const { ending, headers } = await call((client) => client.coupons.create(newCoupon));
    expect(ending).toMatchObject({ kind: 'done', value: { id: 26, title: 'Winter sale', totalQuantity: null } });
    expect(headers[0]?.get('authorization')).toBe(`Bearer ${OPERATOR_KEY}`);
  });

  test('they are listed, read, opened and audited', async () => {
    const { ending: page } = await call((client) => client.coupons.list({ limit: 2 }));
    expect(page).toMatchObject({ kind: 'done', value: { coupons: [{ id: 1 }, { id: 2 }], next: 2 } });
    const { ending: read } = await call((client) => client.coupons.read(7));
    expect(read).toMatchObject({ kind: 'done', value: { id: 7, version: 1 } });
    const { ending: open } = await call((client) => client.coupons.open(7));
    expect(open).toMatchObject({ kind: 'done', value: { id: 7 } });
    const { ending: audit } = await call((client) => client.coupons.audit(1));
    expect(audit).toMatchObject({ kind: 'done', value: { rows: 36, owners: 37, missing: 0 } });
  });

  test('an edit names the version that was seen, and is refused at another', async () => {
    const edit = (version: number) => call((client) => client.coupons.edit(1, { paused: true }, { version }));
    expect((await edit(1)).ending).toMatchObject({ kind: 'done', value: { paused: true, version: 2 } });
    expect((await edit(5)).ending).toMatchObject({ kind: 'refused', problem: { code: 'PRECONDITION_FAILED' } });
    const { ending } = await call((client) => client.coupons.edit(1, { totalQuantity: 3 }));
    expect(ending).toMatchObject({ problem: { code: 'COUPON_TOTAL_BELOW_ISSUED', issuedQuantity: 12 } });
  });

  test('one that nobody has is removed', async () => {
    const { ending } = await call((client) => client.coupons.remove(2, { version: 1 }));
    expect(ending).toEqual({ kind: 'done', value: 'removed', isReplayed: false });
    const { ending: refused } = await call((client) => client.coupons.remove(1));
    expect(refused).toMatchObject({ kind: 'refused', problem: { code: 'COUPON_HAS_ISSUES' } });
  });
});

describe('what people may know', () => {
  test('needs no key, and comes with the clock of the server', async () => {
    await using server = await startFlakyServer(fakeApp().app, ['reset']);
    const client = createCouponClient({ url: server.url, pause: async () => {} });
    const drop = await client.drops.read(1);
    expect(drop).toMatchObject({ kind: 'done', value: { couponId: 1, title: 'Winter sale', totalQuantity: 1000 } });
    expect(drop.kind === 'done' && Date.parse(drop.value.now)).toBeGreaterThan(Date.UTC(2026, 0, 1));
    expect(await client.drops.read(26)).toMatchObject({ kind: 'refused', problem: { code: 'COUPON_NOT_EXIST' } });
  });
});

describe('operations', () => {
  test('the load and the key are read', async () => {
    const { ending } = await call((client) => Promise.all([client.load(), client.key()]), ['reset']);
    expect(ending).toEqual([
      { kind: 'done', value: load, isReplayed: false },
      { kind: 'done', value: { scopes: ['admin'] }, isReplayed: false },
    ]);
  });

  test('dead letters are listed, replayed and discarded', async () => {
    const { ending: list } = await call((client) => client.deadLetters.list());
    const accepted = '1970-01-01T00:00:00.000Z';
    const letter = { id: '0-1-0', reason: 'no such coupon', couponId: 4, firstSequence: 12, users: 2, accepted };
    const other = { id: '0-2-0', couponId: null, firstSequence: null, users: 0, accepted: null };
    expect(list).toMatchObject({ kind: 'done', value: { more: true } });
    expect(list.kind === 'done' && list.value.deadLetters.slice(0, 2)).toMatchObject([letter, other]);
    const { ending, asked } = await call(async (client) => [
      await client.deadLetters.replay('0-1-0'),
      await client.deadLetters.discard('0-1-0'),
      await client.deadLetters.replay('0-2-0'),
      await client.deadLetters.discard('9/../1'),
    ]);
    expect(ending).toMatchObject([
      { kind: 'done', value: 'replayed' },
      { kind: 'done', value: 'discarded' },
      { kind: 'refused', problem: { code: 'DEAD_LETTER_UNREADABLE' } },
      { kind: 'refused', problem: { code: 'DEAD_LETTER_NOT_EXIST' } },
    ]);
    expect(asked).toEqual([
      'POST /v1/dead-letters/0-1-0/replay',
      'DELETE /v1/dead-letters/0-1-0',
      'POST /v1/dead-letters/0-2-0/replay',
      'DELETE /v1/dead-letters/9%2F..%2F1',
    ]);
  });

  test('a letter that is gone after a lost reply may be gone by that very call', async () => {
    const gone = { status: 404, body: '{"code":"DEAD_LETTER_NOT_EXIST","detail":"gone"}' };
    const { ending } = await call((client) => client.deadLetters.replay('0-1-0'), ['lost reply', gone]);
    expect(ending).toMatchObject({ kind: 'refused', afterAmbiguous: true, tries: 2 });
  });

  test('what has another shape is no answer', async () => {
    const wrong = [
      '{"deadLetters":[{"id":1}],"more":false}',
      '{"deadLetters":{},"more":false}',
      '{"deadLetters":[]}',
    ].map((body) => ({ status: 200, body }));
    const { ending, asked } = await call((client) => client.deadLetters.list(), wrong);
    expect([ending.kind, asked.length]).toEqual(['done', 4]);
    const { asked: askedKey } = await call((client) => client.key(), [{ status: 200, body: '{"scopes":"admin"}' }]);
    expect(askedKey).toHaveLength(2);
  });
});

describe('events', () => {
  /** Everything that comes, at most so many. */
  const first = async (events: AsyncGenerator<ProgressEvent, void>, countMax: number) => {
    const heard: ProgressEvent[] = [];
    for await (const event of events) if (heard.push(event) === countMax) break;
    return heard;
  };
  const issued = (events: readonly ProgressEvent[]) =>
    events.map((event) => (event.kind === 'progress' ? event.progress.issued : event.kind));

  test('every picture is told, and the stream connected again when it ends', async () => {
    const { ending, asked } = await call((client) => first(client.events(1), 5));
    expect(issued(ending)).toEqual([36, 37, 36, 37, 36]);
    expect(asked).toHaveLength(3);
  });

  test('it goes on for ever while connections bring something', async () => {
    const { ending } = await call((client) => first(client.events(1), 40));
    expect(ending.map(({ kind }) => kind)).toEqual(Array.from({ length: 40 }, () => 'progress'));
  });

  test('it survives resets and 503, and ends with a refusal', async () => {
    const { ending } = await call((client) => first(client.events(1), 2), ['reset', { status: 503 }, 'lost reply']);
    expect(issued(ending)).toEqual([36, 37]);
    const { ending: refused } = await call((client) => first(client.events(99), 9));
    expect(refused).toMatchObject([{ kind: 'refused', problem: { code: 'COUPON_NOT_EXIST' } }]);
  });

  test('after too many connections that brought nothing it says so', async () => {
    const { ending, asked } = await call((client) => first(client.events(8), 9));
    expect(ending).toMatchObject([{ kind: 'unknown', because: 'bounds', tries: 8 }]);
    expect(asked).toHaveLength(8);
  });

  test('a signal ends it', async () => {
    const abort = new AbortController();
    const { ending } = await call(async (client) => {
      const heard: ProgressEvent[] = [];
      for await (const event of client.events(1, { signal: abort.signal })) {
        heard.push(event);
        abort.abort();
      }
      return heard;
    });
    expect(issued(ending).at(0)).toBe(36);
    expect(ending.at(-1)).toMatchObject({ kind: 'unknown', because: 'aborted' });
  });
});

test('the client knows every code of the server, and no other', () => {
  expect<string[]>(problemCodes.toSorted()).toEqual(Object.keys(problems).toSorted());
});

// Checked by the compiler: what the client believes is what the server's schemas say, in both directions.
type Same<A, B> = [A, B] extends [B, A] ? true : false;
/** With lists that cannot be written to: the schemas' types leave that open. */
type Unwritable<A> = {
  readonly [Name in keyof A]: A[Name] extends readonly (infer Item)[] ? readonly Item[] : A[Name];
};
const same: [
  Same<Issue, Static<typeof IssueAnswer>>,
  Same<Coupon, Static<typeof CouponAnswer>>,
  Same<NewCoupon, Static<typeof NewCouponRequest>>,
  Same<CouponChanges, Static<typeof CouponChangesRequest>>,
  Same<Audit, Static<typeof AuditAnswer>>,
  Same<Drop, Static<typeof dropSchemas.Drop>>,
  Same<Load, Static<typeof loadSchemas.Load>>,
  Same<Unwritable<DeadLetterList>, Unwritable<Static<typeof DeadLetterListAnswer>>>,
  Same<Unwritable<Key>, Unwritable<Static<typeof KeyAnswer>>>,
  Same<Pick<Problem, keyof ProblemMembers>, ProblemMembers>,
] = [true, true, true, true, true, true, true, true, true, true];

test('the types of the client are those of the server', () => {
  expect(same).not.toContain(false);
});
