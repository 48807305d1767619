// drop-preflight.test.ts -- Will the drop hold? Asked of real stores in trouble, of sentinels and of a cluster, and by the command.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { rmSync } from 'node:fs';
import type { CheckName, PreflightCheck } from '../../src/operations/preflight/findings.ts';
import { nodeOf } from '../../src/redis/connection.ts';
import { tempFolder } from '../../tools/leftovers.ts';
import type { PrivateServer } from '../../tools/stack/private-server.ts';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import { eventually } from '../eventually.ts';
import { startLoad } from '../load.ts';
import { type PrivateCluster, startRedisCluster, whole } from '../redis-cluster.ts';
import { connectTo } from '../redis-database.ts';
import { type SentinelSetup, startSentinelSetup } from '../redis-sentinel.ts';
import { openStores, type Stores, type TestApi } from '../stores.ts';
import { runEntry } from '../started-entry.ts';

const folder = tempFolder('coupon-preflight-');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const HOUR_MS = 3_600_000;
let hours = 0;
/** A time at which no other test has a coupon. */
const later = () => ({ startMs: Date.now() + (hours += 3) * HOUR_MS, totalQuantity: 10_000 });

async function checksOf(api: TestApi, couponId: number): Promise<readonly PreflightCheck[]> {
  const found = await api.preflight(couponId);
  if (!found) throw new Error('there is no such coupon');
  return found.checks;
}

/** The code of a check, of the first server that has it. */
async function codeOf(api: TestApi, couponId: number, name: CheckName): Promise<string | undefined> {
  return (await checksOf(api, couponId)).find((check) => check.name === name)?.code;
}

describe('one server', () => {
  let server: PrivateServer;
  let stores: Stores;
  let api: TestApi;
  let admin: Awaited<ReturnType<typeof connectTo>>;
  beforeAll(async () => {
    server = await startRedisServer({ folder: `${folder}/one` });
    stores = await openStores({ redisUrl: server.url });
    api = await stores.createApi();
    admin = await connectTo(server.url);
  });
  afterAll(async () => {
    admin?.disconnect();
    await stores?.close();
    await server?.stop();
  });

  test('there is nothing to say of a coupon that does not exist', async () => {
    expect(await api.preflight(1)).toBeNull();
  });

  test('memory that the drop needs and Redis does not have is an error, with the figures', async () => {
    const { id } = await stores.coupon({ ...later(), totalQuantity: 1_000_000 });
    expect(await codeOf(api, id, 'memory')).toBe('MEMORY_UNBOUNDED');
    await admin.config('SET', 'maxmemory', '200mb');
    expect((await checksOf(api, id)).find(({ name }) => name === 'memory')).toMatchObject({
      code: 'MEMORY_SHORT',
      detail: expect.stringMatching(
        /^uses \d+ MB of 210 MB, and what is issued meanwhile takes 248 MB at most$/,
      ) as unknown,
      server: new URL(server.url).host,
    });
    // Others that are issued at that time count too.
    const then = later();
    const { id: small } = await stores.coupon(then);
    expect(await codeOf(api, small, 'memory')).toBe('OK');
    await stores.coupon({ ...then, totalQuantity: 2_000_000 });
    expect(await codeOf(api, small, 'memory')).toBe('MEMORY_SHORT');
    expect(await codeOf(api, small, 'otherDrops')).toBe('OTHER_DROPS');
    await admin.config('SET', 'maxmemory', '0');
  });

  test('owners that Redis holds already take no more memory', async () => {
    const { id } = await stores.coupon({ totalQuantity: 100 });
    await api.issuers.scripted.issue(id, ['a', 'b']);
    expect(await api.preflight(id)).toMatchObject({
      pieces: 98,
      redisBytes: 98 * 248,
      mysqlBytes: 98 * 316,
      unpersisted: 2,
    });
    expect(await codeOf(api, id, 'opening')).toBe('OK');
  });

  test('without a worker it will not hold; with one, how fast it writes is seen while it writes', async () => {
    const { id } = await stores.coupon({ totalQuantity: null });
    // Those of other tests are forgotten after a while.
    await eventually('no worker', async () => (await codeOf(api, id, 'writing')) === 'NO_WORKER');
    await using worker = await stores.startWorker();
    await eventually('the worker to be seen', async () => (await codeOf(api, id, 'writing')) === 'WRITING_UNKNOWN');
    const load = startLoad(api, 'scripted', [id]);
    await eventually('a rate', async () => (await codeOf(api, id, 'writing')) === 'OK');
    await load.stop();
    await worker.drained();
  });

  test('what flushes less, takes fewer connections or lacks replicas is named', async () => {
    const { id } = await stores.coupon(later());
    await admin.config('SET', 'appendfsync', 'everysec');
    await admin.config('SET', 'maxclients', '3');
    expect(await codeOf(api, id, 'fsync')).toBe('FSYNC_LATE');
    expect(await codeOf(api, id, 'redisConnections')).toBe('REDIS_CONNECTIONS_SHORT');
    await admin.config('SET', 'appendfsync', 'always');
    await admin.config('SET', 'maxclients', '10000');
    expect(await codeOf(api, id, 'fsync')).toBe('OK');
    expect(await codeOf(api, id, 'redisConnections')).toBe('OK');
    expect(await codeOf(api, id, 'replicas')).toBe('OK');
    await using waiting = await stores.createApi({ REPLICAS_MIN: 1 });
    expect(await codeOf(waiting, id, 'replicas')).toBe('REPLICAS_MISSING');
  });

  test('processes are counted, so that their connections are known', async () => {
    const { id } = await stores.coupon(later());
    await using greedy = await stores.createApi({ MYSQL_CONNECTIONS_MAX: 1000 });
    // Those of other tests are forgotten after a while.
    await eventually('both, and no other', async () => {
      for (const each of [greedy, api]) await each.offerAndCompare();
      return (await api.preflight(id))?.processes === 2;
    });
    expect(await codeOf(greedy, id, 'mysqlConnections')).toBe('MYSQL_CONNECTIONS_SHORT');
    expect(await codeOf(api, id, 'mysqlConnections')).toBe('OK');
  });

  test('the command prints a line for each check, and ends with 1 where it will not hold', async () => {
    const { id } = await stores.coupon({ ...later(), totalQuantity: 1_000_000 });
    const run = (...words: string[]) => runEntry(stores.config, 'src/commands/preflight.ts', words);
    {
      await using _worker = await stores.startWorker();
      await eventually('the worker to be seen', async () => (await codeOf(api, id, 'writing')) !== 'NO_WORKER');
      const { out, err, code } = await run('--coupon', String(id));
      expect({ err, code }).toEqual({ err: '', code: 0 });
      expect(out).toMatch(/^1,000,000 pieces take at most 248 MB in Redis and 316 MB in MySQL\.$/m);
      expect(out).toMatch(/^warning +memory +\S+ +MEMORY_UNBOUNDED: uses .+\. Set maxmemory of Redis/m);
      expect(out).toMatch(/^ok +period +begins in [\d,]+ s$/m);
    }
    await admin.config('SET', 'maxmemory', '100mb');
    const { out, code } = await run('--coupon', String(id));
    await admin.config('SET', 'maxmemory', '0');
    expect(code).toBe(1);
    expect(out).toMatch(/^error +memory +\S+ +MEMORY_SHORT: /m);
    expect(await run('--coupon', '4')).toEqual({ out: '', err: 'there is no coupon 4\n', code: 1 });
    expect((await run('--coupon', 'x')).code).toBe(2);
  });

  test('a Redis that does not answer is an error, not a failure', async () => {
    const { id } = await stores.coupon(later());
    await using own = await stores.createApi({ REDIS_COMMAND_MS_MAX: 200 });
    await server.kill('SIGSTOP');
    try {
      expect(await own.preflight(id)).toMatchObject({ status: 'error', unpersisted: null });
      expect(await codeOf(own, id, 'servers')).toBe('SERVER_SILENT');
    } finally {
      await server.kill('SIGCONT');
    }
  });
});

describe('behind sentinels', () => {
  let setup: SentinelSetup;
  let stores: Stores;
  let api: TestApi;
  beforeAll(async () => {
    setup = await startSentinelSetup(`${folder}/sentinel`);
    stores = await openStores({ redisUrl: setup.url });
    api = await stores.createApi();
  }, 60_000);
  afterAll(async () => {
    await stores?.close();
    await setup?.stop();
  });

  test('the primary and each replica are read, and one that is weaker than the primary is named', async () => {
    await setup.whole();
    const { id } = await stores.coupon(later());
    const ports = setup.servers.map(({ port }) => `127.0.0.1:${port}`);
    const codes = async (name: CheckName) =>
      new Map(
        (await checksOf(api, id)).filter((check) => check.name === name).map(({ server, code }) => [server, code]),
      );
    expect(new Set((await codes('servers')).keys())).toEqual(new Set(ports));
    expect([...(await codes('replicas')).values()]).toEqual(['REPLICAS_UNGUARDED']);
    const weak = await connectTo(setup.servers[2]?.url ?? '');
    await weak.config('SET', 'appendfsync', 'no');
    await weak.config('SET', 'maxmemory', '1mb');
    weak.disconnect();
    const [primary = '', good = '', bad = ''] = ports;
    expect(await codes('fsync')).toEqual(
      new Map([
        [primary, 'OK'],
        [good, 'OK'],
        [bad, 'FSYNC_LATE'],
        ['MySQL', 'OK'],
      ]),
    );
    expect((await codes('memory')).get(bad)).toBe('MEMORY_SHORT');
    await setup.servers[1]?.kill();
    await eventually('the primary to notice', async () => !(await codes('servers')).has(good));
    await setup.servers[1]?.restart();
  }, 60_000);
});

describe('on a cluster', () => {
  let cluster: PrivateCluster;
  let stores: Stores;
  let api: TestApi;
  beforeAll(async () => {
    cluster = await startRedisCluster({ folder: `${folder}/cluster`, masters: 3, replicas: 3, nodeTimeoutMs: 2000 });
    stores = await openStores({ redisUrl: cluster.url, settings: { REDIS_COMMAND_MS_MAX: 1000 } });
    api = await stores.createApi();
  }, 60_000);
  afterAll(async () => {
    await stores?.close();
    await cluster?.stop();
  });

  test('every node is read, and only the one that has the coupon needs memory for it', async () => {
    const { id } = await stores.coupon({ ...later(), totalQuantity: 1_000_000 });
    const serversIn = (all: readonly PreflightCheck[]) =>
      all.filter(({ name, code }) => name === 'servers' && code === 'OK');
    await whole(cluster);
    const checks = await checksOf(api, id);
    const servers = serversIn(checks);
    expect(servers.map(({ detail }) => detail.split(', ')[1] ?? '').toSorted()).toEqual([
      'primary',
      'primary',
      'primary',
      'replica',
      'replica',
      'replica',
    ]);
    const { options } = nodeOf(api.redis, stores.keys(id).state);
    const owner = `${options.host}:${options.port}`;
    const needs = checks.filter(({ name, detail }) => name === 'memory' && detail.includes('takes 248 MB'));
    // It, and its replica.
    expect(needs.map(({ server }) => server)).toContain(owner);
    expect(needs).toHaveLength(2);
    expect(await api.preflight(id)).toMatchObject({ processes: null });
  });
});
