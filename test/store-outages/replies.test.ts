// replies.test.ts -- A reply of Redis that is lost after the work was done: a winner never becomes a loser, and what was read
// at two moments is never half of each.

import { afterAll, expect, test } from 'bun:test';
import type { RedisKey } from 'ioredis';
import { sql } from 'drizzle-orm';
import { issuerNames } from '../../src/issuing/issuer.ts';
import { closeDatabase, openDatabase, withConnection, withTransaction } from '../../src/mysql/database.ts';
import { serverOf } from '../../src/redis/connection.ts';
import { put, take } from '../../src/stock/decision-scripts.ts';
import { eventually } from '../eventually.ts';
import { needsOneRedis } from '../other-stores.ts';
import { openStores } from '../stores.ts';
import { openTcpProxy } from '../tcp-proxy.ts';
import { openCallers } from './callers.ts';

const stores = await openStores();
afterAll(() => stores.close());

const writerOf = { synchronous: take.digest, locked: put.digest, scripted: take.digest } as const;

async function drain(): Promise<void> {
  await using worker = await stores.startWorker();
  await worker.drained();
}

const cannotLoseReply = needsOneRedis('loses a reply on the one connection to Redis');

for (const issuer of issuerNames) {
  test.skipIf(cannotLoseReply)(
    `a reply that is lost on its way from Redis: 503 from ${issuer}, and a retry returns the sequence`,
    async () => {
      await using proxy = await openTcpProxy(stores.config.REDIS_URL);
      await using api = await stores.createApi({ REDIS_URL: proxy.url });
      await using callers = await openCallers(stores, api);
      const { id } = await stores.coupon();
      expect(await callers.ask('scripted', id, 'a')).toBe('202 #1');
      expect(await callers.ask(issuer, id, 'b')).toMatch(/^20[12] #2$/);
      proxy.loseReplyTo((text) => text.includes(writerOf[issuer]));
      expect(await callers.ask(issuer, id, 'c')).toBe('503 FAIL_COUPON_ISSUE_REQUEST');
      expect(proxy.repliesLost()).toBe(1);
      await eventually('the API to be connected', () => serverOf(api.redis) !== '');
      expect(await callers.ask(issuer, id, 'c')).toBe('409 DUPLICATED_COUPON_ISSUE #3');
      await drain();
      expect((await stores.rows(id)).map(({ userId }) => userId)).toEqual(['a', 'b', 'c']);
      expect(await callers.accusations(id)).toEqual([]);
    },
  );
}

test('entries that become rows while a coupon is being opened are not missed', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  await api.issuers.scripted.issue(id, ['a', 'b']);
  await stores.redis.del(stores.keys(id).state);
  const xrange = api.redis.xrange.bind(api.redis);
  let reads = 0;
  api.redis.xrange = async (...args: [RedisKey, ...unknown[]]) => {
    // The last moment before the stream is read: a process that has read the rows already does not know these.
    reads += 1;
    if (reads === 1) await drain();
    return Reflect.apply(xrange, api.redis, args) as ReturnType<typeof xrange>;
  };
  expect(await api.issuers.scripted.issue(id, ['b', 'c'])).toEqual([
    { kind: 'already issued', sequence: 2 },
    { kind: 'issued', sequence: 3 },
  ]);
  expect(reads).toBeGreaterThan(0);
});

test('a transaction that failed leaves nothing behind that the next one could commit', async () => {
  const database = openDatabase({ ...stores.config, MYSQL_CONNECTIONS_MAX: 1 });
  try {
    const { id } = await stores.coupon();
    const failing = withTransaction(database, async (tx) => {
      await tx.execute(sql`UPDATE coupons SET issued_quantity = 5 WHERE id = ${id}`);
      throw new Error('planted');
    });
    await expect(failing).rejects.toThrow('planted');
    await withTransaction(database, (tx) => tx.execute(sql`SELECT 1`));
    const [rows] = await withConnection(stores.database, (session) =>
      session.execute(sql`SELECT issued_quantity AS issued FROM coupons WHERE id = ${id}`),
    );
    expect(rows).toEqual([{ issued: 0 }] as never);
  } finally {
    await closeDatabase(database);
  }
});
