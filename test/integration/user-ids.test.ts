// user-ids.test.ts -- Users with the ids of identity providers: issued on each endpoint, found, listed and used, on real stores.

import { afterAll, describe, expect, test } from 'bun:test';
import { createApp } from '../../src/app.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { createReadiness } from '../../src/runtime/readiness.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createAuthMetrics } from '../../src/auth/metrics.ts';
import { openAccess } from '../../src/wiring/access.ts';
import { pages } from '../http/fakes.ts';
import { AUDIENCE, bytesOf, ISSUER, SECRET, sign } from '../http/tokens.ts';
import { needsPlainMysql } from '../other-stores.ts';
import { openStores } from '../stores.ts';

const stores = await openStores();
const settings = { JWT_SECRET: SECRET, JWT_ISSUER: ISSUER, JWT_AUDIENCE: AUDIENCE };
const api = await stores.createApi(settings);
const config = stores.configWith(settings);
const log = createLog('api', 'silent');
const access = await openAccess({
  config,
  database: stores.database,
  redis: api.redis,
  log,
  metrics: createAuthMetrics(),
});
const readiness = createReadiness({ redis: api.redis, database: stores.database, settings: config }).check;
const app = createApp({ ...api, ...access, config, pages, readiness, log });
afterAll(async () => {
  access.stop();
  await stores.close();
});

/** Three pairs differ in one character or in case alone. */
const users = [
  'auth0|5f7c8ec7c33c6c004bbafe82',
  'auth0|5f7c8ec7c33c6c004bbafe83',
  'google-oauth2|113456789012345678901',
  '001234.5678abcdef.0910',
  'f:5c1e2a3b-0d4f-4a6b-9c8d:kim',
  'Zm9v+YmFy/YmF6==',
  'zm9v+YmFy/YmF6==',
  'kim@example.com',
  'Kim@example.com',
  '/',
  '%2F',
  '?a=1&b#c',
  '...',
  `${'x'.repeat(254)}1`,
  `${'x'.repeat(254)}2`,
];

async function ask(userId: string, path: string, body?: object): Promise<Response> {
  const token = await sign({ claims: { sub: userId }, key: bytesOf(SECRET) });
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const init = body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers };
  return app.fetch(new Request(`http://localhost${path}`, init));
}

describe.each(['/v1/issue', '/v1/issue-async', '/v2/issue-async'])('%s', (endpoint) => {
  test('issues to each, and each finds, lists and uses what is theirs', async () => {
    const { id: couponId } = await stores.coupon({ totalQuantity: users.length });
    await using worker = await stores.startWorker();
    const sequences = new Map<string, unknown>();
    for (const userId of users) {
      const issued = await ask(userId, endpoint, { couponId, userId });
      expect(issued.status).toBeOneOf([201, 202]);
      const answer = (await issued.json()) as { userId: string; sequence: number };
      expect(answer.userId).toBe(userId);
      sequences.set(userId, answer.sequence);
      const found = await ask(userId, issued.headers.get('location') ?? '');
      expect(await found.json()).toMatchObject({ userId, sequence: answer.sequence });
      const again = await ask(userId, endpoint, { couponId, userId });
      expect(await again.json()).toMatchObject({ code: 'DUPLICATED_COUPON_ISSUE', sequence: answer.sequence });
    }
    expect(new Set(sequences.values()).size).toBe(users.length);
    await worker.drained();
    const rows = await stores.rows(couponId);
    expect(new Map(rows.map(({ userId, sequence }) => [userId, sequence]))).toEqual(sequences as never);
    for (const userId of users) {
      const segment = encodeURIComponent(userId);
      const used = await ask(userId, `/v1/coupons/${couponId}/issues/${segment}/use`, {});
      expect([userId, used.status]).toEqual([userId, 200]);
      const list = (await (await ask(userId, `/v1/users/${segment}/issues`)).json()) as {
        issues: { couponId: number }[];
      };
      expect(list.issues.find((issue) => issue.couponId === couponId)).toMatchObject({ status: 'USED' });
    }
  });
});

test('a coupon of such users is rebuilt from rows and entries, and nobody gets a second one', async () => {
  const { id: couponId } = await stores.coupon({ totalQuantity: 100 });
  const issueAll = (some: readonly string[]) =>
    Promise.all(some.map((userId) => api.issuance.issue('scripted', couponId, userId)));
  const worker = await stores.startWorker();
  await issueAll(users.slice(0, 4));
  await worker.drained();
  await worker.stop();
  await issueAll(users.slice(4, 8));
  const keys = stores.keys(couponId);
  await stores.redis.del(keys.state, keys.owners);
  const outcomes = await issueAll(users);
  expect(outcomes.map(({ kind }) => kind)).toEqual(users.map((_, i) => (i < 8 ? 'already issued' : 'issued')));
});

const cannotSetNextId = needsPlainMysql('sets the next id of a table');
test.skipIf(cannotSetNextId)('an id of a coupon that numbers do not hold exactly is given to no coupon', async () => {
  const own = await openStores();
  try {
    const other = await own.createApi();
    await withConnection(own.database, (_, connection) =>
      connection.query('ALTER TABLE coupons AUTO_INCREMENT = 9007199254740993'),
    );
    const draft = { title: 'a', totalQuantity: 1, discountAmount: 0, minAvailableAmount: 0, startMs: 0, endMs: 4e12 };
    await expect(other.catalog.create({ ...draft, listed: true })).rejects.toThrow('no safe integer');
    const [rows] = await withConnection(own.database, (_, connection) => connection.query('SELECT id FROM coupons'));
    expect(rows).toEqual([]);
  } finally {
    await own.close();
  }
});
