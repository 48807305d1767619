// sentinel.test.ts -- The product on a Redis that sentinels watch: it follows the primary, and starts only where there is one.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { EventEmitter } from 'node:events';
import { rmSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { connect, issuingConnection, serverOf } from '../../src/redis/connection.ts';
import { followSentinels } from '../../src/redis/sentinels.ts';
import { explainRedis } from '../../src/runtime/store-faults.ts';
import { tempFolder } from '../../tools/leftovers.ts';
import { freePort } from '../../tools/stack/free-port.ts';
import { eventually } from '../eventually.ts';
import { startLoad } from '../load.ts';
import { brokenPromises } from '../promises.ts';
import { type SentinelSetup, startSentinelSetup } from '../redis-sentinel.ts';
import { connectTo } from '../redis-database.ts';
import { openStores, type Stores, type TestApi } from '../stores.ts';

const folder = tempFolder('coupon-sentinel-');
const quick = { REDIS_COMMAND_MS_MAX: 1000, REDIS_CONNECT_MS_MAX: 1000, OPENING_WAIT_MS_MAX: 2000 };
let setup: SentinelSetup;
let stores: Stores;
let api: TestApi;

beforeAll(async () => {
  setup = await startSentinelSetup(folder);
  stores = await openStores({ redisUrl: setup.url, settings: quick });
  api = await stores.createApi();
});
afterAll(async () => {
  await stores?.close();
  await setup?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const failOver = () => eventually('a failover to begin', () => setup.failOver());

/** Until another server is the primary, and the API knows it. */
async function movedFrom(port: number, server: string): Promise<void> {
  await eventually('another primary', async () => (await setup.primaryPort()) !== port);
  await eventually('the API to know it', () => !['', server].includes(serverOf(api.redis)));
}

test('a failover under load ends, and nobody has a coupon twice or beyond the total', async () => {
  await using worker = await stores.startWorker();
  const { id } = await stores.coupon({ totalQuantity: 100_000 });
  const load = startLoad(api, 'scripted', [id]);
  await load.answered(200);
  const [port, server] = [await setup.primaryPort(), serverOf(api.redis)];
  await failOver();
  await movedFrom(port, server);
  await load.answered(200);
  await load.stop();
  await worker.drained();
  // What the old primary answered last may be lost: replication is asynchronous.
  const broken = await brokenPromises(stores, id, load.answers);
  expect(broken.filter((line) => !line.startsWith('P3'))).toEqual([]);
});

test('a connection leaves the former primary as soon as the sentinels name another, while that one still takes writes', async () => {
  await setup.whole();
  const [port, server] = [await setup.primaryPort(), serverOf(api.redis)];
  const former = await connectTo(setup.servers.find((each) => each.port === port)?.url ?? '');
  await failOver();
  await movedFrom(port, server);
  const information = await former.info('replication');
  former.disconnect();
  expect(/^role:(\w+)/m.exec(information)?.[1]).toBe('master');
  const { id } = await stores.coupon();
  expect(await api.issuers.scripted.issue(id, ['a'])).toEqual([{ kind: 'issued', sequence: 1 }]);
});

test('a failover that is announced while a connection is being made does not end it, and is not missed', async () => {
  // Any Redis passes the message on as a sentinel does.
  const { hostname: host, port } = new URL(setup.servers[0]?.url ?? '');
  const ended: string[] = [];
  const connection = Object.assign(new EventEmitter(), {
    status: 'ready',
    stream: { remoteAddress: 'a', remotePort: 1 },
    disconnect: () => ended.push(connection.status),
  });
  followSentinels(connection as unknown as Redis, { sentinels: [{ host, port: Number(port) }], name: 'mine' });
  connection.emit('ready');
  const publisher = await connectTo(`redis://${host}:${port}`);
  const publish = (text: string) =>
    eventually('a listener', async () => (await publisher.publish('+switch-master', text)) > 0);
  connection.status = 'connecting';
  await publish('other a 1 b 2');
  await publish('mine a 1 b 2');
  await eventually('the connection to the former one to be given up', () => {
    Object.assign(connection, { status: 'ready' }).emit('ready');
    if (ended.length === 0) connection.status = 'connecting';
    return ended.length > 0;
  });
  Object.assign(connection, { stream: { remoteAddress: 'b', remotePort: 2 } }).emit('ready');
  connection.emit('end');
  publisher.disconnect();
  expect(ended).toEqual(['ready']);
});

test('a connection that was ended while it asked the sentinels, and connected then, reconnects after a loss', async () => {
  const redis = issuingConnection({ ...stores.config, ...quick, REDIS_URL: setup.url }, () => undefined);
  const ended = redis.connect().then(
    () => 'connected',
    () => 'ended',
  );
  redis.disconnect();
  expect(await ended).toBe('ended');
  await connect(redis);
  const id = await redis.client('ID');
  const other = await connectTo(`redis://127.0.0.1:${await setup.primaryPort()}`);
  await other.client('KILL', 'ID', id);
  other.disconnect();
  await eventually('another connection', () =>
    redis.client('ID').then(
      (now) => now !== id,
      () => false,
    ),
  );
  redis.disconnect();
});

test('a primary that dies is replaced, and what its replicas had is kept', async () => {
  await setup.whole();
  const { id } = await stores.coupon({ totalQuantity: null });
  const first = startLoad(api, 'locked', [id]);
  await first.answered(100);
  await first.stop();
  // Written behind all of them: the replicas have everything once they have this.
  await stores.redis.set('last', 1);
  expect(await stores.redis.wait(2, 10_000)).toBe(2);
  const [port, server] = [await setup.primaryPort(), serverOf(api.redis)];
  const killed = setup.servers.find((each) => each.port === port);
  await killed?.kill();
  await movedFrom(port, server);
  const second = startLoad(api, 'locked', [id], 'second');
  await second.answered(100);
  await second.stop();
  await using worker = await stores.startWorker();
  await worker.drained();
  expect(await brokenPromises(stores, id, [...first.answers, ...second.answers])).toEqual([]);
  await killed?.restart();
});

test('with REPLICAS_MIN answers are waited for, before a failover and after it', async () => {
  await setup.whole();
  await using waiting = await stores.createApi({ REPLICAS_MIN: 1, REDIS_COMMAND_MS_MAX: 5000 });
  const { id } = await stores.coupon();
  expect(await waiting.issuers.scripted.issue(id, ['a'])).toEqual([{ kind: 'issued', sequence: 1 }]);
  const port = await setup.primaryPort();
  await failOver();
  await eventually('another primary', async () => (await setup.primaryPort()) !== port);
  const issue = () => waiting.issuers.scripted.issue(id, ['a', 'b']);
  await eventually('it to answer again', async () => (await issue().catch(() => [])).length > 0);
  expect(await issue()).toEqual([
    { kind: 'already issued', sequence: 1 },
    { kind: 'already issued', sequence: 2 },
  ]);
  const waits = /^cmdstat_wait:calls=(\d+)/m.exec(await waiting.redis.info('commandstats'))?.[1];
  expect(Number(waits)).toBeGreaterThan(0);
});

test.each([
  [
    'no sentinel listens',
    async () => `redis+sentinel://127.0.0.1:${await freePort()}/mymaster`,
    /no sentinel responds/,
  ],
  ['the name is wrong', async () => setup.url.replace('mymaster', 'other'), /none knows a primary with this name/],
  [
    'it is a Redis, not a sentinel',
    async () => `redis+sentinel://${new URL(setup.servers[0]?.url ?? '').host}/mymaster`,
    /this is not a sentinel; remove `\+sentinel` from/,
  ],
])('one line says that %s', async (_, urlOf, expected) => {
  const redis = issuingConnection({ ...stores.config, REDIS_URL: await urlOf() }, () => undefined);
  const fault = await connect(redis).then(() => null, explainRedis);
  expect(fault?.line).toMatch(expected);
  redis.disconnect();
});
