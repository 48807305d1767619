// redis-cluster.ts -- A private Redis Cluster, and what tests do to it: find who owns a slot, move it, wait until all is well again.

import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../tools/stack/free-port.ts';
import type { PrivateServer } from '../tools/stack/private-server.ts';
import { startRedisServer } from '../tools/stack/redis-server.ts';
import { waitUntil } from '../tools/stack/wait-until.ts';
import { eventually } from './eventually.ts';
import { openTcpProxy, type TcpProxy } from './tcp-proxy.ts';

const SLOTS = 16_384;
const READY = { waitMsMax: 30_000, pauseMs: 50 };

export interface ClusterNode {
  readonly server: PrivateServer;
  /** For commands about the cluster. */
  readonly redis: Redis;
  readonly id: string;
  /** Where the other nodes reach it: a proxy with `cutsBus`. */
  readonly busPort: number;
  readonly bus: TcpProxy | null;
  /** From which it reaches them. */
  readonly source: string;
}

export interface PrivateCluster {
  /** Names all nodes. */
  readonly url: string;
  /** The masters first. */
  readonly nodes: readonly ClusterNode[];
  /** One more master, without slots. */
  addNode(): Promise<ClusterNode>;
  stop(): Promise<void>;
}

export interface RedisClusterOptions {
  /** Each node has a folder in it. */
  readonly folder: string;
  readonly masters: number;
  /** Given to the masters in turn. */
  readonly replicas?: number;
  readonly nodeTimeoutMs?: number;
  /** The nodes talk to each other through proxies, for `cutOff`. */
  readonly cutsBus?: boolean;
  /** For every node, beside those of a cluster. */
  readonly settings?: Record<string, string>;
}

/** @throws Error when it does not come up */
export async function startRedisCluster(options: RedisClusterOptions): Promise<PrivateCluster> {
  const { masters, replicas = 0 } = options;
  const nodes: ClusterNode[] = [];
  const stop = async (): Promise<void> => {
    for (const { redis } of nodes) redis.disconnect();
    await Promise.all(
      nodes.splice(0).map(async ({ server, bus }) => {
        await server.stop();
        await bus?.[Symbol.asyncDispose]();
      }),
    );
  };
  try {
    const started = Array.from({ length: masters + replicas }, (_, i) => startNode(options, i));
    for (const node of await Promise.all(started)) nodes.push(node);
    await form(nodes, masters);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `redis+cluster://${nodes.map(({ server }) => `127.0.0.1:${server.port}`).join(',')}`,
    nodes,
    async addNode() {
      const node = await startNode(options, nodes.length);
      nodes.push(node);
      await meet(nodes, node);
      await waitUntil('the nodes to know each other', () => every(nodes, /cluster_state:ok/), READY);
      return node;
    },
    stop,
  };
}

/** Of a port for the bus of a node: it may be taken between finding it and using it. */
const TRIES_MAX = 3;

async function startNode(options: RedisClusterOptions, index: number, tries = 1): Promise<ClusterNode> {
  const { folder, nodeTimeoutMs = 15_000, cutsBus = false } = options;
  const ownBusPort = await freePort();
  const bus = cutsBus ? await openTcpProxy(`tcp://127.0.0.1:${ownBusPort}`) : null;
  const busPort = bus?.port ?? ownBusPort;
  // An address of its own, so that a proxy can tell who comes.
  const source = bus ? `127.0.0.${index + 10}` : '127.0.0.1';
  const settings = {
    'cluster-enabled': 'yes',
    'cluster-port': String(ownBusPort),
    'cluster-announce-bus-port': String(busPort),
    'cluster-announce-ip': '127.0.0.1',
    'bind-source-addr': source,
    // It takes no other address but 127.0.0.1 for this machine.
    'protected-mode': 'no',
    'cluster-node-timeout': String(nodeTimeoutMs),
    // A replica that was never in step with its master may take over in a test.
    'cluster-replica-validity-factor': '0',
    // A master that gives its last slot away stays one.
    'cluster-allow-replica-migration': 'no',
    ...options.settings,
  };
  const server = await startRedisServer({ folder: join(folder, `node-${index}`), settings }).catch((error: unknown) => {
    if (tries === TRIES_MAX || !/address already in use/i.test(String(error))) throw error;
    return null;
  });
  if (server === null) {
    await bus?.[Symbol.asyncDispose]();
    return startNode(options, index, tries + 1);
  }
  const redis = new Redis(server.url, { lazyConnect: true, replyMapping: 'legacy' });
  // Tests stop servers on purpose.
  redis.on('error', () => undefined);
  await redis.connect();
  return { server, redis, id: String(await redis.cluster('MYID')), busPort, bus, source };
}

/** What `redis-cli --cluster create` does. */
async function form(nodes: readonly ClusterNode[], masters: number): Promise<void> {
  for (const [i, { redis }] of nodes.entries()) {
    await redis.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
    const from = Math.ceil((i * SLOTS) / masters);
    if (i < masters) await redis.call('CLUSTER', 'ADDSLOTSRANGE', from, Math.ceil(((i + 1) * SLOTS) / masters) - 1);
  }
  for (const node of nodes.slice(1)) await meet(nodes, node);
  await waitUntil('the nodes to know each other', () => every(nodes, /cluster_state/), READY);
  for (const [i, { redis }] of nodes.slice(masters).entries()) {
    await redis.call('CLUSTER', 'REPLICATE', nodes[i % masters]?.id ?? '');
    await waitUntil('a replica to be in step', async () => /master_link_status:up/.test(await redis.info()), READY);
  }
  await waitUntil('the cluster to serve all slots', () => every(nodes, /cluster_state:ok/), READY);
}

async function meet([first]: readonly ClusterNode[], { server, busPort, id }: ClusterNode): Promise<void> {
  await first?.redis.call('CLUSTER', 'MEET', '127.0.0.1', server.port, busPort);
  await waitUntil('the node to be known', async () => String(await first?.redis.cluster('NODES')).includes(id), READY);
}

async function every(nodes: readonly ClusterNode[], pattern: RegExp): Promise<boolean> {
  const known = new RegExp(`cluster_known_nodes:${nodes.length}\r`);
  const found = await Promise.all(nodes.map(async ({ redis }) => String(await redis.cluster('INFO'))));
  return found.every((information) => pattern.test(information) && known.test(information));
}

type Nodes = Pick<PrivateCluster, 'nodes'>;
type SlotRange = readonly [from: number, to: number, owner: readonly [host: string, port: number]];

export async function slotOf({ nodes }: Nodes, key: string): Promise<number> {
  return Number(await nodes[0]?.redis.cluster('KEYSLOT', key));
}

/** The nodes that own slots, as one of those that run knows them. */
export async function slotRanges({ nodes }: Nodes): Promise<readonly SlotRange[]> {
  for (const { redis } of nodes) {
    if (redis.status === 'ready') return (await redis.call('CLUSTER', 'SLOTS')) as SlotRange[];
  }
  throw new Error('no node of the cluster runs');
}

export async function mastersOf(cluster: Nodes): Promise<ClusterNode[]> {
  const ports = new Set((await slotRanges(cluster)).map(([, , [, port]]) => port));
  return cluster.nodes.filter(({ server }) => ports.has(server.port));
}

export async function ownerOf(cluster: Nodes, slot: number): Promise<ClusterNode> {
  const port = (await slotRanges(cluster)).find(([from, to]) => slot >= from && slot <= to)?.[2][1];
  const owner = cluster.nodes.find(({ server }) => server.port === port);
  if (!owner) throw new Error(`nobody owns slot ${slot}`);
  return owner;
}

/** Moves a slot with its keys, a few at a time, as `redis-cli --cluster reshard` does. */
export async function moveSlot(cluster: Nodes, slot: number, to: ClusterNode): Promise<void> {
  const from = await ownerOf(cluster, slot);
  if (from === to) return;
  await to.redis.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id);
  await from.redis.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id);
  for (;;) {
    const keys = (await from.redis.call('CLUSTER', 'GETKEYSINSLOT', slot, 2)) as string[];
    if (keys.length === 0) break;
    await from.redis.call('MIGRATE', '127.0.0.1', to.server.port, '', 0, 5000, 'KEYS', ...keys);
  }
  for (const { redis } of [to, from]) await redis.call('CLUSTER', 'SETSLOT', slot, 'NODE', to.id);
}

/** No node hears this one, nor it any of them; its clients do. The result undoes it. */
export function cutOff({ nodes }: Nodes, node: ClusterNode): () => void {
  node.bus?.cut();
  for (const { bus } of nodes) bus?.cutFrom(node.source);
  return () => {
    for (const { bus } of nodes) bus?.restore();
  };
}

/** kill -9; from then on no test asks it about the cluster. */
export async function killNode({ server, redis }: ClusterNode): Promise<void> {
  await server.kill();
  await eventually('its connection to end', () => redis.status !== 'ready');
}

/** All of them, or those of one master. */
export async function replicasOf({ nodes }: Nodes, master?: ClusterNode): Promise<ClusterNode[]> {
  const roles = await Promise.all(nodes.map(({ redis }) => redis.info('replication')));
  const isMeant = (role = '') =>
    role.includes('role:slave') && (!master || role.includes(`master_port:${master.server.port}\r`));
  return nodes.filter((_, i) => isMeant(roles[i]));
}

/** The config epoch of each node, as one of them knows it. */
async function epochsOf({ redis }: ClusterNode): Promise<string> {
  const lines = String(await redis.cluster('NODES'))
    .trim()
    .split('\n');
  return lines
    .map((line) => `${line.split(' ')[0]} ${line.split(' ')[6]}`)
    .toSorted()
    .join();
}

/** Until every node serves all slots, all agree on who owns them by which config epoch, and every replica is in step. */
export function whole({ nodes }: Nodes): Promise<void> {
  return eventually('the cluster to be whole', async () => {
    const found = await Promise.all(
      nodes.map(async ({ redis }) => `${String(await redis.cluster('INFO'))}${await redis.info('replication')}`),
    ).catch(() => []);
    const isWell = (text: string) =>
      text.includes('cluster_state:ok') && (text.includes('role:master') || text.includes('master_link_status:up'));
    if (found.length < nodes.length || !found.every(isWell)) return false;
    const views = await Promise.all(nodes.map((node) => slotRanges({ nodes: [node] })));
    const owners = views.map((ranges) =>
      ranges
        .map(([from, to, [, port]]) => `${from}-${to} ${port}`)
        .toSorted()
        .join(),
    );
    const ports = new Set(views[0]?.map(([, , [, port]]) => port));
    const areMasters = nodes.every(({ server }, i) => !ports.has(server.port) || found[i]?.includes('role:master'));
    const epochs = await Promise.all(nodes.map(epochsOf));
    return areMasters && new Set(owners).size === 1 && new Set(epochs).size === 1;
  });
}
