// idempotency.test.ts -- Requests under an `Idempotency-Key`, on real stores: whatever is sent again is answered again, and no key
// makes two issues or claims one that was never its own.

import { afterAll, expect, test } from 'bun:test';
import { createIssueOnce } from '../../src/issuing/idempotency.ts';
import { issuerNames } from '../../src/issuing/issuer.ts';
import { Unavailable } from '../../src/coupon/outcome.ts';
import { keyPages } from '../../src/redis/scan.ts';
import { openStores } from '../stores.ts';

const stores = await openStores();
const [api, other] = await Promise.all([stores.createApi(), stores.createApi()]);
afterAll(() => stores.close());

let keys = 0;
const newKey = () => `${crypto.randomUUID()}-${(keys += 1)}`;
const decided = (kind: string, replayed: boolean, sequence?: number) => ({
  kind: 'decided' as const,
  outcome: (sequence === undefined ? { kind } : { kind, sequence }) as never,
  replayed,
});

for (const issuer of issuerNames) {
  test(`${issuer}: the same request under the same key is answered with the same issue, from any process`, async () => {
    const { id } = await stores.coupon({ totalQuantity: 1 });
    const key = newKey();
    expect(await api.issueOnce({ key, issuer, couponId: id, userId: 'a' })).toEqual(decided('issued', false, 1));
    for (const from of [api, other]) {
      expect(await from.issueOnce({ key, issuer, couponId: id, userId: 'a' })).toEqual(decided('issued', true, 1));
    }
    // Another key is another request, and too late.
    expect(await api.issueOnce({ key: newKey(), issuer, couponId: id, userId: 'a' })).toEqual(
      decided('already issued', false, 1),
    );
    expect(await other.issueOnce({ key: newKey(), issuer, couponId: id, userId: 'b' })).toEqual(
      decided('sold out', false),
    );
    // Also once the coupon is over: what was answered stays so.
    await api.editor.edit(id, { endMs: Date.now() }, null);
    expect(await other.issueOnce({ key, issuer, couponId: id, userId: 'a' })).toEqual(decided('issued', true, 1));
  });

  test(`${issuer}: a key whose request came too late says so every time`, async () => {
    const { id } = await stores.coupon();
    await api.issuance.issue(issuer, id, 'a');
    const key = newKey();
    for (let i = 0; i < 3; i++) {
      expect(await api.issueOnce({ key, issuer, couponId: id, userId: 'a' })).toEqual(
        decided('already issued', false, 1),
      );
    }
  });
}

test('another coupon or endpoint under the key decides nothing', async () => {
  const { id } = await stores.coupon();
  const key = newKey();
  await api.issueOnce({ key, issuer: 'scripted', couponId: id, userId: 'a' });
  const locked = { key, issuer: 'locked', couponId: id, userId: 'a' } as const;
  expect(await other.issueOnce(locked)).toEqual({ kind: 'other request' });
  const { id: another } = await stores.coupon();
  expect(await other.issueOnce({ key, issuer: 'scripted', couponId: another, userId: 'a' })).toEqual({
    kind: 'other request',
  });
  expect(await api.issues.statusOf(another, 'a')).toEqual({ kind: 'none' });
});

test('a refusal is not stored: the same key may try again', async () => {
  const { id } = await stores.coupon();
  const key = newKey();
  await api.editor.edit(id, { paused: true }, null);
  expect(await api.issueOnce({ key, issuer: 'scripted', couponId: id, userId: 'a' })).toEqual(decided('paused', false));
  await api.editor.edit(id, { paused: false }, null);
  expect(await api.issueOnce({ key, issuer: 'scripted', couponId: id, userId: 'a' })).toEqual(
    decided('issued', false, 1),
  );
  expect(await api.issueOnce({ key, issuer: 'scripted', couponId: id, userId: 'a' })).toEqual(
    decided('issued', true, 1),
  );
});

test('the same request many times in parallel makes one issue, and every success names that one', async () => {
  for (const issuer of issuerNames) {
    const { id } = await stores.coupon({ totalQuantity: null });
    const key = newKey();
    const ask = (i: number) => (i % 2 ? api : other).issueOnce({ key, issuer, couponId: id, userId: 'a' });
    const answers = await Promise.all(Array.from({ length: 30 }, (_, i) => ask(i)));
    const issued = answers.filter((one) => one.kind === 'decided' && one.outcome.kind === 'issued');
    expect(issued.filter((one) => one.kind === 'decided' && !one.replayed)).toHaveLength(1);
    for (const one of issued) expect(one).toMatchObject({ outcome: { sequence: 1 } });
    // The first to come may have been overtaken by another and answered that it was too late; no other answer is possible.
    expect(answers.length - issued.length).toBeLessThanOrEqual(1);
    // And from now on every request gets the same again.
    expect(await ask(0)).toEqual(decided('issued', true, 1));
  }
});

test('an answer that was lost after the decision is given to the next attempt', async () => {
  const { id } = await stores.coupon();
  const key = newKey();
  const losing = createIssueOnce({
    redis: api.redis,
    issues: api.issues,
    settings: stores.config,
    refusalOf: async () => null,
    allKeys: { take: () => ({ isRefused: false, requestsMax: 1, remaining: 1, resetS: 1 }) },
    issuance: {
      async issue(issuer, couponId, userId) {
        await api.issuance.issue(issuer, couponId, userId);
        throw new Unavailable('dependency', 'the reply was lost');
      },
    },
  });
  await expect(losing({ key, issuer: 'scripted', couponId: id, userId: 'a' })).rejects.toMatchObject({
    reason: 'dependency',
  });
  expect(await other.issueOnce({ key, issuer: 'scripted', couponId: id, userId: 'a' })).toMatchObject({
    outcome: { kind: 'issued', sequence: 1 },
  });
});

test('a synchronous answer is not replayed before its row is there', async () => {
  const { id } = await stores.coupon();
  const key = newKey();
  // A crash between Redis and MySQL: accepted, and left to the worker.
  const digestOf = (text: string) => new Bun.CryptoHasher('sha256').update(text).digest('base64url').slice(0, 22);
  await api.redis.hset(`idempotency:${digestOf(' a')}`, digestOf(key), `9999999999 synchronous ${id}`);
  await api.issuance.issue('scripted', id, 'a');
  const hasty = await stores.createApi({ USE_WAIT_MS: 0 });
  await expect(hasty.issueOnce({ key, issuer: 'synchronous', couponId: id, userId: 'a' })).rejects.toMatchObject({
    reason: 'dependency',
  });
  const answer = api.issueOnce({ key, issuer: 'synchronous', couponId: id, userId: 'a' });
  await using worker = await stores.startWorker();
  expect(await answer).toEqual(decided('issued', true, 1));
  await worker.drained();
});

const redisKeys = async () =>
  (await Array.fromAsync(keyPages(stores.redis, 'idempotency:*'))).flat().filter((name) => !name.includes(':all:'));

test('a key belongs to its caller: under the same text another user, and another API key, ask for themselves', async () => {
  const { id } = await stores.coupon();
  const [key, user, rival] = [newKey(), crypto.randomUUID(), crypto.randomUUID()];
  const request = { key, issuer: 'scripted', couponId: id } as const;
  expect(await api.issueOnce({ ...request, userId: user })).toEqual(decided('issued', false, 1));
  expect(await api.issueOnce({ ...request, userId: rival })).toEqual(decided('issued', false, 2));
  // A backend that takes the same text for the same user is another caller, and does not learn what the user's own request was.
  const byBackend = { ...request, userId: user, keyDigest: 'a'.repeat(64) };
  expect(await api.issueOnce(byBackend)).toEqual(decided('already issued', false, 1));
  expect(await other.issueOnce({ ...request, userId: user })).toEqual(decided('issued', true, 1));
});

test('a request that cannot succeed leaves no key behind', async () => {
  const cases = [
    await stores.coupon({ startMs: Date.now() + 3_600_000, endMs: Date.now() + 7_200_000 }),
    await stores.coupon({ startMs: Date.now() - 7_200_000, endMs: Date.now() - 3_600_000 }),
    { id: 2 ** 50 },
  ];
  const before = (await redisKeys()).length;
  const kinds = new Set<string>();
  for (const issuer of issuerNames) {
    for (const { id } of cases) {
      const answer = await api.issueOnce({ key: newKey(), issuer, couponId: id, userId: crypto.randomUUID() });
      kinds.add(answer.kind === 'decided' ? answer.outcome.kind : answer.kind);
    }
  }
  expect([...kinds].sort()).toEqual(['ended', 'not exist', 'not started']);
  expect(await redisKeys()).toHaveLength(before);
});

test('a caller has so many keys and no more, and each of them goes on being answered', async () => {
  const bounded = await stores.createApi({ IDEMPOTENCY_CALLER_KEYS_MAX: 3 });
  const { id } = await stores.coupon();
  const request = { issuer: 'scripted', couponId: id, userId: crypto.randomUUID() } as const;
  const first = newKey();
  expect(await bounded.issueOnce({ ...request, key: first })).toEqual(decided('issued', false, 1));
  for (let i = 0; i < 2; i += 1) await bounded.issueOnce({ ...request, key: newKey() });
  expect(await bounded.issueOnce({ ...request, key: newKey() })).toEqual({ kind: 'too many of caller' });
  expect(await bounded.issueOnce({ ...request, key: first })).toEqual(decided('issued', true, 1));
  // Another user has keys of their own.
  expect(await bounded.issueOnce({ ...request, key: newKey(), userId: crypto.randomUUID() })).toEqual(
    decided('issued', false, 2),
  );
});

test('keys that are due make room for new ones', async () => {
  const bounded = await stores.createApi({ IDEMPOTENCY_CALLER_KEYS_MAX: 1 });
  const { id } = await stores.coupon();
  const request = { issuer: 'scripted', couponId: id, userId: crypto.randomUUID() } as const;
  await bounded.issueOnce({ ...request, key: newKey() });
  expect(await bounded.issueOnce({ ...request, key: newKey() })).toEqual({ kind: 'too many of caller' });
  for (const name of await redisKeys()) {
    for (const field of await stores.redis.hkeys(name)) await stores.redis.hset(name, field, `1 scripted ${id}`);
  }
  expect(await bounded.issueOnce({ ...request, key: newKey() })).toEqual(decided('already issued', false, 1));
});

test('all callers together have so many keys, whoever asks, and requests without one go on', async () => {
  const bounded = await stores.createApi({ IDEMPOTENCY_KEYS_MAX: 2 });
  const { id } = await stores.coupon({ totalQuantity: null });
  const ask = () => bounded.issueOnce({ key: newKey(), issuer: 'scripted', couponId: id, userId: crypto.randomUUID() });
  const kinds = [(await ask()).kind, (await ask()).kind];
  const before = (await redisKeys()).length;
  for (let i = 0; i < 5; i += 1) kinds.push((await ask()).kind);
  expect(kinds.filter((kind) => kind === 'decided').length).toBeLessThanOrEqual(2);
  expect(kinds.at(-1)).toBe('too many');
  expect((await redisKeys()).length).toBeLessThanOrEqual(before);
  expect(await bounded.issuance.issue('scripted', id, 'c')).toMatchObject({ kind: 'issued' });
});
