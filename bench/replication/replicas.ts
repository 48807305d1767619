// Entry: `bun bench/replication/replicas.ts`, what a replica and REPLICAS_MIN cost: CPU of the primary for an accept, time of a batch.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../../src/config/config.ts';
import { ID_MAX } from '../../src/coupon/coupon.ts';
import { createReplicas } from '../../src/issuing/replicas.ts';
import { createScripted, createTake } from '../../src/issuing/scripted.ts';
import { connect, issuingConnection, serverOf } from '../../src/redis/connection.ts';
import { beginOpening, finishOpening } from '../../src/stock/opening-scripts.ts';
import { createRedisStock } from '../../src/stock/redis-stock.ts';
import { say } from '../../tools/progress.ts';
import type { Cleanup } from '../../tools/stack/cleanup.ts';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import { runCommand } from '../command.ts';
import { cpuUsOf } from '../testbed/process-cost.ts';
import { median } from '../testbed/statistics.ts';

const USAGE = `bun bench/replication/replicas.ts

What a replica costs the primary of Redis, and REPLICAS_MIN=1: medians of rounds that alternate, for batches of several sizes.
The API is this process; every server flushes every write.`;

const ROUNDS = 3;
/** Of each coupon. */
const BATCHES = 250;
const USERS = [1, 20, 100] as const;
/** Coupons that are issued at a time, each one batch after the other. */
const COUPONS = 8;

interface Figure {
  readonly cpuUs: number;
  readonly batchMs: number;
}

await runCommand(USAGE, async (_, cleanup) => {
  const folder = mkdtempSync(join(tmpdir(), 'coupon-replicas-bench-'));
  cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
  const alone = await startIn(folder, 'alone', cleanup);
  const primary = await startIn(folder, 'primary', cleanup);
  const replica = await startIn(folder, 'replica', cleanup);
  await onServer(replica.url, (redis) => redis.replicaof('127.0.0.1', primary.port));
  const isFollowing = () =>
    onServer(replica.url, async (redis) => /master_link_status:up/.test(await redis.info('replication')));
  await waitUntil('the replica to follow', isFollowing, { waitMsMax: 10_000 });
  const cases = [
    ['no replica', alone, 0],
    ['a replica', primary, 0],
    ['REPLICAS_MIN=1', primary, 1],
  ] as const;
  say('| users a batch | | CPU of the primary an accept, µs | time of a batch, ms |\n|---:|---|---:|---:|');
  for (const users of USERS) {
    const found = cases.map((): Figure[] => []);
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, [, server, min]] of cases.entries()) found[i]?.push(await measure(server, min, users));
    }
    for (const [i, [name]] of cases.entries()) {
      const of = (value: (figure: Figure) => number) => (median((found[i] ?? []).map(value)) ?? Number.NaN).toFixed(2);
      say(`| ${users} | ${name} | ${of(({ cpuUs }) => cpuUs)} | ${of(({ batchMs }) => batchMs)} |`);
    }
  }
  return true;
});

async function startIn(folder: string, name: string, cleanup: Cleanup) {
  const server = await startRedisServer({ folder: join(folder, name), settings: { 'repl-diskless-sync-delay': '0' } });
  cleanup.add(() => server.stop());
  return server;
}

function configOf(url: string, replicasMin: number) {
  const config = readConfig(undefined, {
    REDIS_URL: url,
    DATABASE_URL: 'mysql://none/none',
    REPLICAS_MIN: String(replicasMin),
  });
  return { ...config, PARTITIONS: 64 };
}

async function onServer<Result>(url: string, work: (redis: ReturnType<typeof issuingConnection>) => Promise<Result>) {
  const redis = issuingConnection(configOf(url, 0), () => undefined);
  try {
    await connect(redis);
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

async function measure(
  { url, pid }: { url: string; pid: number },
  replicasMin: number,
  users: number,
): Promise<Figure> {
  const config = configOf(url, replicasMin);
  const redis = issuingConnection(config, () => undefined);
  const replicas = createReplicas(config, () => undefined);
  const connections = [redis, ...(replicas?.connections ?? [])];
  await Promise.all(connections.map(connect));
  await redis.flushall();
  const redisStock = createRedisStock(redis, config, replicas?.confirm);
  const never = { open: () => Promise.reject(new Error('a coupon is not open')) };
  const { issue } = createScripted(createTake(redisStock, never));
  const couponIds = Array.from({ length: COUPONS }, (_, i) => i + 1);
  for (const couponId of couponIds) {
    const lease = { keys: redisStock.keysOf(couponId), server: serverOf(redis), token: 'bench', leaseMs: 1000 };
    await beginOpening(redis, lease);
    const stock = { next: 1, until: -1, startMs: 0, endMs: ID_MAX, paused: false };
    await finishOpening(redis, { ...lease, owners: 0, stock, epoch: 1, version: 1, aheadMs: 0 });
  }
  const [beforeUs, beforeMs] = [cpuUsOf(pid), performance.now()];
  await Promise.all(
    couponIds.map(async (couponId) => {
      for (let batch = 0; batch < BATCHES; batch++)
        await issue(
          couponId,
          Array.from({ length: users }, (_, i) => String(1e9 + batch * users + i)),
        );
    }),
  );
  const figure = {
    cpuUs: (cpuUsOf(pid) - beforeUs) / (BATCHES * users * COUPONS),
    batchMs: (performance.now() - beforeMs) / BATCHES,
  };
  for (const connection of connections) connection.disconnect();
  return figure;
}
