// restart.test.ts -- A Redis that restarts: with the same data it is proven and goes on, with older data it is rebuilt.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issuerNames } from '../../src/issuing/issuer.ts';
import type { Outcome } from '../../src/coupon/outcome.ts';
import { look, put, take } from '../../src/stock/decision-scripts.ts';
import type { PrivateServer } from '../../tools/stack/private-server.ts';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import { serverOf } from '../../src/redis/connection.ts';
import { eventually } from '../eventually.ts';
import { openStores, type Stores, type TestApi } from '../stores.ts';

const folder = mkdtempSync(join(tmpdir(), 'coupon-restart-'));
const dataFolder = join(folder, 'redis', 'appendonlydir');
const backupFolder = join(folder, 'backup');
let server: PrivateServer;
let stores: Stores;
let api: TestApi;

beforeAll(async () => {
  server = await startRedisServer({ folder });
  // What Redis itself has is shown here, not what processes put back.
  stores = await openStores({ redisUrl: server.url, settings: { OFFERING: 'off' } });
  api = await stores.createApi();
});

afterAll(async () => {
  await stores?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const issued = (sequence: number): Outcome => ({ kind: 'issued', sequence });
const already = (sequence: number): Outcome => ({ kind: 'already issued', sequence });

/** Waits until the API and the test talk to another server than before. */
async function reconnected(before: string): Promise<void> {
  await eventually(
    'the API to know the new server',
    () => serverOf(api.redis) !== '' && serverOf(api.redis) !== before,
  );
  await eventually('the test to be connected', () => stores.redis.status === 'ready');
}

async function restart(how: () => Promise<void>): Promise<void> {
  const before = serverOf(api.redis);
  await how();
  await reconnected(before);
}

async function drain(): Promise<void> {
  await using worker = await stores.startWorker();
  await worker.drained();
}

/** What was opened since `before`. */
async function openingsSince(before: { proven: number; rebuilt: number }) {
  const now = await api.openings();
  return { proven: now.proven - before.proven, rebuilt: now.rebuilt - before.rebuilt };
}

for (const [how, stop] of [
  ['restarted', () => server.stop()],
  ['killed', () => server.kill()],
] as const) {
  test(`a Redis that was ${how} has kept every accepted issue, and goes on under the same epoch`, async () => {
    const { id } = await stores.coupon();
    const users = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const user of users.slice(0, 4)) await api.issuers.scripted.issue(id, [user]);
    const before = await api.openings();
    await restart(async () => {
      await stop();
      await server.restart();
    });
    expect(await api.issues.statusOf(id, 'd')).toEqual({ kind: 'accepted', sequence: 4 });
    expect(await api.issuers.scripted.issue(id, ['d', 'e'])).toEqual([already(4), issued(5)]);
    expect(await api.issuers.locked.issue(id, ['f'])).toEqual([issued(6)]);
    expect(await openingsSince(before)).toEqual({ proven: 1, rebuilt: 0 });
    expect((await stores.couponNow(id)).epoch).toBe(1);
    await drain();
    const rows = await stores.rows(id);
    expect(rows.map(({ sequence, userId }) => [sequence, userId])).toEqual(users.map((user, i) => [i + 1, user]));
  });
}

test('a Redis restarted with a gap in its sequences is used as it is', async () => {
  const { id } = await stores.coupon({ totalQuantity: 3 });
  await api.issuers.scripted.issue(id, ['lost']);
  await stores.redis.del(stores.keys(id).stream);
  await api.issuers.scripted.issue(id, ['a']);
  await drain();
  await stores.redis.del(stores.keys(id).state);
  await api.issuers.scripted.issue(id, ['b']);
  const before = await api.openings();
  await restart(() => server.restart());
  expect(await api.issuers.scripted.issue(id, ['c', 'd'])).toEqual([issued(4), { kind: 'sold out' }]);
  expect(await openingsSince(before)).toEqual({ proven: 1, rebuilt: 0 });
});

test('while Redis is down every issuer that needs it fails, and afterwards all continue without loss', async () => {
  const { id } = await stores.coupon();
  await api.issuers.scripted.issue(id, ['a']);
  const before = serverOf(api.redis);
  await server.kill();
  for (const issuer of issuerNames) await expect(api.issuers[issuer].issue(id, ['b'])).rejects.toThrow();
  for (const issuer of issuerNames)
    await expect(api.issuance.issue(issuer, id, 'b')).rejects.toMatchObject({
      name: 'Unavailable',
      reason: 'dependency',
    });
  await server.restart();
  await reconnected(before);
  expect(await api.issuers.synchronous.issue(id, ['a', 'b'])).toEqual([already(1), issued(2)]);
});

test('the query for the server id is retried until Redis answers', async () => {
  const { id } = await stores.coupon();
  await using asking = await stores.createApi();
  await asking.issuers.scripted.issue(id, ['a']);
  const info = asking.redis.info.bind(asking.redis);
  let asked = 0;
  asking.redis.info = (...words: unknown[]) => {
    asked += 1;
    // The first is the ready check of the connection, the second ours.
    if (asked === 2) return Promise.reject(new Error('BUSY'));
    return Reflect.apply(info, asking.redis, words) as Promise<string>;
  };
  asking.redis.disconnect(true);
  await eventually('it to have been asked in vain', () => asked === 2);
  expect(serverOf(asking.redis)).toBe('');
  for (const [i, issuer] of issuerNames.entries())
    expect(await asking.issuers[issuer].issue(id, [issuer])).toEqual([issued(i + 2)]);
});

test('while Redis hangs every issuer gives up in time', async () => {
  const { id } = await stores.coupon();
  await using impatient = await stores.createApi({ REDIS_COMMAND_MS_MAX: 400, LOCK_WAIT_MS_MAX: 1000 });
  await api.stock.open(id);
  await server.kill('SIGSTOP');
  try {
    for (const issuer of issuerNames) {
      const startMs = performance.now();
      // By the time limit of a command, or because the silent connection was ended.
      await expect(impatient.issuers[issuer].issue(id, ['a'])).rejects.toThrow(
        /timed out|which server|writeable|closed/i,
      );
      expect(performance.now() - startMs).toBeLessThan(5000);
    }
  } finally {
    await server.kill('SIGCONT');
  }
  // What was sent may have been decided in the end: a retry shows it.
  await eventually(
    'Redis to answer again',
    () => impatient.redis.status === 'ready' && serverOf(impatient.redis) !== '',
  );
  const [outcome] = await impatient.issuers.scripted.issue(id, ['a']);
  expect(outcome).toMatchObject({ sequence: 1 });
});

test('a Redis restored from an old backup is rebuilt from the rows, and repeats no sequence', async () => {
  const { id } = await stores.coupon({ totalQuantity: 8 });
  await api.issuers.scripted.issue(id, ['a', 'b']);
  await drain();
  // In the backup, but by then written and settled: the worker meets it again.
  await api.issuers.scripted.issue(id, ['c']);
  await restart(async () => {
    await server.stop();
    cpSync(dataFolder, backupFolder, { recursive: true });
    await server.restart();
  });
  await api.issuers.scripted.issue(id, ['d', 'e']);
  await drain();
  const before = await api.openings();
  await restart(async () => {
    await server.stop();
    rmSync(dataFolder, { recursive: true });
    cpSync(backupFolder, dataFolder, { recursive: true });
    await server.restart();
  });
  expect(await stores.redis.hget(stores.keys(id).state, 'next')).toBe('4');
  expect(await api.issuers.scripted.issue(id, ['e', 'c', 'f', 'd'])).toEqual([
    already(5),
    already(3),
    issued(6),
    already(4),
  ]);
  expect(await openingsSince(before)).toEqual({ proven: 0, rebuilt: 1 });
  expect(await api.issuers.scripted.issue(id, ['g', 'h', 'i'])).toEqual([issued(7), issued(8), { kind: 'sold out' }]);
  await drain();
  const users = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  expect((await stores.rows(id)).map(({ sequence, userId }) => [sequence, userId])).toEqual(
    users.map((user, i) => [i + 1, user]),
  );
});

test('every script that decides, or reads the owners of a coupon, checks which server it runs on', async () => {
  const { id } = await stores.coupon();
  await api.issuers.scripted.issue(id, ['a']);
  const keys = stores.keys(id);
  await stores.redis.set(keys.lock, 'mine');
  const { epoch } = await stores.couponNow(id);
  // What a promotion behind a standing connection leaves: caller and state agree on a name, and the server has another.
  const name = serverOf(api.redis).replace(/\w+$/, 'of-before');
  const input = { keys, couponId: id, unpersistedUsersMax: 10, users: ['b'], endpoint: 'POST /v1/issue' } as const;
  const fence = { token: 'mine', epoch, version: 1, next: 2, taken: ['b'] };
  const askAll = async (ofServer: string) => {
    await stores.redis.hset(keys.state, 'run', ofServer);
    return [
      (await look(stores.redis, { ...input, server: ofServer })).kind,
      await put(stores.redis, { ...input, ...fence, server: ofServer }),
      (await take(stores.redis, { ...input, server: ofServer })).kind,
    ];
  };
  expect(await askAll(name)).toEqual(['not open', 'changed', 'not open']);
  expect(await stores.redis.hgetall(keys.owners)).toEqual({ a: '1' });
  expect(await askAll(serverOf(api.redis))).toEqual(['open', 'written', 'decided']);
});
