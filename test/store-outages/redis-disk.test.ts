// redis-disk.test.ts -- A Redis whose disk is full: what it cannot make durable it does not promise, and neither do we.

import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issuerNames } from '../../src/issuing/issuer.ts';
import { serverOf } from '../../src/redis/connection.ts';
import { eventually } from '../eventually.ts';
import { openStores, type Stores, type TestApi } from '../stores.ts';
import { type Callers, openCallers } from './callers.ts';
import { canFillDisks, type FillableRedis, startFillableRedis } from './full-disk.ts';

const UNAVAILABLE = '503 FAIL_COUPON_ISSUE_REQUEST';
const already = (sequence: number) => `409 DUPLICATED_COUPON_ISSUE #${sequence}`;

interface Scene {
  readonly redis: FillableRedis;
  readonly stores: Stores;
  readonly api: TestApi;
  readonly callers: Callers;
}

/** Plays a scene on a Redis of its own. */
async function play(appendfsync: string, scene: (scene: Scene) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'coupon-full-disk-'));
  const redis = await startFillableRedis(folder, { appendfsync });
  try {
    const stores = await openStores({ redisUrl: redis.server.url });
    try {
      const api = await stores.createApi();
      await using callers = await openCallers(stores, api);
      await scene({ redis, stores, api, callers });
    } finally {
      await stores.close();
    }
  } finally {
    await redis.server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Everything accepted becomes a row, and no answer was wrong. */
async function expectKept({ stores, callers }: Scene, id: number, users: readonly string[]): Promise<void> {
  await using worker = await stores.startWorker({ CLAIM_IDLE_MS: 100 });
  await worker.drained();
  expect((await stores.rows(id)).map(({ userId }) => userId)).toEqual([...users]);
  expect(await callers.accusations(id)).toEqual([]);
  expect(worker.deadLetters).toEqual([]);
}

test.skipIf(!canFillDisks)(
  'an AOF that cannot be written (MISCONF): 503, and owners still hear their sequence, until there is room again',
  () =>
    play('everysec', async (scene) => {
      const { redis, stores, callers } = scene;
      const { id } = await stores.coupon({ totalQuantity: 6 });
      expect(await callers.ask('scripted', id, 'a')).toBe('202 #1');
      redis.fill();
      await eventually('Redis to notice', async () => {
        await stores.redis.set('ballast', 'x').catch(() => null);
        return /aof_last_write_status:err/.test(await stores.redis.info('persistence'));
      });
      for (const issuer of issuerNames) expect(await callers.ask(issuer, id, 'b')).toBe(UNAVAILABLE);
      expect(await callers.ask('scripted', id, 'a')).toBe(already(1));
      redis.empty();
      await eventually('Redis to write again', async () =>
        /aof_last_write_status:ok/.test(await stores.redis.info('persistence')),
      );
      for (const [i, issuer] of issuerNames.entries())
        expect(await callers.ask(issuer, id, `c${i}`)).toMatch(new RegExp(`^20[12] #${i + 2}$`));
      await expectKept(scene, id, ['a', 'c0', 'c1', 'c2']);
    }),
);

test.skipIf(!canFillDisks)(
  'with `appendfsync always` a full disk ends Redis before it promises anything: 503, and after its start all is there',
  () =>
    play('always', async (scene) => {
      const { redis, stores, api, callers } = scene;
      const { id } = await stores.coupon({ totalQuantity: 6 });
      expect(await callers.ask('scripted', id, 'a')).toBe('202 #1');
      const before = serverOf(api.redis);
      redis.fill();
      for (const issuer of issuerNames) expect(await callers.ask(issuer, id, 'b')).toBe(UNAVAILABLE);
      await redis.server.restart();
      await eventually('the new server to be known', () => ![before, ''].includes(serverOf(api.redis)));
      await eventually('the test to be connected', () => stores.redis.status === 'ready');
      expect(await callers.ask('scripted', id, 'a')).toBe(already(1));
      expect(await callers.ask('locked', id, 'b')).toBe('202 #2');
      await expectKept(scene, id, ['a', 'b']);
    }),
);
