// limits.test.ts -- Shows that processes limit together through a real Redis, and each alone when it is away.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { randomInt } from 'node:crypto';
import type { Redis } from 'ioredis';
import { type Counted, countRequests } from '../../src/http/rate-limit/count-requests.ts';
import { Limiter } from '../../src/http/rate-limit/limiter.ts';
import { claimRedisDatabase } from '../redis-database.ts';

let redis: Redis;
let release: () => Promise<void>;

beforeAll(async () => {
  const claimed = await claimRedisDatabase(process.env.TEST_REDIS_URL ?? '');
  ({ redis, release } = claimed);
});
afterAll(() => release());

const REQUESTS_MAX = 100;

/** The limiters of several processes, in a window of their own. */
function processes(count: number, connection: Redis = redis) {
  const window = randomInt(1e6, 1e8);
  const faults: unknown[] = [];
  const limiters = Array.from(
    { length: count },
    () =>
      new Limiter({
        kind: 'user',
        requestsMax: REQUESTS_MAX,
        windowS: 10,
        namesMax: 1000,
        sync: (counted) => countRequests(connection, counted),
        onFault: (error) => faults.push(error),
        now: () => window * 10_000,
      }),
  );
  return { limiters, faults, key: `limits:user:${window}` };
}

/** On a cluster a window has several hashes. */
async function totalsOf(key: string): Promise<object> {
  const keys = await redis.keys(`${key}*`);
  expect(keys.length).toBeGreaterThan(0);
  const found = await Promise.all(keys.map((each) => redis.hgetall(each)));
  return Object.fromEntries(found.flatMap((totals) => Object.entries(totals)));
}

test('totals come back in the order of the names, whatever the names are, and the window ends by itself', async () => {
  const window = randomInt(1e6, 1e8);
  const counted = (counts: readonly (readonly [string, number])[]): Counted => ({
    kind: 'address',
    window,
    keepMs: 20_000,
    counts: new Map(counts),
  });
  await countRequests(redis, counted([['b', 2]]));
  expect(
    await countRequests(
      redis,
      counted([
        ['a', 1],
        ['b', 3],
        ['2001:db8:0:0::/64', 7],
        ['__proto__', 1],
      ]),
    ),
  ).toEqual(
    new Map([
      ['a', 1],
      ['b', 5],
      ['2001:db8:0:0::/64', 7],
      ['__proto__', 1],
    ]),
  );
  for (const key of await redis.keys(`limits:address:${window}*`)) {
    const leftMs = await redis.pttl(key);
    expect(leftMs).toBeGreaterThan(10_000);
    expect(leftMs).toBeLessThanOrEqual(20_000);
  }
});

test('processes that share a Redis let a user through about as often as one process would', async () => {
  const { limiters, faults, key } = processes(4);
  let passed = 0;
  for (let round = 0; round < 200; round += 1) {
    for (const limiter of limiters) if (!limiter.take('eager').isRefused) passed += 1;
    // As between the requests of a network: the totals are back before the next.
    await Promise.all(limiters.map((limiter) => limiter.settled()));
  }
  expect(faults).toEqual([]);
  expect(passed).toBeGreaterThanOrEqual(REQUESTS_MAX);
  // At most one pending request and one within the round trip, of each further process.
  expect(passed).toBeLessThanOrEqual(REQUESTS_MAX + 6);
  expect(await totalsOf(key)).toEqual({ eager: String(passed) });
});

test('in one moment each process is exact by itself, and afterwards all know the total', async () => {
  const { limiters, key } = processes(3);
  const passed = limiters.map(
    (limiter) => Array.from({ length: 150 }, () => limiter.take('eager')).filter(({ isRefused }) => !isRefused).length,
  );
  expect(passed).toEqual([REQUESTS_MAX, REQUESTS_MAX, REQUESTS_MAX]);
  await Promise.all(limiters.map((limiter) => limiter.settled()));
  expect(await totalsOf(key)).toEqual({ eager: '300' });
});

test('without Redis every process limits alone, immediately, and reports it', async () => {
  const away = redis.duplicate({ lazyConnect: true, enableOfflineQueue: false });
  const { limiters, faults } = processes(2, away);
  for (const limiter of limiters) {
    const passed = Array.from({ length: 150 }, () => limiter.take('eager')).filter(({ isRefused }) => !isRefused);
    expect(passed).toHaveLength(REQUESTS_MAX);
    await limiter.settled();
  }
  expect(faults.length).toBeGreaterThan(0);
  away.disconnect();
});
