// workers.test.ts -- Several workers on one stream: they share it, take over what a dead one left, and leave no consumer behind.

import { afterAll, beforeEach, expect, test } from 'bun:test';
import type { Redis } from 'ioredis';
import { blockingConnection, connect, nodeOf } from '../../src/redis/connection.ts';
import { GROUP, partitionKeys } from '../../src/stream/keys.ts';
import { removeConsumers } from '../../src/stream/scripts/remove-consumers.ts';
import { settle } from '../../src/stream/scripts/settle.ts';
import { Inbox } from '../../workers/inbox.ts';
import { eventually } from '../eventually.ts';
import { reconcileOnce } from '../reconcile-once.ts';
import { openStores } from '../stores.ts';

const stores = await openStores({ settings: { CLAIM_IDLE_MS: 100 } });
const api = await stores.createApi();
const { redis, config } = stores;
const blocking = blockingConnection(config, 10_000, () => undefined);
await connect(blocking);
afterAll(() => blocking.disconnect());
afterAll(() => stores.close());
beforeEach(() => redis.flushdb());

const keys = partitionKeys(0);
const { stream } = keys;

/** The consumers of a stream by name, with how many entries are pending for each. */
async function consumersOf(name = stream): Promise<Record<string, number>> {
  const consumers = (await redis.call('XINFO', 'CONSUMERS', name, GROUP)) as (string | number)[][];
  return Object.fromEntries(consumers.map((consumer) => [String(consumer[1]), Number(consumer[3])]));
}

/** As its first read does; before 7.2 only one that finds an entry. */
const join = (worker: string) => redis.xgroup('CREATECONSUMER', stream, GROUP, worker);
const append = (user: string) => redis.xadd(stream, '*', 'u', user);
const read = (worker: string, from = '>') =>
  redis.xreadgroup('GROUP', GROUP, worker, 'COUNT', 1, 'STREAMS', stream, from);

const inboxOf = (worker: string, connection: Redis = blocking) =>
  new Inbox(connection, keys, { ...config, WORKER_NAME: worker });

/** One round of the reconciler, with how many consumers it removed. */
const removedByRound = (settings: Partial<typeof config> = {}) =>
  reconcileOnce(api, { settings: { ...config, ...settings } });

test('a round removes the consumers of forty workers that are gone, but for the one with an entry pending', async () => {
  await redis.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
  for (let i = 0; i < 40; i += 1) await join(`pod-${i}`);
  await append('someone');
  await read('pod-7');
  expect(Object.keys(await consumersOf())).toHaveLength(40);
  // They have only just asked.
  expect(await removedByRound({ CLAIM_IDLE_MS: 60_000 })).toBe(0);
  await eventually('all but one to be removed', async () => {
    await removedByRound();
    return Object.keys(await consumersOf()).length === 1;
  });
  // By now the last one has been idle for as long as the others.
  await Bun.sleep(2 * config.CLAIM_IDLE_MS + config.BLOCK_MS);
  await removedByRound();
  expect(await consumersOf()).toEqual({ 'pod-7': 1 });
});

test('what was pending for a dead worker is taken over, and then its consumer is removed', async () => {
  const { id } = await stores.coupon();
  const mine = stores.keys(id).stream;
  await api.issuers.scripted.issue(id, ['a', 'b']);
  await redis.xgroup('CREATE', mine, GROUP, '0');
  await redis.xreadgroup('GROUP', GROUP, 'dead', 'COUNT', 1, 'STREAMS', mine, '>');
  const diedMs = performance.now();
  await using worker = await stores.startWorker({ WORKER_NAME: 'alive' });
  await worker.drained();
  // It looks four times within CLAIM_IDLE_MS; the rest is what a loaded machine takes.
  expect(performance.now() - diedMs).toBeLessThan(config.CLAIM_IDLE_MS * 1.25 + config.BLOCK_MS + 3000);
  expect((await stores.rows(id)).map(({ userId }) => userId)).toEqual(['a', 'b']);
  await eventually('the dead one to be removed', async () => {
    await removedByRound();
    return !('dead' in (await consumersOf(mine)));
  });
});

test('a stream that no worker has read yet, and one that is not there, have no consumers to remove', async () => {
  expect(await removeConsumers(redis, { keys, idleMs: 0 })).toBe(0);
  await append('someone');
  expect(await removeConsumers(redis, { keys, idleMs: 0 })).toBe(0);
});

test('what Redis refuses is no success', async () => {
  await redis.set(stream, 'no stream');
  await expect(removeConsumers(redis, { keys, idleMs: 0 })).rejects.toThrow('WRONGTYPE');
});

test('a worker that blocks while its consumer is removed gets the next entry, and it is pending for it', async () => {
  await redis.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
  await join('blocked');
  const next = blocking.xreadgroup('GROUP', GROUP, 'blocked', 'COUNT', 1, 'BLOCK', 10_000, 'STREAMS', stream, '>');
  await eventually('it to block', async () =>
    / flags=b .* cmd=xreadgroup /.test(String(await nodeOf(redis, stream).client('LIST'))),
  );
  expect(await removeConsumers(redis, { keys, idleMs: 0 })).toBe(1);
  await append('someone');
  expect(await next).toHaveLength(1);
  expect(await consumersOf()).toEqual({ blocked: 1 });
});

test('a worker that comes back under its name while its consumer is removed loses no entry', async () => {
  const ROUNDS = 150;
  const inbox = inboxOf('twin');
  await inbox.next();
  const seen: string[] = [];
  let hasEnded = false;
  let removed = 0;
  const remove = async () => {
    // As often as Redis answers, whatever the worker is just doing.
    while (!hasEnded) removed += await removeConsumers(redis, { keys, idleMs: 0 });
  };
  const work = async () => {
    for (let i = 0; i < ROUNDS; i += 1) {
      const id = (await append(`user-${i}`)) ?? '';
      let messages = await inbox.next();
      while (messages.length === 0) messages = await inbox.next();
      // It dies with the entry in hand, and a new one of the same name finds it.
      const again = await inboxOf('twin').next();
      seen.push(...again.map((message) => message.id));
      expect(again.map((message) => message.id)).toContain(id);
      await settle(redis, { keys, entries: again.map((message) => ({ id: message.id, users: 1 })), deadLetters: [] });
    }
    hasEnded = true;
  };
  await Promise.all([
    work().finally(() => {
      hasEnded = true;
    }),
    remove(),
  ]);
  expect(new Set(seen).size).toBe(ROUNDS);
  expect(await redis.xlen(stream)).toBe(0);
  // Else nothing was tried.
  expect(removed).toBeGreaterThan(10);
});

test('three workers share the partitions, and none is without a fair part of the work', async () => {
  const couponIds = await Promise.all(
    Array.from({ length: 2 * config.PARTITIONS }, async () => (await stores.coupon({ totalQuantity: null })).id),
  );
  const names = ['one', 'two', 'three'];
  const workers = await Promise.all(
    names.map((WORKER_NAME) => stores.startWorker({ WORKER_NAME, ENTRIES_PER_READ_MAX: 4, GATHER_MS: 5 })),
  );
  const BATCHES = 60;
  for (let i = 0; i < BATCHES; i += 1)
    await Promise.all(couponIds.map((id) => api.issuers.scripted.issue(id, [`user-${i}`])));
  await workers[0]?.drained();
  for (const worker of workers) await worker.stop();
  const rows = workers.map(({ written }) => written.reduce((sum, { inserted }) => sum + inserted, 0));
  const all = rows.reduce((sum, count) => sum + count, 0);
  expect(all).toBe(BATCHES * couponIds.length);
  // A third each; on a loaded machine, where one may stand still for a while, a quarter of that at the least.
  for (const count of rows) expect(count).toBeGreaterThan(all / 12);
});
