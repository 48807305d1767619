// worker.test.ts -- From the stream to MySQL: at least once, written once, and nothing is ever thrown away.

import { afterAll, beforeEach, describe, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { type Entry, readEntry, writeEntry } from '../../src/stream/entry.ts';
import { issuerNames } from '../../src/issuing/issuer.ts';
import { GROUP } from '../../src/stream/keys.ts';
import { writeEntries } from '../../src/ledger/ledger.ts';
import type { Outcome } from '../../src/coupon/outcome.ts';
import { finishOpening } from '../../src/stock/opening-scripts.ts';
import { settle } from '../../src/stream/scripts/settle.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { eventually } from '../eventually.ts';
import { drain as drainMessages } from '../../workers/drain.ts';
import { needsOneRedis } from '../other-stores.ts';
import { openStores, type Settings } from '../stores.ts';
import { openTcpProxy } from '../tcp-proxy.ts';
import type { TestWorker } from '../test-worker.ts';

const stores = await openStores();
const api = await stores.createApi();
afterAll(() => stores.close());
beforeEach(() => stores.redis.flushdb());

const people = (count: number, prefix = 'user') => Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
const accept = (couponId: number, ...users: readonly string[]) => api.issuers.scripted.issue(couponId, users);
const run = (statement: string) => withConnection(stores.database, (session) => session.execute(sql.raw(statement)));

/** Works until the streams are empty, and returns what it did. */
async function drain(settings: Settings = {}): Promise<TestWorker> {
  const worker = await stores.startWorker(settings);
  try {
    await worker.drained();
  } finally {
    await worker.stop();
  }
  return worker;
}

/** The rows as `1 a`, by sequence. */
async function rowsOf(couponId: number): Promise<string[]> {
  return (await stores.rows(couponId)).map(({ sequence, userId }) => `${sequence} ${userId}`);
}

/** Appends an entry that none of our scripts would have written. */
async function plant(couponId: number, fields: readonly string[]): Promise<string> {
  const id = await stores.redis.xadd(stores.keys(couponId).stream, '*', ...fields);
  if (id === null) throw new Error('Redis gives every entry an id');
  return id;
}

const entryOf = (couponId: number, firstSequence: number, ...users: readonly string[]): Entry => {
  return { couponId, epoch: 1, firstSequence, acceptedMs: Date.now(), users };
};

/** Takes every entry out of a stream as a worker does, and leaves it at that: the worker died. */
async function takeAndDie(couponId: number, name: string): Promise<Entry[]> {
  const { stream } = stores.keys(couponId);
  await stores.redis.xgroup('CREATE', stream, GROUP, '0');
  await stores.redis.xreadgroup('GROUP', GROUP, name, 'COUNT', 1000, 'STREAMS', stream, '>');
  return entriesIn(stream);
}

async function entriesIn(stream: string): Promise<Entry[]> {
  const found = await stores.redis.xrange(stream, '-', '+');
  return found.flatMap(([, fields]) => {
    const entry = readEntry(fields);
    return 'reason' in entry ? [] : [entry];
  });
}

/** The dead letters of a coupon's partition, each as an object of its fields. */
async function deadOf(couponId: number): Promise<Record<string, string>[]> {
  const letters = await stores.redis.xrange(stores.keys(couponId).dead, '-', '+');
  return letters.map(([, fields]) => {
    const letter: Record<string, string> = {};
    for (let i = 0; i + 1 < fields.length; i += 2) letter[fields[i] ?? ''] = fields[i + 1] ?? '';
    return letter;
  });
}

describe('delivery', () => {
  test('entries that were accepted before the first worker came become rows', async () => {
    const { id } = await stores.coupon();
    await accept(id, 'a', 'b');
    await accept(id, 'c');
    const worker = await drain();
    expect(await rowsOf(id)).toEqual(['1 a', '2 b', '3 c']);
    expect(worker.deadLetters).toEqual([]);
    expect((await stores.couponNow(id)).issuedQuantity).toBe(3);
  });

  test('the row has the instant at which it was accepted', async () => {
    const { id } = await stores.coupon();
    await accept(id, 'a');
    const [entry] = await entriesIn(stores.keys(id).stream);
    await drain();
    expect(await stores.rows(id)).toEqual([{ sequence: 1, userId: 'a', issuedMs: entry?.acceptedMs ?? 0 }]);
  });

  test('a worker that died before it wrote finds its entries when it comes back', async () => {
    const { id } = await stores.coupon();
    await accept(id, 'a', 'b');
    await takeAndDie(id, 'phoenix');
    await accept(id, 'c');
    // Claims nothing for an hour: what it writes is its own.
    await drain({ WORKER_NAME: 'phoenix', CLAIM_IDLE_MS: 3_600_000 });
    expect(await rowsOf(id)).toEqual(['1 a', '2 b', '3 c']);
  });

  test('a worker that died between the commit and the settling writes nothing twice when it comes back', async () => {
    const { id } = await stores.coupon({ totalQuantity: 3 });
    await accept(id, 'a', 'b');
    await accept(id, 'c');
    await writeEntries(stores.database, await takeAndDie(id, 'phoenix'));
    const worker = await drain({ WORKER_NAME: 'phoenix' });
    expect(worker.written).toEqual([
      { inserted: 0, unchanged: 3, superseded: [], renumbered: [], dead: [], older: [], withdrawn: [] },
    ]);
    expect(await rowsOf(id)).toEqual(['1 a', '2 b', '3 c']);
    expect((await stores.couponNow(id)).issuedQuantity).toBe(3);
    expect(await deadOf(id)).toEqual([]);
  });

  test('entries of a worker that never comes back are taken over by another', async () => {
    const { id } = await stores.coupon();
    await accept(id, 'a', 'b');
    await takeAndDie(id, 'gone');
    await drain({ CLAIM_IDLE_MS: 100 });
    expect(await rowsOf(id)).toEqual(['1 a', '2 b']);
  });

  test('more entries than one claim takes are all taken over', async () => {
    const { id } = await stores.coupon({ totalQuantity: null });
    for (const user of people(25)) await accept(id, user);
    await takeAndDie(id, 'gone');
    await drain({ CLAIM_IDLE_MS: 100, ENTRIES_PER_READ_MAX: 4 });
    expect(await rowsOf(id)).toEqual(people(25).map((user, i) => `${i + 1} ${user}`));
  });

  test('entries of a dead worker are found behind many of one that lives', async () => {
    const { id } = await stores.coupon({ totalQuantity: null });
    for (const user of people(30)) await accept(id, user);
    await takeAndDie(id, 'alive');
    const { stream } = stores.keys(id);
    const last = (await stores.redis.xrange(stream, '-', '+')).at(-1)?.[0] ?? '';
    await stores.redis.xclaim(stream, GROUP, 'gone', 0, last, 'IDLE', 7_200_000);
    // One look goes through ten entries for each that it may take.
    await using _worker = await stores.startWorker({ CLAIM_IDLE_MS: 3_600_000, ENTRIES_PER_READ_MAX: 1 });
    await eventually('the last one to be a row', async () => (await stores.rows(id)).length > 0);
    expect(await rowsOf(id)).toEqual(['30 user-29']);
  });

  test('an entry that was deleted while it was assigned does not block the others', async () => {
    const { id } = await stores.coupon();
    await accept(id, 'a');
    await accept(id, 'b');
    await takeAndDie(id, 'phoenix');
    const [first] = await stores.redis.xrange(stores.keys(id).stream, '-', '+', 'COUNT', 1);
    await stores.redis.xdel(stores.keys(id).stream, first?.[0] ?? '');
    await drain({ WORKER_NAME: 'phoenix' });
    expect(await rowsOf(id)).toEqual(['2 b']);
    expect(await stores.redis.xpending(stores.keys(id).stream, GROUP)).toEqual([0, null, null, null]);
  });

  for (const loss of ['flushdb', 'stream'] as const) {
    test(`a running worker recreates its group after Redis lost it (${loss})`, async () => {
      const { id } = await stores.coupon();
      await using worker = await stores.startWorker();
      await accept(id, 'a');
      await worker.drained();
      if (loss === 'flushdb') await stores.redis.flushdb();
      else await stores.redis.del(stores.keys(id).stream);
      await accept(id, 'b');
      await worker.drained();
      expect(await rowsOf(id)).toEqual(['1 a', '2 b']);
    });
  }

  test('several workers share a stream, and no row is missing or duplicated', async () => {
    const { id } = await stores.coupon({ totalQuantity: null });
    await using first = await stores.startWorker({ ENTRIES_PER_READ_MAX: 3 });
    await using second = await stores.startWorker({ ENTRIES_PER_READ_MAX: 2 });
    for (let i = 0; i < 60; i++) await accept(id, ...people(3, `batch-${i}`));
    await Promise.all([first.drained(), second.drained()]);
    expect((await stores.rows(id)).map(({ sequence }) => sequence)).toEqual(people(180).map((_, i) => i + 1));
    expect((await stores.couponNow(id)).issuedQuantity).toBe(180);
  });
});

test('three workers of one name share a stream, also while one of them is replaced; no row is missing or duplicated', async () => {
  const { id } = await stores.coupon({ totalQuantity: null });
  const settings = { WORKER_NAME: 'same', ENTRIES_PER_READ_MAX: 2 };
  const startOne = () => stores.startWorker(settings);
  const [first, second, third] = [await startOne(), await startOne(), await startOne()];
  for (let i = 0; i < 30; i++) await accept(id, ...people(3, `batch-${i}`));
  await first.stop();
  // It begins with what is assigned to its name, which is what the others have in hand.
  const fourth = await startOne();
  for (let i = 30; i < 60; i++) await accept(id, ...people(3, `batch-${i}`));
  await fourth.drained();
  for (const worker of [second, third, fourth]) await worker.stop();
  const rows = await stores.rows(id);
  expect(rows.map(({ sequence }) => sequence)).toEqual(people(180).map((_, i) => i + 1));
  expect(new Set(rows.map(({ userId }) => userId)).size).toBe(180);
  expect((await stores.couponNow(id)).issuedQuantity).toBe(180);
  expect(await deadOf(id)).toEqual([]);
  expect(await stores.redis.xpending(stores.keys(id).stream, GROUP)).toEqual([0, null, null, null]);
});

describe('the ledger', () => {
  test('writing the same entries again and again, also in parallel, writes them once', async () => {
    const { id } = await stores.coupon({ totalQuantity: 40 });
    const entries = [entryOf(id, 1, ...people(30, 'x')), entryOf(id, 31, ...people(10, 'y'))];
    const written = await Promise.all(people(5).map(() => writeEntries(stores.database, entries)));
    const counts = written.map(({ inserted, unchanged }) => `${inserted} new, ${unchanged} again`);
    expect(counts.toSorted((a, b) => a.localeCompare(b))).toEqual([
      ...people(4).map(() => '0 new, 40 again'),
      '40 new, 0 again',
    ]);
    expect(await rowsOf(id)).toEqual([...people(30, 'x'), ...people(10, 'y')].map((user, i) => `${i + 1} ${user}`));
    expect((await stores.couponNow(id)).issuedQuantity).toBe(40);
  });

  test('writers of overlapping entries of several coupons in opposite order do not deadlock', async () => {
    const coupons = await Promise.all(people(4).map(() => stores.coupon({ totalQuantity: null })));
    const entries = coupons.flatMap(({ id }) => [
      entryOf(id, 1, ...people(50, 'x')),
      entryOf(id, 51, ...people(50, 'y')),
    ]);
    const rounds = people(12).map((_, i) => (i % 2 === 0 ? entries : entries.toReversed()));
    const written = await Promise.all(rounds.map((round) => writeEntries(stores.database, round)));
    expect(written.reduce((sum, { inserted }) => sum + inserted, 0)).toBe(400);
    for (const { id } of coupons) expect(await stores.rows(id)).toHaveLength(100);
  });

  test('more rows than one statement may have are one transaction', async () => {
    const { id } = await stores.coupon({ totalQuantity: null });
    const entries = [0, 1, 2].map((i) => entryOf(id, 1 + i * 900, ...people(900, `p${i}`)));
    expect((await writeEntries(stores.database, entries)).inserted).toBe(2700);
    expect((await writeEntries(stores.database, entries)).unchanged).toBe(2700);
    expect(await stores.rows(id)).toHaveLength(2700);
  });

  test('a sequence that belongs to another user is replaced by the next free one, and Redis is rebuilt', async () => {
    const { id } = await stores.coupon();
    await accept(id, 'a', 'b', 'c');
    await drain();
    // Redis lost b and c, and gave their numbers to others, together with one that is free.
    await plant(id, writeEntry(entryOf(id, 2, 'd', 'e', 'f')));
    const worker = await drain();
    expect(await rowsOf(id)).toEqual(['1 a', '2 b', '3 c', '4 f', '5 d', '6 e']);
    const renumbered = worker.written.flatMap((written) => written.renumbered);
    expect(renumbered.map(({ userId, sequence }) => `${sequence} ${userId}`)).toEqual(['5 d', '6 e']);
    expect(worker.deadLetters).toEqual([]);
    expect(await stores.redis.exists(stores.keys(id).state)).toBe(0);
    const answers: Outcome[] = [
      { kind: 'already issued', sequence: 5 },
      { kind: 'issued', sequence: 7 },
    ];
    expect(await accept(id, 'd', 'g')).toEqual(answers);
    expect((await stores.couponNow(id)).issuedQuantity).toBe(6);
  });

  test('a worker that dies before it settles a renumbered issue has dropped the state that gave its sequence out twice', async () => {
    const { id } = await stores.coupon();
    await accept(id, 'a', 'b');
    await drain();
    const fields = writeEntry(entryOf(id, 2, 'c'));
    const entryId = await plant(id, fields);
    await using dying = await stores.createApi();
    const evalsha = dying.redis.evalsha.bind(dying.redis);
    const killed = new AbortController();
    dying.redis.evalsha = async (digest: string, ...rest: unknown[]) => {
      if (digest !== settle.digest) return Reflect.apply(evalsha, dying.redis, [digest, ...rest]) as Promise<unknown>;
      killed.abort();
      throw new Error('it was killed');
    };
    const ignore = () => {};
    const observer = { written: ignore, retrying: ignore, deadLetter: ignore };
    const { database, config: settings } = stores;
    const keys = stores.keys(id);
    const parts = { redisStock: dying.redisStock, database, keys, settings, observer, stop: killed.signal };
    await expect(drainMessages(parts, [{ id: entryId, fields }])).rejects.toThrow('stopped');
    expect([await stores.redis.exists(keys.state), await stores.redis.xlen(keys.stream)]).toEqual([0, 1]);
    await drain();
    expect(await accept(id, 'c', 'd')).toEqual([
      { kind: 'already issued', sequence: 3 },
      { kind: 'issued', sequence: 4 },
    ]);
  });

  test('a sequence that belongs to another user is a dead letter when no stock is left, and can be replayed', async () => {
    const { id } = await stores.coupon({ totalQuantity: 2 });
    await accept(id, 'a', 'b');
    await drain();
    const entry = entryOf(id, 2, 'c');
    const entryId = await plant(id, writeEntry(entry));
    const worker = await drain();
    expect(worker.deadLetters).toEqual([{ reason: 'no stock left', users: 1 }]);
    const fields = { v: '1', c: String(id), e: '1', s: '2', t: String(entry.acceptedMs), u: 'c' };
    expect(await deadOf(id)).toEqual([{ entry: entryId, reason: 'no stock left', ...fields }]);
    expect(await rowsOf(id)).toEqual(['1 a', '2 b']);
    await run(`UPDATE coupons SET total_quantity = 3 WHERE id = ${id}`);
    await plant(id, Object.entries(fields).flat());
    await drain();
    expect(await rowsOf(id)).toEqual(['1 a', '2 b', '3 c']);
  });

  test('a user who has the coupon under another sequence keeps that one, and Redis is rebuilt', async () => {
    const { id } = await stores.coupon();
    await accept(id, 'a', 'b');
    await drain();
    await plant(id, writeEntry(entryOf(id, 3, 'b', 'c')));
    const worker = await drain();
    const superseded = worker.written.flatMap((written) => written.superseded);
    expect(superseded.map(({ userId, sequence }) => `${sequence} ${userId}`)).toEqual(['2 b']);
    expect(await rowsOf(id)).toEqual(['1 a', '2 b', '4 c']);
    expect(await stores.redis.exists(stores.keys(id).state)).toBe(0);
  });

  test('entries that Redis lost while a worker wrote them are not missed by a concurrent opening', async () => {
    const { id } = await stores.coupon();
    await accept(id, 'a', 'b');
    const keys = stores.keys(id);
    const messages = (await stores.redis.xrange(keys.stream, '-', '+')).map(([entryId, fields]) => {
      return { id: entryId, fields };
    });
    await stores.redis.flushdb();
    await using opener = await stores.createApi();
    const observer = { written: () => {}, deadLetter: () => {}, retrying: () => {} };
    const { database, config: settings } = stores;
    const { signal: stop } = new AbortController();
    const evalsha = opener.redis.evalsha.bind(opener.redis);
    let written = false;
    opener.redis.evalsha = async (digest: string, ...rest: unknown[]) => {
      // The last moment before what was read is swapped in: neither the stream nor the rows had the two.
      if (digest === finishOpening.digest && !written) {
        written = true;
        await drainMessages({ redisStock: api.redisStock, database, keys, settings, observer, stop }, messages);
      }
      return Reflect.apply(evalsha, opener.redis, [digest, ...rest]) as Promise<unknown>;
    };
    expect(await opener.issuers.scripted.issue(id, ['b', 'c'])).toEqual([
      { kind: 'already issued', sequence: 2 },
      { kind: 'issued', sequence: 3 },
    ]);
    expect(written).toBe(true);
  });

  test('what a worker has in hand when Redis goes back under the same epoch is not given out again', async () => {
    const { id } = await stores.coupon();
    await accept(id, 'a');
    await drain();
    const { redis } = stores;
    const { state, owners, stream } = stores.keys(id);
    const before = await Promise.all([state, owners].map(async (key) => [key, await redis.dumpBuffer(key)] as const));
    await accept(id, 'b');
    const messages = (await redis.xrange(stream, '-', '+')).map(([entryId, fields]) => ({ id: entryId, fields }));
    for (const [key, value] of before) await redis.restore(key, 0, value ?? '', 'REPLACE');
    await redis.xdel(stream, ...messages.map((message) => message.id));
    const observer = { written: () => {}, deadLetter: () => {}, retrying: () => {} };
    const { database, config: settings } = stores;
    const { signal: stop } = new AbortController();
    await drainMessages(
      { redisStock: api.redisStock, database, keys: stores.keys(id), settings, observer, stop },
      messages,
    );
    expect(await accept(id, 'c', 'b')).toEqual([
      { kind: 'issued', sequence: 3 },
      { kind: 'already issued', sequence: 2 },
    ]);
  });

  test('an issue beyond the total is never a row', async () => {
    const { id } = await stores.coupon({ totalQuantity: 2 });
    await plant(id, writeEntry(entryOf(id, 1, 'a', 'b', 'c')));
    const worker = await drain();
    expect(worker.deadLetters).toEqual([{ reason: 'no stock left', users: 1 }]);
    expect(await rowsOf(id)).toEqual(['1 a', '2 b']);
  });

  test('issues of a coupon that was deleted are dead letters, and those beside them are rows', async () => {
    const kept = await stores.coupon();
    // One partition, so that both are in one batch.
    const settings = { PARTITIONS: 1 };
    await using narrow = await stores.createApi(settings);
    const deleted = await stores.coupon();
    await narrow.issuers.scripted.issue(deleted.id, ['a', 'b']);
    await narrow.issuers.scripted.issue(kept.id, ['c']);
    await run(`DELETE FROM coupons WHERE id = ${deleted.id}`);
    const worker = await drain(settings);
    expect(worker.deadLetters).toEqual([
      { reason: 'no such coupon', users: 1 },
      { reason: 'no such coupon', users: 1 },
    ]);
    const letters = await stores.redis.xrange('issues:{0}:dead', '-', '+');
    expect(letters.map(([, fields]) => fields.slice(-1))).toEqual([['a'], ['b']]);
    expect(await rowsOf(kept.id)).toEqual(['1 c']);
  });
});

describe('what can never be a row', () => {
  test('entries that cannot be decoded go to the dead stream as they were, and block no others', async () => {
    const { id } = await stores.coupon();
    await accept(id, 'a');
    const [fields] = (await stores.redis.xrange(stores.keys(id).stream, '-', '+')).map((entry) => entry[1]);
    const good = fields ?? [];
    const spoiled = (name: string, value: string) =>
      good.map((field, i) => (i > 0 && good[i - 1] === name ? value : field));
    // With the users that it holds by the fields that every version keeps.
    const planted: [reason: string, fields: string[], users: number][] = [
      ['unknown version', spoiled('v', '3'), 1],
      ['unknown version', ['hello', 'world'], 0],
      ['malformed coupon id', spoiled('c', '0'), 0],
      ['malformed sequence', spoiled('s', '1e3'), 0],
      ['malformed time', spoiled('t', '-1'), 1],
      ['malformed user id', spoiled('u', "x'); DROP TABLE coupons; --"), 1],
      ['malformed user id', spoiled('u', 'a,,b'), 0],
    ];
    const ids: string[] = [];
    for (const [, spoiledFields] of planted) ids.push(await plant(id, spoiledFields));
    await accept(id, 'b');
    const worker = await drain();
    expect(await rowsOf(id)).toEqual(['1 a', '2 b']);
    expect(worker.deadLetters).toEqual(planted.map(([reason, , users]) => ({ reason, users })));
    const letters = (await stores.redis.xrange(stores.keys(id).dead, '-', '+')).map(([, letter]) => letter);
    expect(letters).toEqual(planted.map(([reason, letter], i) => ['entry', ids[i] ?? '', 'reason', reason, ...letter]));
    expect(await stores.redis.get(stores.keys(id).unpersisted)).toBe('0');
  });

  test('an entry that MySQL refuses is found among many, and alone becomes a dead letter', async () => {
    const { id } = await stores.coupon({ totalQuantity: null });
    await run("ALTER TABLE coupon_issues ADD CONSTRAINT planted CHECK (user_id <> 'refused')");
    try {
      for (const user of people(9, 'x')) await accept(id, user);
      await accept(id, 'y', 'refused', 'z');
      for (const user of people(6, 'w')) await accept(id, user);
      const worker = await drain();
      expect(worker.deadLetters.map(({ users }) => users)).toEqual([3]);
      expect(worker.deadLetters[0]?.reason).toMatch(/^MySQL error (3819|4025)$/);
      expect((await deadOf(id)).map(({ u }) => u)).toEqual(['y,refused,z']);
      const written = [...people(9, 'x'), '', '', '', ...people(6, 'w')];
      expect(await rowsOf(id)).toEqual(written.flatMap((user, i) => (user ? [`${i + 1} ${user}`] : [])));
      expect((await stores.couponNow(id)).issuedQuantity).toBe(15);
    } finally {
      await run('ALTER TABLE coupon_issues DROP CONSTRAINT planted');
    }
  });
});

describe('an outage', () => {
  test('between a settling and its reply: settling again counts nothing and buries nothing', async () => {
    const { id } = await stores.coupon();
    await accept(id, 'a', 'b');
    await accept(id, 'c');
    const keys = stores.keys(id);
    const [first] = await stores.redis.xrange(keys.stream, '-', '+', 'COUNT', 1);
    if (!first) throw new Error('the script has appended an entry');
    const [entryId, fields] = first;
    const input = {
      keys,
      entries: [{ id: entryId, users: 2 }],
      deadLetters: [{ entryId, reason: 'planted', fields }],
    };
    expect(await settle(stores.redis, input)).toEqual({ deleted: 1, unpersisted: 1 });
    expect(await settle(stores.redis, input)).toEqual({ deleted: 0, unpersisted: 1 });
    expect(await deadOf(id)).toHaveLength(1);
  });

  test('of MySQL drops nothing: it is tried again until it works', async () => {
    const { id } = await stores.coupon();
    await using proxy = await openTcpProxy(stores.config.DATABASE_URL);
    await using worker = await stores.startWorker({ DATABASE_URL: proxy.url });
    await accept(id, 'a');
    await worker.drained();
    proxy.cut();
    await accept(id, 'b', 'c');
    await eventually('three tries to fail', () => worker.retried.length >= 3);
    expect(await entriesIn(stores.keys(id).stream)).toHaveLength(1);
    expect(await stores.redis.get(stores.keys(id).unpersisted)).toBe('2');
    expect(await rowsOf(id)).toEqual(['1 a']);
    proxy.restore();
    await worker.drained();
    expect(await rowsOf(id)).toEqual(['1 a', '2 b', '3 c']);
    expect(worker.deadLetters).toEqual([]);
  });

  test('that swallows the reply to a commit writes nothing twice', async () => {
    const { id } = await stores.coupon({ totalQuantity: 2 });
    await using proxy = await openTcpProxy(stores.config.DATABASE_URL);
    proxy.loseReplyTo((text) => text.endsWith('COMMIT'));
    await accept(id, 'a', 'b');
    const worker = await drain({ DATABASE_URL: proxy.url });
    expect(proxy.repliesLost()).toBe(1);
    expect(worker.written).toEqual([
      { inserted: 0, unchanged: 2, superseded: [], renumbered: [], dead: [], older: [], withdrawn: [] },
    ]);
    expect(await rowsOf(id)).toEqual(['1 a', '2 b']);
    expect(await deadOf(id)).toEqual([]);
  });

  const cannotLoseReply = needsOneRedis('loses a reply on the one connection to Redis');
  test.skipIf(cannotLoseReply)('of Redis that swallows the reply to the settling settles nothing twice', async () => {
    const { id } = await stores.coupon();
    await using proxy = await openTcpProxy(stores.config.REDIS_URL);
    await accept(id, 'a', 'b');
    proxy.loseReplyTo((text) => text.includes(settle.digest));
    const worker = await drain({ REDIS_URL: proxy.url });
    expect(proxy.repliesLost()).toBe(1);
    expect(worker.retried.length).toBeGreaterThan(0);
    expect(await rowsOf(id)).toEqual(['1 a', '2 b']);
    await eventually(
      'nothing to be left to count',
      async () => (await stores.redis.get(stores.keys(id).unpersisted)) === '0',
    );
  });

  test('does not keep a worker from stopping, and its entries are written by the next', async () => {
    const { id } = await stores.coupon();
    await using proxy = await openTcpProxy(stores.config.DATABASE_URL);
    proxy.cut();
    const worker = await stores.startWorker({ DATABASE_URL: proxy.url, RETRY_MS_MAX: 60_000 });
    await accept(id, 'a');
    await eventually('a try to fail', () => worker.retried.length > 0);
    await worker.stop();
    expect(await rowsOf(id)).toEqual([]);
    await drain({ CLAIM_IDLE_MS: 100 });
    expect(await rowsOf(id)).toEqual(['1 a']);
  });
});

describe('bounds', () => {
  test('rows are gathered up to the bound of a transaction, and an entry is never split', async () => {
    const { id } = await stores.coupon({ totalQuantity: null });
    for (const [i, users] of [4, 4, 4, 25, 1].entries()) await accept(id, ...people(users, `batch-${i}`));
    const worker = await drain({ ROWS_PER_TRANSACTION_MAX: 10 });
    expect(worker.written.map(({ inserted }) => inserted)).toEqual([8, 4, 25, 1]);
  });

  test('the count of users who are not yet rows is exact, and ends at zero', async () => {
    const { id } = await stores.coupon({ totalQuantity: 7 });
    const { unpersisted, stream } = stores.keys(id);
    await accept(id, 'a', 'b', 'a');
    await api.issuers.locked.issue(id, ['c', 'a']);
    await api.issuers.synchronous.issue(id, ['d', 'e']);
    await accept(id, 'a', 'b');
    expect(await stores.redis.get(unpersisted)).toBe('5');
    const blocked = await stores.startWorker({ ENTRIES_PER_READ_MAX: 1, ROWS_PER_TRANSACTION_MAX: 1 });
    await blocked.drained();
    await blocked.stop();
    expect(await stores.redis.get(unpersisted)).toBe('0');
    await accept(id, 'f', 'g', 'h');
    expect(await stores.redis.get(unpersisted)).toBe('2');
    await drain();
    expect([await stores.redis.get(unpersisted), await stores.redis.xlen(stream)]).toEqual(['0', 0]);
  });

  test('users of an entry of a later version leave the count when it becomes a dead letter', async () => {
    const { id } = await stores.coupon();
    const keys = stores.keys(id);
    const later = ['v', '3', 'c', String(id), 's', '8', 'u', 'x,y', 'range', '7'];
    const laterId = await plant(id, later);
    await stores.redis.incrby(keys.unpersisted, 2);
    await accept(id, 'a');
    const ignore = () => {};
    const observer = { written: ignore, retrying: ignore, deadLetter: ignore };
    const { database, config: settings } = stores;
    const stop = new AbortController().signal;
    await drainMessages({ redisStock: api.redisStock, database, keys, settings, observer, stop }, [
      { id: laterId, fields: later },
    ]);
    expect([await stores.redis.get(keys.unpersisted), await stores.redis.xlen(keys.dead)]).toEqual(['1', 1]);
  });

  test('beyond the bound of users who are not yet rows every issuer refuses before it decides, until they are rows', async () => {
    await using bounded = await stores.createApi({ UNPERSISTED_USERS_MAX: 5 });
    const { id } = await stores.coupon();
    await bounded.issuers.scripted.issue(id, ['a', 'b', 'c', 'd']);
    const { state, owners, stream, unpersisted } = stores.keys(id);
    const everything = async () => [
      await stores.redis.hgetall(state),
      await stores.redis.hgetall(owners),
      await stores.redis.xrange(stream, '-', '+'),
      await stores.redis.get(unpersisted),
    ];
    const before = await everything();
    for (const issuer of issuerNames) {
      const refused = bounded.issuers[issuer].issue(id, ['e', 'f']);
      await expect(refused).rejects.toMatchObject({ name: 'Unavailable', reason: 'overloaded' });
      expect(await everything()).toEqual(before);
      // An owner still gets their answer.
      expect(await bounded.issuers[issuer].issue(id, ['b'])).toEqual([{ kind: 'already issued', sequence: 2 }]);
    }
    expect(await bounded.issuers.scripted.issue(id, ['e'])).toEqual([{ kind: 'issued', sequence: 5 }]);
    await drain();
    for (const [i, issuer] of issuerNames.entries()) {
      await bounded.issuers[issuer].issue(id, [`later-${i}`]);
      await drain();
    }
    expect(await rowsOf(id)).toEqual(['1 a', '2 b', '3 c', '4 d', '5 e', '6 later-0', '7 later-1', '8 later-2']);
  });
});
