// withdrawn.test.ts -- A worker that was held up with an entry in hand, while its dead letter was discarded or replayed.

import { afterAll, expect, test } from 'bun:test';
import { createDeadLetters } from '../../src/operations/dead-letters.ts';
import { settle } from '../../src/stream/scripts/settle.ts';
import { drain } from '../../workers/drain.ts';
import { openStores } from '../stores.ts';

const stores = await openStores();
const api = await stores.createApi();
afterAll(() => stores.close());

/** A coupon of which `users` were accepted, and whose entry another worker has made a dead letter. */
async function buriedCoupon(...users: readonly string[]) {
  const { id } = await stores.coupon();
  const keys = stores.keys(id);
  await stores.redis.del(keys.stream, keys.dead, keys.unpersisted);
  await api.issuers.scripted.issue(id, users);
  const inHand = (await stores.redis.xrange(keys.stream, '-', '+')).map(([entryId, fields]) => ({
    id: entryId,
    fields,
  }));
  const [{ id: entryId, fields } = { id: '', fields: [] }] = inHand;
  const deadLetters = [{ entryId, reason: 'MySQL error 1366', fields }];
  await settle(stores.redis, { keys, entries: [{ id: entryId, users: users.length }], deadLetters });
  const letters = createDeadLetters(api.redisStock);
  const [letter] = await Array.fromAsync(letters.list());
  return { id, keys, inHand, letters, letterId: letter?.id ?? '' };
}

/** What the worker does that has these messages in hand. */
function goOn(keys: ReturnType<typeof stores.keys>, messages: Parameters<typeof drain>[1]): Promise<void> {
  const ignore = () => {};
  const observer = { written: ignore, retrying: ignore, deadLetter: ignore };
  const { database, config: settings } = stores;
  const stop = new AbortController().signal;
  return drain({ redisStock: api.redisStock, database, keys, settings, observer, stop }, messages);
}

async function drainAll(): Promise<void> {
  await using worker = await stores.startWorker();
  await worker.drained();
}

const rowsOf = async (id: number) => (await stores.rows(id)).map(({ sequence, userId }) => `${sequence} ${userId}`);

test('a worker that was held up does not write what was discarded, whose sequences others were promised since', async () => {
  const { id, keys, inHand, letters, letterId } = await buriedCoupon('a', 'b');
  expect(await letters.discard(letterId)).toBe(true);
  expect(await api.issuers.scripted.issue(id, ['b'])).toEqual([{ kind: 'issued', sequence: 1 }]);
  expect(await api.issuers.scripted.issue(id, ['a'])).toEqual([{ kind: 'issued', sequence: 2 }]);
  await goOn(keys, inHand);
  expect(await rowsOf(id)).toEqual([]);
  // Nor does it drop the state, which is right.
  expect(await stores.redis.exists(keys.state)).toBe(1);
  await drainAll();
  expect(await rowsOf(id)).toEqual(['1 b', '2 a']);
});

test('nor an entry whose letter was replayed, became one again and was discarded then', async () => {
  const { id, keys, inHand, letters, letterId } = await buriedCoupon('a', 'b');
  await letters.replay(letterId);
  const [[entryId, fields] = ['', []]] = await stores.redis.xrange(keys.stream, '-', '+');
  const deadLetters = [{ entryId, reason: 'MySQL error 1366', fields }];
  await settle(stores.redis, { keys, entries: [{ id: entryId, users: 2 }], deadLetters });
  const [letter] = await Array.fromAsync(letters.list());
  expect(await letters.discard(letter?.id ?? '')).toBe(true);
  expect(await api.issuers.scripted.issue(id, ['c'])).toEqual([{ kind: 'issued', sequence: 1 }]);
  await goOn(keys, inHand);
  await drainAll();
  expect(await rowsOf(id)).toEqual(['1 c']);
});

test('what was replayed is written once by whoever has it, under its sequences', async () => {
  const { id, keys, inHand, letters, letterId } = await buriedCoupon('a', 'b');
  await letters.replay(letterId);
  await api.redisStock.drop(id);
  expect(await api.issuers.scripted.issue(id, ['c'])).toEqual([{ kind: 'issued', sequence: 3 }]);
  await goOn(keys, inHand);
  await drainAll();
  expect(await rowsOf(id)).toEqual(['1 a', '2 b', '3 c']);
});

test('marks are bounded', async () => {
  const { keys, letters, letterId } = await buriedCoupon('a');
  const marks = Array.from({ length: 10_010 }, (_, i) => [i, `1-${i}`]).flat();
  await stores.redis.zadd(keys.withdrawn, ...marks);
  await letters.discard(letterId);
  expect(await stores.redis.zcard(keys.withdrawn)).toBe(10_000);
});
