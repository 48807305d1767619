// recovery.test.ts -- What operators recover with: the audit counts truly, the reconciler finds and repairs, dead letters are replayed.

import { afterAll, beforeEach, expect, spyOn, test } from 'bun:test';
import { eq, sql } from 'drizzle-orm';
import { couponIssues, coupons } from '../../drizzle/schema.ts';
import { auditCoupon, type CouponCounts } from '../../src/operations/audit.ts';
import { createDeadLetters } from '../../src/operations/dead-letters.ts';
import { writeEntry } from '../../src/stream/entry.ts';
import { readBacklog } from '../../src/stream/backlog.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { beginOpening, finishOpening } from '../../src/stock/opening-scripts.ts';
import { closeCoupon } from '../../src/stock/closing.ts';
import { createRedisStock } from '../../src/stock/redis-stock.ts';
import { partitionOf } from '../../src/stream/keys.ts';
import { settle } from '../../src/stream/scripts/settle.ts';
import { connect, issuingConnection, serverOf } from '../../src/redis/connection.ts';
import { type ReconcileDependencies, reconcile } from '../../workers/reconcile.ts';
import { eventually } from '../eventually.ts';
import { openStores, type TestApi } from '../stores.ts';
import { quiet } from '../unit/event-loop.ts';

const stores = await openStores();
const redis = issuingConnection(stores.config, () => {});
await connect(redis);
afterAll(() => redis.disconnect());
afterAll(() => stores.close());
beforeEach(() => stores.redis.flushdb());

const people = (count: number, prefix = 'u') => Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
const redisStock = createRedisStock(redis, stores.config);
const letters = createDeadLetters(redisStock);

async function audited(couponId: number): Promise<CouponCounts> {
  const audit = await auditCoupon({ redisStock, database: stores.database }, couponId);
  if (!audit) throw new Error('no such coupon');
  return audit;
}

/** One round, with what it reported. Coupons of other tests are there too, but open nowhere. */
async function round(api: TestApi, settings: Partial<ReconcileDependencies['settings']> = {}) {
  const drift: CouponCounts[] = [];
  const reported = { repaired: [] as number[], closed: [] as number[], restored: [] as [number, number][] };
  const stop = new AbortController();
  await redis.del('reconciler');
  await reconcile({
    redisStock,
    database: stores.database,
    settings: { ...stores.config, ...settings },
    repair: (couponId) => api.editor.repair(couponId),
    open: (couponId) => api.stock.open(couponId, true),
    observer: {
      drift: (audit) => drift.push(audit),
      repaired: (couponId) => reported.repaired.push(couponId),
      closed: (couponId) => reported.closed.push(couponId),
      restored: (couponId, issues) => reported.restored.push([couponId, issues]),
      unknownCoupon: () => {},
      round: () => {},
    },
    onFault: (fault) => {
      throw fault;
    },
    stop: stop.signal,
  });
  return { drift, ...reported };
}

test('what is accepted is counted once, wherever it is: in the stream, among the dead letters or in MySQL', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon({ totalQuantity: 50 });
  const counts = {
    couponId: id,
    stockHome: 'redis',
    archived: false,
    totalQuantity: 50,
    missing: 0,
    unknown: 0,
    unexpected: 0,
    outsidePeriod: 0,
  } as const;
  await api.issuers.scripted.issue(id, people(30));
  expect(await audited(id)).toEqual({
    ...counts,
    issuedQuantity: 0,
    rows: 0,
    owners: 30,
    next: 31,
    unpersisted: 30,
    dead: 0,
  });
  await using worker = await stores.startWorker();
  await worker.drained();
  expect(await audited(id)).toEqual({
    ...counts,
    issuedQuantity: 30,
    rows: 30,
    owners: 30,
    next: 31,
    unpersisted: 0,
    dead: 0,
  });
});

test('the audit is exact while the coupon is being issued and written', async () => {
  await using api = await stores.createApi();
  await using _worker = await stores.startWorker({ ROWS_PER_TRANSACTION_MAX: 20 });
  const { id } = await stores.coupon({ totalQuantity: 5000 });
  await api.stock.open(id);
  const load = Promise.all(people(3000).map((user) => api.issuance.issue('scripted', id, user)));
  for (let i = 0; i < 20; i++) {
    const { missing, unknown, unexpected } = await audited(id);
    expect({ missing, unknown, unexpected }).toEqual({ missing: 0, unknown: 0, unexpected: 0 });
  }
  await load;
});

test('an issue that Redis gave and that is nowhere is missing, and the reconciler reports it', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  await api.issuers.scripted.issue(id, people(4));
  await stores.redis.del(stores.keys(id).stream);
  expect((await audited(id)).missing).toBe(4);
  const { drift } = await round(api);
  expect(drift.map(({ couponId, missing }) => ({ couponId, missing }))).toEqual([{ couponId: id, missing: 4 }]);
});

test('a stream that was lost refuses nobody forever, and its issues become rows all the same', async () => {
  await using api = await stores.createApi({ UNPERSISTED_USERS_MAX: 4 });
  const { id } = await stores.coupon();
  await api.issuers.scripted.issue(id, people(4));
  await stores.redis.del(stores.keys(id).stream);
  await expect(api.issuers.scripted.issue(id, ['new'])).rejects.toThrow(/wait for MySQL/);
  expect((await round(api)).restored).toEqual([[id, 4]]);
  {
    await using worker = await stores.startWorker();
    await worker.drained();
  }
  expect((await stores.rows(id)).map(({ sequence, userId }) => [sequence, userId])).toEqual(
    people(4).map((user, i) => [i + 1, user]),
  );
  expect(await api.issuers.scripted.issue(id, ['new'])).toEqual([{ kind: 'issued', sequence: 5 }]);
  // What is really in the stream still counts.
  await round(api);
  expect(await stores.redis.get(stores.keys(id).unpersisted)).toBe('1');
});

test('an issue that Redis does not know of makes the reconciler have the coupon reopened, so that its user gets no second', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  await api.issuers.scripted.issue(id, people(1));
  await using worker = await stores.startWorker();
  await worker.drained();
  // A row that was written by a worker which had it in hand while Redis lost it, below what Redis has given since.
  await stores.redis.hset(stores.keys(id).state, { next: 4, gap: 2 });
  await withConnection(stores.database, async (session) => {
    const at = new Date();
    await session
      .insert(couponIssues)
      .values({ couponId: id, sequence: 2, userId: 'late', dateIssued: at, dateCreated: at, dateUpdated: at });
    await session.update(coupons).set({ issuedQuantity: 2 }).where(eq(coupons.id, id));
  });
  expect((await audited(id)).unknown).toBe(1);
  const { drift } = await round(api);
  expect(drift.map(({ couponId, unknown }) => ({ couponId, unknown }))).toEqual([{ couponId: id, unknown: 1 }]);
  expect(await api.issuers.scripted.issue(id, ['late', 'new'])).toEqual([
    { kind: 'already issued', sequence: 2 },
    { kind: 'issued', sequence: 3 },
  ]);
});

test('a user with a row and a dead letter under another sequence is known to Redis: the coupon is not rebuilt round after round', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  await api.issuers.scripted.issue(id, ['a']);
  await buryAll(id);
  // As after a backup of Redis in which a letter is that was replayed since, and renumbered.
  await withConnection(stores.database, async (session) => {
    const at = new Date();
    await session
      .insert(couponIssues)
      .values({ couponId: id, sequence: 2, userId: 'a', dateIssued: at, dateCreated: at, dateUpdated: at });
    await session.update(coupons).set({ issuedQuantity: 1 }).where(eq(coupons.id, id));
  });
  await redisStock.drop(id);
  await api.stock.open(id);
  expect((await audited(id)).unknown).toBe(1);
  const epoch = await redisStock.epochOf(id);
  expect((await round(api)).drift).toEqual([]);
  expect([await redisStock.epochOf(id), (await redisStock.look(id)).kind]).toEqual([epoch, 'open']);
});

test('reading the backlog without a connection fails, and leaves no unhandled rejection', async () => {
  const unhandled: unknown[] = [];
  const listener = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', listener);
  try {
    const gone = issuingConnection(stores.config, () => {});
    await connect(gone);
    gone.disconnect();
    await expect(readBacklog(gone, redisStock.partitions)).rejects.toThrow();
    await quiet();
    expect(unhandled).toEqual([]);
  } finally {
    process.off('unhandledRejection', listener);
  }
});

test('a row without the counter, and one from outside the period, are counted', async () => {
  const { id } = await stores.coupon();
  const at = new Date(0);
  await withConnection(stores.database, (session) =>
    session
      .insert(couponIssues)
      .values({ couponId: id, sequence: 1, userId: 'early', dateIssued: at, dateCreated: at, dateUpdated: at }),
  );
  const { unexpected, outsidePeriod } = await audited(id);
  expect({ unexpected, outsidePeriod }).toEqual({ unexpected: 1, outsidePeriod: 1 });
});

test('stale settings cached in Redis are repaired', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  await api.stock.open(id);
  await withConnection(stores.database, (session) =>
    session.update(coupons).set({ paused: true, version: sql`version + 1` }).where(eq(coupons.id, id)),
  );
  expect((await round(api)).repaired).toEqual([id]);
  expect(await api.issuers.scripted.issue(id, ['u'])).toEqual([{ kind: 'paused' }]);
  expect((await round(api)).repaired).toEqual([]);
});

test('a total that was lowered in Redis by an edit that died is put back, since it would sell out too early', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon({ totalQuantity: 10 });
  await api.issuers.scripted.issue(id, people(3));
  await stores.redis.hset(stores.keys(id).state, { until: 3 });
  expect(await api.issuers.scripted.issue(id, ['new'])).toEqual([{ kind: 'sold out' }]);
  expect((await round(api)).repaired).toEqual([id]);
  expect(await api.issuers.scripted.issue(id, ['new'])).toEqual([{ kind: 'issued', sequence: 4 }]);
});

test('a coupon that is long over is closed: owners freed, home in MySQL, nothing lost', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon({ totalQuantity: 20 });
  await api.issuers.scripted.issue(id, people(5));
  const endMs = Date.now() - 1;
  await withConnection(stores.database, (session) =>
    session
      .update(coupons)
      .set({ dateIssueEnd: new Date(endMs) })
      .where(eq(coupons.id, id)),
  );
  // What is accepted is not yet written.
  await eventually('it is over for MySQL', async () => (await round(api, { CLOSE_AFTER_MS: 0 })).closed.length === 0);
  expect(await stores.redis.exists(stores.keys(id).owners)).toBe(1);
  await using worker = await stores.startWorker();
  await worker.drained();
  expect((await round(api, { CLOSE_AFTER_MS: 0 })).closed).toEqual([id]);
  const { state, owners } = stores.keys(id);
  expect(await stores.redis.exists(state, owners)).toBe(0);
  expect((await stores.couponNow(id)).stockHome).toBe('mysql');
  expect(await stores.rows(id)).toHaveLength(5);
  expect(await api.issuers.scripted.issue(id, ['u-0'])).toEqual([{ kind: 'ended' }]);
  expect(await stores.redis.exists(state)).toBe(0);
});

test('a coupon with a dead letter is not closed, so that its winners keep what they were promised', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon({ totalQuantity: 2 });
  await api.issuers.scripted.issue(id, ['a', 'b']);
  await buryAll(id);
  await endNow(id);
  await eventually('it is over for MySQL', async () => (await round(api, { CLOSE_AFTER_MS: 0 })).closed.length === 0);
  const { epoch } = await stores.couponNow(id);
  const settings = { CLOSE_AFTER_MS: 0 };
  expect(await closeCoupon({ redisStock, database: stores.database, settings }, id, epoch)).toBe(false);
  expect((await stores.couponNow(id)).stockHome).toBe('redis');
  await stores.edit(id, { dateIssueEnd: new Date(Date.now() + 3_600_000) });
  expect(await api.issuers.scripted.issue(id, ['c', 'a'])).toEqual([
    { kind: 'sold out' },
    { kind: 'already issued', sequence: 1 },
  ]);
});

test('a closed coupon whose period is extended continues with the next sequence', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon({ totalQuantity: 20 });
  await api.issuers.scripted.issue(id, people(5));
  await using worker = await stores.startWorker();
  await worker.drained();
  const over = new Date(Date.now() - 1);
  await withConnection(stores.database, (session) =>
    session.update(coupons).set({ dateIssueEnd: over }).where(eq(coupons.id, id)),
  );
  await eventually('it is closed', async () => (await round(api, { CLOSE_AFTER_MS: 0 })).closed.includes(id));
  await stores.edit(id, { dateIssueEnd: new Date(Date.now() + 3_600_000) });
  for (const name of ['synchronous', 'scripted'] as const) {
    expect(await api.issuers[name].issue(id, ['u-0'])).toEqual([{ kind: 'already issued', sequence: 1 }]);
  }
  expect(await api.issuers.synchronous.issue(id, ['new'])).toEqual([{ kind: 'issued', sequence: 6 }]);
});

/** Makes every entry of the coupon's stream a dead letter, as a worker does that cannot write it. */
async function buryAll(id: number): Promise<void> {
  const keys = stores.keys(id);
  for (const [entryId, fields] of await stores.redis.xrange(keys.stream, '-', '+')) {
    const deadLetters = [{ entryId, reason: 'a test', fields }];
    await settle(stores.redis, { keys, entries: [{ id: entryId, users: 1 }], deadLetters });
  }
}

async function endNow(id: number): Promise<void> {
  const changed = { dateIssueEnd: new Date(Date.now() - 1), epoch: sql`epoch + 1` };
  await withConnection(stores.database, (session) => session.update(coupons).set(changed).where(eq(coupons.id, id)));
}

test('an opening that is under way while a coupon is closed swaps no second stock in', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  await api.stock.open(id);
  const keys = stores.keys(id);
  await stores.redis.del(keys.state);
  // As far as it comes before it reads the rows: it has the lease, and has raised the epoch.
  const opener = { keys, token: 'slow', leaseMs: 60_000 };
  const server = serverOf(api.redis, keys.state);
  expect(await beginOpening(redis, { ...opener, server })).toEqual({ kind: 'begun' });
  await endNow(id);
  await eventually('it is closed', async () => (await round(api, { CLOSE_AFTER_MS: 0 })).closed.includes(id));
  const stock = { startMs: 0, endMs: Date.now() + 3_600_000, paused: false, next: 1, until: 10 };
  expect(await finishOpening(redis, { ...opener, owners: 0, server, stock, epoch: 2, version: 1, aheadMs: 0 })).toBe(
    'superseded',
  );
  expect(await stores.redis.exists(keys.state)).toBe(0);
});

test('a coupon whose epoch was raised by an opening that came too late is still closed', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  await api.stock.open(id);
  await endNow(id);
  await eventually('it is closed', async () => (await round(api, { CLOSE_AFTER_MS: 0 })).closed.includes(id));
  expect(await stores.redis.exists(stores.keys(id).state)).toBe(0);
  expect((await stores.couponNow(id)).stockHome).toBe('mysql');
});

test('one worker at a time reconciles', async () => {
  await using api = await stores.createApi();
  await redis.set('reconciler', 'another', 'PX', 60_000);
  const stop = new AbortController();
  const never = () => {
    throw new Error('a round without the lease');
  };
  const observer = {
    drift: never,
    repaired: never,
    closed: never,
    restored: never,
    unknownCoupon: never,
    round: never,
  };
  const { database, config: settings } = stores;
  const repair = (couponId: number) => api.editor.repair(couponId);
  const dependencies = { redisStock, database, settings, repair, open: never, observer, onFault: never };
  expect(await reconcile({ ...dependencies, stop: stop.signal })).toBe(false);
});

async function bury(fields: readonly string[], reason = 'a test', couponId = 0): Promise<string> {
  const id = await stores.redis.xadd(stores.keys(couponId).dead, '*', 'entry', '1-1', 'reason', reason, ...fields);
  return `${partitionOf(couponId, stores.config.PARTITIONS)}-${id}`;
}

test('a dead letter that is replayed becomes the row that was promised, under its sequence', async () => {
  const { id: couponId } = await stores.coupon();
  const entry = { couponId, epoch: 0, firstSequence: 3, acceptedMs: 1_700_000_000_123, users: ['a', 'b'] };
  const id = await bury(writeEntry(entry), 'a test', couponId);
  expect((await Array.fromAsync(letters.list())).map((letter) => letter.id)).toEqual([id]);
  expect(await letters.replay(id)).toBe('replayed');
  expect(await letters.replay(id)).toBe('gone');
  expect(await Array.fromAsync(letters.list())).toEqual([]);
  expect(await stores.redis.get(stores.keys(couponId).unpersisted)).toBe('2');
  await using worker = await stores.startWorker();
  await worker.drained();
  expect(await stores.rows(couponId)).toEqual([
    { sequence: 3, userId: 'a', issuedMs: 1_700_000_000_123 },
    { sequence: 4, userId: 'b', issuedMs: 1_700_000_000_123 },
  ]);
  expect(await stores.redis.get(stores.keys(couponId).unpersisted)).toBe('0');
});

test('a dead letter that is no entry stays as it is, until it is discarded', async () => {
  const id = await bury(['v', '99', 'x', 'y'], 'unknown version');
  expect(await letters.replay(id)).toBe('unreadable');
  const fields = [
    { name: 'v', value: '99' },
    { name: 'x', value: 'y' },
  ];
  expect(await letters.read(id)).toEqual({ id, entryId: '1-1', reason: 'unknown version', entry: null, fields });
  expect(await letters.discard(id)).toBe(true);
  expect(await letters.discard(id)).toBe(false);
});

test('an entry of a later release is written once a worker can read it, by itself, and breaks no promise until then', async () => {
  const { id: couponId } = await stores.coupon();
  const entry = { couponId, epoch: 0, firstSequence: 3, acceptedMs: 1_700_000_000_123, users: ['a', 'b'] };
  const later = ['v', '3', 'c', String(couponId), 's', '5', 'u', 'c', 'new', 'field'];
  await using api = await stores.createApi();
  await bury(later, 'unknown version', couponId);
  expect((await api.load()).deadLetters).toBe(0);
  const refused = await bury(writeEntry({ ...entry, firstSequence: 6, users: ['d'] }), 'no stock left', couponId);
  expect((await api.load()).deadLetters).toBe(1);
  const kept = (await Array.fromAsync(letters.list())).map(({ id }) => id);
  expect(kept).toContain(refused);
  // As a worker of an earlier release left it, which could not read what this one can.
  await bury(writeEntry(entry), 'unknown version', couponId);
  await round(api);
  expect((await Array.fromAsync(letters.list())).map(({ id }) => id)).toEqual(kept);
  await using worker = await stores.startWorker();
  await worker.drained();
  expect(await stores.rows(couponId)).toEqual([
    { sequence: 3, userId: 'a', issuedMs: 1_700_000_000_123 },
    { sequence: 4, userId: 'b', issuedMs: 1_700_000_000_123 },
  ]);
});

test('a dead letter that is replayed and buried again during an opening is not missed', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon({ totalQuantity: 2 });
  await api.issuers.scripted.issue(id, ['a', 'b']);
  await buryAll(id);
  const keys = stores.keys(id);
  await redisStock.drop(id);
  const xrange = api.redis.xrange.bind(api.redis);
  let hasMoved = false;
  using _ = spyOn(api.redis, 'xrange').mockImplementation(async (...words: unknown[]) => {
    if (words[0] === keys.dead && !hasMoved) {
      hasMoved = true;
      // Gone from the dead letters while they are read, and there again before anything else is.
      const [letter] = await Array.fromAsync(letters.list());
      await letters.replay(letter?.id ?? '');
      // For openers of releases that do not look whether letters were added.
      expect(await stores.redis.exists(keys.opening)).toBe(0);
      const missed: unknown = await Reflect.apply(xrange, api.redis, words);
      await buryAll(id);
      return missed as [string, string[]][];
    }
    return Reflect.apply(xrange, api.redis, words) as Promise<[string, string[]][]>;
  });
  expect((await api.issuers.scripted.issue(id, ['c', 'a'])).map(({ kind }) => kind)).toEqual([
    'sold out',
    'already issued',
  ]);
  expect(hasMoved).toBe(true);
});

test('discarding is atomic: a connection that breaks after it leaves no owner without an issue', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon({ totalQuantity: 1 });
  await api.issuers.scripted.issue(id, ['a']);
  await buryAll(id);
  using _ = spyOn(redis, 'unlink').mockRejectedValue(new Error('the connection is gone'));
  using __ = spyOn(redis, 'publish').mockRejectedValue(new Error('the connection is gone'));
  const [letter] = await Array.fromAsync(letters.list());
  await expect(letters.discard(letter?.id ?? '')).rejects.toThrow('gone');
  expect(await api.issuers.scripted.issue(id, ['b'])).toEqual([{ kind: 'issued', sequence: 1 }]);
});

test('a dead letter that is replayed while the audit reads is not missing', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  await api.issuers.scripted.issue(id, people(3));
  const keys = stores.keys(id);
  const [[entryId, fields] = ['', []]] = await stores.redis.xrange(keys.stream, '-', '+');
  const deadLetters = [{ entryId, reason: 'a test', fields }];
  await settle(stores.redis, { keys, entries: [{ id: entryId, users: 3 }], deadLetters });
  const [letter] = await Array.fromAsync(letters.list());
  const xrange = redis.xrange.bind(redis);
  using _ = spyOn(redis, 'xrange').mockImplementation(async (...words: unknown[]) => {
    // Between the reading of the stream and that of the dead letters.
    if (words[0] === keys.dead) await createDeadLetters(api.redisStock).replay(letter?.id ?? '');
    return Reflect.apply(xrange, redis, words) as Promise<[string, string[]][]>;
  });
  const { missing, unknown } = await audited(id);
  expect({ missing, unknown, dead: await stores.redis.xlen(keys.dead) }).toEqual({ missing: 0, unknown: 0, dead: 0 });
});

test('a dead letter that is replayed and buried again while the audit reads is not missing', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  await api.issuers.scripted.issue(id, ['a']);
  await buryAll(id);
  const keys = stores.keys(id);
  const [letter] = await Array.fromAsync(letters.list());
  const xrange = redis.xrange.bind(redis);
  let hasMoved = false;
  using _ = spyOn(redis, 'xrange').mockImplementation(async (...words: unknown[]) => {
    const isFirst = words[0] === keys.dead && !hasMoved;
    if (isFirst) {
      hasMoved = true;
      await createDeadLetters(api.redisStock).replay(letter?.id ?? '');
    }
    const found: unknown = await Reflect.apply(xrange, redis, words);
    // There again before the stream is read once more.
    if (isFirst) await buryAll(id);
    return found as [string, string[]][];
  });
  expect(await audited(id)).toMatchObject({ missing: 0, unknown: 0, owners: 1, dead: 1 });
});

test('a dead letter that is discarded while the audit reads is not missing', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  await api.issuers.scripted.issue(id, ['a']);
  await buryAll(id);
  const keys = stores.keys(id);
  const [letter] = await Array.fromAsync(letters.list());
  const xrange = redis.xrange.bind(redis);
  using _ = spyOn(redis, 'xrange').mockImplementation(async (...words: unknown[]) => {
    if (words[0] === keys.stream) await createDeadLetters(api.redisStock).discard(letter?.id ?? '');
    return Reflect.apply(xrange, redis, words) as Promise<[string, string[]][]>;
  });
  const { missing, unknown, owners } = await audited(id);
  expect({ missing, unknown, owners }).toEqual({ missing: 0, unknown: 0, owners: null });
});

test('pieces of a discarded dead letter return to the stock, and have no owner', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon({ totalQuantity: 2 });
  await api.issuers.scripted.issue(id, ['a', 'b']);
  const keys = stores.keys(id);
  const [[entryId, fields] = ['', []]] = await stores.redis.xrange(keys.stream, '-', '+');
  const deadLetters = [{ entryId, reason: 'a test', fields }];
  await settle(stores.redis, { keys, entries: [{ id: entryId, users: 2 }], deadLetters });
  expect(await api.issuers.scripted.issue(id, ['c'])).toEqual([{ kind: 'sold out' }]);
  const [letter] = await Array.fromAsync(letters.list());
  expect(await letters.discard(letter?.id ?? '')).toBe(true);
  expect((await api.issuers.scripted.issue(id, ['c', 'b', 'a'])).map(({ kind }) => kind)).toEqual([
    'issued',
    'issued',
    'sold out',
  ]);
  const { missing, unknown } = await audited(id);
  expect({ missing, unknown }).toEqual({ missing: 0, unknown: 0 });
});

test('a discarded dead letter ends a cached "sold out" in every process', async () => {
  await using api = await stores.createApi();
  await using other = await stores.createApi();
  const { id } = await stores.coupon({ totalQuantity: 1 });
  await api.issuers.scripted.issue(id, ['a']);
  await buryAll(id);
  expect(await other.issuance.issue('scripted', id, 'b')).toEqual({ kind: 'sold out' });
  await eventually('the refusal is cached', async () => {
    await other.issuance.issue('scripted', id, 'b');
    return (await other.refusalCacheHits()) > 0;
  });
  // A cached refusal ends by itself after a second; the message ends it now.
  const invalidated: string[] = [];
  other.subscriber.on('message', (_, couponId) => invalidated.push(couponId));
  const [letter] = await Array.fromAsync(letters.list());
  expect(await letters.discard(letter?.id ?? '')).toBe(true);
  await eventually('it is announced', () => invalidated.includes(String(id)));
  expect(await other.issuance.issue('scripted', id, 'b')).toEqual({ kind: 'issued', sequence: 1 });
});

test.each(['', '0', '0-1', '9999-1-1', '0/1-1', 'x-1-1', '0-1-1'])('"%s" names no dead letter', async (id) => {
  expect([await letters.read(id), await letters.replay(id), await letters.discard(id)]).toEqual([null, 'gone', false]);
});

function dead(...words: string[]) {
  const { DATABASE_URL, REDIS_URL, KEY_PREFIX, PARTITIONS } = stores.config;
  const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, 'src/commands/dead-letters.ts', ...words], {
    env: { ...process.env, DATABASE_URL, REDIS_URL, PARTITIONS: String(PARTITIONS), ...(KEY_PREFIX && { KEY_PREFIX }) },
  });
  return { exitCode, said: (stdout.toString() + stderr.toString()).trim() };
}

test('`bun run dead-letters` lists, shows, replays and discards, and says in a line what it cannot do', async () => {
  expect(dead('list')).toEqual({ exitCode: 0, said: 'There are no dead letters.' });
  expect(dead('replay', '--all')).toEqual({ exitCode: 1, said: 'There are no dead letters.' });
  expect(dead('show', '0-1-1')).toEqual({ exitCode: 1, said: 'There is no dead letter 0-1-1.' });
  const help = dead('--help');
  expect(help.exitCode).toBe(0);
  expect(help.said).toMatch(/^usage: bun run dead-letters list {2,}/);
  for (const wrong of [[], ['list', 'x'], ['show'], ['bury', '0-1-1'], ['replay', '0-1-1', 'x']]) {
    const { exitCode, said } = dead(...wrong);
    expect(exitCode).toBe(2);
    expect(said.split('\n')[1]).toMatch(/^usage: bun run dead-letters list {2,}/);
  }
  const { id: couponId } = await stores.coupon();
  const entry = { couponId, epoch: 0, firstSequence: 1, acceptedMs: 0, users: ['a'] };
  const good = await bury(writeEntry(entry), 'no stock left', couponId);
  const bad = await bury(['v', '99'], 'unknown version', couponId);
  const later = await bury(
    ['v', '3', 'c', String(couponId), 's', '2', 'u', 'b,c', 'new', 'field'],
    'unknown version',
    couponId,
  );
  expect(dead('list').said.split('\n')).toEqual([
    `${good}  no stock left  coupon ${couponId}, sequence 1, 1 user(s), accepted 1970-01-01T00:00:00.000Z`,
    `${bad}  unknown version  (no entry)`,
    `${later}  unknown version  coupon ${couponId}, sequence 2, 2 user(s), not readable by this release`,
    '3 dead letter(s).',
  ]);
  const shown: unknown = JSON.parse(dead('show', good).said);
  expect(shown).toMatchObject({ id: good, entryId: '1-1', reason: 'no stock left', entry });
  expect(dead('replay', '--all')).toEqual({
    exitCode: 1,
    said: `Replayed 1.\nNot replayed, because this release cannot read them: ${bad}, ${later}`,
  });
  expect(dead('discard', bad)).toEqual({ exitCode: 0, said: `Discarded ${bad}.` });
});
