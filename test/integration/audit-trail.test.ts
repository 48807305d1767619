// audit-trail.test.ts -- Every change by an operator leaves a row that says who, from where and what; and none is made without.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import type { AuditTrailPage } from '../../client/coupon-client.ts';
import { createKey, revokeKey } from '../../src/auth/api-key-store.ts';
import { listTrail } from '../../src/auth/audit-trail.ts';
import { isOnVitess, withConnection } from '../../src/mysql/database.ts';
import { partitionOf } from '../../src/stream/keys.ts';
import { writeEntry } from '../../src/stream/entry.ts';
import { startEntry } from '../started-entry.ts';
import { openStores, type Stores } from '../stores.ts';
import { runEntry } from '../started-entry.ts';

type Page = AuditTrailPage;
type Entry = Page['entries'][number];

let stores: Stores;
let started: ReturnType<typeof startEntry>;
let url: string;
const ADMIN_API_KEY = 'the key of the operators';

beforeAll(async () => {
  stores = await openStores();
  const environment = { AUTH: 'on', ADMIN_API_KEY, TRUSTED_PROXIES: '127.0.0.1/32', KEYS_MS_MAX: '100' };
  started = startEntry(stores, 'src/server.ts', { environment });
  url = await started.url();
});
afterAll(async () => {
  started?.child.kill('SIGTERM');
  await started?.child.exited;
  await stores?.close();
});

async function ask(method: string, path: string, { key = ADMIN_API_KEY, from = '203.0.113.7', body = {} } = {}) {
  const answer = await fetch(url + path, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      'x-forwarded-for': from,
      ...(method !== 'GET' && { 'content-type': 'application/json' }),
    },
    ...(method !== 'GET' && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, body: (text === '' ? null : JSON.parse(text)) as unknown };
}

async function trail(query = ''): Promise<Page> {
  const { status, body } = await ask('GET', `/v1/audit-trail${query}`);
  expect(status).toBe(200);
  return body as Page;
}

/** Without what differs with each run. */
function plain({ entries }: Page) {
  return entries.map(({ action, couponId, keyId, actor, address, from, to }) => {
    return { action, couponId, keyId, actor, address, from, to };
  });
}

const draft = {
  title: 'Audited: 5,000원 “할인”',
  totalQuantity: 100,
  discountAmount: 5000,
  minAvailableAmount: 0,
  dateIssueStart: '2026-01-01T00:00:00.000Z',
  dateIssueEnd: '2036-01-01T00:00:00.000Z',
};

test('the changes of a coupon over its life are listed with who made them, from where, from what and to what', async () => {
  const made = await createKey(stores.database, { name: '쇼핑몰 "운영"', scopes: ['admin'] });
  await Bun.sleep(300);
  const byKey = { key: made.key, from: '2001:db8:1:2:3:4:5:6' };
  const { body: created } = await ask('POST', '/v1/coupons', { body: draft });
  const { id } = created as { id: number };
  const path = `/v1/coupons/${id}`;
  expect((await ask('PATCH', path, { body: { paused: true }, ...byKey })).status).toBe(200);
  expect((await ask('PATCH', path, { body: { totalQuantity: 70, paused: false } })).status).toBe(200);
  expect((await ask('POST', `${path}/open`, byKey)).status).toBe(200);
  expect((await ask('POST', '/v2/issue-async', { body: { couponId: id, userId: 'kim-the-user' } })).status).toBe(202);
  // Nothing of what is refused.
  expect((await ask('PATCH', path, { body: { totalQuantity: null, dateIssueEnd: draft.dateIssueStart } })).status).toBe(
    422,
  );
  expect((await ask('DELETE', path)).status).toBe(409);
  expect((await ask('PATCH', '/v1/coupons/9', { body: { paused: true } })).status).toBe(404);
  expect((await ask('POST', '/v1/coupons/9/open')).status).toBe(404);
  const common = { couponId: id, keyId: null, actor: 'ADMIN_API_KEY', address: '203.0.113.7' };
  const ofKey = { ...common, keyId: made.id, actor: '쇼핑몰 "운영"', address: '2001:db8:1:2::/64' };
  expect(plain(await trail(`?couponId=${id}`))).toEqual([
    { ...ofKey, action: 'coupon.open', from: { stockHome: 'mysql' }, to: { stockHome: 'redis' } },
    {
      ...common,
      action: 'coupon.edit',
      from: { totalQuantity: 100, paused: true, version: 2 },
      to: { totalQuantity: 70, paused: false, version: 3 },
    },
    { ...ofKey, action: 'coupon.edit', from: { paused: false, version: 1 }, to: { paused: true, version: 2 } },
    { ...common, action: 'coupon.create', from: null, to: created },
  ] as never);
  expect(plain(await trail(`?key=${made.id}`)).map(({ action }) => action)).toEqual(['coupon.open', 'coupon.edit']);
  expect(plain(await trail(`?key=ADMIN_API_KEY&couponId=${id}`))).toHaveLength(2);
  expect(plain(await trail(`?key=system&couponId=${id}`))).toEqual([]);
  const instants = (await trail(`?couponId=${id}`)).entries.map(({ date }) => Date.parse(date));
  for (const instant of instants) expect(Math.abs(instant - Date.now())).toBeLessThan(60_000);
});

test('a deleted coupon is still listed', async () => {
  const { body: created } = await ask('POST', '/v1/coupons', { body: draft });
  const { id } = created as { id: number };
  expect((await ask('DELETE', `/v1/coupons/${id}`)).status).toBe(204);
  expect(plain(await trail(`?couponId=${id}`))).toMatchObject([
    { action: 'coupon.delete', from: created as object, to: null },
    { action: 'coupon.create' },
  ]);
});

test('it comes in pages, the newest first, and cannot be changed', async () => {
  const { id } = await stores.coupon();
  for (let total = 11; total <= 15; total += 1)
    await ask('PATCH', `/v1/coupons/${id}`, { body: { totalQuantity: total } });
  const found: Entry[] = [];
  let after: number | null = 0;
  while (after !== null) {
    const page: Page = await trail(`?couponId=${id}&limit=2&after=${after}`);
    found.push(...page.entries);
    after = page.next;
  }
  expect(found).toMatchObject([15, 14, 13, 12, 11].map((totalQuantity) => ({ to: { totalQuantity } })));
  expect(found.map((entry) => entry.id)).toEqual(found.map((entry) => entry.id).toSorted((a, b) => b - a));
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'])
    expect([method, (await ask(method, '/v1/audit-trail')).status]).toEqual([method, 405]);
  for (const query of ['couponId=0', 'couponId=x', 'key=', 'key=0', 'key=a%00', 'limit=0', 'after=-1'])
    expect([query, (await ask('GET', `/v1/audit-trail?${query}`)).status]).toEqual([query, 422]);
});

test('dead letters leave how many users they hold, and not who they are', async () => {
  const { id: couponId } = await stores.coupon();
  const entry = { couponId, epoch: 0, firstSequence: 3, acceptedMs: 0, users: ['kim-the-user', 'lee-the-user'] };
  const { dead } = stores.keys(couponId);
  const partition = partitionOf(couponId, stores.config.PARTITIONS);
  const bury = async (...fields: string[]) =>
    `${partition}-${await stores.redis.xadd(dead, '*', 'entry', '1-1', 'reason', 'a test', ...fields)}`;
  const [replayed, discarded, unreadable] = [
    await bury(...writeEntry(entry)),
    await bury(...writeEntry(entry)),
    await bury('v', '99'),
  ];
  expect((await ask('POST', `/v1/dead-letters/${replayed}/replay`)).status).toBe(204);
  expect((await ask('DELETE', `/v1/dead-letters/${discarded}`)).status).toBe(204);
  expect((await ask('POST', `/v1/dead-letters/${unreadable}/replay`)).status).toBe(409);
  expect((await ask('DELETE', `/v1/dead-letters/${replayed}`)).status).toBe(404);
  const { REDIS_URL, KEY_PREFIX } = stores.config;
  const environment = { REDIS_URL, PARTITIONS: '4', ...(KEY_PREFIX && { KEY_PREFIX }) };
  expect(await run('dead-letters', ['discard', unreadable], environment)).toMatchObject({ code: 0 });
  const facts = { entryId: '1-1', reason: 'a test', firstSequence: 3, users: 2 };
  const letters = plain(await trail()).filter(({ action }) => action.startsWith('dead-letter.'));
  expect(letters).toMatchObject([
    {
      action: 'dead-letter.discard',
      actor: 'command:dead-letters',
      couponId: null,
      from: { id: unreadable, firstSequence: null, users: 0 },
    },
    { action: 'dead-letter.discard', couponId, from: { id: discarded, ...facts }, to: null },
    { action: 'dead-letter.replay', couponId, from: { id: replayed, ...facts }, to: null },
  ] as never);
  expect(JSON.stringify(await trail('?limit=100'))).not.toContain('the-user');
});

test('keys are listed by name and scopes, and never with their secrets', async () => {
  const { code, out } = await run('keys', ['create', '--scope', 'issue', '--name', 'backend of the shop']);
  expect(code).toBe(0);
  const [{ to } = { to: null }] = await listTrail(stores.database, { after: 0, limit: 1, couponId: null, key: null });
  const keyId = Number(to?.['keyId']);
  const scopes = ['issue'];
  expect((await run('keys', ['revoke', String(keyId)])).code).toBe(0);
  expect((await run('keys', ['revoke', String(keyId)])).code).toBe(1);
  expect(await revokeKey(stores.database, keyId)).toBe(false);
  const common = { couponId: null, keyId: null, actor: 'command:keys', address: null };
  const name = 'backend of the shop';
  expect(plain(await trail('?limit=2'))).toEqual([
    { ...common, action: 'key.revoke', from: { keyId, name, scopes }, to: null },
    { ...common, action: 'key.create', from: null, to: { keyId, name, scopes } },
  ] as never);
  expect(plain(await trail('?key=command:keys'))).toHaveLength(2);
  const all = JSON.stringify(await trail('?limit=100'));
  expect([all.includes(out.trim()), all.includes(ADMIN_API_KEY), /[0-9a-f]{64}/.test(all)]).toEqual([
    false,
    false,
    false,
  ]);
});

test('what cannot be recorded is not changed', async () => {
  const { id } = await stores.coupon();
  await using api = await stores.createApi();
  const letterId = `0-${await stores.redis.xadd('issues:{0}:dead', '*', 'entry', '1-1', 'reason', 'a test', 'v', '99')}`;
  const rename = (from: string, to: string) =>
    withConnection(stores.database, (session) => session.execute(sql.raw(`RENAME TABLE ${from} TO ${to}`)));
  await rename('audit_trail', 'audit_trail_away');
  try {
    const changes = [
      api.catalog.create({ ...(await stores.couponNow(id)) }),
      api.editor.edit(id, { paused: true }, null),
      api.editor.remove(id, null),
      api.editor.open(id),
      api.deadLetters.discard(letterId),
      createKey(stores.database, { name: 'unrecorded', scopes: ['admin'] }),
    ];
    expect((await Promise.allSettled(changes)).map(({ status }) => status)).toEqual(changes.map(() => 'rejected'));
  } finally {
    await rename('audit_trail_away', 'audit_trail');
  }
  expect(await stores.couponNow(id)).toMatchObject({ paused: false, stockHome: 'mysql', version: 1 });
  expect(await stores.redis.xrange('issues:{0}:dead', letterId.slice(2), letterId.slice(2))).toHaveLength(1);
  const [rows] = await withConnection(stores.database, (session) =>
    session.execute(sql`SELECT id FROM api_keys WHERE name = 'unrecorded'`),
  );
  // On Vitess a key and its record may be of two shards, and are no transaction: what is left then is a key that nobody was shown.
  if (!(await isOnVitess(stores.database))) expect(rows as unknown).toEqual([]);
});

/** Runs a command as an operator does. */
async function run(command: string, words: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const { DATABASE_URL } = stores.config;
  const { out, code } = await runEntry({ DATABASE_URL }, `src/commands/${command}.ts`, words, { environment });
  return { out, code };
}
