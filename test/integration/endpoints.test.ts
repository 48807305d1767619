// endpoints.test.ts -- Which endpoint accepted an issue stands in its row, whatever way it took there, and is left empty where it is not known.

import { afterAll, expect, test } from 'bun:test';
import { asc, eq, sql } from 'drizzle-orm';
import { couponIssues, coupons } from '../../drizzle/schema.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { createDeadLetters } from '../../src/operations/dead-letters.ts';
import { restoreLost } from '../../src/stock/restoring.ts';
import { readEntry } from '../../src/stream/entry.ts';
import { openStores } from '../stores.ts';

const stores = await openStores();
const api = await stores.createApi({ LOCK_WAIT_MS_MAX: 10 });
afterAll(() => stores.close());

const { synchronous, locked, scripted } = api.issuers;

async function drain(): Promise<void> {
  await using worker = await stores.startWorker();
  await worker.drained();
}

/** User and endpoint of each row, by sequence. */
async function acceptedBy(id: number): Promise<(string | null)[][]> {
  const { userId, endpoint, couponId, sequence } = couponIssues;
  const rows = await withConnection(stores.database, (session) =>
    session.select({ userId, endpoint }).from(couponIssues).where(eq(couponId, id)).orderBy(asc(sequence)),
  );
  return rows.map((row) => [row.userId, row.endpoint]);
}

async function accepted(id: number) {
  const found = await stores.redis.xrange(stores.keys(id).stream, '-', '+');
  return found.map(([, fields]) => readEntry(fields)).filter((entry) => !('reason' in entry) && entry.couponId === id);
}

const plant = (id: number, ...fields: readonly (string | number)[]) =>
  stores.redis.xadd(stores.keys(id).stream, '*', 'v', 1, 'c', id, 'e', 1, 't', Date.now(), ...fields);

test('each endpoint is named by its rows, and by what a user has', async () => {
  const { id } = await stores.coupon();
  await synchronous.issue(id, ['in-mysql', 'beside']);
  await scripted.issue(id, ['scripted']);
  await locked.issue(id, ['locked']);
  // Another process holds the lock for longer than this one waits: the script decides.
  await stores.redis.set(stores.keys(id).lock, 'another process', 'PX', 5000);
  await locked.issue(id, ['without-the-lock']);
  await synchronous.issue(id, ['in-redis']);
  expect(await accepted(id)).toMatchObject([
    { endpoint: 'POST /v2/issue-async' },
    { endpoint: 'POST /v1/issue-async' },
    { endpoint: 'POST /v1/issue-async' },
    { endpoint: 'POST /v1/issue' },
  ]);
  await drain();
  expect(await acceptedBy(id)).toEqual([
    ['in-mysql', 'POST /v1/issue'],
    ['beside', 'POST /v1/issue'],
    ['scripted', 'POST /v2/issue-async'],
    ['locked', 'POST /v1/issue-async'],
    ['without-the-lock', 'POST /v1/issue-async'],
    ['in-redis', 'POST /v1/issue'],
  ]);
  expect(await api.issues.listOf('without-the-lock', { after: 0, limit: 10 })).toMatchObject([
    { couponId: id, endpoint: 'POST /v1/issue-async' },
  ]);
});

test('an entry of an earlier release, and one of a later endpoint, become rows of which it is not known', async () => {
  const { id } = await stores.coupon();
  await plant(id, 's', 1, 'u', 'earlier');
  await plant(id, 's', 2, 'u', 'later', 'p', 9);
  await drain();
  expect(await acceptedBy(id)).toEqual([
    ['earlier', null],
    ['later', null],
  ]);
  expect(await api.issues.listOf('earlier', { after: 0, limit: 10 })).toMatchObject([{ endpoint: null }]);
});

test('a dead letter keeps it until it is replayed', async () => {
  const { id } = await stores.coupon();
  await scripted.issue(id, ['a', 'b']);
  const archive = (dateArchived: Date | null) =>
    withConnection(stores.database, (session) =>
      session.update(coupons).set({ dateArchived }).where(eq(coupons.id, id)),
    );
  await archive(new Date());
  await drain();
  await archive(null);
  const letters = createDeadLetters(api.redisStock);
  const ids: string[] = [];
  for await (const { id: letter, entry } of letters.list()) {
    expect(entry).toMatchObject({ couponId: id, endpoint: 'POST /v2/issue-async' });
    ids.push(letter);
  }
  expect(ids.length).toBe(2);
  for (const letter of ids) await letters.replay(letter);
  await drain();
  expect(await acceptedBy(id)).toEqual([
    ['a', 'POST /v2/issue-async'],
    ['b', 'POST /v2/issue-async'],
  ]);
});

test('what MySQL lost and Redis gives back has its number, and no endpoint', async () => {
  const { id } = await stores.coupon();
  await scripted.issue(id, ['kept', 'lost']);
  await drain();
  await withConnection(stores.database, async (session) => {
    await session.delete(couponIssues).where(sql`coupon_id = ${id} AND user_id = 'lost'`);
    await session.update(coupons).set({ issuedQuantity: 1 }).where(eq(coupons.id, id));
  });
  const dependencies = { redisStock: api.redisStock, database: stores.database, settings: { OPENING_PAGE: 10 } };
  expect(await restoreLost(dependencies, id)).toBe(1);
  await drain();
  expect(await acceptedBy(id)).toEqual([
    ['kept', 'POST /v2/issue-async'],
    ['lost', null],
  ]);
});
