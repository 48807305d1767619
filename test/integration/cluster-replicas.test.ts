// cluster-replicas.test.ts -- A Redis Cluster with REPLICAS_MIN: each node answers for its own coupons, once its own replica has them.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { rmSync } from 'node:fs';
import { invariant } from '../../src/invariant.ts';
import type { Outcome } from '../../src/coupon/outcome.ts';
import { issuerNames } from '../../src/issuing/issuer.ts';
import { auditCoupon } from '../../src/operations/audit.ts';
import { createReadiness } from '../../src/runtime/readiness.ts';
import { tempFolder } from '../../tools/leftovers.ts';
import { eventually } from '../eventually.ts';
import { startLoad } from '../load.ts';
import { brokenPromises } from '../promises.ts';
import {
  type ClusterNode,
  killNode,
  mastersOf,
  moveSlot,
  ownerOf,
  type PrivateCluster,
  slotOf,
  startRedisCluster,
  whole,
} from '../redis-cluster.ts';
import { openStores, type Stores, type TestApi } from '../stores.ts';

const folder = tempFolder('coupon-cluster-replicas-');
const quick = { REDIS_COMMAND_MS_MAX: 500, REDIS_CONNECT_MS_MAX: 1000, OPENING_WAIT_MS_MAX: 3000 };
const UNCONFIRMED = /replicas of Redis have what it decided/;
let cluster: PrivateCluster;
let stores: Stores;
/** It waits for one replica. */
let api: TestApi;
/** It does not. */
let careless: TestApi;

/** Several servers, on a machine that has much else to do. */
const START_MS_MAX = 120_000;

beforeAll(async () => {
  // The third has none.
  cluster = await startRedisCluster({ folder, masters: 3, replicas: 2, nodeTimeoutMs: 1500 });
  stores = await openStores({ redisUrl: cluster.url, settings: quick });
  api = await stores.createApi({ REPLICAS_MIN: 1 });
  careless = await stores.createApi();
}, START_MS_MAX);
afterAll(async () => {
  await stores?.close();
  await cluster?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const issue = (by: TestApi, id: number, ...users: string[]) => by.issuers.scripted.issue(id, users);
const failureOf = (answer: Promise<unknown>) => answer.then(() => 'answered', String);
const issued = (sequence: number): Outcome => ({ kind: 'issued', sequence });
const before = (sequence: number): Outcome => ({ kind: 'already issued', sequence });

test('a coupon is answered once a replica of its own node has it; a node without replicas holds up no other', async () => {
  const [first = 0, second = 0, third = 0] = await couponsOnEach();
  expect(await Promise.all([issue(api, first, 'a'), issue(api, second, 'a')])).toEqual([[issued(1)], [issued(1)]]);
  expect(await issue(careless, third, 'a')).toEqual([issued(1)]);
  const lagging = await separate(await ownerOfCoupon(first));
  // By another process, which does not wait.
  expect(await issue(careless, first, 'b')).toEqual([issued(2)]);
  const asked = issuerNames.flatMap((name) => [first, third].map((id) => api.issuers[name].issue(id, ['b'])));
  const others = ['b', 'c', 'd'].map((user) => issue(api, second, user));
  expect((await Promise.all(others)).flat()).toEqual([issued(2), issued(3), issued(4)]);
  for (const failure of await Promise.all(asked.map(failureOf))) expect(failure).toMatch(UNCONFIRMED);
  await lagging.rejoin();
  expect(await issue(api, first, 'b', 'c')).toEqual([before(2), issued(3)]);
  const readiness = createReadiness({ ...api, settings: { ALLOW_VOLATILE_REDIS: 'off', REPLICAS_MIN: 1 } });
  const { ready, checks } = await readiness.check();
  expect(ready).toBe(true);
  expect(JSON.stringify(checks)).toInclude('has 0 replicas, and REPLICAS_MIN is 1');
  // One that waits would not write what the third has.
  await using worker = await stores.startWorker();
  await worker.drained();
}, 60_000);

test('kill -9 of a master whose replica lags loses nothing that was answered', async () => {
  await using worker = await stores.startWorker({ REPLICAS_MIN: 1 });
  const [id = 0] = await couponsOnEach();
  await api.stock.open(id);
  const load = startLoad(api, 'scripted', [id]);
  await load.answered(100);
  const master = await ownerOfCoupon(id);
  const lagging = await separate(master);
  // It goes on issuing, and nobody may be answered.
  const issuedBefore = await api.redisStock.countOwners(id);
  await eventually('more to be issued', async () => (await api.redisStock.countOwners(id)) > issuedBefore);
  await killNode(master);
  await eventually('the replica to take over', async () => (await mastersOf(cluster)).includes(lagging.replica));
  await lagging.rejoin();
  await master.server.restart();
  await whole(cluster);
  await load.answered(100);
  await load.stop();
  await worker.drained();
  expect(await brokenPromises(stores, id, load.answers)).toEqual([]);
  expect(await auditCoupon(api, id)).toMatchObject({ missing: 0, unknown: 0, unexpected: 0 });
}, 90_000);

test('a slot that moves takes its answers along', async () => {
  await using worker = await stores.startWorker({ REPLICAS_MIN: 1 });
  const [id = 0, other = 0] = await couponsOnEach();
  const [from, to] = [await ownerOfCoupon(id), await ownerOfCoupon(other)];
  await api.stock.open(id);
  const load = startLoad(api, 'scripted', [id]);
  await load.answered(100);
  for (const node of [to, from]) {
    await moveSlot(cluster, await slotOfCoupon(id), node);
    // Moved on before every node has heard of it, a slot can return.
    await whole(cluster);
    await load.answered(100);
  }
  await load.stop();
  await worker.drained();
  expect(await brokenPromises(stores, id, load.answers)).toEqual([]);
}, 60_000);

function slotOfCoupon(id: number): Promise<number> {
  return slotOf(cluster, `${stores.config.KEY_PREFIX}${stores.keys(id).state}`);
}

async function ownerOfCoupon(id: number): Promise<ClusterNode> {
  return ownerOf(cluster, await slotOfCoupon(id));
}

/** A coupon on each master, on those with a replica first. */
async function couponsOnEach(): Promise<number[]> {
  const found = new Map<ClusterNode, number>();
  for (let tries = 0; found.size < 3 && tries < 100; tries++) {
    const { id } = await stores.coupon({ totalQuantity: null });
    found.set(await ownerOfCoupon(id), id);
  }
  const replicas = async (node: ClusterNode) => Number(/connected_slaves:(\d+)/.exec(await node.redis.info())?.[1]);
  const counted = await Promise.all([...found].map(async ([node, id]) => ({ id, replicas: await replicas(node) })));
  return counted.toSorted((a, b) => b.replicas - a.replicas).map(({ id }) => id);
}

/** Cuts the replica of a master off; it follows again after `rejoin`. */
async function separate(master: ClusterNode) {
  const information = await master.redis.info('replication');
  const port = Number(/^slave0:ip=[^,]*,port=(\d+)/m.exec(information)?.[1]);
  const replica = cluster.nodes.find(({ server }) => server.port === port);
  invariant(replica, 'the master has no replica');
  // The master, which has no password, refuses it.
  await replica.redis.config('SET', 'masterauth', 'wrong');
  await master.redis.call('CLIENT', 'KILL', 'TYPE', 'replica');
  await eventually('the replica to be gone', async () => /connected_slaves:0/.test(await master.redis.info()));
  return { replica, rejoin: () => replica.redis.config('SET', 'masterauth', '').then(() => rejoined(replica)) };
}

/** Follows its master again, or has become one itself. */
function rejoined({ redis }: ClusterNode): Promise<void> {
  return eventually('the replica to follow again', async () =>
    /role:master|master_link_status:up/.test(await redis.info('replication')),
  );
}
