// opening.test.ts -- Opening and rebuilding: whatever Redis lost, the stock goes on from what is true, exactly once.

import { afterAll, beforeEach, expect, spyOn, test } from 'bun:test';
import { eq } from 'drizzle-orm';
import { coupons } from '../../drizzle/schema.ts';
import { lockCoupon } from '../../src/coupon/catalog.ts';
import { ID_MAX } from '../../src/coupon/coupon.ts';
import { couponKeys, partitionKeys } from '../../src/stream/keys.ts';
import { issuerNames } from '../../src/issuing/issuer.ts';
import { raiseIssued } from '../../src/ledger/ledger.ts';
import { insertIssues } from '../../src/ledger/insert.ts';
import type { Outcome } from '../../src/coupon/outcome.ts';
import { createStockKeeper } from '../../src/stock/opening.ts';
import { finishOpening, loadOwners } from '../../src/stock/opening-scripts.ts';
import { settle } from '../../src/stream/scripts/settle.ts';
import { withConnection, withTransaction } from '../../src/mysql/database.ts';
import { serverOf } from '../../src/redis/connection.ts';
import { eventually } from '../eventually.ts';
import { issueInProcesses } from '../issue-in-processes.ts';
import { brokenPromises, type Answer } from '../promises.ts';
import { openStores } from '../stores.ts';

const stores = await openStores();
afterAll(() => stores.close());
beforeEach(() => stores.redis.flushdb());

const people = (count: number, prefix: string) => Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
const issued = (sequence: number): Outcome => ({ kind: 'issued', sequence });
const already = (sequence: number): Outcome => ({ kind: 'already issued', sequence });
const soldOut: Outcome = { kind: 'sold out' };

async function drain(): Promise<void> {
  await using worker = await stores.startWorker();
  await worker.drained();
}

const sequencesOf = async (couponId: number) => (await stores.rows(couponId)).map(({ sequence }) => sequence);
const epochInRedis = async (couponId: number) => Number(await stores.redis.hget(stores.keys(couponId).state, 'epoch'));

test('raced by several processes, it is done once, raises the epoch once, and loses no user', async () => {
  const { id } = await stores.coupon({ totalQuantity: 500 });
  await using api = await stores.createApi();
  // Owners to load, so that the opening takes its time.
  await api.issuers.synchronous.issue(id, people(300, 'before'));
  const batches = (prefix: string) => [people(40, prefix), people(60, prefix)];
  const plans = [...issuerNames, 'scripted' as const].map((issuer, i) => ({
    issuer,
    couponId: id,
    batches: batches(`p${i}`),
  }));
  const reports = await issueInProcesses(stores.config, plans);
  await drain();
  const before = people(300, 'before').map((userId, i): Answer => ({ userId, outcome: issued(i + 1) }));
  const answers = reports.flatMap(({ outcomes }, i) =>
    outcomes.flatMap((batch, k) =>
      batch.map((outcome, at): Answer => ({ userId: plans[i]?.batches[k]?.[at] ?? '', outcome })),
    ),
  );
  expect(answers).toHaveLength(400);
  expect(await brokenPromises(stores, id, [...before, ...answers])).toEqual([]);
  expect(await sequencesOf(id)).toEqual(Array.from({ length: 500 }, (_, i) => i + 1));
  expect(reports.reduce((sum, { openings }) => sum + openings, 0)).toBe(1);
  expect((await stores.couponNow(id)).epoch).toBe(1);
  expect(await epochInRedis(id)).toBe(1);
});

for (const lost of ['state', 'owners'] as const) {
  test(`after the ${lost} were lost, with issues that are not yet rows, it continues after the last of them`, async () => {
    const { id } = await stores.coupon({ totalQuantity: 6 });
    await using api = await stores.createApi();
    await api.issuers.scripted.issue(id, ['a', 'b']);
    await drain();
    await api.issuers.scripted.issue(id, ['c', 'd']);
    await stores.redis.del(stores.keys(id)[lost]);
    expect(await api.issues.statusOf(id, 'a')).toMatchObject({ kind: 'issued', sequence: 1 });
    expect(await api.issues.statusOf(id, 'd')).toEqual({ kind: 'accepted', sequence: 4 });
    expect(await api.issues.statusOf(id, 'nobody')).toEqual({ kind: 'none' });
    expect(await api.issuers.scripted.issue(id, ['d', 'e', 'a', 'f', 'g'])).toEqual([
      already(4),
      issued(5),
      already(1),
      issued(6),
      soldOut,
    ]);
    expect(await api.openings()).toEqual({ proven: 0, rebuilt: 2 });
    expect((await stores.couponNow(id)).epoch).toBe(2);
    await drain();
    expect((await stores.rows(id)).map(({ userId }) => userId)).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  });
}

test('a single lost owner is noticed, and does not get the coupon twice', async () => {
  const { id } = await stores.coupon();
  await using api = await stores.createApi();
  await api.issuers.scripted.issue(id, ['a', 'b', 'c']);
  await stores.redis.hdel(stores.keys(id).owners, 'b');
  for (const issuer of issuerNames) expect(await api.issuers[issuer].issue(id, ['b'])).toEqual([already(2)]);
  expect(await api.openings()).toEqual({ proven: 0, rebuilt: 2 });
});

test('after everything was lost when all were rows, it continues after the last row', async () => {
  const { id } = await stores.coupon({ totalQuantity: 4 });
  await using api = await stores.createApi();
  await api.issuers.scripted.issue(id, ['a', 'b']);
  await drain();
  await stores.redis.flushdb();
  expect(await api.issuers.locked.issue(id, ['b', 'c', 'd', 'e'])).toEqual([already(2), issued(3), issued(4), soldOut]);
  await drain();
  expect(await sequencesOf(id)).toEqual([1, 2, 3, 4]);
});

test('after everything was lost, accepted issues included, the whole stock is still issued', async () => {
  const { id } = await stores.coupon({ totalQuantity: 5 });
  await using api = await stores.createApi();
  await api.issuers.scripted.issue(id, ['a', 'b']);
  await drain();
  await api.issuers.scripted.issue(id, ['lost-1', 'lost-2']);
  await stores.redis.flushdb();
  expect(await api.issues.statusOf(id, 'lost-1')).toEqual({ kind: 'none' });
  expect(await api.issuers.scripted.issue(id, ['c', 'a', 'd', 'e', 'f'])).toEqual([
    issued(3),
    already(1),
    issued(4),
    issued(5),
    soldOut,
  ]);
  await drain();
  expect((await stores.rows(id)).map(({ userId }) => userId)).toEqual(['a', 'b', 'c', 'd', 'e']);
});

test('lost sequences below others stay unused, and as many are added at the end', async () => {
  const { id } = await stores.coupon({ totalQuantity: 6 });
  await using api = await stores.createApi();
  await api.issuers.scripted.issue(id, ['lost-1', 'lost-2']);
  await stores.redis.del(stores.keys(id).stream);
  await api.issuers.scripted.issue(id, ['a', 'b', 'c']);
  await drain();
  expect(await sequencesOf(id)).toEqual([3, 4, 5]);
  await stores.redis.del(stores.keys(id).state);
  expect(await api.issuers.synchronous.issue(id, ['lost-1', 'b'])).toEqual([issued(6), already(4)]);
  expect(await api.issuers.locked.issue(id, ['d', 'e', 'f'])).toEqual([issued(7), issued(8), soldOut]);
  await drain();
  expect(await sequencesOf(id)).toEqual([3, 4, 5, 6, 7, 8]);
  expect((await stores.couponNow(id)).issuedQuantity).toBe(6);
  // The state with its gap is taken for whole, and not opened over and over.
  expect(await api.issuers.scripted.issue(id, ['f', 'lost-1'])).toEqual([soldOut, already(6)]);
  expect(await api.openings()).toEqual({ proven: 0, rebuilt: 2 });
});

test('the largest allowed total ends at the largest safe integer, also with a gap below', async () => {
  const { id } = await stores.coupon({ totalQuantity: ID_MAX });
  await using api = await stores.createApi();
  await api.issuers.scripted.issue(id, ['lost', 'a']);
  await stores.redis.del(stores.keys(id).stream);
  await withConnection(stores.database, async (session) => {
    await insertIssues(session, [{ couponId: id, epoch: 1, sequence: 2, userId: 'a', acceptedMs: Date.now() }]);
    await raiseIssued(session, [id], 1);
  });
  await stores.redis.del(stores.keys(id).state);
  const answers = [];
  for (const issuer of issuerNames) answers.push(...(await api.issuers[issuer].issue(id, [issuer])));
  expect(answers).toEqual([issued(3), issued(4), issued(5)]);
  for (const totalQuantity of [ID_MAX - 1, null, ID_MAX]) {
    expect((await api.editor.edit(id, { totalQuantity }, null)).kind).toBe('edited');
    expect(await api.editor.repair(id)).toBe('in step');
    expect(await api.issuers.locked.issue(id, ['a'])).toEqual([already(2)]);
  }
});

test('issues that become rows while the opening reads are not missed', async () => {
  const { id } = await stores.coupon();
  await using api = await stores.createApi();
  await api.issuers.scripted.issue(id, ['a', 'b', 'c']);
  await stores.redis.del(stores.keys(id).state);
  // At the last moment before the stream is read, what was in it is moved to MySQL.
  const xrange = api.redis.xrange.bind(api.redis);
  let drained = false;
  api.redis.xrange = async (...args: unknown[]) => {
    if (!drained) await drain();
    drained = true;
    return Reflect.apply(xrange, api.redis, args) as Promise<[string, string[]][]>;
  };
  expect(await api.issuers.scripted.issue(id, ['c', 'd'])).toEqual([already(3), issued(4)]);
  expect(drained).toBe(true);
});

test.each([1500, -1500])(
  'a coupon whose stock moves goes on by the clock of MySQL, which is %d ms ahead: it is neither closed again nor opened early',
  async (aheadMs) => {
    await using api = await stores.createApi();
    // Redis, as it would show its clock if MySQL were ahead by so much.
    const redisStock = {
      ...api.redisStock,
      nowMs: async (couponId: number) => (await api.redisStock.nowMs(couponId)) - aheadMs,
    };
    const keeper = createStockKeeper({
      redisStock,
      database: stores.database,
      settings: stores.config,
      onOpened: () => undefined,
      onBlocked: () => undefined,
    });
    const { id } = await stores.coupon();
    await keeper.open(id);
    const { ahead, run } = await stores.redis.hgetall(stores.keys(id).state);
    expect(Math.abs(Number(ahead) - aheadMs)).toBeLessThan(1000);
    // By the true clock of Redis it starts, or ended, half a second from now; by that of MySQL it has started, or not yet ended.
    const [from, to] = aheadMs > 0 ? [500, 60_000] : [-60_000, -500];
    const nowMs = await api.redisStock.nowMs(id);
    await stores.redis.hset(stores.keys(id).state, { start: nowMs + from, end: nowMs + to });
    expect(await api.issuers.scripted.issue(id, ['a'])).toEqual([issued(1)]);
    expect(await api.issuers.locked.issue(id, ['b'])).toEqual([issued(2)]);
    // A restart of Redis measures again.
    await stores.redis.hset(stores.keys(id).state, 'run', 'another.server');
    await api.stock.open(id);
    const proven = await stores.redis.hgetall(stores.keys(id).state);
    expect({ run: proven['run'], ahead: proven['ahead'] }).toEqual({ run: String(run), ahead: '0' });
  },
);

test('clocks that agree within what can be told leave a coupon to the clock of Redis', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  await api.stock.open(id);
  expect(await stores.redis.hget(stores.keys(id).state, 'ahead')).toBe('0');
});

test('an opening that is given fewer rows than the coupon counts is not used', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  await api.issuers.synchronous.issue(id, ['a', 'b']);
  // As a replica that is behind answers: the row of the third is not there yet.
  const countAs = (issuedQuantity: number) =>
    withConnection(stores.database, (session) =>
      session.update(coupons).set({ issuedQuantity }).where(eq(coupons.id, id)),
    );
  await countAs(3);
  await expect(api.issuers.scripted.issue(id, ['d'])).rejects.toThrow(/2 rows of 3/);
  expect(await stores.redis.exists(stores.keys(id).state)).toBe(0);
  await countAs(2);
  expect(await api.issuers.scripted.issue(id, ['b', 'd'])).toEqual([already(2), issued(3)]);
});

test('a state from before a restart that knows fewer numbers than MySQL is rebuilt, even with enough owners', async () => {
  const { id } = await stores.coupon();
  await using api = await stores.createApi();
  const { state, owners } = stores.keys(id);
  await api.issuers.scripted.issue(id, ['a', 'b', 'c']);
  const older = { state: await stores.redis.hgetall(state), owners: await stores.redis.hgetall(owners) };
  await api.issuers.synchronous.issue(id, ['d', 'e', 'f']);
  expect(await sequencesOf(id)).toEqual([4, 5, 6]);
  await stores.redis.del(state, owners);
  await stores.redis.hset(state, { ...older.state, run: 'the server before' });
  await stores.redis.hset(owners, older.owners);
  expect(await api.issuers.scripted.issue(id, ['e', 'a', 'g'])).toEqual([already(5), already(1), issued(7)]);
  expect(await api.openings()).toEqual({ proven: 0, rebuilt: 2 });
});

test('dead letters keep their sequences and their stock, since they may be replayed', async () => {
  const { id } = await stores.coupon({ totalQuantity: 4 });
  await using api = await stores.createApi();
  await api.issuers.scripted.issue(id, ['a', 'b']);
  const keys = stores.keys(id);
  const [entry] = await stores.redis.xrange(keys.stream, '-', '+');
  if (!entry) throw new Error('the script has appended an entry');
  const [entryId, fields] = entry;
  await settle(stores.redis, {
    keys,
    entries: [{ id: entryId, users: 2 }],
    deadLetters: [{ entryId, reason: 'planted', fields }],
  });
  expect([await stores.redis.xlen(keys.stream), await stores.redis.xlen(keys.dead)]).toEqual([0, 1]);
  await stores.redis.del(keys.state);
  expect(await api.issuers.scripted.issue(id, ['b', 'c', 'd', 'e'])).toEqual([
    already(2),
    issued(3),
    issued(4),
    soldOut,
  ]);
});

/** An entry as a later release would write it: with other fields of its own, and those that every version keeps. */
const ofALaterRelease = (couponId: number, first: number, ...users: readonly string[]) =>
  ['v', '3', 'c', couponId, 's', first, 'u', users.join(), 'range', '7'] as const;

test('users of a pending or dead entry of a later version are owners: none is issued twice, no sequence repeats', async () => {
  const { id } = await stores.coupon({ totalQuantity: 7 });
  await using api = await stores.createApi();
  await api.issuers.scripted.issue(id, ['a']);
  const keys = stores.keys(id);
  await stores.redis.xadd(keys.stream, '*', ...ofALaterRelease(id, 2, 'waiting-1', 'waiting-2'));
  await stores.redis.xadd(
    keys.dead,
    '*',
    'entry',
    '1-1',
    'reason',
    'unknown version',
    ...ofALaterRelease(id, 4, 'dead-1', 'not a name here'),
  );
  await stores.redis.del(keys.state);
  expect(await api.issuers.scripted.issue(id, ['waiting-2', 'dead-1', 'a', 'b', 'c', 'd'])).toEqual([
    already(3),
    already(4),
    already(1),
    issued(6),
    issued(7),
    soldOut,
  ]);
  expect(await api.issues.statusOf(id, 'waiting-1')).toEqual({ kind: 'accepted', sequence: 2 });
  expect(await api.audit(id)).toMatchObject({ owners: 7, unpersisted: 5, dead: 2, missing: 0, unknown: 0 });
});

for (const place of ['stream', 'dead'] as const) {
  test(`an entry (${place}) that does not name its owners blocks its coupon alone, until it is gone`, async () => {
    await using api = await stores.createApi({ PARTITIONS: 1 });
    const [mine, other] = [await stores.coupon(), await stores.coupon()];
    const blocked = api.metrics.openings.of('blocked');
    for (const { id } of [mine, other]) await api.issuers.scripted.issue(id, ['a']);
    const key = partitionKeys(0)[place];
    const entryId = await stores.redis.xadd(key, '*', 'v', '3', 'c', mine.id, 'packed', 'x');
    // No coupon, so no promise either.
    await stores.redis.xadd(key, '*', 'v', '3', 'packed', 'x');
    await stores.redis.del(...[mine, other].map(({ id }) => couponKeys(id, 1).state));
    for (const issuer of ['scripted', 'locked'] as const)
      expect(await api.issuers[issuer].issue(mine.id, ['b']).catch((failure: unknown) => failure)).toMatchObject({
        name: 'Unavailable',
        reason: 'dependency',
      });
    expect(blocked.total()).toBe(2);
    expect(await api.issuers.scripted.issue(other.id, ['a', 'b'])).toEqual([already(1), issued(2)]);
    await stores.redis.xdel(key, String(entryId));
    expect(await api.issuers.scripted.issue(mine.id, ['a', 'b'])).toEqual([already(1), issued(2)]);
  });
}

test('a state that a later release wrote in another form is neither used nor rebuilt, and closes its coupon alone', async () => {
  await using api = await stores.createApi();
  const [mine, other] = [await stores.coupon(), await stores.coupon()];
  for (const { id } of [mine, other]) expect(await api.issuers.scripted.issue(id, ['a'])).toEqual([issued(1)]);
  await drain();
  const { state, owners, opening } = stores.keys(mine.id);
  await stores.redis.hset(state, { form: 2, gap: 'something else' });
  const everything = async () => [await stores.redis.hgetall(state), await stores.redis.hgetall(owners)];
  const before = await everything();
  const unavailable = { name: 'Unavailable', reason: 'dependency' };
  const failureOf = (promise: Promise<unknown>) => promise.catch((failure: unknown) => failure);
  for (const issuer of issuerNames)
    expect(await failureOf(api.issuers[issuer].issue(mine.id, ['b']))).toMatchObject(unavailable);
  expect(await failureOf(api.issues.statusOf(mine.id, 'b'))).toMatchObject(unavailable);
  expect(await failureOf(api.editor.edit(mine.id, { totalQuantity: 5 }, null))).toMatchObject(unavailable);
  expect(await api.editor.repair(mine.id)).toBe('not open');
  expect(await api.redisStock.close(mine.id, 9)).toBe('changed');
  expect(await api.audit(mine.id)).toMatchObject({ owners: null, missing: 0, unknown: 0, unexpected: 0 });
  expect(api.metrics.openings.of('blocked').total()).toBe(5);
  expect(await everything()).toEqual(before);
  expect(await stores.redis.exists(opening)).toBe(0);
  expect(await api.issuers.scripted.issue(other.id, ['a', 'b'])).toEqual([already(1), issued(2)]);
  // An operator who goes back for good deletes the state, once no process of the later release is left.
  await stores.redis.del(state);
  expect(await api.issuers.scripted.issue(mine.id, ['a', 'b'])).toEqual([already(1), issued(2)]);
});

test('a state that a later release wrote during an opening is not replaced by it', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  const { lease, begun } = await api.redisStock.beginOpening(id, 10_000);
  expect(begun).toEqual({ kind: 'begun' });
  const later = { form: '2', anything: 'else' };
  await stores.redis.hset(stores.keys(id).state, later);
  const stock = { startMs: 0, endMs: 1, paused: false, next: 1, until: 10 };
  expect(await api.redisStock.finishOpening(lease, 0, stock, await stores.couponNow(id), 0)).toBe('superseded');
  expect(await stores.redis.hgetall(stores.keys(id).state)).toEqual(later);
});

test('a state of the releases that wrote no form is used as it is', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  const { state } = stores.keys(id);
  await api.issuers.scripted.issue(id, ['a']);
  expect(await stores.redis.hget(state, 'form')).toBe('1');
  await stores.redis.hdel(state, 'form');
  for (const [i, issuer] of issuerNames.entries())
    expect(await api.issuers[issuer].issue(id, ['a', issuer])).toEqual([already(1), issued(2 + i)]);
  expect((await api.editor.edit(id, { totalQuantity: 9 }, null)).kind).toBe('edited');
  expect(await api.openings()).toEqual({ proven: 0, rebuilt: 1 });
  expect(await stores.redis.hexists(state, 'form')).toBe(0);
});

test('entries are counted over many pages, and only those of the coupon', async () => {
  await using api = await stores.createApi({ PARTITIONS: 1, OPENING_PAGE: 7 });
  const mine = await stores.coupon({ totalQuantity: null });
  const other = await stores.coupon({ totalQuantity: null });
  for (let i = 0; i < 130; i++) {
    await api.issuers.scripted.issue(mine.id, people(3, `m${i}`));
    await api.issuers.scripted.issue(other.id, people(2, `o${i}`));
  }
  await stores.redis.del('coupon:{0}:' + mine.id + ':state');
  expect(await api.issuers.scripted.issue(mine.id, ['m77-1', 'new'])).toEqual([already(77 * 3 + 2), issued(391)]);
  expect(await stores.redis.hlen('coupon:{0}:' + mine.id + ':owners')).toBe(391);
});

test('rows are loaded over many pages', async () => {
  await using api = await stores.createApi({ OPENING_PAGE: 7 });
  const { id } = await stores.coupon({ totalQuantity: 30 });
  await api.issuers.synchronous.issue(id, people(28, 'row'));
  expect(await api.issuers.scripted.issue(id, ['row-27', 'row-0', 'x', 'y', 'z'])).toEqual([
    already(28),
    already(1),
    issued(29),
    issued(30),
    soldOut,
  ]);
});

test('an opening whose lease expired changes nothing', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  await api.issuers.scripted.issue(id, ['a', 'b']);
  const keys = stores.keys(id);
  const everything = async () => [await stores.redis.hgetall(keys.state), await stores.redis.hgetall(keys.owners)];
  const before = await everything();
  const late = { keys, token: 'late', leaseMs: 5000 };
  const stock = { startMs: 0, endMs: 1, paused: false, next: 1, until: 9 };
  const swap = () =>
    finishOpening(stores.redis, {
      ...late,
      owners: 0,
      server: serverOf(api.redis),
      stock,
      epoch: 1,
      version: 1,
      aheadMs: 0,
    });
  expect(await loadOwners(stores.redis, { ...late, owners: ['z', 1] })).toBe(null);
  expect(await swap()).toBe('superseded');
  // Nor while another process opens it.
  await stores.redis.set(keys.opening, 'another', 'PX', 5000);
  expect(await loadOwners(stores.redis, { ...late, owners: ['z', 1] })).toBe(null);
  expect(await swap()).toBe('superseded');
  expect(await everything()).toEqual(before);
  await stores.redis.del(keys.opening);
  expect(await api.issuers.scripted.issue(id, ['b', 'c'])).toEqual([already(2), issued(3)]);
});

test('two openers, the first of which was held up beyond its lease, leave one state', async () => {
  const { id } = await stores.coupon({ totalQuantity: 3 });
  await using slow = await stores.createApi({ OPENING_LEASE_MS: 100 });
  await using quick = await stores.createApi();
  const keys = stores.keys(id);
  const release = Promise.withResolvers<void>();
  const locked = Promise.withResolvers<void>();
  const allocation = withTransaction(stores.database, async (tx) => {
    await lockCoupon(tx, id);
    locked.resolve();
    await release.promise;
  });
  await locked.promise;
  const first = slow.issuers.scripted.issue(id, ['a']);
  await eventually('the first to have the lease', async () => (await stores.redis.exists(keys.opening)) === 1);
  const firstToken = await stores.redis.get(keys.opening);
  const second = quick.issuers.scripted.issue(id, ['b']);
  await eventually('the second to have the lease', async () => {
    const token = await stores.redis.get(keys.opening);
    return token !== null && token !== firstToken && (await stores.redis.pttl(keys.opening)) > 1000;
  });
  release.resolve();
  await allocation;
  const kinds = (await Promise.all([first, second])).map(([outcome]) => outcome?.kind);
  expect(kinds).toEqual(['issued', 'issued']);
  const openings = [await slow.openings(), await quick.openings()];
  expect(openings.reduce((sum, { rebuilt }) => sum + rebuilt, 0)).toBe(1);
  expect(await epochInRedis(id)).toBe((await stores.couponNow(id)).epoch);
  await drain();
  expect(await sequencesOf(id)).toEqual([1, 2]);
});

test('an opening that fails releases its lease, and the next one succeeds', async () => {
  const { id } = await stores.coupon();
  await using api = await stores.createApi();
  await stores.redis.set(stores.keys(id).stream, 'not a stream');
  await expect(api.stock.open(id)).rejects.toThrow(/WRONGTYPE/);
  expect(await stores.redis.exists(stores.keys(id).opening)).toBe(0);
  await stores.redis.del(stores.keys(id).stream);
  expect(await api.issuers.scripted.issue(id, ['a'])).toEqual([issued(1)]);
});

test('a request for an ended coupon does not open it', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  await api.issuers.scripted.issue(id, ['a']);
  await drain();
  await withConnection(stores.database, (session) =>
    session
      .update(coupons)
      .set({ dateIssueEnd: new Date(Date.now() - 1000) })
      .where(eq(coupons.id, id)),
  );
  const keys = stores.keys(id);
  await stores.redis.del(keys.state, keys.owners);
  for (const issuer of issuerNames) expect(await api.issuers[issuer].issue(id, ['a'])).toEqual([{ kind: 'ended' }]);
  expect(await api.issues.statusOf(id, 'a')).toMatchObject({ kind: 'issued', sequence: 1 });
  expect(await api.issues.statusOf(id, 'b')).toEqual({ kind: 'none' });
  expect(await stores.redis.exists(keys.state, keys.owners, keys.opening)).toBe(0);
  expect((await stores.couponNow(id)).epoch).toBe(1);
});

test('accepted issues of an ended coupon stay known when its state is lost, and do not open it', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  await api.issuers.scripted.issue(id, ['a', 'b']);
  await withConnection(stores.database, (session) =>
    session
      .update(coupons)
      .set({ dateIssueEnd: new Date(Date.now() - 1000) })
      .where(eq(coupons.id, id)),
  );
  const keys = stores.keys(id);
  await stores.redis.del(keys.state, keys.owners);
  expect(await api.issues.statusOf(id, 'b')).toEqual({ kind: 'accepted', sequence: 2 });
  expect(await api.issues.statusOf(id, 'c')).toEqual({ kind: 'none' });
  expect(await stores.redis.exists(keys.state)).toBe(0);
  await drain();
  expect(await api.issues.statusOf(id, 'b')).toMatchObject({ kind: 'issued', sequence: 2 });
});

test('the status of an issue is known before the opening, while it is accepted, and when it is a row', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  expect(await api.issues.statusOf(id, 'a')).toEqual({ kind: 'none' });
  expect((await stores.couponNow(id)).stockHome).toBe('mysql');
  await api.issuers.scripted.issue(id, ['a']);
  expect(await api.issues.statusOf(id, 'a')).toEqual({ kind: 'accepted', sequence: 1 });
  await drain();
  expect(await api.issues.statusOf(id, 'a')).toMatchObject({ kind: 'issued', sequence: 1 });
  await withConnection(stores.database, (_, connection) =>
    connection.query('UPDATE coupon_issues SET date_used = NOW(3) WHERE coupon_id = ?', [id]),
  );
  expect(await api.issues.statusOf(id, 'a')).toMatchObject({ kind: 'used', sequence: 1 });
  expect(await api.issues.statusOf(1, 'a')).toBe(null);
});

test('an opening whose claim a failover of MySQL lost counts what MySQL has issued since', async () => {
  const { id } = await stores.coupon({ totalQuantity: 2 });
  await using api = await stores.createApi();
  await using other = await stores.createApi();
  const finish = api.redisStock.finishOpening;
  const finishes = spyOn(api.redisStock, 'finishOpening').mockImplementation(finish);
  const load = api.redisStock.loadOwners;
  let isLost = false;
  // A page of rows is loaded even if it is empty.
  using _ = spyOn(api.redisStock, 'loadOwners').mockImplementation(async (...words) => {
    const loaded = await load(...words);
    if (isLost) return loaded;
    isLost = true;
    const before = { stockHome: 'mysql', epoch: 0 } as const;
    await withConnection(stores.database, (session) => session.update(coupons).set(before).where(eq(coupons.id, id)));
    expect(await other.issuers.synchronous.issue(id, ['a'])).toEqual([issued(1)]);
    return loaded;
  });
  expect(await api.issuers.scripted.issue(id, ['b', 'a', 'c'])).toEqual([issued(2), already(1), soldOut]);
  expect({ isLost, finishes: finishes.mock.calls.length }).toEqual({ isLost: true, finishes: 1 });
});
