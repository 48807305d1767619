// mixed.test.ts -- A rush through all three endpoints together, as the API serves it: refusal cache, combiners, two processes'
// worth of API, two workers. Afterwards the promises are checked by SQL and against every answer that was given.

import { afterAll, expect, test } from 'bun:test';
import { randomInt } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { issuerNames } from '../../src/issuing/issuer.ts';
import { brokenPromises, type Answer } from '../promises.ts';
import { openStores, type TestApi } from '../stores.ts';

const stores = await openStores();
const apis = await Promise.all([stores.createApi(), stores.createApi()]);
afterAll(() => stores.close());

/** Concurrent callers, each waiting for its answer before the next request. */
const CALLERS = 400;

/** One request to a random API by a random endpoint. */
async function ask(couponId: number, userId: string): Promise<Answer> {
  const api: TestApi | undefined = apis[randomInt(apis.length)];
  const issuer = issuerNames[randomInt(issuerNames.length)];
  if (!api || !issuer) throw new Error('there is an API and an issuer for every number drawn');
  return { userId, outcome: await api.issuance.issue(issuer, couponId, userId) };
}

/** Callers ask while `next` names a user. Any failure fails the test. */
async function rush(couponId: number, next: () => string | null): Promise<Answer[]> {
  const answers: Answer[] = [];
  const caller = async () => {
    for (let userId = next(); userId !== null; userId = next()) {
      answers.push(await ask(couponId, userId));
      // The refusal cache answers in the same turn; over a network the next request would come in another.
      await setImmediate();
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return answers;
}

/** So many requests of random users. */
function requests(count: number, users: number): () => string | null {
  let left = count;
  return () => (left-- > 0 ? `user-${randomInt(users)}` : null);
}

/** Requests of ever new users until a moment has passed, by the clock that all stores of a test share. */
function requestsUntil(endMs: number): () => string | null {
  let asked = 0;
  return () => (Date.now() < endMs ? `user-${asked++}` : null);
}

const count = (answers: readonly Answer[], kind: string) =>
  answers.filter(({ outcome }) => outcome.kind === kind).length;
const numbersTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1);

/** Makes a coupon and rushes it, with two workers that drain meanwhile. */
async function rushWithWorkers(load: () => Promise<{ id: number; next: () => string | null }>) {
  await using first = await stores.startWorker();
  await using second = await stores.startWorker();
  const { id, next } = await load();
  const answers = await rush(id, next);
  await Promise.all([first.drained(), second.drained()]);
  const broken = await brokenPromises(stores, id, answers);
  return { answers, broken, rows: await stores.rows(id), dead: [...first.deadLetters, ...second.deadLetters] };
}

test('20,000 mixed requests with repeats for 700 pieces: exactly 700 rows, each as it was answered', async () => {
  const { answers, broken, rows, dead } = await rushWithWorkers(async () => {
    const { id } = await stores.coupon({ totalQuantity: 700 });
    return { id, next: requests(20_000, 5000) };
  });
  expect(answers).toHaveLength(20_000);
  expect(count(answers, 'issued')).toBe(700);
  expect(count(answers, 'issued') + count(answers, 'already issued') + count(answers, 'sold out')).toBe(20_000);
  expect(count(answers, 'already issued')).toBeGreaterThan(0);
  expect(rows.map(({ sequence }) => sequence)).toEqual(numbersTo(700));
  expect(dead).toEqual([]);
  expect(broken).toEqual([]);
});

test('a coupon without limit is issued once to each of its users', async () => {
  const { answers, broken, rows } = await rushWithWorkers(async () => {
    const { id } = await stores.coupon({ totalQuantity: null });
    return { id, next: requests(6000, 2000) };
  });
  const users = new Set(answers.map(({ userId }) => userId));
  expect(count(answers, 'issued')).toBe(users.size);
  expect(count(answers, 'already issued')).toBe(6000 - users.size);
  expect(rows.map(({ sequence }) => sequence)).toEqual(numbersTo(users.size));
  expect(broken).toEqual([]);
});

test('a coupon that starts in the middle of the rush is issued from its start on', async () => {
  const { answers, broken, rows } = await rushWithWorkers(async () => {
    const startMs = Date.now() + 500;
    const { id } = await stores.coupon({ totalQuantity: null, startMs });
    return { id, next: requestsUntil(startMs + 400) };
  });
  expect(count(answers, 'not started')).toBeGreaterThan(0);
  expect(count(answers, 'issued')).toBeGreaterThan(0);
  expect(count(answers, 'not started') + count(answers, 'issued')).toBe(answers.length);
  expect(rows).toHaveLength(count(answers, 'issued'));
  expect(broken).toEqual([]);
});

test('a coupon that ends in the middle of the rush is not issued from its end on', async () => {
  const { answers, broken, rows } = await rushWithWorkers(async () => {
    const endMs = Date.now() + 700;
    const { id } = await stores.coupon({ totalQuantity: null, endMs });
    return { id, next: requestsUntil(endMs + 200) };
  });
  expect(count(answers, 'ended')).toBeGreaterThan(0);
  expect(count(answers, 'issued')).toBeGreaterThan(0);
  expect(count(answers, 'ended') + count(answers, 'issued')).toBe(answers.length);
  expect(rows).toHaveLength(count(answers, 'issued'));
  expect(broken).toEqual([]);
});
