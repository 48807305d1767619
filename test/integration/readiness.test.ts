// readiness.test.ts -- Ready means that a request could be accepted now: what refuses writes, or has changed since the start, is seen.

import { afterAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { connect, issuingConnection } from '../../src/redis/connection.ts';
import { createReadiness } from '../../src/runtime/readiness.ts';
import { connectTo } from '../redis-database.ts';
import { eventually } from '../eventually.ts';
import { openStores, type TestApi } from '../stores.ts';

const folder = mkdtempSync(join(tmpdir(), 'readiness-'));
const server = await startRedisServer({ folder });
const stores = await openStores({ redisUrl: server.url });
const admin = await connectTo(server.url);
const redis = issuingConnection(stores.config, () => undefined);
await connect(redis);
afterAll(async () => {
  for (const connection of [admin, redis]) connection.disconnect();
  await stores.close();
  await server.stop();
  rmSync(folder, { recursive: true });
});

interface Detail {
  readonly ready: boolean;
  readonly detail: unknown;
}

/** What a process that asks for the first time is told of a store. */
async function detailOf(store: 'redis' | 'mysql', volatile: 'on' | 'off' = 'off'): Promise<Detail> {
  const settings = { ALLOW_VOLATILE_REDIS: volatile };
  const { ready, checks } = await createReadiness({ redis, database: stores.database, settings }).check();
  const detail = checks.find(({ name }) => name === store)?.detail ?? '';
  return { ready, detail };
}

const healthy: Detail = {
  ready: true,
  detail: expect.stringMatching(/^(Redis|Valkey) \d\S+, maxmemory-policy noeviction$/),
};

test('with healthy stores a process is ready, and asking leaves nothing behind', async () => {
  const before = await redis.dbsize();
  expect(await detailOf('redis')).toEqual(healthy);
  expect(await detailOf('mysql')).toMatchObject({ ready: true });
  expect(await redis.dbsize()).toBe(before);
  await withConnection(stores.database, async (_, connection) => {
    expect(await connection.query('SELECT * FROM coupon_issues')).toMatchObject([[], {}]);
  });
});

test.each([
  ['min-replicas-to-write', '1', '0', 'refuses writes (NOREPLICAS)'],
  ['maxmemory', '1', '0', 'refuses writes (OOM)'],
])('Redis with %s unmet is not ready', async (name, value, before, detail) => {
  await admin.config('SET', name, value);
  try {
    expect(await detailOf('redis')).toEqual({ ready: false, detail });
  } finally {
    await admin.config('SET', name, before);
  }
  expect(await detailOf('redis')).toEqual(healthy);
});

test('Redis that was made to evict since the start is not ready, unless that was accepted', async () => {
  await admin.config('SET', 'maxmemory-policy', 'volatile-lru');
  try {
    expect(await detailOf('redis')).toEqual({
      ready: false,
      detail: expect.stringMatching(/evicts owners and accepted issues when its memory is full \(volatile-lru\)/),
    });
    expect(await detailOf('redis', 'on')).toMatchObject({ ready: true });
  } finally {
    await admin.config('SET', 'maxmemory-policy', 'noeviction');
  }
});

test('the metric of what Redis may lose follows the policy while it runs', async () => {
  await using api = await stores.createApi();
  await using accepting = await stores.createApi({ ALLOW_VOLATILE_REDIS: 'on' });
  const shows = async (of: TestApi, faults: number) =>
    (await of.metrics.render()).includes(`\ncoupon_redis_durability_faults ${faults}\n`);
  expect(await shows(api, 0)).toBe(true);
  await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
  try {
    await eventually('the metric to show it', () => shows(api, 1));
    expect(await shows(accepting, 0)).toBe(true);
  } finally {
    await admin.config('SET', 'maxmemory-policy', 'noeviction');
  }
  await eventually('the metric to show that it is over', () => shows(api, 0));
});

test('a Redis that became a replica, and one that refuses XADD, are not ready', async () => {
  await admin.call('ACL', 'SETUSER', 'default', '-xadd');
  expect(await detailOf('redis')).toEqual({ ready: false, detail: 'refuses writes (NOPERM)' });
  await admin.call('ACL', 'SETUSER', 'default', '+xadd');
  await admin.call('REPLICAOF', '127.0.0.1', '1');
  expect(await detailOf('redis')).toEqual({ ready: false, detail: 'is a slave and refuses writes' });
  await admin.call('REPLICAOF', 'NO', 'ONE');
  expect(await detailOf('redis')).toEqual(healthy);
});

test('a MySQL that takes no row is not ready', async () => {
  const run = (statement: string) => withConnection(stores.database, (_, connection) => connection.query(statement));
  await run('RENAME TABLE coupon_issues TO away');
  try {
    expect(await detailOf('mysql')).toEqual({ ready: false, detail: 'refuses writes (ER_NO_SUCH_TABLE 1146)' });
  } finally {
    await run('RENAME TABLE away TO coupon_issues');
  }
  expect(await detailOf('mysql')).toMatchObject({ ready: true });
});

test('however many ask, the stores are asked once a second, and a stop is seen immediately', async () => {
  const probe = createReadiness({ redis, database: stores.database, settings: { ALLOW_VOLATILE_REDIS: 'off' } });
  const writes = async () => Number(/cmdstat_xadd:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1] ?? 0);
  const before = await writes();
  for (let i = 0; i < 10; i++) expect(await probe.check()).toMatchObject({ ready: true });
  expect(await writes()).toBeLessThanOrEqual(before + 2);
  probe.stop();
  expect(await probe.check()).toMatchObject({ ready: false });
});
