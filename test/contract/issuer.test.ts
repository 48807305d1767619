// issuer.test.ts -- What holds for every issuer, whichever way it decides and wherever the stock has its home.

import { afterAll, describe, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { type Coupon, ID_MAX } from '../../src/coupon/coupon.ts';
import type { IssuerName } from '../../src/issuing/issuer.ts';
import type { Outcome } from '../../src/coupon/outcome.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { needsPlainMysql } from '../other-stores.ts';
import { brokenPromises } from '../promises.ts';
import { openStores } from '../stores.ts';

const stores = await openStores();
const api = await stores.createApi();
afterAll(() => stores.close());

/** An issuer, and whether the coupon is opened in Redis before it is asked. */
interface Way {
  readonly name: string;
  readonly issuer: IssuerName;
  readonly opened: boolean;
}

const ways: readonly Way[] = [
  { name: 'synchronous', issuer: 'synchronous', opened: false },
  { name: 'synchronous with the stock in Redis', issuer: 'synchronous', opened: true },
  { name: 'locked', issuer: 'locked', opened: false },
  { name: 'scripted', issuer: 'scripted', opened: false },
];

const MINUTE_MS = 60_000;
const issued = (sequence: number): Outcome => ({ kind: 'issued', sequence });
const already = (sequence: number): Outcome => ({ kind: 'already issued', sequence });
const refused = (kind: 'not exist' | 'paused' | 'not started' | 'ended' | 'sold out'): Outcome => ({ kind });
const people = (count: number, prefix = 'user') => Array.from({ length: count }, (_, i) => `${prefix}-${i}`);

for (const { name, issuer, opened } of ways) {
  const issue = (couponId: number, ...users: readonly string[]) => api.issuers[issuer].issue(couponId, users);
  const coupon = async (fields: Parameters<typeof stores.coupon>[0] = {}) => {
    const made = await stores.coupon(fields);
    if (opened) await api.stock.open(made.id);
    return made;
  };
  describe(name, () => {
    describeStock(issue, coupon);
    describeOrder(issue, coupon);
    // Under the lock one decides after another, however many requests come together.
    if (issuer !== 'synchronous') describePeriodInRedis(issue, coupon, issuer === 'locked' ? 1 : 60);
    // With the stock in Redis it is the script of `scripted` that decides.
    else if (!opened) describePeriodInMysql();
    describeLimits(issue, coupon);
    describeRows(issue, coupon);
  });
}

type Issue = (couponId: number, ...users: readonly string[]) => Promise<readonly Outcome[]>;
type MakeCoupon = (fields?: Parameters<typeof stores.coupon>[0]) => Promise<Coupon>;

function describeStock(issue: Issue, coupon: MakeCoupon): void {
  test('gives sequences from 1 without holes, in order of arrival, over batches', async () => {
    const { id } = await coupon();
    expect(await issue(id, 'a', 'b')).toEqual([issued(1), issued(2)]);
    expect(await issue(id, 'c')).toEqual([issued(3)]);
    expect(await issue(id, 'd', 'e', 'f')).toEqual([issued(4), issued(5), issued(6)]);
  });

  test('answers an owner with their sequence', async () => {
    const { id } = await coupon();
    await issue(id, 'a', 'b');
    expect(await issue(id, 'b')).toEqual([already(2)]);
    expect(await issue(id, 'b', 'c', 'a')).toEqual([already(2), issued(3), already(1)]);
  });

  test('gives a user who occurs twice in a batch one coupon', async () => {
    const { id } = await coupon();
    expect(await issue(id, 'a', 'a', 'b', 'a')).toEqual([issued(1), already(1), issued(2), already(1)]);
    expect((await issue(id, 'c'))[0]).toEqual(issued(3));
  });

  test('serves the first of a batch that is larger than what is left, and refuses the rest', async () => {
    const { id } = await coupon({ totalQuantity: 3 });
    expect(await issue(id, 'a', 'b', 'c', 'd', 'a', 'd')).toEqual([
      issued(1),
      issued(2),
      issued(3),
      refused('sold out'),
      already(1),
      refused('sold out'),
    ]);
    expect(await issue(id, 'd', 'c')).toEqual([refused('sold out'), already(3)]);
  });

  test('refuses every user when there is nothing to give from the beginning', async () => {
    const { id } = await coupon({ totalQuantity: 0 });
    expect(await issue(id, 'a', 'a')).toEqual([refused('sold out'), refused('sold out')]);
  });

  test('never runs out of a coupon without limit', async () => {
    const { id } = await coupon({ totalQuantity: null });
    for (const round of [0, 1, 2]) {
      const outcomes = await issue(id, ...people(400, `round-${round}`));
      expect(outcomes).toEqual(outcomes.map((_, i) => issued(round * 400 + i + 1)));
    }
  });

  test('answers a thousand users in one batch, each with one outcome in its place', async () => {
    const { id } = await coupon({ totalQuantity: 600 });
    const users = people(1000);
    expect(await issue(id, ...users)).toEqual(users.map((_, i) => (i < 600 ? issued(i + 1) : refused('sold out'))));
    expect(await issue(id, ...users.toReversed())).toEqual(
      users.map((_, i) => (i < 600 ? already(i + 1) : refused('sold out'))).toReversed(),
    );
  });
}

function describeOrder(issue: Issue, coupon: MakeCoupon): void {
  const past = { dateIssueStart: new Date(Date.now() - 9 * MINUTE_MS), dateIssueEnd: new Date(Date.now() - MINUTE_MS) };
  // Far enough for a machine on which the tests before take minutes.
  const future = {
    dateIssueStart: new Date(Date.now() + 60 * MINUTE_MS),
    dateIssueEnd: new Date(Date.now() + 69 * MINUTE_MS),
  };
  const present = { dateIssueStart: past.dateIssueStart, dateIssueEnd: future.dateIssueEnd };

  test('answers that a missing coupon does not exist, and creates nothing', async () => {
    const { id } = await coupon();
    for (const unknown of [1, id + 1, ID_MAX]) {
      expect(await issue(unknown, 'a', 'b')).toEqual([refused('not exist'), refused('not exist')]);
      const { state, owners, opening } = stores.keys(unknown);
      expect(await stores.redis.exists(state, owners, opening)).toBe(0);
    }
  });

  test('checks the pause before the period, before the owners, before the stock', async () => {
    const { id } = await coupon({ totalQuantity: 1 });
    expect(await issue(id, 'a')).toEqual([issued(1)]);
    for (const period of [past, present, future]) {
      await stores.edit(id, { ...period, paused: true });
      expect(await issue(id, 'a', 'b')).toEqual([refused('paused'), refused('paused')]);
    }
    await stores.edit(id, { ...past, paused: false });
    expect(await issue(id, 'a', 'b')).toEqual([refused('ended'), refused('ended')]);
    await stores.edit(id, future);
    expect(await issue(id, 'a', 'b')).toEqual([refused('not started'), refused('not started')]);
    await stores.edit(id, present);
    expect(await issue(id, 'a', 'b')).toEqual([already(1), refused('sold out')]);
  });

  test('continues with the next sequence after a pause', async () => {
    const { id } = await coupon();
    await issue(id, 'a', 'b');
    await stores.edit(id, { paused: true });
    expect(await issue(id, 'c')).toEqual([refused('paused')]);
    await stores.edit(id, { paused: false });
    expect(await issue(id, 'b', 'c')).toEqual([already(2), issued(3)]);
  });
}

function describePeriodInMysql(): void {
  /** An API whose one connection for decisions in MySQL has a clock that stands, in the middle of a millisecond. */
  const stopClock = async () => {
    const stopped = await stores.createApi({ MYSQL_CONNECTIONS_MAX: 1 });
    const issueAt = async (nowMs: number, couponId: number, user: string) => {
      await stopped.database.pools.issuing.query(`SET SESSION timestamp = ${(nowMs + 0.5) / 1000}`);
      return (await stopped.issuers.synchronous.issue(couponId, [user]))[0];
    };
    return { issueAt, [Symbol.asyncDispose]: stopped[Symbol.asyncDispose] };
  };

  const cannotStopClock = needsPlainMysql('stops the clock of a session by SET timestamp');
  test.skipIf(cannotStopClock)(
    'issues from the very millisecond of the start, and up to the last one before the end',
    async () => {
      await using clock = await stopClock();
      const startMs = Date.UTC(2031, 5, 7, 8, 9, 10, 123);
      const endMs = startMs + 60_001;
      const { id } = await stores.coupon({ startMs, endMs });
      expect(await clock.issueAt(startMs - 1, id, 'a')).toEqual(refused('not started'));
      expect(await clock.issueAt(startMs, id, 'a')).toEqual(issued(1));
      expect(await clock.issueAt(endMs - 1, id, 'b')).toEqual(issued(2));
      expect(await clock.issueAt(endMs, id, 'c')).toEqual(refused('ended'));
      expect(await stores.rows(id)).toEqual([
        { sequence: 1, userId: 'a', issuedMs: startMs },
        { sequence: 2, userId: 'b', issuedMs: endMs - 1 },
      ]);
    },
  );
}

/** How often an instant may be missed by a millisecond. Decisions take a fraction of that, so that most tries hit. */
const TRIES_MAX = 500;

/** The clock of Redis cannot be stopped, so the edges are moved to just ahead of it until decisions fall on them. */
function describePeriodInRedis(issue: Issue, coupon: MakeCoupon, volleySize: number): void {
  const redisNowMs = async (): Promise<number> => {
    const [seconds, microseconds] = await api.redis.time();
    return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
  };
  /** Moves an edge of the period to some milliseconds from now: in turn fewer and more, since on a busy machine few are over immediately. */
  const moveEdge = async (id: number, edge: 'start' | 'end', tries: number): Promise<number> => {
    // Every distance comes in turn: a busy machine gives us its time in slices, and some distances would always fall between two.
    const edgeMs = (await redisNowMs()) + 4 + ((7 * tries) % 23);
    await stores.redis.hset(stores.keys(id).state, edge, edgeMs);
    return edgeMs;
  };
  /**
   * Issues in volleys, so that a decision falls on every millisecond, until an answer is as wanted; returns a time after it. The
   * clock is read by the same connection, right behind each decision, so that a busy machine does not come between.
   */
  const issueUntil = async (id: number, isWanted: (kind: Outcome['kind']) => boolean): Promise<number> => {
    const before = (await stores.rows(id)).length;
    for (let volley = 0; ; volley++) {
      const users = people(volleySize, `${before}-${volley}`);
      const answers = await Promise.all(users.map(async (user) => Promise.all([issue(id, user), redisNowMs()])));
      const wanted = answers.find(([outcomes]) => outcomes.some(({ kind }) => isWanted(kind)));
      if (wanted) return wanted[1];
    }
  };
  const issuedMsSince = async (id: number, sequence: number) =>
    (await stores.rows(id)).filter((row) => row.sequence > sequence).map((row) => row.issuedMs);

  test('issues from the very millisecond of the start, and not before', async () => {
    const { id } = await coupon({ totalQuantity: null });
    await issue(id, 'first');
    await using worker = await stores.startWorker();
    let sequence = 1;
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const startMs = await moveEdge(id, 'start', tries);
      await issueUntil(id, (kind) => kind === 'issued');
      await worker.drained();
      const times = await issuedMsSince(id, sequence);
      sequence += times.length;
      expect(Math.min(...times)).toBeGreaterThanOrEqual(startMs);
      if (times[0] === startMs) return;
    }
    throw new Error('nothing was ever issued in the millisecond of the start');
  });

  test('issues up to the last millisecond before the end, and not from the end on', async () => {
    const { id } = await coupon({ totalQuantity: null });
    await issue(id, 'first');
    await using worker = await stores.startWorker();
    let sequence = 1;
    let issuedJustBefore = false;
    let refusedAtOnce = false;
    for (let tries = 0; tries < TRIES_MAX && !(issuedJustBefore && refusedAtOnce); tries++) {
      const endMs = await moveEdge(id, 'end', tries);
      // Refused, and the millisecond of the end not yet over.
      if ((await issueUntil(id, (kind) => kind === 'ended')) === endMs) refusedAtOnce = true;
      await worker.drained();
      const times = await issuedMsSince(id, sequence);
      sequence += times.length;
      expect(Math.max(0, ...times)).toBeLessThan(endMs);
      if (times.at(-1) === endMs - 1) issuedJustBefore = true;
    }
    expect({ issuedJustBefore, refusedAtOnce }).toEqual({ issuedJustBefore: true, refusedAtOnce: true });
  });
}

function describeLimits(issue: Issue, coupon: MakeCoupon): void {
  test('treats user ids that differ only in case as two users', async () => {
    const { id } = await coupon();
    expect(await issue(id, 'user', 'User', 'USER', 'user')).toEqual([issued(1), issued(2), issued(3), already(1)]);
    expect(await issue(id, 'USER', 'user', 'User')).toEqual([already(3), already(1), already(2)]);
  });

  test('accepts the longest and the oddest user ids', async () => {
    const { id } = await coupon();
    const users = ['x'.repeat(64), `${'x'.repeat(63)}y`, '-', '_', '0', '00', '__proto__'];
    expect(await issue(id, ...users)).toEqual(users.map((_, i) => issued(i + 1)));
    expect(await issue(id, ...users)).toEqual(users.map((_, i) => already(i + 1)));
  });

  test('counts exactly at the largest safe integers', async () => {
    // The last 57 before 2^53 are out of reach: the driver adds before it subtracts when it reads a number.
    const old = ID_MAX - 100;
    const { id } = await coupon({ totalQuantity: 3 });
    await withConnection(stores.database, async (session) => {
      await session.execute(sql`INSERT INTO coupon_issues (coupon_id, sequence, user_id, date_issued, date_created, date_updated)
        VALUES (${id}, ${old}, 'old', NOW(3), NOW(3), NOW(3))`);
      await session.execute(sql`UPDATE coupons SET issued_quantity = 1 WHERE id = ${id}`);
    });
    await stores.redis.del(stores.keys(id).state);
    expect(await issue(id, 'a', 'old', 'b', 'c')).toEqual([
      issued(old + 1),
      already(old),
      issued(old + 2),
      refused('sold out'),
    ]);
    expect(await issue(id, 'b')).toEqual([already(old + 2)]);
  });
}

function describeRows(issue: Issue, coupon: MakeCoupon): void {
  test('writes exactly the rows that it answered with', async () => {
    const { id } = await coupon({ totalQuantity: 50 });
    const users = people(40);
    const batches = [users.slice(0, 7), users.slice(3, 30), users, people(30, 'other'), users];
    const answers = await Promise.all(
      batches.map(async (batch) => {
        const outcomes = await issue(id, ...batch);
        return outcomes.map((outcome, i) => ({ userId: batch[i] ?? '', outcome }));
      }),
    );
    await using worker = await stores.startWorker();
    await worker.drained();
    expect((await stores.rows(id)).map((row) => row.sequence)).toEqual(people(50).map((_, i) => i + 1));
    expect(await brokenPromises(stores, id, answers.flat())).toEqual([]);
  });
}
