// cluster.test.ts -- The product on a Redis Cluster: the tests of one Redis hold there, and slots and masters change under load.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { eq } from 'drizzle-orm';
import { coupons } from '../../drizzle/schema.ts';
import { invariant } from '../../src/invariant.ts';
import { issuerNames } from '../../src/issuing/issuer.ts';
import { countRequests } from '../../src/http/rate-limit/count-requests.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { auditCoupon } from '../../src/operations/audit.ts';
import { connect, issuingConnection, nodeOf, primariesOf, subscribingConnection } from '../../src/redis/connection.ts';
import { preflight } from '../../src/runtime/preflight.ts';
import { createReadiness } from '../../src/runtime/readiness.ts';
import { testApi } from '../../src/runtime/redis-self-test.ts';
import { readBacklog } from '../../src/stream/backlog.ts';
import { offersKey, processesKey } from '../../src/stream/keys.ts';
import { tempFolder } from '../../tools/leftovers.ts';
import { freePort } from '../../tools/stack/free-port.ts';
import { runCommand } from '../../tools/stack/run-command.ts';
import { eventually } from '../eventually.ts';
import { startLoad } from '../load.ts';
import {
  type ClusterNode,
  killNode,
  mastersOf,
  moveSlot,
  ownerOf,
  type PrivateCluster,
  replicasOf,
  slotOf,
  slotRanges,
  startRedisCluster,
  whole,
} from '../redis-cluster.ts';
import { needsOneRedis } from '../other-stores.ts';
import { brokenPromises } from '../promises.ts';
import { reconcileOnce } from '../reconcile-once.ts';
import { openStores, type Stores, type TestApi } from '../stores.ts';

const folder = tempFolder('coupon-cluster-');
const NODE_TIMEOUT_MS = 2000;
// So many that every node has some, wherever single slots are moved.
const quick = { PARTITIONS: 64, REDIS_COMMAND_MS_MAX: 1000, REDIS_CONNECT_MS_MAX: 1000, BATCHES_IN_FLIGHT_MAX: 4 };
let cluster: PrivateCluster;
let stores: Stores;
let api: TestApi;

/** Several servers, on a machine that has much else to do. */
const START_MS_MAX = 120_000;

beforeAll(async () => {
  cluster = await startRedisCluster({ folder, masters: 3, replicas: 1, nodeTimeoutMs: NODE_TIMEOUT_MS });
  stores = await openStores({ redisUrl: cluster.url, settings: quick });
  api = await stores.createApi();
}, START_MS_MAX);
// A machine that stands still for longer than the node timeout may have replaced a master.
beforeEach(() => whole(cluster));
afterAll(async () => {
  await stores?.close();
  await cluster?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** As a process of its own, since the stores of a test file are named by the environment. Without the tests that wait for an instant. */
test('the contract of the issuers holds on a cluster', async () => {
  const environment = { ...process.env, TEST_REDIS_URL: cluster.url };
  const args = [
    'test',
    '--timeout=60000',
    '--test-name-pattern=^((?!millisecond).)*$',
    './test/contract/issuer.test.ts',
  ];
  const { ended, output } = await runCommand(process.execPath, args, {
    folder: resolve(import.meta.dirname, '../..'),
    environment,
  });
  expect(
    ended === 'code 0'
      ? ''
      : output
          .split('\n')
          .filter((line) => !line.startsWith('(pass)'))
          .join('\n'),
  ).toBe('');
});

describe('under load', () => {
  test.each(issuerNames)('a slot moves to another master and back: %s', async (issuer) => {
    await using worker = await stores.startWorker();
    const { id } = await stores.coupon({ totalQuantity: null });
    await api.stock.open(id);
    const load = startLoad(api, issuer, [id]);
    await load.answered(100);
    const { slot, owner } = await placeOf(id);
    const others = (await mastersOf(cluster)).filter((node) => node !== owner);
    for (const to of [...others.slice(0, 1), owner]) {
      await moveSlot(cluster, slot, to);
      // Every node knows the epoch of the owner. Moved on before, a slot can return: the next owner would not take the highest epoch.
      await whole(cluster);
      await load.answered(100);
    }
    await load.stop();
    await worker.drained();
    expect(await brokenPromises(stores, id, load.answers)).toEqual([]);
    expect(await auditCoupon(api, id)).toMatchObject({ missing: 0, unknown: 0, unexpected: 0 });
  });

  test('a replica takes over as planned, and nothing is lost', async () => {
    await using worker = await stores.startWorker();
    const [replica] = await replicasOf(cluster);
    const [old] = (await mastersOf(cluster)).filter((node) => node === cluster.nodes[0] || node === cluster.nodes[3]);
    const ids = await couponsOn(old, 3);
    const load = startLoad(api, 'scripted', ids);
    await load.answered(100);
    await replica?.redis.call('CLUSTER', 'FAILOVER');
    await eventually('they to change places', async () => (await replicasOf(cluster)).some((node) => node === old));
    await load.answered(300);
    await load.stop();
    await worker.drained();
    for (const id of ids) {
      expect(await brokenPromises(stores, id, load.answersOf(id))).toEqual([]);
      expect(await auditCoupon(api, id)).toMatchObject({ missing: 0, unknown: 0, unexpected: 0 });
    }
    const readiness = createReadiness({ ...api, settings: { ALLOW_VOLATILE_REDIS: 'off' } });
    await eventually('the API to be ready', async () => (await readiness.check()).ready);
  });

  test('a new master gets a slot, and everything finds it', async () => {
    await using worker = await stores.startWorker();
    const [id = 0] = await couponsOn(cluster.nodes[1], 1);
    const load = startLoad(api, 'scripted', [id]);
    await load.answered(100);
    const node = await cluster.addNode();
    await moveSlot(cluster, (await placeOf(id)).slot, node);
    await load.answered(100);
    await load.stop();
    await worker.drained();
    expect(await brokenPromises(stores, id, load.answers)).toEqual([]);
    await eventually('all masters to be connected', () => primariesOf(api.redis).length === 4);
    const { partitions } = await readBacklog(api.redis, api.redisStock.partitions);
    expect(partitions.map(({ unpersistedUsers }) => unpersistedUsers)).toEqual(partitions.map(() => 0));
  });
});

test('a command without a reply is not sent again', async () => {
  const impatient = issuingConnection({ ...stores.config, REDIS_COMMAND_MS_MAX: 200 }, () => undefined);
  await connect(impatient);
  const node = cluster.nodes.find(({ server }) => server.port === nodeOf(impatient, 'counter').options.port);
  let answer = '';
  await node?.server.kill('SIGSTOP');
  try {
    const asked = impatient.incr('counter').then(String, () => 'nothing');
    void asked.then((heard) => (answer = heard));
    await Promise.race([asked, pause(1000)]);
  } finally {
    await node?.server.kill('SIGCONT');
  }
  await eventually('the node to answer', () =>
    impatient.get('counter').then(
      (count) => count !== null && answer !== '',
      () => false,
    ),
  );
  expect({ answer, count: await impatient.get('counter') }).toEqual({ answer: 'nothing', count: '1' });
  impatient.disconnect();
});

test('a round of the reconciler does the work of all nodes but the one that is gone', async () => {
  const masters = await mastersOf(cluster);
  const ids = (await Promise.all(masters.map((node) => couponsOn(node, 1)))).flat();
  for (const id of ids) expect(await api.issuers.scripted.issue(id, ['a'])).toHaveLength(1);
  // As an edit that never reached Redis.
  for (const id of ids)
    await withConnection(stores.database, (session) =>
      session.update(coupons).set({ version: 7 }).where(eq(coupons.id, id)),
    );
  // Else the others refuse everything, too.
  const coverAll = (value: 'yes' | 'no') =>
    Promise.all(cluster.nodes.map(({ redis }) => redis.config('SET', 'cluster-require-full-coverage', value)));
  await coverAll('no');
  const [gone, ...others] = masters.filter((node) => node !== cluster.nodes[0] && node !== cluster.nodes[3]);
  invariant(gone && others.length > 0, 'no master is without a replica');
  const isGone = await Promise.all(ids.map(async (id) => (await placeOf(id)).owner === gone));
  const faults: unknown[] = [];
  await killNode(gone);
  try {
    await eventually('the connection to be lost', () =>
      primariesOf(api.redis).some(({ status }) => status !== 'ready'),
    );
    await reconcileOnce(api, { settings: stores.config, onFault: (fault) => faults.push(fault) });
    expect(faults.length).toBeWithin(1, 4);
    const seen = await Promise.all(ids.map((id) => api.redisStock.look(id).catch(() => null)));
    const versions = seen.map((look) => (look?.kind === 'open' ? look.version : null));
    expect(versions).toEqual(isGone.map((is) => (is ? null : 7)));
  } finally {
    await gone.server.restart();
    await whole(cluster);
    await coverAll('yes');
  }
  const again: unknown[] = [];
  await eventually('a round without a fault', async () => {
    again.length = 0;
    await reconcileOnce(api, { settings: stores.config, onFault: (fault) => again.push(fault) });
    return again.length === 0;
  });
});

test('nothing is offered, and no answer is lost, where a slot moves', async () => {
  const { id } = await stores.coupon();
  expect(await api.issuers.scripted.issue(id, ['a'])).toEqual([{ kind: 'issued', sequence: 1 }]);
  const { slot, owner } = await placeOf(id);
  const [other] = (await mastersOf(cluster)).filter((node) => node !== owner);
  invariant(other, 'there is one master alone');
  const before = api.redisStock.serverOfCoupon(id);
  await moveSlot(cluster, slot, other);
  const asked = () => api.issuers.scripted.issue(id, ['a']).catch(() => []);
  await eventually('it to be answered', async () => (await asked()).some(({ kind }) => kind === 'already issued'));
  expect(api.redisStock.serverOfCoupon(id)).not.toBe(before);
  await api.offerAndCompare();
  expect(await api.audit(id)).toMatchObject({ lost: 0, missing: 0, unknown: 0, unexpected: 0 });
  const keys = stores.keys(id);
  expect((await stores.redis.exists(processesKey(keys))) + (await stores.redis.exists(offersKey(keys)))).toBe(0);
});

test('the counts of a rate limit are on all masters', async () => {
  const counts = new Map(Array.from({ length: 500 }, (_, i) => [`user-${i}`, i]));
  const counted = { kind: 'user', window: 7, keepMs: 10_000, counts } as const;
  expect(await countRequests(api.redis, counted)).toEqual(counts);
  const found = await Promise.all(
    primariesOf(api.redis).map((node) =>
      node.scan('0', 'MATCH', `${stores.config.KEY_PREFIX}limits:user:7:*`, 'COUNT', 100_000),
    ),
  );
  // One that was added while others ran has a slot or two.
  expect(found.filter(([, keys]) => keys.length > 0).length).toBeGreaterThanOrEqual(3);
});

describe('at start', () => {
  test('a cluster is tried on every node', async () => {
    expect(await faultsOf(cluster.url)).toEqual([]);
  });

  test('a wait that is longer than the cluster waits for a master is refused', async () => {
    const faults = await faultsOf(cluster.url, { REDIS_COMMAND_MS_MAX: NODE_TIMEOUT_MS });
    expect(faults.join('\n')).toMatch(
      /^REDIS_COMMAND_MS_MAX: must be less than the cluster-node-timeout of .*, 2000 ms.*$/,
    );
  });

  test('a node behind the URL of one server is named with the URL of the cluster', async () => {
    const port = cluster.nodes[1]?.server.port;
    const faults = await faultsOf(`redis://127.0.0.1:${port}`);
    expect(faults.join('\n')).toContain(`use redis+cluster://127.0.0.1:${port}, which finds all nodes`);
    expect(faults).toHaveLength(1);
  });

  test.skipIf(needsOneRedis('is about one'))('one Redis behind the URL of a cluster is named', async () => {
    const { host } = new URL(process.env['TEST_REDIS_URL'] ?? '');
    const faults = await faultsOf(`redis+cluster://${host}`);
    expect(faults.join('\n')).toMatch(/^REDIS_URL: .* it is not in cluster mode; remove `\+cluster` from the URL.*$/);
  });

  test('a node that is down is skipped, and subscriptions go to the next one', async () => {
    const url = cluster.url.replace('://', `://127.0.0.1:${await freePort()},`);
    const config = { ...stores.config, REDIS_URL: url };
    const [redis, subscriber] = [
      issuingConnection(config, () => undefined),
      subscribingConnection(config, () => undefined),
    ];
    await connect(redis);
    await connect(subscriber).catch(() => connect(subscriber));
    expect(primariesOf(redis).length).toBeGreaterThan(2);
    for (const connection of [redis, subscriber]) connection.disconnect();
  });
});

/** The lines with which an API is refused. */
async function faultsOf(url: string, settings: { readonly REDIS_COMMAND_MS_MAX?: number } = {}): Promise<string[]> {
  const config = { ...stores.config, ...settings, REDIS_URL: url };
  const [redis, subscriber] = [
    issuingConnection(config, () => undefined),
    subscribingConnection(config, () => undefined),
  ];
  try {
    await preflight({
      database: stores.database,
      connections: [redis, subscriber],
      settings: { ALLOW_VOLATILE_REDIS: 'off', START_WAIT_S: 0 },
      say: () => undefined,
      testRedis: () => testApi(redis, subscriber, true),
    });
    return [];
  } catch (error) {
    return error instanceof Error ? error.message.split('\n') : ['not an error'];
  } finally {
    for (const connection of [redis, subscriber]) connection.disconnect();
  }
}

/** The slot of a coupon, and its owner now. */
async function placeOf(couponId: number) {
  const slot = await slotOf(cluster, `${stores.config.KEY_PREFIX}${stores.keys(couponId).state}`);
  return { slot, owner: await ownerOf(cluster, slot) };
}

/** Coupons whose slots a node owns. */
async function couponsOn(node: ClusterNode | undefined, count: number): Promise<number[]> {
  const ids: number[] = [];
  for (let tries = 0; ids.length < count && tries < 100; tries++) {
    const { id } = await stores.coupon({ totalQuantity: null });
    if ((await placeOf(id)).owner === node) ids.push(id);
  }
  if (ids.length < count)
    throw new Error(`no ${count} coupons on ${node?.server.port}: ${JSON.stringify(await slotRanges(cluster))}`);
  return ids;
}
