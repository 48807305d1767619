// redis.test.ts -- Losing Redis, or a part of its data: the answers to callers, how it recovers with none of our processes
// restarted, and that P1, P2, P4 and P5 hold, and P3 for all that Redis really had.

import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstReply } from '../../tools/stack/first-reply.ts';
import type { PrivateServer } from '../../tools/stack/private-server.ts';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import { issuerNames } from '../../src/issuing/issuer.ts';
import { serverOf } from '../../src/redis/connection.ts';
import { eventually } from '../eventually.ts';
import { connectTo } from '../redis-database.ts';
import { openStores, type Stores, type TestApi } from '../stores.ts';
import { openTcpProxy, type TcpProxy } from '../tcp-proxy.ts';
import type { TestWorker } from '../test-worker.ts';
import { type Callers, openCallers } from './callers.ts';

const folder = mkdtempSync(join(tmpdir(), 'coupon-losing-redis-'));
/** Of the primary; what is changed holds from its next start on. */
const settings: Record<string, string> = {};
let server: PrivateServer;
let stores: Stores;
/** Between all our processes and Redis: an address that can be redirected. */
let proxy: TcpProxy;
let api: TestApi;
let callers: Callers;
let worker: TestWorker | null = null;

beforeAll(async () => {
  server = await startRedisServer({ folder: join(folder, 'primary'), settings });
  // What Redis itself loses is shown here; what processes put back, in test/integration/replicas.test.ts.
  stores = await openStores({ redisUrl: server.url, settings: { OFFERING: 'off' } });
  proxy = await openTcpProxy(stores.config.REDIS_URL);
  api = await stores.createApi({ REDIS_URL: proxy.url });
  callers = await openCallers(stores, api);
});

afterEach(async () => {
  await worker?.stop();
  worker = null;
});

afterAll(async () => {
  await callers?.[Symbol.asyncDispose]();
  await stores?.close();
  await proxy?.[Symbol.asyncDispose]();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const UNAVAILABLE = '503 FAIL_COUPON_ISSUE_REQUEST';
const SOLD_OUT = '409 INVALID_COUPON_ISSUE_QUANTITY';
const already = (sequence: number) => `409 DUPLICATED_COUPON_ISSUE #${sequence}`;

/** A worker that is started once, and stands whatever comes. */
async function work(): Promise<void> {
  worker ??= await stores.startWorker({ REDIS_URL: proxy.url, CLAIM_IDLE_MS: 100 });
  await worker.drained();
}

/** The worker is stopped, so that what is accepted from here on is in Redis alone. */
async function rest(): Promise<void> {
  await worker?.stop();
  worker = null;
}

/** Five pieces of eight are issued: a, b, c are rows, d and e are accepted and in Redis alone. */
async function halfIssued(): Promise<number> {
  const { id } = await stores.coupon({ totalQuantity: 8 });
  expect(await callers.ask('synchronous', id, 'a')).toBe('201 #1');
  expect(await callers.ask('locked', id, 'b')).toBe('202 #2');
  expect(await callers.ask('scripted', id, 'c')).toBe('202 #3');
  await work();
  await rest();
  expect(await callers.ask('scripted', id, 'd')).toBe('202 #4');
  expect(await callers.ask('locked', id, 'e')).toBe('202 #5');
  return id;
}

/** Issues what is left, and a little more, through all endpoints; returns the users that were answered `sold out`. */
async function sellOut(id: number, users: readonly string[]): Promise<string[]> {
  const turnedAway: string[] = [];
  for (const [i, user] of users.entries()) {
    const answer = await callers.ask(issuerNames[i % 3] ?? 'scripted', id, user);
    if (answer === SOLD_OUT) turnedAway.push(user);
    else expect(answer).toMatch(/^20[12] #\d+$/);
  }
  return turnedAway;
}

/** Drains, and expects the promises to have been kept and nothing to be among the dead letters. */
async function expectKept(id: number, rowCount: number): Promise<void> {
  await work();
  expect(await callers.accusations(id)).toEqual([]);
  expect(await stores.rows(id)).toHaveLength(rowCount);
  expect((await stores.couponNow(id)).issuedQuantity).toBe(rowCount);
  expect(worker?.deadLetters).toEqual([]);
}

/** Waits until the API talks to the server that answers at its address now. */
async function reconnected(before: string): Promise<void> {
  await eventually('another server to be known', () => serverOf(api.redis) !== '' && serverOf(api.redis) !== before);
  await eventually('the test to be connected', () => stores.redis.status === 'ready');
}

test('flushed: sequences continue after the last row, and what only Redis had can be issued again', async () => {
  const id = await halfIssued();
  await stores.redis.flushall();
  callers.forgive(id, 'd', 'e');
  expect(await callers.ask('locked', id, 'b')).toBe(already(2));
  expect(await callers.ask('scripted', id, 'd')).toBe('202 #4');
  expect(await sellOut(id, ['f', 'g', 'h', 'i', 'j', 'k'])).toEqual(['j', 'k']);
  await expectKept(id, 8);
});

for (const lost of ['state', 'owners'] as const) {
  test(`the ${lost} alone missing: nothing is lost, and no request fails`, async () => {
    const id = await halfIssued();
    await stores.redis.del(stores.keys(id)[lost]);
    expect(await callers.ask('scripted', id, 'e')).toBe(already(5));
    expect(await callers.ask('locked', id, 'f')).toBe('202 #6');
    expect(await callers.ask('synchronous', id, 'a')).toBe(already(1));
    expect(await sellOut(id, ['g', 'h', 'i'])).toEqual(['i']);
    await expectKept(id, 8);
  });
}

test('the stream alone missing: what was in it counts as issued and stays lost, and nothing is issued twice', async () => {
  const id = await halfIssued();
  await stores.redis.del(stores.keys(id).stream);
  callers.forgive(id, 'd', 'e');
  expect(await callers.ask('scripted', id, 'd')).toBe(already(4));
  callers.forgive(id, 'd');
  expect(await sellOut(id, ['f', 'g', 'h'])).toEqual([]);
  await work();
  // The state still counts those who were lost: once it is read again, their pieces are given to others.
  await stores.redis.del(stores.keys(id).state);
  expect(await sellOut(id, ['i', 'j', 'k'])).toEqual(['k']);
  await expectKept(id, 8);
});

test('restored from an old backup: rebuilt from the rows before it issues anything', async () => {
  const dataFolder = join(folder, 'primary', 'redis', 'appendonlydir');
  const backupFolder = join(folder, 'backup');
  const id = await halfIssued();
  await server.stop();
  cpSync(dataFolder, backupFolder, { recursive: true });
  const atBackup = serverOf(api.redis);
  await server.restart();
  await reconnected(atBackup);
  expect(await callers.ask('scripted', id, 'f')).toBe('202 #6');
  await work();
  await rest();
  expect(await callers.ask('scripted', id, 'lost')).toBe('202 #7');
  const before = serverOf(api.redis);
  await server.stop();
  expect(await callers.ask('scripted', id, 'x')).toBe(UNAVAILABLE);
  rmSync(dataFolder, { recursive: true });
  cpSync(backupFolder, dataFolder, { recursive: true });
  await server.restart();
  await reconnected(before);
  callers.forgive(id, 'lost');
  expect(await callers.ask('locked', id, 'f')).toBe(already(6));
  expect(await callers.ask('synchronous', id, 'd')).toBe(already(4));
  expect(await sellOut(id, ['g', 'h', 'i'])).toEqual(['i']);
  await expectKept(id, 8);
});

test('a replica promoted without the last second: continues from the rows and its own data', async () => {
  const replica = await startRedisServer({ folder: join(folder, 'replica') });
  const there = await connectTo(replica.url);
  try {
    const id = await halfIssued();
    // By default a primary waits for more replicas before it sends the first its data.
    await stores.redis.config('SET', 'repl-diskless-sync-delay', '0');
    await there.replicaof('127.0.0.1', server.port);
    await eventually('the replica to have what the primary has', async () => {
      const owners = await (await connectedTo(there, stores.config.REDIS_URL)).hlen(stores.keys(id).owners);
      return owners === 5;
    });
    await there.replicaof('NO', 'ONE');
    // The last second: f became a row, g was in Redis alone.
    expect(await callers.ask('scripted', id, 'f')).toBe('202 #6');
    await work();
    await rest();
    expect(await callers.ask('locked', id, 'g')).toBe('202 #7');
    const before = serverOf(api.redis);
    await server.kill();
    expect(await callers.ask('scripted', id, 'x')).toBe(UNAVAILABLE);
    proxy.redirect(replica.url);
    await eventually('the new primary to be known', () => ![before, ''].includes(serverOf(api.redis)));
    callers.forgive(id, 'g');
    expect(await callers.ask('scripted', id, 'f')).toBe(already(6));
    expect(await callers.ask('synchronous', id, 'e')).toBe(already(5));
    expect(await sellOut(id, ['h', 'i', 'j'])).toEqual(['j']);
    const drained = await stores.startWorker({ REDIS_URL: proxy.url, CLAIM_IDLE_MS: 100 });
    await eventually('all to be rows', async () => (await stores.rows(id)).length === 8);
    await drained.stop();
    expect(await callers.accusations(id)).toEqual([]);
    expect(drained.deadLetters).toEqual([]);
  } finally {
    const before = serverOf(api.redis);
    await server.restart();
    proxy.redirect(server.url);
    await reconnected(before);
    there.disconnect();
    await replica.stop();
  }
});

for (const { how, broken } of [
  { how: '', broken: true },
  { how: ' behind a connection that stands and asked nothing meanwhile', broken: false },
]) {
  test(`a primary that came back as a replica and is promoted again${how}: its data are compared with the rows once more`, async () => {
    const replica = await startRedisServer({ folder: join(folder, 'rival') });
    const there = await connectTo(replica.url);
    try {
      const id = await halfIssued();
      await stores.redis.config('SET', 'repl-diskless-sync-delay', '0');
      await there.config('SET', 'repl-diskless-sync-delay', '0');
      await there.replicaof('127.0.0.1', server.port);
      await eventually('the rival to follow', async () =>
        /master_link_status:up/.test(await there.info('replication')),
      );
      await there.replicaof('NO', 'ONE');
      // What the rival never received, and MySQL did.
      expect(await callers.ask('scripted', id, 'f')).toBe('202 #6');
      await work();
      await rest();
      // The rival is the primary now, gets no request for this coupon, and hands back what it has.
      if (broken) proxy.cut();
      await stores.redis.replicaof('127.0.0.1', replica.port);
      await eventually('the old primary to follow', async () =>
        /link_status:up/.test(await stores.redis.info('replication')),
      );
      await stores.redis.replicaof('NO', 'ONE');
      if (broken) proxy.restore();
      await eventually('the API to be connected', () => serverOf(api.redis) !== '');
      expect(await stores.redis.hget(stores.keys(id).state, 'next')).toBe('6');
      expect(await callers.ask('scripted', id, 'f')).toBe(already(6));
      expect(await sellOut(id, ['g', 'h', 'i'])).toEqual(['i']);
      await expectKept(id, 8);
    } finally {
      there.disconnect();
      await replica.stop();
    }
  });
}

test('a read-only replica: new users get 503 and owners their sequence, until it is a primary again', async () => {
  const id = await halfIssued();
  // Of a primary that is not there: it keeps its data, and refuses writes.
  await stores.redis.replicaof('127.0.0.1', 1);
  try {
    expect(await callers.ask('scripted', id, 'x')).toBe(UNAVAILABLE);
    expect(await callers.ask('locked', id, 'x')).toBe(UNAVAILABLE);
    expect(await callers.ask('synchronous', id, 'x')).toBe(UNAVAILABLE);
    // Each refused write makes a new connection, which may not have begun to be made.
    await eventually(
      'an owner to hear the sequence',
      async () => (await callers.ask('scripted', id, 'd')) === already(4),
    );
  } finally {
    await stores.redis.replicaof('NO', 'ONE');
  }
  await eventually('the API to be connected', () => serverOf(api.redis) !== '');
  expect(await sellOut(id, ['f', 'g', 'h', 'i'])).toEqual(['i']);
  await expectKept(id, 8);
});

test('out of memory: new users get 503, the worker continues and frees memory, and then it issues again', async () => {
  const id = await halfIssued();
  const { unpersisted, stream } = stores.keys(id);
  await stores.redis.config('SET', 'maxmemory', '1mb');
  try {
    for (const issuer of issuerNames) expect(await callers.ask(issuer, id, 'x')).toBe(UNAVAILABLE);
    expect(await callers.ask('scripted', id, 'd')).toBe(already(4));
    expect(await stores.redis.xlen(stream)).toBe(2);
    // One by one, so that the first is settled while the stream is not empty, and its users are counted off.
    worker = await stores.startWorker({ REDIS_URL: proxy.url, CLAIM_IDLE_MS: 100, ENTRIES_PER_READ_MAX: 1 });
    await worker.drained();
    expect(await stores.rows(id)).toHaveLength(5);
    expect(await stores.redis.get(unpersisted)).toBe('0');
    expect(worker.retried).toEqual([]);
  } finally {
    await stores.redis.config('SET', 'maxmemory', '0');
  }
  expect(await sellOut(id, ['f', 'g', 'h', 'i'])).toEqual(['i']);
  await expectKept(id, 8);
});

test('LOADING: until it has read its data new users and owners get 503, then issuing continues', async () => {
  const id = await halfIssued();
  // Read again one by one at the start, each with a pause: about a second, in which it answers others.
  await stores.redis.pipeline(Array.from({ length: 4000 }, () => ['set', 'ballast', 'x'])).exec();
  const before = serverOf(api.redis);
  await server.stop();
  settings['key-load-delay'] = '250';
  const restarted = server.restart();
  try {
    await eventually('Redis to say that it is loading', async () => {
      const reply = await firstReply(server.port, 'PING\r\n');
      return reply?.toString('latin1').startsWith('-LOADING') ?? false;
    });
    for (const issuer of issuerNames) expect(await callers.ask(issuer, id, 'x')).toBe(UNAVAILABLE);
    expect(await callers.ask('scripted', id, 'd')).toBe(UNAVAILABLE);
  } finally {
    delete settings['key-load-delay'];
    await restarted;
  }
  await reconnected(before);
  expect(await callers.ask('scripted', id, 'd')).toBe(already(4));
  expect(await sellOut(id, ['f', 'g', 'h', 'i'])).toEqual(['i']);
  await expectKept(id, 8);
});

/** The connection, on the logical database that a URL names. */
async function connectedTo(redis: Awaited<ReturnType<typeof connectTo>>, url: string) {
  await redis.select(Number(new URL(url).pathname.slice(1)));
  return redis;
}
