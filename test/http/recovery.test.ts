// recovery.test.ts -- The routes that operators recover with: for operators only, and each result under its status.

import { expect, test } from 'bun:test';
import { fakeApp, OPERATOR_KEY } from './fakes.ts';

const { app } = fakeApp();

async function ask(method: string, path: string, authorization = `Bearer ${OPERATOR_KEY}`) {
  const response = await app.fetch(new Request(`http://localhost${path}`, { method, headers: { authorization } }));
  const text = await response.text();
  return { status: response.status, body: text === '' ? null : (JSON.parse(text) as Record<string, unknown>) };
}

const routes = [
  ['GET', '/v1/coupons/1/audit'],
  ['GET', '/v1/dead-letters'],
  ['GET', '/v1/dead-letters/0-1-0'],
  ['GET', '/v1/coupons/1/timeline'],
  ['POST', '/v1/dead-letters/0-1-0/replay'],
  ['DELETE', '/v1/dead-letters/0-1-0'],
] as const;

test.each(routes)('%s %s is for operators', async (method, path) => {
  expect((await ask(method, path, 'Bearer somebody-else')).status).toBe(401);
});

test('an audit returns the counts unchanged', async () => {
  const { status, body } = await ask('GET', '/v1/coupons/1/audit');
  expect({ status, owners: body?.owners, missing: body?.missing }).toEqual({ status: 200, owners: 37, missing: 0 });
  expect((await ask('GET', '/v1/coupons/26/audit')).body?.code).toBe('COUPON_NOT_EXIST');
  expect((await ask('GET', '/v1/coupons/x/audit')).body?.code).toBe('INVALID_REQUEST');
});

test('the list of dead letters is bounded, says so, and names no user', async () => {
  const { body } = await ask('GET', '/v1/dead-letters');
  const list = body?.deadLetters as Record<string, unknown>[];
  expect({ length: list.length, more: body?.more }).toEqual({ length: 100, more: true });
  expect(list.slice(0, 3)).toEqual([
    {
      id: '0-1-0',
      reason: 'no such coupon',
      couponId: 4,
      firstSequence: 12,
      users: 2,
      accepted: '1970-01-01T00:00:00.000Z',
    },
    { id: '0-2-0', reason: 'unknown version', couponId: 5, firstSequence: 7, users: 1, accepted: null },
    { id: '0-3-0', reason: 'unknown version', couponId: null, firstSequence: null, users: 0, accepted: null },
  ]);
});

test('a dead letter is read with its users and its fields', async () => {
  const { status, body } = await ask('GET', '/v1/dead-letters/0-1-0');
  expect({ status, users: body?.userIds, fields: body?.fields, entryId: body?.entryId }).toEqual({
    status: 200,
    users: ['a', 'b'],
    fields: [{ name: 'users', value: 'a,b' }],
    entryId: '1-0',
  });
  expect((await ask('GET', '/v1/dead-letters/0-3-0')).body?.code).toBe('DEAD_LETTER_NOT_EXIST');
});

test('a timeline says how often callers were refused, and why', async () => {
  const { body } = await ask('GET', '/v1/coupons/1/timeline');
  expect(body).toEqual({
    couponId: 1,
    issues: [{ date: '1970-01-01T00:00:00.000Z', sequence: 1, persistedMs: 5 }],
    refusals: { alreadyIssued: 1, notStarted: 2, paused: 3, ended: 4, soldOut: 5 },
    refused: [{ date: '1970-01-01T00:00:01.000Z', count: 15 }],
    complete: true,
  });
  expect((await ask('GET', '/v1/coupons/26/timeline')).body?.code).toBe('COUPON_NOT_EXIST');
});

test('a dead letter is replayed, unreadable or not there; discarded or not there', async () => {
  const answers = [];
  for (const id of ['0-1-0', '0-2-0', '0-3-0']) {
    const { status, body } = await ask('POST', `/v1/dead-letters/${id}/replay`);
    answers.push([status, body?.code ?? null]);
  }
  expect(answers).toEqual([
    [204, null],
    [409, 'DEAD_LETTER_UNREADABLE'],
    [404, 'DEAD_LETTER_NOT_EXIST'],
  ]);
  expect((await ask('DELETE', '/v1/dead-letters/0-1-0')).status).toBe(204);
  expect((await ask('DELETE', '/v1/dead-letters/0-3-0')).body?.code).toBe('DEAD_LETTER_NOT_EXIST');
});
