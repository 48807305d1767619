// issue-life.test.ts -- Issues after they were promised, on real stores: waiting for the row, using it once, a user's list, progress.

import { afterAll, expect, test } from 'bun:test';
import { readCoupon } from '../../src/coupon/catalog.ts';
import { createIssues } from '../../src/issues/status.ts';
import { type Progress, createSample, ProgressHub } from '../../src/issues/progress.ts';
import { RowWatcher } from '../../src/issues/row-watcher.ts';
import { createSnapshots } from '../../src/stock/snapshot.ts';
import { eventually } from '../eventually.ts';
import { readFromPrimary } from '../../src/mysql/database.ts';
import { openStores } from '../stores.ts';

const stores = await openStores();
const api = await stores.createApi({ ISSUE_POLL_MS: 5, PROGRESS_MS: 50, USE_WAIT_MS: 200, LISTENERS_MAX: 50 });
afterAll(() => stores.close());

const users = (count: number) => Array.from({ length: count }, (_, i) => `user-${i}`);
const ignore = () => {};

async function accept(id: number, names: readonly string[]): Promise<void> {
  const outcomes = await Promise.all(names.map((name) => api.issuance.issue('scripted', id, name)));
  expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['issued']));
}

test('callers who wait for their rows are answered as soon as these are there', async () => {
  const { id } = await stores.coupon({ totalQuantity: null });
  const names = users(300);
  await accept(id, names);
  expect(await api.issues.statusOf(id, 'user-0', 0)).toMatchObject({ kind: 'accepted' });
  const waiting = names.map((name) => api.issues.statusOf(id, name, 30_000));
  await using worker = await stores.startWorker();
  const statuses = await Promise.all(waiting);
  await worker.drained();
  const rows = new Map((await stores.rows(id)).map(({ userId, sequence }) => [userId, sequence]));
  expect(statuses).toMatchObject(names.map((name) => ({ kind: 'issued', sequence: rows.get(name) ?? 0 })));
});

test('waiting ends with its time, its caller or its server, and returns what is known', async () => {
  const { id } = await stores.coupon({ totalQuantity: null });
  await accept(id, ['a', 'b', 'c']);
  const accepted = { kind: 'accepted', sequence: expect.any(Number) as unknown } as never;
  const watch = new RowWatcher({
    database: stores.database,
    settings: { ISSUE_WAITERS_MAX: 2, ISSUE_POLL_MS: 5 },
    onFault: ignore,
  });
  const settings = { ...stores.config, USE_WAIT_MS: 0 };
  const issues = createIssues({
    redisStock: api.redisStock,
    database: stores.database,
    stock: api.stock,
    exists: () => true,
    read: stores.couponNow,
    epochInRedis: () => 0,
    watch,
    settings,
  });
  expect(await issues.statusOf(id, 'a', 1)).toEqual(accepted);
  const gone = new AbortController();
  const first = issues.statusOf(id, 'a', 60_000, gone.signal);
  const second = issues.statusOf(id, 'b', 60_000);
  await eventually('two to wait', () => watch.waiting === 2);
  // The third is one too many, and is answered immediately.
  expect(await issues.statusOf(id, 'c', 60_000)).toEqual(accepted);
  gone.abort();
  expect(await first).toEqual(accepted);
  await watch.close();
  expect(await second).toEqual(accepted);
  expect(watch.waiting).toBe(0);
});

test('a user without the coupon is answered immediately, however long they would wait', async () => {
  const { id } = await stores.coupon();
  expect(await api.issues.statusOf(id, 'nobody', 30_000)).toEqual({ kind: 'none' });
  expect(await api.issues.statusOf(id + 1_000_000, 'nobody', 30_000)).toBe(null);
});

const USE = { kind: 'use', reference: null } as const;

test('of many concurrent uses of an issue one succeeds, and all return its time', async () => {
  const { id } = await stores.coupon();
  await api.issuance.issue('synchronous', id, 'someone');
  const uses = await Promise.all(users(20).map(() => api.issues.change(id, 'someone', USE)));
  expect(uses.filter(({ kind }) => kind === 'done')).toHaveLength(1);
  const [used] = uses.filter(({ kind }) => kind === 'done');
  for (const use of uses) expect({ ...use, kind: 'done' }).toEqual({ ...used } as never);
  expect(await api.issues.statusOf(id, 'someone')).toMatchObject({ kind: 'used', sequence: 1 });
  expect(await api.issues.change(id, 'another', USE)).toEqual({ kind: 'not issued' });
  expect(await api.issues.change(id + 1_000_000, 'someone', USE)).toEqual({ kind: 'not exist' });
});

test('an accepted issue is used as soon as it is a row, and not refused before', async () => {
  const { id } = await stores.coupon();
  await accept(id, ['eager']);
  // Nobody writes rows yet: nothing is decided, and asking again is right.
  await expect(api.issues.change(id, 'eager', USE)).rejects.toMatchObject({ name: 'Unavailable', reason: 'unwritten' });
  const patient = await stores.createApi({ USE_WAIT_MS: 20_000 });
  const using_ = patient.issues.change(id, 'eager', USE);
  await using worker = await stores.startWorker();
  expect(await using_).toMatchObject({ kind: 'done', issue: { kind: 'used', sequence: 1 } });
  await worker.drained();
});

test('a user has what was issued to them, in order of coupon, with a page after each', async () => {
  const made = [await stores.coupon({ title: 'One' }), await stores.coupon(), await stores.coupon({ title: 'Three' })];
  for (const { id } of made.toReversed()) await api.issuance.issue('synchronous', id, 'collector');
  await api.issuance.issue('synchronous', made[0]?.id ?? 0, 'somebody-else');
  const list = await api.issues.listOf('collector', { after: 0, limit: 10 });
  expect(list.map(({ couponId, title }) => ({ couponId, title }))).toEqual(
    made.map(({ id, title }) => ({ couponId: id, title })),
  );
  const rest = await api.issues.listOf('collector', { after: made[0]?.id ?? 0, limit: 1 });
  expect(rest).toEqual(list.slice(1, 2));
  expect(await api.issues.listOf('nobody', { after: 0, limit: 10 })).toEqual([]);
});

test('listeners follow a coupon from its first piece to its end, with one sampler for all', async () => {
  const { id } = await stores.coupon({ totalQuantity: 40 });
  let samples = 0;
  const { database, config: settings } = stores;
  const sample = createSample(
    (couponId) => readFromPrimary(database, (session) => readCoupon(session, couponId)),
    createSnapshots({ redisStock: api.redisStock, database, settings }),
  );
  const hub = new ProgressHub({
    sample: (couponId) => {
      samples += 1;
      return sample(couponId);
    },
    settings: { PROGRESS_MS: 20 },
    onFault: (fault) => {
      throw fault;
    },
  });
  const received: Progress[][] = [];
  let ended = 0;
  for (let i = 0; i < 10; i++) {
    const mine: Progress[] = [];
    received.push(mine);
    await hub.listen(id, { next: (progress) => mine.push(progress), end: () => (ended += 1) });
  }
  await accept(id, users(40));
  const last = () => received.map((mine) => mine.at(-1));
  await eventually('all to hear of the last piece', () => last().every((progress) => progress?.left === 0));
  expect(received[0]?.[0]).toMatchObject({ issued: 0, left: 40, unpersisted: 0 });
  expect(last()[0]).toMatchObject({ totalQuantity: 40, issued: 40, unpersisted: 40 });
  await using worker = await stores.startWorker();
  await worker.drained();
  await eventually('all to hear of the rows', () => last().every((progress) => progress?.unpersisted === 0));
  // Each sample went to every listener, and no listener sampled on its own.
  expect(samples).toBeGreaterThanOrEqual(received[0]?.length ?? 0);
  for (const mine of received) expect(mine.length).toBeLessThanOrEqual(samples);
  await hub.close();
  expect(ended).toBe(10);
  await expect(hub.listen(id, { next: ignore, end: ignore })).rejects.toMatchObject({ reason: 'stopping' });
});

test('a listener that leaves gets no more events, and an unwatched or deleted coupon is not sampled', async () => {
  const { id } = await stores.coupon();
  let ended = false;
  const leave = await api.progress.listen(id, { next: ignore, end: ignore });
  const stay = await api.progress.listen(id, { next: ignore, end: () => (ended = true) });
  expect(await api.progress.listen(id + 1_000_000, { next: ignore, end: ignore })).toBe(null);
  leave?.();
  expect(await api.editor.remove(id, null)).toEqual({ kind: 'removed' });
  await eventually('the stream to end with its coupon', () => ended);
  stay?.();
  expect(await api.progress.listen(id, { next: ignore, end: ignore })).toBe(null);
});
