// erasing.test.ts -- An erased user is nowhere any more, nothing else has changed, and they do not get the coupon a second time.

import { afterAll, beforeEach, describe, expect, test } from 'bun:test';
import { eq, sql } from 'drizzle-orm';
import { couponIssues, coupons as couponTable, erasedUsers } from '../../drizzle/schema.ts';
import { digestOf } from '../../src/auth/authority.ts';
import { createKey } from '../../src/auth/api-key-store.ts';
import { commandActor, listTrail } from '../../src/auth/audit-trail.ts';
import type { Outcome } from '../../src/coupon/outcome.ts';
import { pseudonymOf } from '../../src/coupon/pseudonym.ts';
import { issuerNames } from '../../src/issuing/issuer.ts';
import { createSynchronous } from '../../src/issuing/synchronous.ts';
import { writeEntries } from '../../src/ledger/ledger.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { createDeadLetters } from '../../src/operations/dead-letters.ts';
import { type ErasingDependencies, eraseUser } from '../../src/operations/erasing.ts';
import { offer } from '../../src/stock/offer-scripts.ts';
import { createStockKeeper } from '../../src/stock/opening.ts';
import { createRedisStock } from '../../src/stock/redis-stock.ts';
import { writeEntry } from '../../src/stream/entry.ts';
import { offersKey } from '../../src/stream/keys.ts';
import { Gate, Process } from '../conformance/gate.ts';
import { Clock, DatabaseView, loadScripts, type Real, redisView } from '../conformance/views.ts';
import { startLoad } from '../load.ts';
import { brokenPromises } from '../promises.ts';
import { startEntry } from '../started-entry.ts';
import { needsOneRedis, needsPlainMysql } from '../other-stores.ts';
import { openStores, type TestApi } from '../stores.ts';
import { reconcileOnce } from '../reconcile-once.ts';

const stores = await openStores();
afterAll(() => stores.close());
/** Another one in each test. */
let USER: string;
beforeEach(async () => {
  USER = `auth0|kim.${crypto.randomUUID()}@example.com`;
  await stores.redis.flushdb();
});

const already = (sequence: number): Outcome => ({ kind: 'already issued', sequence });
const issued = (sequence: number): Outcome => ({ kind: 'issued', sequence });

async function drain(): Promise<void> {
  await using worker = await stores.startWorker();
  await worker.drained();
}

function erase(api: TestApi, userId = USER, change: Partial<ErasingDependencies> = {}) {
  const { redisStock } = api;
  const dependencies = { redisStock, database: stores.database, keyDigests: [], waitMsMax: 30_000, ...change };
  return eraseUser(dependencies, userId, commandActor('erase'));
}

/** What both stores hold, as text, but for the changes that were published. */
async function everything(): Promise<string> {
  const parts: unknown[] = [];
  const events = ['outbox', 'webhook_deliveries'];
  for (const table of [
    'coupons',
    'coupon_issues',
    'erased_users',
    'audit_trail',
    'api_keys',
    'installation',
    ...events,
  ])
    parts.push(await withConnection(stores.database, (session) => session.execute(sql.raw(`SELECT * FROM ${table}`))));
  for (const key of await stores.redis.keys('*')) {
    const readers: Readonly<Record<string, () => Promise<unknown>>> = {
      hash: () => stores.redis.hgetall(key),
      stream: () => stores.redis.xrange(key, '-', '+'),
      string: () => stores.redis.get(key),
      zset: () => stores.redis.zrange(key, 0, '-1'),
    };
    parts.push(key, await readers[await stores.redis.type(key)]?.());
  }
  return JSON.stringify(parts);
}

/** Asks with each issuer, alone and beside somebody else, with the state as it is and built again. */
async function askAgain(api: TestApi, couponId: number, sequence: number): Promise<void> {
  for (const round of ['as it is', 'rebuilt']) {
    for (const issuer of issuerNames) {
      const other = crypto.randomUUID();
      const [first, second] = await api.issuers[issuer].issue(couponId, [USER, other]);
      expect([round, issuer, first, second?.kind]).toEqual([round, issuer, already(sequence), 'issued']);
    }
    await drain();
    await stores.redis.del(stores.keys(couponId).state);
  }
}

describe('a user', () => {
  test('is nowhere any more, and nothing else has changed', async () => {
    await using api = await stores.createApi();
    const [one, two, three] = [await stores.coupon(), await stores.coupon(), await stores.coupon()];
    await api.issuers.scripted.issue(one.id, ['a', USER, 'b']);
    await api.issuers.synchronous.issue(two.id, ['c', 'd', USER]);
    await drain();
    const { keyDigests, key } = await usedIdempotencyKeys(api, one.id);
    // Its entry is among the dead letters.
    await api.issuers.scripted.issue(three.id, ['e', USER]);
    const keys = stores.keys(three.id);
    const [[entryId, fields] = ['', []]] = await stores.redis.xrange(keys.stream, '-', '+');
    await stores.redis.xadd(keys.dead, '*', 'entry', entryId, 'reason', 'a test', ...fields);
    await stores.redis.xdel(keys.stream, entryId);
    // As after a failover, by a process that remembers the answer.
    const offers = { keys: stores.keys(two.id), keepMs: 60_000 };
    await offer(stores.redis, { ...offers, owners: [`${USER} 3`, '1 1', `${USER}x 4`, '1 1'] });
    expect(await everything()).toContain(USER);
    const before = await countsOf(api, [one.id, two.id, three.id]);
    expect(await erase(api, USER, { keyDigests })).toEqual(new Set([one.id, two.id, three.id]));
    expect(await stores.redis.hkeys(offersKey(offers.keys))).toEqual([`${USER}x 4`]);
    await stores.redis.del(offersKey(offers.keys));
    expect(await everything()).not.toContain(USER.slice(6, -12));
    expect(await countsOf(api, [one.id, two.id, three.id])).toEqual(before);
    expect(await callersKeys()).toEqual(key);
    // The trail has the pseudonym of each coupon, and they have nothing in common.
    const ids = new Set<number | null>([one.id, two.id, three.id]);
    const trailOf = async () => {
      const filter = { after: 0, limit: 1000, couponId: null, key: 'command:erase' };
      return (await listTrail(stores.database, filter)).filter(({ couponId }) => ids.has(couponId));
    };
    const trail = await trailOf();
    const pseudonyms = new Map(trail.map(({ couponId, to }) => [couponId, String(to?.['userId'])]));
    expect(new Set(pseudonyms.values()).size).toBe(3);
    const users = async (id: number) => (await stores.rows(id)).map(({ userId }) => userId);
    expect(await users(one.id)).toEqual(['a', pseudonyms.get(one.id) ?? '', 'b']);
    expect(await users(two.id)).toEqual(['c', 'd', pseudonyms.get(two.id) ?? '']);
    expect(await stores.redis.hget(stores.keys(one.id).owners, pseudonyms.get(one.id) ?? '')).toBe('2');
    for (const { couponId, to } of trail) {
      const { erasureKey = '' } = await stores.couponNow(couponId ?? 0);
      expect(String(to?.['userId'])).toBe(pseudonymOf(erasureKey, USER));
    }
    // Done again it finds nothing, and records nothing.
    expect(await erase(api)).toEqual(new Set());
    expect(await erase(api, 'somebody-else')).toEqual(new Set());
    expect(await trailOf()).toEqual(trail);
  });

  test('does not get the coupon again, by any endpoint, also after Redis lost it', async () => {
    await using api = await stores.createApi();
    const { id } = await stores.coupon({ totalQuantity: null });
    await api.issuers.scripted.issue(id, ['a', USER]);
    await drain();
    // It has asked before, and knows no key yet.
    await using other = await stores.createApi();
    expect(await other.issuers.locked.issue(id, [USER])).toEqual([already(2)]);
    await erase(api);
    for (const each of [api, other]) await askAgain(each, id, 2);
    await stores.redis.flushdb();
    await askAgain(api, id, 2);
    expect((await stores.rows(id)).filter(({ sequence }) => sequence === 2)).toHaveLength(1);
    expect(await api.audit(id)).toMatchObject({ missing: 0, unknown: 0, unexpected: 0 });
  });

  test('does not get the coupon again while MySQL is the home of its stock', async () => {
    await using api = await stores.createApi();
    const { id } = await stores.coupon({ totalQuantity: null });
    await api.issuers.synchronous.issue(id, ['a', USER]);
    await erase(api);
    expect((await stores.couponNow(id)).stockHome).toBe('mysql');
    await using other = await stores.createApi();
    for (const each of [api, other]) {
      const asked = [`b-${crypto.randomUUID()}`, USER, USER];
      const found = await each.issuers.synchronous.issue(id, asked);
      expect(found).toEqual([issued(each === api ? 3 : 4), already(2), already(2)]);
      expect(await each.issuers.synchronous.issue(id, [USER])).toEqual([already(2)]);
    }
    await askAgain(api, id, 2);
  });

  test('has nothing to see and nothing to use, whether Redis has the coupon or not', async () => {
    await using api = await stores.createApi({ USE_WAIT_MS: 50 });
    const { id } = await stores.coupon();
    await api.issuers.scripted.issue(id, [USER]);
    await drain();
    await erase(api);
    for (const { state } of [stores.keys(id), stores.keys(id)]) {
      expect(await api.issues.statusOf(id, USER)).toEqual({ kind: 'none' });
      expect(await api.issues.change(id, USER, { kind: 'use', reference: null })).toEqual({ kind: 'not issued' });
      expect(await api.issues.listOf(USER, { after: 0, limit: 10 })).toEqual([]);
      await stores.redis.del(state);
    }
  });

  test('leaves that their issue was used, and not what for', async () => {
    await using api = await stores.createApi();
    const { id } = await stores.coupon();
    await api.issuers.scripted.issue(id, [USER]);
    await drain();
    await api.issues.change(id, USER, { kind: 'use', reference: 'order-of-a-person' });
    await erase(api);
    const [row] = await withConnection(stores.database, (session) =>
      session.select().from(couponIssues).where(eq(couponIssues.couponId, id)),
    );
    expect({ used: row?.dateUsed !== null, reference: row?.reference }).toEqual({ used: true, reference: null });
  });

  test('is still known after a restart of Redis, whose state is only compared', async () => {
    await using api = await stores.createApi();
    const { id } = await stores.coupon({ totalQuantity: null });
    await api.issuers.scripted.issue(id, [USER]);
    await drain();
    const { state, owners } = stores.keys(id);
    const before = await stores.redis.hgetall(state);
    await erase(api);
    await stores.redis.hset(state, { run: 'another server' });
    expect(await api.issuers.scripted.issue(id, [USER])).toEqual([already(1)]);
    // A Redis that went back to before has the id, and no key.
    await stores.redis.del(state, owners);
    await stores.redis.hset(owners, USER, 1);
    await stores.redis.hset(state, { ...before, run: 'another server' });
    expect(await api.issuers.scripted.issue(id, [USER])).toEqual([already(1)]);
    expect([(await api.openings()).proven, (await stores.redis.hget(state, 'erased'))?.length]).toEqual([2, 43]);
    await askAgain(api, id, 1);
  });

  test('may have a coupon that was not theirs before', async () => {
    await using api = await stores.createApi();
    const [one, two] = [await stores.coupon(), await stores.coupon()];
    await api.issuers.scripted.issue(one.id, [USER]);
    await drain();
    await erase(api);
    for (const expected of [issued(1), already(1)])
      expect(await api.issuers.scripted.issue(two.id, [USER])).toEqual([expected]);
    await drain();
    expect(await erase(api)).toEqual(new Set([two.id]));
    expect(await api.issuers.scripted.issue(two.id, [USER])).toEqual([already(1)]);
  });
});

test('a worker that still has the entry in hand writes nothing new', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon({ totalQuantity: 3 });
  await api.issuers.scripted.issue(id, ['a', USER, 'b']);
  await drain();
  await erase(api);
  const before = await stores.rows(id);
  const entry = { couponId: id, epoch: 1, firstSequence: 1, acceptedMs: Date.now(), users: ['a', USER, 'b'] };
  expect(await writeEntries(stores.database, [entry])).toMatchObject({ inserted: 0, unchanged: 3, dead: [] });
  expect(await stores.rows(id)).toEqual(before);
});

test('a dead letter that is replayed afterwards becomes the row of the pseudonym', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  await api.issuers.scripted.issue(id, ['a']);
  await drain();
  const keys = stores.keys(id);
  const entry = { couponId: id, epoch: 1, firstSequence: 2, acceptedMs: Date.now(), users: [USER, 'b'] };
  await stores.redis.xadd(keys.dead, '*', 'entry', '1-1', 'reason', 'a test', ...writeEntry(entry));
  // Of a later release, and of a coupon that is gone.
  await stores.redis.xadd(keys.dead, '*', 'entry', '1-2', 'reason', 'unknown version', ...later(id));
  const gone = stores.keys(4).dead;
  await stores.redis.xadd(
    gone,
    '*',
    'entry',
    '1-3',
    'reason',
    'no such coupon',
    ...writeEntry({ ...entry, couponId: 4 }),
  );
  expect(await erase(api)).toEqual(new Set([id, 4]));
  expect(await everything()).not.toContain(USER);
  const letters = createDeadLetters(api.redisStock);
  const found = await Array.fromAsync(letters.list());
  const shown = found.map(({ entryId, reason, entry: read, allocation }) => {
    return `${entryId}, ${reason}: ${(read ?? allocation)?.users.length} users`;
  });
  expect(shown.toSorted()).toEqual([
    '1-1, a test: 2 users',
    '1-2, unknown version: 2 users',
    '1-3, no such coupon: 2 users',
  ]);
  const letter = found.find(({ entryId }) => entryId === '1-1');
  expect(await letters.replay(letter?.id ?? '')).toBe('replayed');
  await drain();
  const { erasureKey = '' } = await stores.couponNow(id);
  expect(await stores.rows(id)).toMatchObject([
    { userId: 'a' },
    { userId: pseudonymOf(erasureKey, USER) },
    { userId: 'b' },
  ]);
  await stores.redis.del(keys.state);
  expect(await api.issuers.scripted.issue(id, [USER])).toEqual([already(2)]);
});

test('what waits in the stream is waited for, and is named when no worker comes', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  await api.issuers.scripted.issue(id, [USER]);
  await expect(erase(api, USER, { waitMsMax: 50 })).rejects.toThrow('entries of the user wait for a worker');
  const erasing = erase(api);
  await drain();
  expect(await erasing).toEqual(new Set([id]));
  expect(await everything()).not.toContain(USER);
});

test('once a coupon is long over, its key is deleted: nothing leads from a pseudonym to a user any more', async () => {
  await using api = await stores.createApi();
  const [over, open] = [await stores.coupon(), await stores.coupon()];
  for (const { id } of [over, open]) await api.issuers.scripted.issue(id, [USER]);
  await drain();
  await erase(api);
  await stores.edit(over.id, { dateIssueEnd: new Date(Date.now() - 60_000) });
  // The first round closes it.
  for (let round = 0; round < 2; round += 1)
    await reconcileOnce(api, { settings: { ...stores.config, CLOSE_AFTER_MS: 1000 } });
  expect(await stores.redis.exists(stores.keys(over.id).state, stores.keys(over.id).owners)).toBe(0);
  expect(
    [await stores.couponNow(over.id), await stores.couponNow(open.id)].map(({ erasureKey }) => erasureKey?.length),
  ).toEqual([undefined, 43]);
  // A worker that froze with the entry in hand for so long.
  const before = await stores.rows(over.id);
  const entry = { couponId: over.id, epoch: 1, firstSequence: 1, acceptedMs: Date.now(), users: [USER] };
  expect(await writeEntries(stores.database, [entry])).toMatchObject({ inserted: 0, unchanged: 1, renumbered: [] });
  expect(await stores.rows(over.id)).toEqual(before);
});

/** An entry of the user waits, and they are erased wherever else they are. */
async function erasedWhileWaiting(api: TestApi): Promise<void> {
  await expect(erase(api, USER, { waitMsMax: 50 })).rejects.toThrow('entries of the user wait for a worker');
}

test('an issue of an erased user that finds no stock becomes a dead letter of the pseudonym', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon({ totalQuantity: 2 });
  await api.issuers.synchronous.issue(id, ['a', 'b']);
  const { stream } = stores.keys(id);
  const entry = { couponId: id, epoch: 0, firstSequence: 3, acceptedMs: Date.now(), users: ['c', USER] };
  await stores.redis.xadd(stream, '*', ...writeEntry(entry));
  await erasedWhileWaiting(api);
  await drain();
  expect(await erase(api)).toEqual(new Set());
  const { erasureKey = '' } = await stores.couponNow(id);
  const letters = await Array.fromAsync(createDeadLetters(api.redisStock).list());
  const users = letters.flatMap(({ entry: read }) => (read?.couponId === id ? read.users : []));
  expect(users.toSorted()).toEqual(['c', pseudonymOf(erasureKey, USER)]);
  await stores.redis.flushdb();
});

test('whoever was accepted twice, after a loss, is written once under the pseudonym, and hears the sequence of their row', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  await api.issuers.scripted.issue(id, [USER]);
  await erasedWhileWaiting(api);
  const entry = { couponId: id, epoch: 1, firstSequence: 1, acceptedMs: Date.now(), users: [USER] };
  const written = await writeEntries(stores.database, [entry, { ...entry, firstSequence: 2 }]);
  const { erasureKey = '' } = await stores.couponNow(id);
  expect([written.inserted, written.superseded.map(({ sequence }) => sequence)]).toEqual([1, [1]]);
  expect(await stores.rows(id)).toMatchObject([{ userId: pseudonymOf(erasureKey, USER), sequence: 1 }]);
  const { issue } = createSynchronous({
    database: stores.database,
    take: () => Promise.resolve({ outcomes: [issued(3)], accepted: { epoch: 1, acceptedMs: Date.now() } }),
    exists: () => true,
    epochInRedis: () => 1,
    drop: () => Promise.resolve(),
  });
  expect(await issue(id, [USER])).toEqual([issued(1)]);
  await drain();
});

test('is erased again in a MySQL that went back, under the pseudonym that Redis has', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon({ totalQuantity: null });
  await api.issuers.scripted.issue(id, [USER]);
  await drain();
  await erase(api);
  await withConnection(stores.database, async (session) => {
    await session.update(couponIssues).set({ userId: USER }).where(eq(couponIssues.couponId, id));
    await session.update(couponTable).set({ erasureKey: null }).where(eq(couponTable.id, id));
    await session.delete(erasedUsers).where(eq(erasedUsers.couponId, id));
  });
  expect(await erase(api)).toEqual(new Set([id]));
  expect((await stores.couponNow(id)).erasureKey).toBe(
    (await stores.redis.hget(stores.keys(id).state, 'erased')) ?? '',
  );
  await askAgain(api, id, 1);
});

test('under load, from the command line, exactly those are erased who are named, and none of them gets a second coupon', async () => {
  await using api = await stores.createApi();
  await using worker = await stores.startWorker();
  const coupons = [await stores.coupon({ totalQuantity: null }), await stores.coupon({ totalQuantity: null })];
  const ids = coupons.map(({ id }) => id);
  const leavers = Array.from({ length: 4 }, (_, i) => `leaver-${i}`);
  for (const id of ids) await api.issuers.scripted.issue(id, leavers);
  const loads = issuerNames.map((issuer) => startLoad(api, issuer, ids, issuer));
  await Promise.all(loads.map((load) => load.answered(50)));
  let isErasing = true;
  const again: Outcome[] = [];
  const askOn = async () => {
    // Each leaver at each coupon by each endpoint at least once, however soon they are all erased.
    for (let i = 0; isErasing || again.length < 24; i += 1) {
      const issuer = issuerNames[i % issuerNames.length] ?? 'scripted';
      const couponId = ids[i % ids.length] ?? 0;
      again.push(...(await api.issuers[issuer].issue(couponId, [leavers[i % leavers.length] ?? '']).catch(() => [])));
      // As after a loss, so that openings come in between.
      if (i % 10 === 0) await stores.redis.del(stores.keys(couponId).state);
    }
  };
  const asking = askOn();
  for (const leaver of leavers) {
    const { child, read, logOf } = startEntry(stores, 'src/commands/erase.ts', { words: [leaver] });
    await read;
    expect([await child.exited, logOf().trim()]).toEqual([0, 'The user is erased from 2 coupon(s).']);
  }
  isErasing = false;
  await asking;
  await Promise.all(loads.map((load) => load.stop()));
  await worker.drained();
  expect(again.filter(({ kind }) => kind !== 'already issued')).toEqual([]);
  const left = await everything();
  expect(leavers.filter((leaver) => left.includes(`"${leaver}"`))).toEqual([]);
  for (const [i, id] of ids.entries()) {
    const rows = await stores.rows(id);
    expect(rows.map(({ sequence }) => sequence)).toEqual(rows.map((_, at) => at + 1));
    expect(rows.slice(0, 4).every(({ userId }) => userId.startsWith('erased-'))).toBe(true);
    expect(rows.filter(({ userId }) => userId.startsWith('erased-'))).toHaveLength(4);
    const erased = rows.slice(0, 4).map(({ userId, sequence }) => ({ userId, outcome: issued(sequence) }));
    const answers = [...erased, ...loads.flatMap((load) => load.answersOf(id))];
    expect(await brokenPromises(stores, id, answers)).toEqual([]);
    expect(await api.audit(id)).toMatchObject({ missing: 0, unknown: 0, unexpected: 0, issuedQuantity: rows.length });
    expect(rows.length).toBeGreaterThan(100 + i);
  }
}, 120_000);

// The steps are driven as in test/conformance.
const cannotDrive =
  needsPlainMysql('sets the clock of a session') || needsOneRedis('runs scripts with a clock of their own');
test.skipIf(cannotDrive)(
  'at every step of an erasure, and of an opening beside it, the user has the coupon',
  async () => {
    await using api = await stores.createApi({ PARTITIONS: 1 });
    const real = await realStores();
    for (let erased = 0; ; erased += 1) {
      let opened = 0;
      for (let isOver = false; !isOver; opened += 1) isOver = await interleave(api, real, erased, opened);
      // No step of the erasure is left to stop at.
      if (opened === 1) break;
    }
  },
  300_000,
);

test('`bun run erase` says how it is used', async () => {
  const { child, read, logOf } = startEntry(stores, 'src/commands/erase.ts', { words: ['--help'] });
  await read;
  expect([await child.exited, logOf().split('\n')[0]]).toEqual([
    0,
    'usage: bun run erase USER   (a user id, as it was sent to issue)',
  ]);
  for (const words of [[], ['two', 'users'], ['not an id']])
    expect([words, await startEntry(stores, 'src/commands/erase.ts', { words }).child.exited]).toEqual([words, 2]);
});

/** An entry of a later release. */
const later = (couponId: number) => ['v', '9', 'c', couponId, 's', '7', 'u', `x,${USER}`, 'new', 'field'];

/** The hashes of callers. */
const callersKeys = async () =>
  (await stores.redis.keys('idempotency:*')).filter((key) => /:[\w-]{22}$/.test(key)).toSorted();

/** Uses idempotency keys as the user, alone and through an API key, and as another. Returns the digests, and the key that is to stay. */
async function usedIdempotencyKeys(api: TestApi, couponId: number) {
  const { key } = await createKey(stores.database, { name: 'shop', scopes: ['issue'] });
  const unstored = digestOf('ADMIN_API_KEY');
  const asked = { key: 'a', issuer: 'scripted', couponId } as const;
  await api.issueOnce({ ...asked, userId: 'a' });
  const stays = await callersKeys();
  for (const keyDigest of [undefined, digestOf(key), unstored])
    await api.issueOnce({ ...asked, userId: USER, ...(keyDigest !== undefined && { keyDigest }) });
  expect(await callersKeys()).toHaveLength(4);
  return { keyDigests: [unstored], key: stays };
}

async function countsOf(api: TestApi, ids: readonly number[]) {
  return Promise.all(
    ids.map(async (id) => ({ ...(await api.audit(id)), now: (await stores.couponNow(id)).issuedQuantity })),
  );
}

async function realStores(): Promise<Real> {
  const clock = new Clock(stores.redis);
  await clock.set(Date.now());
  return { redis: stores.redis, database: stores.database, clock, scripts: await loadScripts(stores.redis) };
}

/**
 * Stops an erasure and an opening after so many commands of each, lets the opening go on to its end, and then the erasure.
 *
 * @returns whether the opening had no such command, or the erasure none
 */
async function interleave(api: TestApi, real: Real, erased: number, opened: number): Promise<boolean> {
  await stores.redis.flushdb();
  await real.clock.set(Date.now());
  const { id } = await stores.coupon({ totalQuantity: null });
  await api.issuers.synchronous.issue(id, [USER, 'a']);
  const opener = processOf(real, ({ redisStock, database }) => {
    const onBlocked = (error: Error) => {
      throw error;
    };
    return createStockKeeper({ redisStock, database, settings: stores.config, onOpened() {}, onBlocked }).open(id);
  });
  const eraser = processOf(real, (parts) =>
    eraseUser({ ...parts, keyDigests: [], waitMsMax: 60_000 }, USER, commandActor('erase')),
  );
  // Row locks would be waited for: a transaction is one step.
  const isOpening = await goTo(opener, opened);
  const isErasing = isOpening && (await goTo(eraser, erased, ['begin', 'erase-owner', 'publish', 'unlink']));
  await opener.advance({});
  await eraser.advance({});
  for (const { ended } of [opener, eraser]) if (ended && 'error' in ended) throw ended.error;
  const owners = await stores.redis.hgetall(api.redisStock.keysOf(id).owners);
  const steps = { erased, opened };
  expect({
    ...steps,
    hasId: USER in owners,
    rows: (await stores.rows(id)).some(({ userId }) => userId === USER),
  }).toEqual({
    ...steps,
    hasId: false,
    rows: false,
  });
  const again = await api.issuers.scripted.issue(id, [USER]);
  expect({ ...steps, again }).toEqual({ ...steps, again: [already(1)] });
  return !isOpening || !isErasing;
}

type Parts = Pick<ErasingDependencies, 'redisStock' | 'database'>;

function processOf<Result>(real: Real, run: (parts: Parts) => Promise<Result>): Process<Result> {
  const gate = new Gate();
  const redisStock = createRedisStock(redisView(real, gate), { ...stores.config, PARTITIONS: 1 });
  const { database } = new DatabaseView(real, gate);
  return new Process(gate, () => run({ redisStock, database }));
}

/**
 * Stops before the command that comes after so many of these names, or of any; a transaction is one command, since its row locks would
 * be waited for. False: the process ended before.
 */
async function goTo(process: Process<unknown>, commands: number, names?: readonly string[]): Promise<boolean> {
  for (let passed = 0; ; ) {
    let command = await process.gate.next(() => process.ended !== null);
    if (!command) return false;
    if ((names?.includes(command.name) ?? true) && (passed += 1) > commands) return true;
    let isWithin = false;
    for (; command; command = isWithin ? await process.gate.next(() => process.ended !== null) : null) {
      isWithin = command.name === 'begin' || (isWithin && command.name !== 'commit');
      await process.gate.release(command, false);
    }
  }
}
