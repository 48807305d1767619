// feed.test.ts -- The issues of a coupon in order, on real stores: each exactly once, whatever happens to workers, Redis and openings meanwhile.

import { afterAll, expect, test } from 'bun:test';
import { setTimeout as pause } from 'node:timers/promises';
import { createFeed, type Feed, type FeedIssue } from '../../src/issues/feed.ts';
import { createDeadLetters } from '../../src/operations/dead-letters.ts';
import { restoreLost } from '../../src/stock/restoring.ts';
import { gapsKey, GROUP } from '../../src/stream/keys.ts';
import { settle } from '../../src/stream/scripts/settle.ts';
import { drain } from '../../workers/drain.ts';
import { eventually } from '../eventually.ts';
import { openStores } from '../stores.ts';

const stores = await openStores();
const api = await stores.createApi();
const { database, redis } = stores;
afterAll(() => stores.close());

const feedWith = (gapHoldMs?: number) =>
  createFeed({ redisStock: api.redisStock, database, stock: api.stock, ...(gapHoldMs !== undefined && { gapHoldMs }) });
const feed = feedWith();

type Message = Parameters<typeof drain>[1][number];

/** What waits in the stream of a coupon, as a worker has it in hand. */
async function inHand(couponId: number): Promise<readonly Message[]> {
  const entries = await redis.xrange(stores.keys(couponId).stream, '-', '+');
  return entries.map(([id, fields]) => ({ id, fields }));
}

/** Writes and settles messages as a worker does. */
function write(couponId: number, messages: readonly Message[]): Promise<void> {
  const ignore = () => {};
  const observer = { written: ignore, retrying: ignore, deadLetter: ignore };
  const stop = new AbortController().signal;
  const keys = stores.keys(couponId);
  return drain({ redisStock: api.redisStock, database, keys, settings: stores.config, observer, stop }, messages);
}

/** A coupon whose stream holds an entry for each list of users, and nothing else. */
async function accepted(...batches: readonly (readonly string[])[]) {
  const { id } = await stores.coupon({ totalQuantity: null });
  const keys = stores.keys(id);
  await redis.del(keys.stream, keys.dead, keys.unpersisted);
  for (const users of batches) await api.issuers.scripted.issue(id, users);
  return { id, keys, entries: await inHand(id) };
}

/** What a reader gets from a place on, and whether it may ask for more immediately. */
async function read(couponId: number, after = 0, of: Feed = feed, limit = 100) {
  const page = await of.read(couponId, { after, limit });
  if (typeof page === 'string') return page;
  return { users: page.issues.map(({ sequence, userId }) => `${sequence} ${userId}`), more: page.more };
}

const nothing = { users: [], more: false };

test('issues come in pages, and a reader that goes on after the last gets each once', async () => {
  const { id } = await stores.coupon({ totalQuantity: null });
  for (const user of ['a', 'b', 'c']) await api.issuance.issue('synchronous', id, user);
  expect(await read(id, 0, feed, 2)).toEqual({ users: ['1 a', '2 b'], more: true });
  expect(await read(id, 2, feed, 2)).toEqual({ users: ['3 c'], more: false });
  expect(await read(id, 3)).toEqual(nothing);
  await api.issues.change(id, 'b', { kind: 'use', reference: null });
  expect(await feed.find(id, 'b')).toMatchObject({ sequence: 2, userId: 'b', usedMs: expect.any(Number) as unknown });
  expect(await feed.find(id, 'nobody')).toBe(null);
});

test('a coupon that is not there or archived has no issues to read', async () => {
  const { id } = await stores.coupon();
  await stores.edit(id, { dateArchived: new Date() });
  expect([await read(id), await feed.find(id, 'a')]).toEqual(['archived', 'archived']);
  expect([await read(id + 1_000_000), await feed.find(id + 1_000_000, 'a')]).toEqual(['not exist', 'not exist']);
});

test('a page ends before an issue that is accepted and not yet a row', async () => {
  const { id, entries } = await accepted(['a', 'b'], ['c'], ['d']);
  await write(id, entries.slice(1, 2));
  expect(await read(id)).toEqual(nothing);
  await write(id, entries.slice(0, 1));
  expect(await read(id)).toEqual({ users: ['1 a', '2 b', '3 c'], more: false });
  await write(id, entries.slice(2));
  expect(await read(id, 3)).toEqual({ users: ['4 d'], more: false });
});

test('what follows without a gap is read before anything is asked of Redis, and a gap is asked about next', async () => {
  const { id, entries } = await accepted(['a'], ['b'], ['c']);
  await write(id, [...entries.slice(0, 1), ...entries.slice(2)]);
  const away = () => Promise.reject(new Error('Redis is away'));
  const redisStock = { ...api.redisStock, partitions: api.redisStock.partitions, look: away };
  const blind = createFeed({ redisStock, database, stock: api.stock });
  expect(await read(id, 0, blind)).toEqual({ users: ['1 a'], more: true });
  await expect(read(id, 1, blind)).rejects.toThrow('Redis is away');
  expect(await read(id, 1)).toEqual(nothing);
  await write(id, entries);
  expect(await read(id, 1, blind)).toEqual({ users: ['2 b', '3 c'], more: false });
});

test('what becomes a row while the end is looked for is on the page', async () => {
  const { id, entries } = await accepted(['a', 'b'], ['c']);
  await write(id, entries.slice(1));
  const look: typeof api.redisStock.look = async (...asked) => {
    await write(id, entries.slice(0, 1));
    return api.redisStock.look(...asked);
  };
  const redisStock = { ...api.redisStock, partitions: api.redisStock.partitions, look };
  const meanwhile = createFeed({ redisStock, database, stock: api.stock });
  expect(await read(id, 0, meanwhile)).toEqual({ users: ['1 a', '2 b', '3 c'], more: false });
});

test('a dead letter is waited for: it appears when it is replayed, and is passed once it is discarded', async () => {
  const { id, keys, entries } = await accepted(['a', 'b'], ['c'], ['d'], ['e']);
  for (const [i, users] of [
    [0, 2],
    [2, 1],
  ] as const) {
    const { id: entryId = '', fields } = entries[i] ?? {};
    const deadLetters = [{ entryId, reason: 'MySQL error 1366', fields: fields ?? [] }];
    await settle(redis, { keys, entries: [{ id: entryId, users }], deadLetters });
  }
  await write(id, await inHand(id));
  expect(await read(id)).toEqual(nothing);
  const letters = createDeadLetters(api.redisStock);
  const [first, second] = await Array.fromAsync(letters.list());
  await letters.replay(first?.id ?? '');
  expect(await read(id)).toEqual(nothing);
  await write(id, await inHand(id));
  expect(await read(id)).toEqual({ users: ['1 a', '2 b', '3 c'], more: true });
  expect(await read(id, 3)).toEqual(nothing);
  await letters.discard(second?.id ?? '');
  // Held back, as it could be in the hand of a worker; after that nothing can take its place.
  expect(await read(id, 3)).toEqual(nothing);
  expect(await read(id, 3, feedWith(0))).toEqual({ users: ['5 e'], more: false });
});

test('an entry that a worker has in hand while Redis loses everything is not passed before it is written', async () => {
  const { id, keys, entries } = await accepted(['a', 'b'], ['c']);
  await write(id, entries.slice(1));
  await redis.del(keys.state, keys.owners, keys.stream, keys.unpersisted, gapsKey(keys));
  expect(await api.issuance.issue('scripted', id, 'd')).toEqual({ kind: 'issued', sequence: 4 });
  await write(id, await inHand(id));
  expect(await read(id)).toEqual(nothing);
  // It comes under its own sequences, below rows that are there.
  await write(id, entries.slice(0, 1));
  expect(await read(id)).toEqual({ users: ['1 a', '2 b', '3 c', '4 d'], more: false });
});

test('what nobody has in hand any more is passed after a while, which begins again when Redis loses something again', async () => {
  const { id, keys, entries } = await accepted(['a', 'b'], ['c']);
  await write(id, entries.slice(1));
  await redis.del(keys.state, keys.owners, keys.stream, keys.unpersisted, gapsKey(keys));
  const patient = feedWith(2000);
  const holdMs = async () => {
    const page = await patient.read(id, { after: 0, limit: 10 });
    return typeof page === 'string' ? -1 : page.holdMs;
  };
  expect(await holdMs()).toBeWithin(1, 2001);
  await pause(1000);
  await redis.del(keys.state);
  expect(await holdMs()).toBeWithin(1200, 2001);
  await eventually('the gap to be passed', async () => (await holdMs()) === 0);
  expect(await read(id, 0, patient)).toEqual({ users: ['3 c'], more: false });
});

test('since when a coupon has gaps is noted as it is opened, so that a later reader need not wait', async () => {
  const { id, keys, entries } = await accepted(['a'], ['b']);
  await write(id, entries.slice(1));
  await redis.del(keys.state, keys.owners, keys.stream);
  expect(await api.stock.open(id)).toBe('open');
  await eventually('the note', async () => (await redis.exists(gapsKey(keys))) === 1);
  await pause(50);
  expect(await read(id, 0, feedWith(40))).toEqual({ users: ['2 b'], more: false });
});

test('what only the owners in Redis know is waited for until it is put back', async () => {
  const { id, keys, entries } = await accepted(['a'], ['b']);
  await redis.xdel(keys.stream, entries[0]?.id ?? '');
  await write(id, entries.slice(1));
  const now = feedWith(0);
  expect(await read(id, 0, now)).toEqual(nothing);
  // The same where the coupon is not open: its state is proven first.
  const run = await redis.hget(keys.state, 'run');
  await redis.hset(keys.state, 'run', 'of-a-server-before');
  expect(await read(id, 0, now)).toEqual(nothing);
  expect(await redis.hget(keys.state, 'run')).toBe(run);
  const settings = stores.config;
  expect(await restoreLost({ redisStock: api.redisStock, database, settings }, id)).toBe(1);
  expect(await read(id, 0, now)).toEqual(nothing);
  await write(id, await inHand(id));
  expect(await read(id, 0, now)).toEqual({ users: ['1 a', '2 b'], more: false });
});

test('while a coupon is being opened a gap is not passed, since the opener may give its sequence', async () => {
  const { id, keys, entries } = await accepted(['a'], ['b']);
  await write(id, entries.slice(1));
  // An opener has read the rows, before that of b, and not yet swapped in what it read.
  await redis.del(keys.state, keys.owners, keys.stream);
  await redis.set(keys.opening, 'an opener', 'PX', 60_000);
  const now = feedWith(0);
  expect(await read(id, 0, now)).toEqual(nothing);
  await redis.hset(keys.state, 'form', 1, 'run', api.redisStock.serverOfCoupon(id), 'next', 1, 'until', -1, 'gap', 0);
  await redis.hset(
    keys.state,
    'start',
    0,
    'end',
    Date.now() + 60_000,
    'paused',
    0,
    'epoch',
    2,
    'version',
    1,
    'ahead',
    0,
  );
  await redis.del(keys.opening);
  expect(await read(id, 0, now)).toEqual(nothing);
  expect(await api.issuers.scripted.issue(id, ['c'])).toEqual([{ kind: 'issued', sequence: 1 }]);
  expect(await read(id, 0, now)).toEqual(nothing);
  await write(id, await inHand(id));
  expect(await read(id, 0, now)).toEqual({ users: ['1 c', '2 b'], more: false });
});

test('a coupon that is over and whose state is lost is read to its end', async () => {
  const { id, keys, entries } = await accepted(['a'], ['b'], ['c']);
  await write(id, [...entries.slice(0, 1), ...entries.slice(2)]);
  await stores.edit(id, { dateIssueEnd: new Date(Date.now() - 1000) });
  const now = feedWith(0);
  expect(await read(id, 1, now)).toEqual(nothing);
  await redis.del(keys.stream);
  expect(await read(id, 1)).toEqual(nothing);
  expect(await read(id, 1, now)).toEqual({ users: ['3 c'], more: false });
});

test('a reader gets each issue exactly once, in order, while workers die, Redis is flushed and coupons are opened again', async () => {
  const { id } = await stores.coupon({ totalQuantity: null });
  const keys = stores.keys(id);
  const stop = new AbortController();
  const { signal } = stop;
  const reader = feedWith(6000);
  const got: FeedIssue[] = [];
  const readOn = async () => {
    const after = got.at(-1)?.sequence ?? 0;
    const page = await reader.read(id, { after, limit: 1 + Math.floor(Math.random() * 40) }).catch(() => null);
    if (page !== null && typeof page !== 'string') got.push(...page.issues);
  };
  const untilStopped = async (work: () => Promise<unknown>, pauseMs: number) => {
    while (!signal.aborted) {
      await work().catch(() => undefined);
      await pause(pauseMs * Math.random());
    }
  };
  let users = 0;
  const issue = () => {
    const issuer = Math.random() < 0.5 ? 'scripted' : 'synchronous';
    const names = Array.from({ length: 1 + Math.floor(Math.random() * 8) }, () => `user-${(users += 1)}`);
    return Promise.allSettled(names.map((name) => api.issuance.issue(issuer, id, name)));
  };
  // Has entries in hand for up to a second, does harm meanwhile, and then writes them, or dies with them.
  let harms = 0;
  const beSlow = async (name: string) => {
    await redis.xgroup('CREATE', keys.stream, GROUP, '0', 'MKSTREAM').catch(() => undefined);
    const found = (await redis.xreadgroup('GROUP', GROUP, name, 'COUNT', 2, 'STREAMS', keys.stream, '>')) as
      | [string, [string, string[]][]][]
      | null;
    const messages = (found?.[0]?.[1] ?? []).map(([entryId, fields]) => ({ id: entryId, fields }));
    if (messages.length === 0) return;
    await pause(400 * Math.random());
    const dice = Math.random();
    if (dice < 0.35) await redis.flushdb();
    else if (dice < 0.55) await redis.del(keys.state);
    else if (dice < 0.65) await redis.del(keys.owners);
    if (dice < 0.65) harms += 1;
    await pause(600 * Math.random());
    if (Math.random() < 0.7) await write(id, messages);
  };
  const work = async () => {
    await using worker = await stores.startWorker({ CLAIM_IDLE_MS: 1200 });
    await pause(600 + 600 * Math.random());
    await worker.stop();
  };
  const all = Promise.all([
    untilStopped(issue, 20),
    untilStopped(issue, 20),
    untilStopped(() => beSlow('slow-1'), 10),
    untilStopped(() => beSlow('slow-2'), 10),
    untilStopped(work, 300),
    untilStopped(readOn, 20),
  ]);
  const endMs = performance.now() + 40_000;
  while (harms < 25 && performance.now() < endMs) await pause(50);
  stop.abort();
  await all;
  await using worker = await stores.startWorker({ CLAIM_IDLE_MS: 100 });
  await worker.drained();
  const rows = await stores.rows(id);
  await eventually('the reader to have the last issue', async () => {
    await readOn();
    return got.at(-1)?.sequence === rows.at(-1)?.sequence;
  });
  const shown = (issues: readonly Pick<FeedIssue, 'sequence' | 'userId'>[]) =>
    issues.map(({ sequence, userId }) => `${sequence} ${userId}`);
  expect(shown(got)).toEqual(shown(rows));
  const gaps = (rows.at(-1)?.sequence ?? 0) - rows.length;
  expect({ isLong: rows.length > 100, hasGaps: gaps > 0 }).toEqual({ isLong: true, hasGaps: true });
}, 120_000);
