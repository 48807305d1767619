// limits.test.ts -- Shows what the limits count exactly in one process, what they learn from others, and how answers tell of them.

import { describe, expect, test } from 'bun:test';
import type { Counted } from '../../src/http/rate-limit/count-requests.ts';
import { Limiter, type LimiterOptions } from '../../src/http/rate-limit/limiter.ts';
import { fakeApp } from './fakes.ts';

/** A limiter of 3 requests in 10 seconds, alone in the world, at second 1,002 unless told otherwise. */
function limiterWith(change: Partial<LimiterOptions> = {}): Limiter {
  return new Limiter({
    kind: 'user',
    requestsMax: 3,
    windowS: 10,
    namesMax: 100,
    sync: async ({ counts }) => new Map(counts),
    onFault: (error) => {
      throw error;
    },
    now: () => 1_002_000,
    ...change,
  });
}

const refusals = (limiter: Limiter, names: string): boolean[] =>
  names.split('').map((name) => limiter.take(name).isRefused);

test('each name has its own allowance in a window, and a new one in the next', () => {
  let nowMs = 1_002_000;
  const limiter = limiterWith({ now: () => nowMs });
  expect(refusals(limiter, 'aabaaaba')).toEqual([false, false, false, false, true, true, false, true]);
  nowMs = 1_009_999;
  expect(limiter.take('a')).toEqual({ isRefused: true, requestsMax: 3, remaining: 0, resetS: 1 });
  nowMs = 1_010_000;
  expect(limiter.take('a')).toEqual({ isRefused: false, requestsMax: 3, remaining: 2, resetS: 10 });
});

test('some together are counted together, or refused together', async () => {
  const synced: Counted['counts'][] = [];
  const limiter = limiterWith({
    requestsMax: 5,
    sync: async ({ counts }) => {
      synced.push(counts);
      return counts;
    },
  });
  expect(limiter.take('a', 6)).toEqual({ isRefused: true, requestsMax: 5, remaining: 5, resetS: 8 });
  expect(limiter.take('a')).toMatchObject({ isRefused: false, remaining: 4 });
  expect(limiter.take('a', 3)).toMatchObject({ isRefused: false, remaining: 1 });
  expect(limiter.take('a', 2)).toMatchObject({ isRefused: true, remaining: 1 });
  expect(limiter.take('b', 2)).toMatchObject({ isRefused: false, remaining: 3 });
  await limiter.settled();
  expect(synced).toEqual([
    new Map([
      ['a', 4],
      ['b', 2],
    ]),
  ]);
});

test('a single request is not synced, and the second syncs both', async () => {
  const synced: Counted[] = [];
  const sync = async (counted: Counted) => {
    synced.push(counted);
    return counted.counts;
  };
  const limiter = limiterWith({ sync });
  refusals(limiter, 'abcabd');
  await limiter.settled();
  expect(synced).toEqual([
    {
      kind: 'user',
      window: 100,
      keepMs: 20_000,
      counts: new Map([
        ['a', 2],
        ['b', 2],
      ]),
    },
  ]);
  limiter.take('a');
  await limiter.settled();
  expect(synced.at(-1)?.counts).toEqual(new Map([['a', 1]]));
  expect(synced).toHaveLength(2);
});

test('counts of other processes apply to the next request', async () => {
  const limiter = limiterWith({ sync: async () => new Map([['a', 5]]) });
  expect(refusals(limiter, 'aa')).toEqual([false, false]);
  await limiter.settled();
  expect(refusals(limiter, 'a')).toEqual([true]);
});

test('a total that comes back late does not take away what was counted meanwhile', async () => {
  const replies = [
    Promise.withResolvers<ReadonlyMap<string, number>>(),
    Promise.withResolvers<ReadonlyMap<string, number>>(),
  ];
  const [first, second] = replies;
  let calls = 0;
  const sync = async () => {
    calls += 1;
    const reply = calls === 1 ? first : second;
    if (!reply) throw new Error('there are two replies');
    return reply.promise;
  };
  const limiter = limiterWith({ requestsMax: 5, sync, onFault: () => {} });
  refusals(limiter, 'aa');
  await Promise.resolve();
  refusals(limiter, 'aa');
  first?.resolve(new Map([['a', 2]]));
  // The second round is refused: it was only to show that the fifth request is counted as the fifth.
  second?.reject(new Error('no Redis'));
  await limiter.settled();
  expect(calls).toBe(2);
  expect(refusals(limiter, 'aa')).toEqual([false, true]);
});

test('an answer about a window that is over changes nothing', async () => {
  let nowMs = 1_002_000;
  const reply = Promise.withResolvers<ReadonlyMap<string, number>>();
  const limiter = limiterWith({ now: () => nowMs, sync: () => reply.promise });
  refusals(limiter, 'aa');
  nowMs = 1_010_000;
  expect(refusals(limiter, 'a')).toEqual([false]);
  reply.resolve(new Map([['a', 99]]));
  await limiter.settled();
  expect(refusals(limiter, 'a')).toEqual([false]);
});

test('while Redis is down each process limits alone, and the fault is reported', async () => {
  const faults: unknown[] = [];
  const sync = () => Promise.reject(new Error('no Redis'));
  const limiter = limiterWith({ sync, onFault: (error) => faults.push(error) });
  expect(refusals(limiter, 'aaaaa')).toEqual([false, false, false, true, true]);
  await limiter.settled();
  expect(faults).toEqual([new Error('no Redis')]);
});

test('names beyond the tracked ones are not limited, and tracked ones still are', () => {
  const limiter = limiterWith({ namesMax: 2 });
  expect(refusals(limiter, 'abccccc')).toEqual(Array.from({ length: 7 }, () => false));
  expect(refusals(limiter, 'aaa')).toEqual([false, false, true]);
});

test('no script call carries more than a thousand names', async () => {
  const sizes: number[] = [];
  const sync = async ({ counts }: Counted) => {
    sizes.push(counts.size);
    return counts;
  };
  const limiter = limiterWith({ sync, namesMax: 10_000 });
  for (let round = 0; round < 2; round += 1) for (let name = 0; name < 2500; name += 1) limiter.take(String(name));
  await limiter.settled();
  expect(sizes).toEqual([1000, 1000, 500]);
});

test('those refused most are remembered for this window and the next, and no longer', () => {
  let nowMs = 10_000;
  const limiter = limiterWith({ requestsMax: 1, windowS: 10, now: () => nowMs });
  const ask = (name: string, times: number) => {
    for (let i = 0; i < times; i += 1) limiter.take(name);
  };
  ask('eager', 4);
  ask('honest', 1);
  ask('hasty', 2);
  const both = [
    { name: 'eager', refused: 3 },
    { name: 'hasty', refused: 1 },
  ];
  expect(limiter.refusedMost(5)).toEqual(both);
  expect(limiter.refusedMost(1)).toEqual(both.slice(0, 1));
  nowMs = 20_000;
  expect(limiter.refusedMost(5)).toEqual(both);
  ask('hasty', 6);
  expect(limiter.refusedMost(5)).toEqual([
    { name: 'hasty', refused: 6 },
    { name: 'eager', refused: 3 },
  ]);
  nowMs = 40_000;
  expect(limiter.refusedMost(5)).toEqual([]);
});

describe('answers', () => {
  const body = (userId: string) => JSON.stringify({ couponId: 3, userId });
  const headers = { 'content-type': 'application/json' };
  const limitsOf = (answer: Response) =>
    ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset', 'retry-after'].map((name) =>
      answer.headers.get(name),
    );

  test('have the remaining allowance, and beyond it Retry-After', async () => {
    const { app, calls } = fakeApp({ limiters: { user: limiterWith({ requestsMax: 2 }), address: null } });
    const issue = (userId: string) =>
      app.fetch(new Request('http://localhost/v2/issue-async', { method: 'POST', headers, body: body(userId) }));
    expect(limitsOf(await issue('u1'))).toEqual(['2', '1', '8', null]);
    expect(limitsOf(await issue('u1'))).toEqual(['2', '0', '8', null]);
    const refused = await issue('u1');
    expect(limitsOf(refused)).toEqual(['2', '0', '8', expect.stringMatching(/^(8|9|10)$/) as string]);
    expect(refused.status).toBe(429);
    expect(await refused.json()).toMatchObject({ code: 'TOO_MANY_REQUESTS', status: 429 });
    expect((await issue('u2')).status).toBe(409);
    expect(calls.issued).toHaveLength(3);
    expect(calls.observed.at(-2)).toMatchObject({ result: 'limited' });
  });

  test('have no rate limit headers when limits are off', async () => {
    const { app } = fakeApp();
    const request = new Request('http://localhost/v2/issue-async', { method: 'POST', headers, body: body('u1') });
    expect(limitsOf(await app.fetch(request))).toEqual([null, null, null, null]);
  });
});

test('what is given back is not counted, here and in Redis, however often', async () => {
  const totals = new Map<string, number>();
  const sync: LimiterOptions['sync'] = async ({ counts }) => {
    for (const [name, count] of counts) totals.set(name, (totals.get(name) ?? 0) + count);
    return new Map([...counts.keys()].map((name) => [name, totals.get(name) ?? 0]));
  };
  const limiter = limiterWith({ sync });
  for (let i = 0; i < 10; i += 1) {
    // Each alone, two at the same time, and beside one that stays counted.
    expect(refusals(limiter, 'aaabbc')).toEqual([false, false, false, false, false, false]);
    for (const name of 'aaabbc') limiter.giveBack(name);
    if (i % 2) await limiter.settled();
  }
  await limiter.settled();
  expect([...totals.values()].filter((count) => count > 0)).toEqual([]);
  expect(refusals(limiter, 'aaaa')).toEqual([false, false, false, true]);
  limiter.giveBack('a');
  expect(refusals(limiter, 'aa')).toEqual([false, true]);
  await limiter.settled();
  expect(totals.get('a')).toBe(3);
  limiter.giveBack('nobody');
  expect(refusals(limiter, 'dddd')).toEqual([false, false, false, true]);
});
