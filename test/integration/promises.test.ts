// promises.test.ts -- The checker of the promises is believed only because it catches each kind of broken promise here.

import { afterAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { withConnection } from '../../src/mysql/database.ts';
import { brokenPromises, type Answer } from '../promises.ts';
import { openStores } from '../stores.ts';

const stores = await openStores();
afterAll(() => stores.close());

const run = (statement: string) => withConnection(stores.database, (session) => session.execute(sql.raw(statement)));
const soldOut: Answer = { userId: 'late', outcome: { kind: 'sold out' } };

/** A coupon of two pieces that was issued to a and b, and all answers. */
async function issued() {
  await using api = await stores.createApi();
  const { id } = await stores.coupon({ totalQuantity: 2 });
  const users = ['a', 'b', 'late', 'a'];
  const outcomes = await api.issuers.synchronous.issue(id, users);
  const answers = users.flatMap((userId, i): Answer[] => (outcomes[i] ? [{ userId, outcome: outcomes[i] }] : []));
  return { id, answers };
}

test('nothing is found when every promise is kept', async () => {
  const { id, answers } = await issued();
  expect(answers).toContainEqual(soldOut);
  expect(await brokenPromises(stores, id, answers)).toEqual([]);
});

test('P1: a row too many is found', async () => {
  const { id, answers } = await issued();
  await run(`INSERT INTO coupon_issues (coupon_id, sequence, user_id, date_issued) SELECT coupon_id, 3, 'c', date_issued
    FROM coupon_issues WHERE coupon_id = ${id} AND sequence = 1`);
  const broken = await brokenPromises(stores, id, [
    ...answers,
    { userId: 'c', outcome: { kind: 'issued', sequence: 3 } },
  ]);
  expect(broken).toEqual(['P1: 3 rows of 2', 'P1: issued_quantity is 2, rows are 3', 'P4: sold out at 3 of 2']);
});

test('P2: a user with two answers that say issued is found', async () => {
  const { id, answers } = await issued();
  const broken = await brokenPromises(stores, id, [
    ...answers,
    { userId: 'a', outcome: { kind: 'issued', sequence: 1 } },
  ]);
  expect(broken).toEqual(['P2: a was answered issued twice']);
});

test('P3: an answer without its row, with another sequence, and a row without an answer are found', async () => {
  const { id, answers } = await issued();
  await run(`UPDATE coupon_issues SET user_id = 'c' WHERE coupon_id = ${id} AND sequence = 1`);
  await run(`UPDATE coupon_issues SET sequence = 9 WHERE coupon_id = ${id} AND sequence = 2`);
  expect(await brokenPromises(stores, id, answers)).toEqual([
    'P3: a was answered issued 1, its row says undefined',
    'P3: b was answered issued 2, its row says 9',
    'P3: a was answered already issued 1, its row says undefined',
    'P3: c has a row and was never answered issued',
  ]);
});

test('P3: an owner who was answered sold out is found', async () => {
  const { id, answers } = await issued();
  const broken = await brokenPromises(stores, id, [...answers, { userId: 'b', outcome: { kind: 'sold out' } }]);
  expect(broken).toEqual(['P3: b was answered sold out, and has 2']);
});

test('P4: stock that is left although a user was answered sold out is found', async () => {
  const { id, answers } = await issued();
  await run(`UPDATE coupons SET total_quantity = 3 WHERE id = ${id}`);
  expect(await brokenPromises(stores, id, answers)).toEqual(['P4: sold out at 2 of 3']);
});

test('P5: rows before the start and from the end on are found', async () => {
  const { id, answers } = await issued();
  await run(
    `UPDATE coupon_issues SET date_issued = date_issued - INTERVAL 1 DAY WHERE coupon_id = ${id} AND sequence = 1`,
  );
  await run(`UPDATE coupons SET date_issue_end =
    (SELECT date_issued FROM coupon_issues WHERE coupon_id = ${id} AND sequence = 2) WHERE id = ${id}`);
  expect(await brokenPromises(stores, id, answers)).toEqual(['P5: 2 rows outside the period']);
});
