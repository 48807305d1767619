// lost-replies.test.ts -- The decision was made, the reply was lost: nothing is sent again behind the caller's back, since he
// would then be answered already issued for their own coupon. Instead the result is ambiguous, and a retry shows it.

import { afterAll, expect, test } from 'bun:test';
import { issuerNames } from '../../src/issuing/issuer.ts';
import { needsOneRedis } from '../other-stores.ts';
import { openStores } from '../stores.ts';
import { openTcpProxy } from '../tcp-proxy.ts';
import { eventually } from '../eventually.ts';
import { serverOf } from '../../src/redis/connection.ts';

const stores = await openStores();
afterAll(() => stores.close());

const cannotLoseReply = needsOneRedis('loses a reply on the one connection to Redis');

for (const issuer of issuerNames) {
  test.skipIf(cannotLoseReply)(`of Redis, for ${issuer}: the result is ambiguous, and a retry shows it`, async () => {
    await using proxy = await openTcpProxy(stores.config.REDIS_URL);
    await using api = await stores.createApi({ REDIS_URL: proxy.url });
    const { id } = await stores.coupon();
    await api.issuers[issuer === 'locked' ? 'locked' : 'scripted'].issue(id, ['before']);
    // The write: the only command that names the user and the counter of those who are not yet rows.
    proxy.loseReplyTo((text) => text.includes('evalsha') && text.includes('unpersisted') && text.includes('unlucky'));
    await expect(api.issuance.issue(issuer, id, 'unlucky')).rejects.toMatchObject({
      name: 'Unavailable',
      reason: 'dependency',
    });
    expect(proxy.repliesLost()).toBe(1);
    await eventually('the API to be connected again', () => serverOf(api.redis) !== '');
    expect(await api.issuance.issue(issuer, id, 'unlucky')).toEqual({ kind: 'already issued', sequence: 2 });
    expect(await stores.redis.hgetall(stores.keys(id).owners)).toEqual({ before: '1', unlucky: '2' });
    await using worker = await stores.startWorker();
    await worker.drained();
    expect((await stores.rows(id)).map(({ sequence, userId }) => [sequence, userId])).toEqual([
      [1, 'before'],
      [2, 'unlucky'],
    ]);
  });
}

test('of MySQL to a commit, for synchronous: the result is ambiguous, and a retry shows it', async () => {
  await using proxy = await openTcpProxy(stores.config.DATABASE_URL);
  await using api = await stores.createApi({ DATABASE_URL: proxy.url });
  const { id } = await stores.coupon();
  await api.issuance.issue('synchronous', id, 'before');
  proxy.loseReplyTo((text) => text.endsWith('COMMIT'));
  await expect(api.issuance.issue('synchronous', id, 'unlucky')).rejects.toMatchObject({
    name: 'Unavailable',
    reason: 'dependency',
  });
  expect(proxy.repliesLost()).toBe(1);
  expect(await api.issuance.issue('synchronous', id, 'unlucky')).toEqual({ kind: 'already issued', sequence: 2 });
  expect((await stores.rows(id)).map(({ userId }) => userId)).toEqual(['before', 'unlucky']);
});
