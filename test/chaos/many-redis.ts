// many-redis.ts -- A Redis of several servers for a chaos run, a cluster or one that sentinels watch, and what is done to it.
//
// Replication is asynchronous: an answer that no replica has is lost with its primary. So a primary is killed once its replica has
// all that was answered, or, where answers wait for replicas, at any time; and everything must be kept.

import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { partitionKeys } from '../../src/stream/keys.ts';
import type { PrivateServer } from '../../tools/stack/private-server.ts';
import { eventually } from '../eventually.ts';
import {
  killNode,
  mastersOf,
  moveSlot,
  ownerOf,
  replicasOf,
  slotOf,
  startRedisCluster,
  whole,
} from '../redis-cluster.ts';
import { startSentinelSetup } from '../redis-sentinel.ts';
import { connectTo } from '../redis-database.ts';
import type { Fault } from './faults.ts';

export type RedisKind = 'cluster' | 'sentinel';

export interface ManyRedis {
  readonly url: string;
  readonly faults: readonly Fault[];
  stop(): Promise<void>;
}

/** More than REDIS_COMMAND_MS_MAX of a chaos run. */
const NODE_TIMEOUT_MS = 1500;
/** Shorter and longer than a server that hangs is waited for. */
const HICCUP_MS = [100, 1000] as const;
const FREEZE_MS = 4000;
/** Writes wait while a replica catches up, and its primary is killed. */
const WRITES_PAUSED_MS = 2000;

/** @param replicasMin REPLICAS_MIN of the processes, for a cluster */
export function startManyRedis(kind: RedisKind, folder: string, replicasMin: number): Promise<ManyRedis> {
  return kind === 'cluster' ? startCluster(folder, replicasMin) : startSentinels(folder);
}

async function startCluster(folder: string, replicasMin: number): Promise<ManyRedis> {
  // One that is killed must leave enough.
  const replicas = 3 * (1 + replicasMin);
  const cluster = await startRedisCluster({ folder, masters: 3, replicas, nodeTimeoutMs: NODE_TIMEOUT_MS });
  const frozen = async (server: PrivateServer, ms: number) => {
    await freeze(server, ms);
    await whole(cluster);
  };
  const faults: Fault[] = [
    {
      name: 'kill -9 a master, and its replica takes over',
      async inflict(_, random) {
        const node = random.pick(await mastersOf(cluster));
        const { server, redis } = node;
        if (replicasMin === 0) await copied(redis, 1);
        await killNode(node);
        const isReplaced = async () => !(await mastersOf(cluster)).some((each) => each.server === server);
        await eventually('the replica to take over', isReplaced);
        await server.restart();
        await whole(cluster);
      },
    },
    {
      name: 'kill -9 all nodes of a cluster',
      async inflict() {
        await Promise.all(cluster.nodes.map(({ server }) => server.kill()));
        await Promise.all(cluster.nodes.map(({ server }) => server.restart()));
        await whole(cluster);
      },
    },
    {
      name: 'stop and continue a master, before it is replaced',
      inflict: async (_, random) => frozen(random.pick(await mastersOf(cluster)).server, random.between(...HICCUP_MS)),
    },
    {
      name: 'stop and continue a master, until it is replaced',
      inflict: async (_, random) => frozen(random.pick(await mastersOf(cluster)).server, FREEZE_MS),
    },
    {
      name: 'a replica takes over as planned',
      async inflict(_, random) {
        const replica = random.pick(await replicasOf(cluster));
        await replica.redis.call('CLUSTER', 'FAILOVER');
        await eventually('it to take over', async () => (await mastersOf(cluster)).includes(replica));
        await whole(cluster);
      },
    },
    {
      name: 'the slot of a partition moves',
      async inflict({ config }, random) {
        const partition = Math.floor(random.between(0, config.PARTITIONS - 1));
        const slot = await slotOf(cluster, partitionKeys(partition).stream);
        const owner = await ownerOf(cluster, slot);
        const others = (await mastersOf(cluster)).filter((node) => node !== owner);
        await moveSlot(cluster, slot, random.pick(others));
      },
    },
  ];
  return { url: cluster.url, faults, stop: () => cluster.stop() };
}

async function startSentinels(folder: string): Promise<ManyRedis> {
  const setup = await startSentinelSetup(folder);
  const primary = async () => {
    const port = await setup.primaryPort();
    const server = setup.servers.find((each) => each.port === port);
    if (!server) throw new Error('the sentinels name no primary');
    return server;
  };
  const replaced = (before: PrivateServer) =>
    eventually('another primary', async () => (await setup.primaryPort()) !== before.port);
  /** `work` says whether it came about. */
  const withWrites = async (work: (server: PrivateServer) => Promise<boolean>) => {
    const server = await primary();
    const redis = await connectTo(server.url);
    await eventually('a failover to begin', async () => {
      await copied(redis, 2);
      return work(server);
    });
    redis.disconnect();
    await replaced(server);
    return server;
  };
  const faults: Fault[] = [
    {
      name: 'kill -9 the primary, and a replica takes over',
      async inflict() {
        const killed = await withWrites((server) => server.kill().then(() => true));
        await killed.restart();
        await setup.whole();
      },
    },
    {
      name: 'a replica takes over as planned',
      async inflict() {
        await withWrites(() => setup.failOver());
        await setup.whole();
      },
    },
    {
      name: 'stop and continue the primary, before it is replaced',
      async inflict(_, random) {
        await freeze(await primary(), random.between(100, 500));
        await setup.whole();
      },
    },
    {
      name: 'stop and continue the primary, until it is replaced',
      async inflict() {
        const server = await primary();
        await freeze(server, FREEZE_MS);
        await replaced(server);
        await setup.whole();
      },
    },
  ];
  return { url: setup.url, faults, stop: () => setup.stop() };
}

/** Writes wait from now on, and the replicas have all that was written before. */
async function copied(redis: Redis, replicas: number): Promise<void> {
  await redis.call('CLIENT', 'PAUSE', WRITES_PAUSED_MS, 'WRITE');
  await eventually('the replicas to be in step', async () => {
    const information = await redis.info('replication');
    const [, offset] = /^master_repl_offset:(\d+)/m.exec(information) ?? [];
    return (
      [...information.matchAll(/^slave\d+:.*offset=(\d+)/gm)].filter(([, own]) => own === offset).length >= replicas
    );
  });
}

async function freeze(server: PrivateServer, ms: number): Promise<void> {
  await server.kill('SIGSTOP');
  await pause(ms);
  await server.kill('SIGCONT');
}
