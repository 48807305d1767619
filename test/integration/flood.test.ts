// flood.test.ts -- Callers who ask for what does not exist, over real connections: nobody else notices, and few lines are logged.

import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { randomInt } from 'node:crypto';
import { createKey, revokeKey } from '../../src/auth/api-key-store.ts';
import { lockCoupon } from '../../src/coupon/catalog.ts';
import { withTransaction } from '../../src/mysql/database.ts';
import { eventually } from '../eventually.ts';
import { endStarted, startEntry } from '../started-entry.ts';
import { openStores, type Stores } from '../stores.ts';

let stores: Stores;
beforeAll(async () => {
  stores = await openStores();
});
afterAll(() => stores?.close());

afterEach(endStarted);

/** A server whose pools are so small that a flood would fill them in no time. */
async function startServer(environment: Readonly<Record<string, string>> = {}) {
  const small = { KEYS_MS_MAX: '200', MYSQL_CONNECTIONS_MAX: '2', MYSQL_QUEUE_MAX: '10' };
  const server = startEntry(stores, 'src/server.ts', { environment: { ...small, ...environment } });
  return { url: await server.url(), logOf: server.logOf };
}

const CALLERS = 200;
const unknownId = () => randomInt(2 ** 41, 2 ** 47);

function issue(url: string, path: string, couponId: number, userId: string, headers: Record<string, string> = {}) {
  const body = JSON.stringify({ couponId, userId });
  return fetch(url + path, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });
}

/** What strangers ask, in turn. */
const questions: readonly ((url: string) => Promise<Response>)[] = [
  (url) => fetch(`${url}/v1/drops/${unknownId()}`),
  (url) => fetch(`${url}/v1/coupons/${unknownId()}/events`),
  (url) => fetch(`${url}/v1/coupons/${unknownId()}/issues/u`),
  (url) => issue(url, '/v1/issue', unknownId(), 'u'),
  (url) => issue(url, '/v1/issue-async', unknownId(), 'u'),
  (url) => issue(url, '/v2/issue-async', unknownId(), 'u'),
  (url) => issue(url, '/v2/issue-async', unknownId(), 'u', { 'idempotency-key': crypto.randomUUID() }),
];

/** Asks from many connections until it is stopped, and gives how often each status came. */
function flood(url: string) {
  let isOn = true;
  const statuses = new Map<number, number>();
  const callers = Array.from({ length: CALLERS }, async (_, i) => {
    for (let turn = i; isOn; turn += 1) {
      const answer = await questions[turn % questions.length]?.(url);
      statuses.set(answer?.status ?? 0, (statuses.get(answer?.status ?? 0) ?? 0) + 1);
      await answer?.arrayBuffer();
    }
  });
  return {
    async stop() {
      isOn = false;
      await Promise.all(callers);
      return statuses;
    },
  };
}

test('while 200 connections ask for random ids, issuing, status, readiness and revoking a key go on', async () => {
  const { url, logOf } = await startServer();
  const [known, early] = [await stores.coupon({ totalQuantity: null }), await stores.coupon({ totalQuantity: null })];
  await issue(url, '/v1/issue', early.id, 'first');
  const { id, key } = await createKey(stores.database, { name: 'operator', scopes: ['admin'] });
  const asOperator = async () => (await fetch(`${url}/v1/key`, { headers: { authorization: `Bearer ${key}` } })).status;
  await eventually('the key to be known', async () => (await asOperator()) === 200);
  const strangers = flood(url);
  const honest: number[] = [];
  // The second coupon is one that this process has never seen, and moves to Redis under the flood.
  for (let i = 0; i < 20; i += 1) {
    honest.push((await issue(url, '/v1/issue', early.id, `u${i}`)).status);
    honest.push((await issue(url, '/v2/issue-async', known.id, `u${i}`)).status);
    honest.push((await fetch(`${url}/v1/coupons/${early.id}/issues/u${i}`)).status);
    honest.push((await fetch(`${url}/v1/drops/${early.id}`)).status);
    honest.push((await fetch(`${url}/readyz`)).status);
  }
  await revokeKey(stores.database, id);
  const revokedMs = performance.now();
  await eventually('the key to be refused', async () => (await asOperator()) !== 200);
  expect(performance.now() - revokedMs).toBeLessThan(2000);
  const statuses = await strangers.stop();
  expect(honest.filter((status) => status >= 400)).toEqual([]);
  expect([...statuses.keys()]).toEqual([404]);
  expect(logOf().match(/"level":[45]0/g) ?? []).toEqual([]);
});

test('while operators fill the general pool, issuing, readiness and revoking a key go on', async () => {
  const { url } = await startServer({ MYSQL_QUEUE_MAX: '4' });
  const [locked, known] = [await stores.coupon(), await stores.coupon({ totalQuantity: null })];
  await issue(url, '/v1/issue', known.id, 'first');
  const { id, key } = await createKey(stores.database, { name: 'operator', scopes: ['admin'] });
  const authorization = `Bearer ${key}`;
  const asOperator = async () => (await fetch(`${url}/v1/key`, { headers: { authorization } })).status;
  await eventually('the key to be known', async () => (await asOperator()) === 200);
  await withTransaction(stores.database, async (tx) => {
    await lockCoupon(tx, locked.id);
    const headers = { authorization, 'content-type': 'application/json' };
    const edit = () => fetch(`${url}/v1/coupons/${locked.id}`, { method: 'PATCH', headers, body: '{"paused":true}' });
    const waiting = Array.from({ length: 6 }, edit);
    await eventually('one too many', async () => (await edit()).status === 503);
    expect((await issue(url, '/v1/issue', known.id, 'second')).status).toBe(201);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    await revokeKey(stores.database, id);
    await eventually('the key to be refused', async () => (await asOperator()) !== 200);
    return waiting;
  }).then((waiting) => Promise.all(waiting));
});

test('strangers who ask for one id that does not exist learn of it as soon as it is made', async () => {
  const { url } = await startServer();
  const { id: last } = await stores.coupon();
  // A caller that asks for the next ids to come.
  for (let i = 1; i <= 20; i += 1) expect((await fetch(`${url}/v1/drops/${last + i}`)).status).toBe(404);
  await using other = await stores.createApi();
  const made = await other.catalog.create(await stores.coupon());
  expect(made.id).toBeLessThanOrEqual(last + 20);
  const madeMs = performance.now();
  await eventually('it to be known', async () => (await fetch(`${url}/v1/drops/${made.id}`)).status === 200);
  expect(performance.now() - madeMs).toBeLessThan(1000);
});
