// edits.test.ts -- Coupons are changed and deleted in the middle of a rush through all endpoints and two processes' worth of API,
// and every promise holds; what a crash leaves half done is mended.

import { afterAll, expect, test } from 'bun:test';
import { setImmediate } from 'node:timers/promises';
import { eq, sql } from 'drizzle-orm';
import { coupons } from '../../drizzle/schema.ts';
import type { CouponChanges } from '../../src/coupon/coupon.ts';
import { type IssuerName, issuerNames } from '../../src/issuing/issuer.ts';
import { applyEdit, lowerTotal } from '../../src/stock/edit-scripts.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { serverOf } from '../../src/redis/connection.ts';
import { eventually } from '../eventually.ts';
import { brokenPromises, type Answer } from '../promises.ts';
import { openStores, type TestApi } from '../stores.ts';

const stores = await openStores();
const [api, other] = await Promise.all([stores.createApi(), stores.createApi()]);
afterAll(() => stores.close());

let asked = 0;

/** The next of all ways to ask: each endpoint of each API in turn, always for a new user. */
async function ask(couponId: number): Promise<Answer> {
  asked += 1;
  const userId = `user-${asked}`;
  const issuer = issuerNames[asked % issuerNames.length] ?? 'scripted';
  return { userId, outcome: await (asked % 2 === 0 ? api : other).issuance.issue(issuer, couponId, userId) };
}

interface Rush {
  readonly answers: Answer[];
  /** Waits until so many more have their result. */
  more(count: number): Promise<void>;
  end(): Promise<Answer[]>;
}

/** Callers ask for new users until it is ended. Any failure fails the test. */
function rush(couponId: number, callers = 60): Rush {
  const answers: Answer[] = [];
  let ended = false;
  const caller = async () => {
    while (!ended) {
      answers.push(await ask(couponId));
      // The refusal cache answers in the same turn; over a network the next request would come in another.
      await setImmediate();
    }
  };
  const callersEnded = Promise.all(Array.from({ length: callers }, caller));
  // Called when the rush is over; until then there is no listener.
  callersEnded.catch(() => {});
  const more = (count: number) => {
    const enough = answers.length + count;
    return eventually('the rush to go on', () => answers.length >= enough);
  };
  return {
    answers,
    more,
    async end() {
      ended = true;
      await callersEnded;
      return answers;
    },
  };
}

async function edit(id: number, changes: CouponChanges) {
  const edited = await api.editor.edit(id, changes, null);
  if (edited.kind !== 'edited') throw new Error(`the edit was refused: ${edited.kind}`);
  return edited.coupon;
}

async function kindOf(from: TestApi, issuer: IssuerName, couponId: number): Promise<string> {
  asked += 1;
  return (await from.issuance.issue(issuer, couponId, `user-${asked}`)).kind;
}

const count = (answers: readonly Answer[], kind: string) =>
  answers.filter(({ outcome }) => outcome.kind === kind).length;

test('a total that is raised repeatedly in a rush is issued to the last piece', async () => {
  await using worker = await stores.startWorker();
  const { id } = await stores.coupon({ totalQuantity: 50 });
  const running = rush(id);
  for (const totalQuantity of [200, 350, 900]) {
    await running.more(150);
    expect(await edit(id, { totalQuantity })).toMatchObject({ totalQuantity });
  }
  await eventually('the stock to be gone', () => count(running.answers, 'issued') === 900);
  await running.more(100);
  const answers = await running.end();
  await worker.drained();
  expect(count(answers, 'issued')).toBe(900);
  expect((await stores.rows(id)).map(({ sequence }) => sequence)).toEqual(Array.from({ length: 900 }, (_, i) => i + 1));
  expect(await brokenPromises(stores, id, answers)).toEqual([]);
});

test('a total is lowered in a rush to what was issued, and never below', async () => {
  await using worker = await stores.startWorker();
  const { id } = await stores.coupon({ totalQuantity: null });
  const running = rush(id);
  let lowered = 0;
  // As near to what is issued by then as can be hit, however fast that grows: twice as far after a miss, half as far after a hit.
  for (let tries = 0, ahead = 40; lowered < 3 && tries < 100; tries++) {
    await running.more(100);
    const edited = await api.editor.edit(id, { totalQuantity: count(running.answers, 'issued') + ahead }, null);
    const isLowered = edited.kind === 'edited';
    ahead = isLowered ? Math.ceil(ahead / 2) : ahead * 2;
    if (isLowered) lowered += 1;
    if (isLowered && lowered < 3) await edit(id, { totalQuantity: null });
  }
  const { totalQuantity } = await stores.couponNow(id);
  const below = await api.editor.edit(id, { totalQuantity: 10 }, null);
  expect(below).toMatchObject({ kind: 'issued' });
  await eventually('the stock to be gone', () => count(running.answers, 'issued') >= (totalQuantity ?? 0));
  const soldOut = count(running.answers, 'sold out');
  await eventually('others to hear of it', () => count(running.answers, 'sold out') > soldOut);
  const answers = await running.end();
  await worker.drained();
  expect(lowered).toBe(3);
  expect(count(answers, 'issued')).toBe(totalQuantity ?? 0);
  expect(worker.deadLetters).toEqual([]);
  expect(await brokenPromises(stores, id, answers)).toEqual([]);
});

for (const home of ['mysql', 'redis'] as const) {
  const issuers = home === 'mysql' ? (['synchronous'] as const) : issuerNames;
  const everywhere = async (id: number) => {
    const kinds = await Promise.all([api, other].flatMap((from) => issuers.map((issuer) => kindOf(from, issuer, id))));
    return [...new Set(kinds)];
  };

  test(`with the stock in ${home}, an edit is in effect for every request that comes after its answer`, async () => {
    const { id, startMs, endMs } = await stores.coupon({ totalQuantity: null });
    expect(await everywhere(id)).toEqual(['issued']);
    for (let version = 2; version < 20; version += 4) {
      expect(await edit(id, { paused: true })).toMatchObject({ version, stockHome: home });
      expect(await everywhere(id)).toEqual(['paused']);
      await edit(id, { paused: false, endMs: Date.now() });
      // Another process may have `paused` in its refusal cache for a moment more.
      await eventually('the end to be in effect', async () => (await everywhere(id)).join() === 'ended');
      await edit(id, { startMs: Date.now() + 60_000, endMs: Date.now() + 120_000 });
      await eventually('the new start to be in effect', async () => (await everywhere(id)).join() === 'not started');
      await edit(id, { startMs, endMs });
      await eventually('the period to be in effect', async () => (await everywhere(id)).join() === 'issued');
    }
  });
}

test('pausing in a rush: requests after the answer are refused, and issuing resumes with the next sequence', async () => {
  await using worker = await stores.startWorker();
  const { id } = await stores.coupon({ totalQuantity: null });
  const running = rush(id);
  for (let i = 0; i < 5; i++) {
    await running.more(100);
    await edit(id, { paused: true });
    expect((await Promise.all(Array.from({ length: 12 }, () => ask(id)))).map(({ outcome }) => outcome.kind)).toEqual(
      Array.from({ length: 12 }, () => 'paused'),
    );
    await edit(id, { paused: false });
    const issued = count(running.answers, 'issued');
    await eventually('issuing to go on', () => count(running.answers, 'issued') > issued);
  }
  const answers = await running.end();
  await worker.drained();
  expect(await brokenPromises(stores, id, answers)).toEqual([]);
});

test('of conditional edits of one version exactly one succeeds; unconditional ones all do, in turn', async () => {
  const { id } = await stores.coupon({ totalQuantity: null });
  await api.issuance.issue('scripted', id, 'someone');
  const attempts = Array.from({ length: 20 }, (_, i) => i);
  const careful = await Promise.all(
    attempts.map((i) => (i % 2 ? api : other).editor.edit(id, { title: `Edit ${i}` }, [1])),
  );
  expect(careful.filter(({ kind }) => kind === 'edited')).toHaveLength(1);
  expect(careful.filter(({ kind }) => kind === 'other version')).toHaveLength(19);
  await Promise.all(attempts.map((i) => (i % 2 ? api : other).editor.edit(id, { totalQuantity: 100 - i }, null)));
  expect((await stores.couponNow(id)).version).toBe(22);
  expect(await api.editor.repair(id)).toBe('in step');
});

test('an edit during an opening is in effect when both are done', async () => {
  const { id } = await stores.coupon({ totalQuantity: null });
  for (let i = 0; i < 20; i++) {
    await stores.redis.del(stores.keys(id).state);
    const paused = i % 2 === 0;
    await Promise.all([ask(id), ask(id), edit(id, { paused })]);
    expect(await api.editor.repair(id)).toBe('in step');
    const { outcome } = await ask(id);
    await eventually(
      'the edit to be in effect',
      async () => (await ask(id)).outcome.kind === (paused ? 'paused' : 'issued'),
    );
    expect(['paused', 'issued']).toContain(outcome.kind);
  }
});

/** Asks until so many are issued, and sees that there is not one more. The refusal cache may hold the previous stock for a moment. */
async function expectToSell(id: number, pieces: number): Promise<void> {
  const issued = async () => Number(await stores.redis.hget(stores.keys(id).state, 'next')) - 1;
  await eventually(`${pieces} pieces to be issued`, async () => {
    await ask(id);
    return (await issued()) >= pieces;
  });
  for (let i = 0; i < 6; i++) expect((await ask(id)).outcome.kind).toBe('sold out');
  expect(await issued()).toBe(pieces);
}

test('a crash before the commit of a lower total leaves cached settings that are too strict, and repaired', async () => {
  const { id, version } = await stores.coupon({ totalQuantity: 20 });
  await ask(id);
  await api.editor.open(id);
  const keys = stores.keys(id);
  const input = { keys, server: serverOf(api.redis, keys.state), version, total: 5 };
  expect(await lowerTotal(api.redis, input)).toEqual({ kind: 'lowered' });
  await expectToSell(id, 5);
  expect(await api.editor.repair(id)).toBe('repaired');
  expect(await api.editor.repair(id)).toBe('in step');
  // The command of the one that crashed, sent again by the network: it has come too late.
  expect(await lowerTotal(api.redis, input)).toEqual({ kind: 'other version' });
  await expectToSell(id, 20);
});

test('a crash after the commit of a higher total leaves stale cached settings, and they are repaired', async () => {
  const { id } = await stores.coupon({ totalQuantity: 5 });
  await api.editor.open(id);
  await expectToSell(id, 5);
  await withConnection(stores.database, (session) =>
    session.update(coupons).set({ totalQuantity: 8, version: sql`version + 1` }).where(eq(coupons.id, id)),
  );
  const committed = await stores.couponNow(id);
  await expectToSell(id, 5);
  // Whoever lowers it next cannot be taken in by the copy that lags.
  expect(await api.editor.edit(id, { totalQuantity: 7 }, null)).toMatchObject({ kind: 'edited' });
  await expectToSell(id, 7);
  // The other half of the first edit, arriving at last.
  const late = { keys: stores.keys(id), server: api.redisStock.serverOfCoupon(id), coupon: committed };
  expect(await applyEdit(api.redis, late)).toEqual({ kind: 'different', version: committed.version + 1 });
  await expectToSell(id, 7);
});

test('a database restored from a backup gives its settings a version above that of the cached ones', async () => {
  const { id } = await stores.coupon({ totalQuantity: 5 });
  await api.editor.open(id);
  for (const totalQuantity of [6, 7]) await edit(id, { totalQuantity });
  await withConnection(stores.database, (session) =>
    session.update(coupons).set({ totalQuantity: 5, version: 1 }).where(eq(coupons.id, id)),
  );
  expect(await api.editor.repair(id)).toBe('repaired');
  expect(await stores.couponNow(id)).toMatchObject({ version: 4, totalQuantity: 5 });
  await expectToSell(id, 5);
});

test('what is accepted but not yet a row counts as issued, also when its state is lost and the coupon over', async () => {
  const { id } = await stores.coupon({ totalQuantity: 10 });
  for (let i = 0; i < 4; i++) await api.issuance.issue('scripted', id, `accepted-${i}`);
  expect((await stores.couponNow(id)).issuedQuantity).toBe(0);
  const lower = () => api.editor.edit(id, { totalQuantity: 3 }, null);
  expect(await lower()).toEqual({ kind: 'issued', issued: 4 });
  expect(await api.editor.remove(id, null)).toEqual({ kind: 'issued', issued: 4 });
  await edit(id, { endMs: Date.now() });
  await stores.redis.del(stores.keys(id).state);
  expect(await lower()).toEqual({ kind: 'issued', issued: 4 });
  await stores.redis.del(stores.keys(id).state);
  expect(await api.editor.remove(id, null)).toEqual({ kind: 'issued', issued: 4 });
  expect(await api.editor.edit(id, { totalQuantity: 4 }, null)).toMatchObject({ kind: 'edited' });
  await using worker = await stores.startWorker();
  await worker.drained();
  expect(await stores.rows(id)).toHaveLength(4);
  expect(worker.deadLetters).toEqual([]);
});

test('a coupon is deleted or issued, never both', async () => {
  await using worker = await stores.startWorker();
  let removals = 0;
  for (let i = 0; i < 40; i++) {
    const { id } = await stores.coupon();
    if (i % 3 > 0) await api.editor.open(id);
    const asking = i % 2 ? [ask(id), ask(id), ask(id)] : [];
    const removing = api.editor.remove(id, null);
    const removed = await removing;
    const answers = await Promise.all(i % 2 ? asking : [ask(id), ask(id), ask(id)]);
    await worker.drained();
    if (removed.kind === 'removed') {
      removals += 1;
      expect(new Set(answers.map(({ outcome }) => outcome.kind))).toEqual(new Set(['not exist']));
      const { state, owners, opening } = stores.keys(id);
      expect(await stores.redis.exists(state, owners, opening)).toBe(0);
    } else expect(await brokenPromises(stores, id, answers)).toEqual([]);
  }
  expect(removals).toBeGreaterThanOrEqual(20);
  expect(worker.deadLetters).toEqual([]);
});

test('terms change while nothing is issued, also of a coupon that is open, which stays open', async () => {
  const { id } = await stores.coupon({ totalQuantity: 5 });
  expect(await edit(id, { discountAmount: 2000 })).toMatchObject({ discountAmount: 2000, stockHome: 'mysql' });
  await api.editor.open(id);
  // A lower total in the same edit needs nothing of Redis: the stock is opened again with what was committed.
  await edit(id, { minAvailableAmount: 300, totalQuantity: 3 });
  expect(await stores.redis.exists(stores.keys(id).state)).toBe(1);
  expect(await api.editor.repair(id)).toBe('in step');
  await expectToSell(id, 3);
  expect((await stores.couponNow(id)).minAvailableAmount).toBe(300);
});

test('when a coupon can be used changes while nothing is issued, and never contradicts its period', async () => {
  const { id, startMs, endMs } = await stores.coupon();
  const usable = { currency: 'USD', usableDays: 30, timeZone: 'Asia/Seoul' };
  expect(await edit(id, usable)).toMatchObject(usable);
  const contradiction = (member: string) => ({ kind: 'contradiction', member }) as never;
  expect(await api.editor.edit(id, { usableUntilMs: endMs }, null)).toEqual(contradiction('usableDays'));
  const until = { usableDays: null, usableFromMs: startMs, usableUntilMs: endMs };
  expect(await edit(id, until)).toMatchObject(until);
  expect(await stores.couponNow(id)).toMatchObject({ ...until, currency: 'USD', timeZone: 'Asia/Seoul' });
  // An issuing that would start when nothing can be used any more.
  expect(await api.editor.edit(id, { startMs: endMs, endMs: endMs + 1000 }, null)).toEqual(
    contradiction('usableUntil'),
  );
  expect(await edit(id, { usableUntilMs: null, usableFromMs: null })).toMatchObject({ usableUntilMs: null });
});

for (const issuer of issuerNames) {
  test(`terms are fixed from the first issue on, by ${issuer}, also before it is a row`, async () => {
    const { id, discountAmount } = await stores.coupon();
    expect(await kindOf(api, issuer, id)).toBe('issued');
    for (const changes of [
      { discountAmount: 1 },
      { minAvailableAmount: 1 },
      { discountAmount: 1, totalQuantity: 3 },
      { usableDays: 30 },
      { usableFromMs: Date.now() },
      { usableUntilMs: Date.now() + 3_600_000 },
      { timeZone: 'Asia/Seoul' },
      { currency: 'USD' },
    ]) {
      expect(await other.editor.edit(id, changes, null)).toEqual({ kind: 'terms fixed' });
    }
    // What says the same is no change.
    expect(await edit(id, { title: 'A better title', discountAmount })).toMatchObject({ title: 'A better title' });
    await stores.redis.del(stores.keys(id).state);
    expect(await other.editor.edit(id, { discountAmount: 1 }, null)).toEqual({ kind: 'terms fixed' });
    expect((await stores.couponNow(id)).discountAmount).toBe(discountAmount);
  });
}

test('terms change or the coupon is issued first, never both', async () => {
  await using worker = await stores.startWorker();
  const kinds = new Set<string>();
  for (let i = 0; i < 60; i++) {
    const { id } = await stores.coupon({ discountAmount: 1000 });
    if (i % 3 > 0) await api.editor.open(id);
    const change = () => other.editor.edit(id, { discountAmount: 2000 }, null);
    // Of six rounds one begins with the edit, one with an issue, and in the others they meet.
    const editedFirst = i % 6 === 0 ? await change() : null;
    // What the coupon says of itself once a user has it is what that user has.
    const asking = Array.from({ length: 3 }, async () => {
      const answer = await ask(id);
      return { answer, terms: (await stores.couponNow(id)).discountAmount };
    });
    if (i % 6 === 1) await asking[0];
    else if (i % 2) await setImmediate();
    const edited = editedFirst ?? (await change());
    kinds.add(edited.kind);
    const answered = await Promise.all(asking);
    const { discountAmount } = await stores.couponNow(id);
    expect(discountAmount).toBe(edited.kind === 'edited' ? 2000 : 1000);
    for (const { answer, terms } of answered)
      expect({ kind: answer.outcome.kind, terms }).toEqual({ kind: 'issued', terms: discountAmount });
    await worker.drained();
    expect(
      await brokenPromises(
        stores,
        id,
        answered.map(({ answer }) => answer),
      ),
    ).toEqual([]);
  }
  expect([...kinds].sort()).toEqual(['edited', 'terms fixed']);
  expect(worker.deadLetters).toEqual([]);
});
