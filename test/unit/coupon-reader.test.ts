// coupon-reader.test.ts -- Reading coupons for callers who may name any id: how many queries it costs, and how old an answer may be.

import { expect, test } from 'bun:test';
import { CouponReader } from '../../src/issuing/coupon-reader.ts';
import { ofExisting } from '../../src/wiring/caches.ts';
import { coupon } from '../http/fakes.ts';

const settings = { SIGN_MS_MAX: 1000, SIGNS_MAX: 100, WAITING_USERS_MAX: 5000 };

/** A reader of coupons with these ids, which may change; its queries, and a clock that stands still. */
function readerOf(...ids: number[]) {
  const existing = new Map(ids.map((id) => [id, { ...coupon, id }]));
  const queries: { readonly pool: string; readonly ids: readonly number[] }[] = [];
  const clock = { nowMs: 0, during: () => {} };
  const reader = new CouponReader(
    async (pool, asked) => {
      queries.push({ pool, ids: asked });
      const found = asked.flatMap((id) => existing.get(id) ?? []);
      await Promise.resolve();
      clock.during();
      return found;
    },
    settings,
    () => clock.nowMs,
  );
  return { reader, existing, queries, clock };
}

const randomIds = (count: number) => Array.from({ length: count }, (_, i) => 1_000_000 + i);

test('a thousand ids that do not exist cost two queries, one at a time', async () => {
  const { reader, queries } = readerOf(1);
  const found = await Promise.all(randomIds(1000).map((id) => reader.exists(id, 'public')));
  expect(found).not.toContain(true);
  expect(queries.map(({ ids }) => ids.length)).toEqual([1, 999]);
});

test('a thousand who come together for one id cost one query, of the issuers two; who comes later costs another', async () => {
  const { reader, queries, clock } = readerOf(1);
  const thousand = Array.from({ length: 1000 });
  const read = await Promise.all(thousand.map(() => reader.read(1, 0)));
  expect(read.filter((found) => found?.id === 1)).toHaveLength(1000);
  expect(await Promise.all(thousand.map(() => reader.exists(2, 'public')))).not.toContain(true);
  expect(queries.map(({ ids }) => ids)).toEqual([[1], [2]]);
  expect(await Promise.all(thousand.map(() => reader.exists(3, 'general')))).not.toContain(true);
  expect(queries.slice(2)).toEqual(Array.from({ length: 2 }, () => ({ pool: 'general', ids: [3] })));
  clock.nowMs += 99;
  await reader.exists(2, 'public');
  await reader.read(2, 0);
  expect(queries).toHaveLength(4);
  clock.nowMs += 2;
  await reader.read(1, 0);
  expect(queries.at(-1)).toEqual({ pool: 'public', ids: [1] });
});

test('who comes while a query runs does not get its answer after an edit', async () => {
  const { reader, existing, clock } = readerOf(1);
  clock.during = () => {
    clock.during = () => {};
    existing.set(1, { ...coupon, id: 1, paused: true });
    reader.invalidate(1);
  };
  const [, second] = await Promise.all([reader.read(1), reader.read(1)]);
  expect(second).toMatchObject({ paused: true });
});

test('an id that does not exist is asked for once a second, and known as soon as it is announced', async () => {
  const { reader, existing, queries, clock } = readerOf();
  const exists = async () => reader.exists(7, 'public');
  for (let i = 0; i < 5; i += 1) expect([await exists(), await reader.read(7)]).toEqual([false, null]);
  expect(queries).toHaveLength(1);
  existing.set(7, { ...coupon, id: 7 });
  expect(await exists()).toBe(false);
  reader.invalidate(7);
  expect(await exists()).toBe(true);
  existing.set(8, { ...coupon, id: 8 });
  expect(await reader.read(8)).toMatchObject({ id: 8 });
  clock.nowMs += 1001;
  existing.delete(8);
  expect(await reader.read(8)).toBe(null);
});

test('a coupon whose message was lost is known to the issuers immediately, and to the public after a second', async () => {
  const { reader, existing, clock } = readerOf();
  expect(await reader.exists(8, 'public')).toBe(false);
  expect(await reader.exists(7, 'public')).toBe(false);
  existing.set(7, { ...coupon, id: 7 });
  expect(await reader.exists(7, 'general')).toBe(true);
  existing.set(8, { ...coupon, id: 8 });
  clock.nowMs += 1000;
  expect(await reader.exists(8, 'public')).toBe(true);
});

test('ids that do not exist evict no coupon', async () => {
  const { reader, queries } = readerOf(1);
  await reader.read(1);
  await Promise.all(randomIds(500).map((id) => reader.read(id)));
  const before = queries.length;
  expect(await reader.read(1)).toMatchObject({ id: 1 });
  expect(queries).toHaveLength(before);
});

test('what was read before an edit is not kept after it', async () => {
  const { reader, existing, clock } = readerOf(1);
  clock.during = () => {
    clock.during = () => {};
    existing.set(1, { ...coupon, id: 1, paused: true });
    reader.invalidate(1);
  };
  await reader.read(1);
  expect(await reader.read(1)).toMatchObject({ paused: true });
});

test('the issuers do not wait behind public callers', async () => {
  const { reader, queries } = readerOf(1);
  const flood = randomIds(3000).map((id) => reader.read(id));
  expect(await reader.exists(1, 'general')).toBe(true);
  // The first batch of each queue is under way before the rest of the flood.
  expect(queries.slice(0, 2).map(({ pool }) => pool)).toEqual(['public', 'general']);
  await Promise.all(flood);
});

test('beyond the bound the next caller is refused, and the others are answered', async () => {
  const { reader } = readerOf(1);
  const results = await Promise.allSettled(randomIds(6000).map((id) => reader.read(id)));
  const refused = results.filter(({ status }) => status === 'rejected');
  // One is under way when the others come.
  expect(refused).toHaveLength(999);
  for (const each of refused) expect(each).toMatchObject({ reason: { reason: 'overloaded' } });
});

test('an issuer of what exists is not asked for what does not, and goes on while MySQL does not respond', async () => {
  const { reader } = readerOf(1);
  const asked: number[] = [];
  const issuer = {
    issue: async (id: number, users: readonly string[]) => {
      asked.push(id);
      return users.map(() => ({ kind: 'issued', sequence: 1 }) as const);
    },
  };
  const kindsFrom = async (from: CouponReader, id: number) =>
    (await ofExisting(issuer, from).issue(id, ['a', 'b'])).map(({ kind }) => kind);
  expect(await kindsFrom(reader, 1)).toEqual(['issued', 'issued']);
  expect(await kindsFrom(reader, 2)).toEqual(['not exist', 'not exist']);
  let queries = 0;
  const broken = new CouponReader(
    () => {
      queries += 1;
      return Promise.reject(new Error('MySQL does not respond'));
    },
    settings,
    () => 0,
  );
  const guarded = ofExisting(issuer, broken);
  for (let i = 0; i < 3; i += 1) expect((await guarded.issue(3, ['a'])).map(({ kind }) => kind)).toEqual(['issued']);
  // Asked once, not once a batch.
  expect([asked, queries]).toEqual([[1, 3, 3, 3], 1]);
});
