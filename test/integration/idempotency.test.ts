// idempotency.test.ts -- Requests under an `Idempotency-Key`, on real stores: whatever is sent again is answered again, and no key
// makes two issues or claims one that was never its own.

import { afterAll, expect, test } from 'bun:test';
import { createIssueOnce } from '../../src/issuing/idempotency.ts';
import { issuerNames } from '../../src/issuing/issuer.ts';
import { Unavailable } from '../../src/coupon/outcome.ts';
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
    expect(await api.issueOnce(key, issuer, id, 'a')).toEqual(decided('issued', false, 1));
    for (const from of [api, other]) {
      expect(await from.issueOnce(key, issuer, id, 'a')).toEqual(decided('issued', true, 1));
    }
    // Another key is another request, and too late.
    expect(await api.issueOnce(newKey(), issuer, id, 'a')).toEqual(decided('already issued', false, 1));
    expect(await other.issueOnce(newKey(), issuer, id, 'b')).toEqual(decided('sold out', false));
    // Also once the coupon is over: what was answered stays so.
    await api.editor.edit(id, { endMs: Date.now() }, null);
    expect(await other.issueOnce(key, issuer, id, 'a')).toEqual(decided('issued', true, 1));
  });

  test(`${issuer}: a key whose request came too late says so every time`, async () => {
    const { id } = await stores.coupon();
    await api.issuance.issue(issuer, id, 'a');
    const key = newKey();
    for (let i = 0; i < 3; i++) {
      expect(await api.issueOnce(key, issuer, id, 'a')).toEqual(decided('already issued', false, 1));
    }
  });
}

test('another body or endpoint under the key decides nothing', async () => {
  const { id } = await stores.coupon();
  const key = newKey();
  await api.issueOnce(key, 'scripted', id, 'a');
  for (const [issuer, user] of [
    ['scripted', 'b'],
    ['locked', 'a'],
    ['scripted', 'a-lost'],
  ] as const) {
    expect(await other.issueOnce(key, issuer, id, user)).toEqual({ kind: 'other request' });
  }
  const { id: another } = await stores.coupon();
  expect(await other.issueOnce(key, 'scripted', another, 'a')).toEqual({ kind: 'other request' });
  expect(await api.issues.statusOf(id, 'b')).toEqual({ kind: 'none' });
});

test('a refusal is not stored: the same key may try again', async () => {
  const { id } = await stores.coupon();
  const key = newKey();
  await api.editor.edit(id, { paused: true }, null);
  expect(await api.issueOnce(key, 'scripted', id, 'a')).toEqual(decided('paused', false));
  await api.editor.edit(id, { paused: false }, null);
  expect(await api.issueOnce(key, 'scripted', id, 'a')).toEqual(decided('issued', false, 1));
  expect(await api.issueOnce(key, 'scripted', id, 'a')).toEqual(decided('issued', true, 1));
});

test('the same request many times in parallel makes one issue, and every success names that one', async () => {
  for (const issuer of issuerNames) {
    const { id } = await stores.coupon({ totalQuantity: null });
    const key = newKey();
    const ask = (i: number) => (i % 2 ? api : other).issueOnce(key, issuer, id, 'a');
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
    issuance: {
      async issue(issuer, couponId, userId) {
        await api.issuance.issue(issuer, couponId, userId);
        throw new Unavailable('dependency', 'the reply was lost');
      },
    },
  });
  await expect(losing(key, 'scripted', id, 'a')).rejects.toMatchObject({ reason: 'dependency' });
  expect(await other.issueOnce(key, 'scripted', id, 'a')).toMatchObject({ outcome: { kind: 'issued', sequence: 1 } });
});

test('a synchronous answer is not replayed before its row is there', async () => {
  const { id } = await stores.coupon();
  const key = newKey();
  // A crash between Redis and MySQL: accepted, and left to the worker.
  await api.redis.set(
    `idempotency:${new Bun.CryptoHasher('sha256').update(key).digest('base64url')}`,
    `synchronous ${id} a`,
  );
  await api.issuance.issue('scripted', id, 'a');
  const hasty = await stores.createApi({ USE_WAIT_MS: 0 });
  await expect(hasty.issueOnce(key, 'synchronous', id, 'a')).rejects.toMatchObject({ reason: 'dependency' });
  const answer = api.issueOnce(key, 'synchronous', id, 'a');
  await using worker = await stores.startWorker();
  expect(await answer).toEqual(decided('issued', true, 1));
  await worker.drained();
});
