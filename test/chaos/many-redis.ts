// many-redis.ts -- A Redis of several servers for a chaos run, a cluster or one that sentinels watch, and what is done to it.
//
// Replication is asynchronous: an answer that no replica has is lost with its primary. So a primary is killed once its replicas have
// all that was answered, and everything must be kept. With REPLICAS_MIN it is killed at any moment, and cut off while its clients
// still reach it: everything that was answered must be kept just so.

import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { partitionKeys } from '../../src/stream/keys.ts';
import type { PrivateServer } from '../../tools/stack/private-server.ts';
import { eventually } from '../eventually.ts';
import {
  type ClusterNode,
  cutOff,
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
/** The same until sentinels have replaced it, and all know. */
const REPLACED_MS_MAX = 20_000;

export function startManyRedis(kind: RedisKind, folder: string, replicasMin: number): Promise<ManyRedis> {
  return kind === 'cluster' ? startCluster(folder, replicasMin > 0) : startSentinels(folder, replicasMin > 0);
}

const REPLICAS = 2;

async function startCluster(folder: string, waitsForReplicas: boolean): Promise<ManyRedis> {
  const masters = 3;
  const nodeTimeoutMs = NODE_TIMEOUT_MS;
  const cluster = await startRedisCluster({
    folder,
    masters,
    replicas: masters * REPLICAS,
    nodeTimeoutMs,
    cutsBus: true,
    ...(waitsForReplicas && { settings: { 'min-replicas-to-write': '1' } }),
  });
  const faults = [...clusterFaults(cluster, waitsForReplicas), ...(waitsForReplicas ? [cut(cluster)] : [])];
  return { url: cluster.url, faults, stop: () => cluster.stop() };
}

/** Its replica is promoted after the node timeout, and at about the same time it stops taking writes. */
function cut(cluster: PrivateCluster): Fault {
  return {
    name: 'a master that the other nodes do not hear, and its clients do',
    async inflict(_, random) {
      const master = random.pick(await mastersOf(cluster));
      const restore = cutOff(cluster, master);
      await takenOver(cluster, master);
      await pause(random.between(...HICCUP_MS));
      restore();
      await whole(cluster);
    },
  };
}

/** Until none of these nodes owns slots, as the others know it. */
const takenOver = (cluster: PrivateCluster, ...gone: readonly ClusterNode[]) => {
  const others = { nodes: cluster.nodes.filter((node) => !gone.includes(node)) };
  return eventually('a replica to take over', async () => {
    const ports = new Set((await slotRanges(others)).map(([, , [, port]]) => port));
    return gone.every(({ server }) => !ports.has(server.port));
  });
};

function clusterFaults(cluster: PrivateCluster, waitsForReplicas: boolean): Fault[] {
  const inStep = (redis: Redis, replicas: number) => (waitsForReplicas ? undefined : copied(redis, replicas));
  const frozen = async (server: PrivateServer, ms: number) => {
    await freeze(server, ms);
    await whole(cluster);
  };
  const killed = async (...nodes: readonly ClusterNode[]) => {
    await Promise.all(nodes.map(killNode));
    await takenOver(cluster, ...nodes);
    await Promise.all(nodes.map(({ server }) => server.restart()));
    await whole(cluster);
  };
  return [
    {
      name: 'kill -9 a master, and a replica takes over',
      async inflict(_, random) {
        const master = random.pick(await mastersOf(cluster));
        await inStep(master.redis, REPLICAS);
        await killed(master);
      },
    },
    {
      name: 'kill -9 a master and one of its replicas, and the other takes over',
      async inflict(_, random) {
        const master = random.pick(await mastersOf(cluster));
        const replica = random.pick(await replicasOf(cluster, master));
        // Of two that die at a time the one that is left must have it.
        await copied(master.redis, REPLICAS);
        await killed(master, replica);
      },
    },
    {
      name: 'a replica stands still, and its master is killed',
      async inflict(_, random) {
        const master = random.pick(await mastersOf(cluster));
        const replica = random.pick(await replicasOf(cluster, master));
        await replica.server.kill('SIGSTOP');
        await pause(random.between(...HICCUP_MS));
        await inStep(master.redis, REPLICAS - 1);
        await killNode(master);
        await takenOver(cluster, master);
        await replica.server.kill('SIGCONT');
        await master.server.restart();
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
}

async function startSentinels(folder: string, waitsForReplicas: boolean): Promise<ManyRedis> {
  const setup = await startSentinelSetup(folder, waitsForReplicas ? { 'min-replicas-to-write': '1' } : {});
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
      if (!waitsForReplicas) await copied(redis, REPLICAS, REPLACED_MS_MAX);
      return work(server);
    });
    // Until the sentinels say who follows it, some clients are still there, and others may have moved.
    await replaced(server);
    redis.disconnect();
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
        await withWrites(async (server) => {
          await freeze(server, FREEZE_MS);
          return true;
        });
        await setup.whole();
      },
    },
  ];
  return { url: setup.url, faults, stop: () => setup.stop() };
}

/** Writes wait from now on, and the replicas have all that was written before. */
async function copied(redis: Redis, replicas: number, pausedMs = WRITES_PAUSED_MS): Promise<void> {
  await redis.call('CLIENT', 'PAUSE', pausedMs, 'WRITE');
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
