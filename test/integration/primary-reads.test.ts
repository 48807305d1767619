// primary-reads.test.ts -- What decides, or tells a user that they have nothing, is read in a transaction, which no proxy sends to a replica.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { Pool } from 'mysql2/promise';
import { validKeys } from '../../src/auth/api-key-store.ts';
import { eventually } from '../eventually.ts';
import { needsPlainMysql } from '../other-stores.ts';
import { openStores, type Stores, type TestApi } from '../stores.ts';

let stores: Stores;
let api: TestApi;
/** Every statement that the API sent on its connections, but those that issue. */
const sent: string[] = [];

beforeAll(async () => {
  stores = await openStores();
  api = await stores.createApi();
  const pools = api.database.pools as Record<string, Pool>;
  for (const name of ['general', 'public', 'security']) pools[name] = recording(api.database.pools[name as 'general']);
});
afterAll(async () => {
  await stores?.close();
});

interface RawConnection {
  query(options: { readonly sql: string }, callback: unknown): unknown;
}

/** The pool, whose connections note what they are asked. */
function recording(pool: Pool): Pool {
  const known = new WeakSet<object>();
  return new Proxy(pool, {
    get(target, name) {
      if (name !== 'getConnection') return Reflect.get(target, name, target) as unknown;
      return async () => {
        const connection = await target.getConnection();
        const raw = connection.connection as unknown as RawConnection;
        if (!known.has(raw)) {
          known.add(raw);
          const query = raw.query.bind(raw);
          raw.query = (options, callback) => {
            sent.push(options.sql);
            return query(options, callback);
          };
        }
        return connection;
      };
    },
  });
}

/** What was read outside of a transaction, by a proxy that looks at single statements. */
function plainReads(): readonly string[] {
  let isInside = false;
  return sent.filter((statement) => {
    if (statement === 'START TRANSACTION READ WRITE' || statement === 'BEGIN') isInside = true;
    if (statement === 'COMMIT' || statement === 'ROLLBACK') isInside = false;
    return /^\s*select/i.test(statement) && !isInside;
  });
}

const newCoupon = {
  title: 'A coupon',
  totalQuantity: 5,
  discountAmount: 1,
  minAvailableAmount: 1,
  listed: false,
  startMs: Date.now() - 1000,
  endMs: Date.now() + 3_600_000,
};

const reads: Readonly<Record<string, (couponId: number) => Promise<unknown>>> = {
  'making a coupon': () => api.catalog.create(newCoupon),
  'reading a coupon': (id) => api.catalog.read(id),
  'listing coupons': () => api.catalog.list({ after: 0, limit: 10 }),
  'opening a coupon': async (id) => {
    await stores.redis.del(stores.keys(id).state);
    await api.stock.open(id);
  },
  'the status of an issue': (id) => api.issues.statusOf(id, 'nobody'),
  'waiting for a row': (id) => api.issues.statusOf(id, 'owner', 50),
  "a user's issues": () => api.issues.listOf('nobody', { after: 0, limit: 10 }),
  'the use of an issue': (id) => api.issues.change(id, 'nobody', { kind: 'use', reference: null }),
  'an audit': (id) => api.audit(id),
  'the keys that are valid': () => validKeys(api.database),
};

const readsAlone = needsPlainMysql(
  'looks whether reads are in transactions, which Vitess sends to the primary without them',
);
test.skipIf(readsAlone).each(Object.entries(reads))('%s reads nothing outside of a transaction', async (_, read) => {
  const { id } = await stores.coupon();
  await api.issuers.scripted.issue(id, ['owner']);
  sent.length = 0;
  await read(id);
  await eventually('a statement', () => sent.length > 0);
  expect(plainReads()).toEqual([]);
});
