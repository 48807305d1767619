// servers.ts -- What each Redis server says of itself: the primaries behind a connection, and the replicas that they name.

import { Redis } from 'ioredis';
import type { ConnectionOptions } from './cluster.ts';
import { primariesOf } from './connection.ts';
import { factIn, type RedisDurability, readDurability } from './durability.ts';

/** How far a clock is ahead of that of this process, in milliseconds: at least, and at most. */
export type Ahead = readonly [least: number, most: number];

/** A replica as its primary sees it. */
interface ReplicaLink {
  readonly host: string;
  readonly port: number;
  readonly isOnline: boolean;
  readonly lagS: number;
}

export interface RedisFacts extends RedisDurability {
  readonly usedBytes: number;
  /** `maxmemory`; 0: none. */
  readonly maxBytes: number;
  /** Of its machine; 0 where it does not say. */
  readonly machineBytes: number;
  readonly clients: number;
  /** 0 where it does not say. */
  readonly clientsMax: number;
  /** Whether the last write or rewrite of its AOF failed. */
  readonly isAofFailing: boolean;
  /** Clients that wait for something, such as a worker for entries. */
  readonly blockedClients: number;
  readonly ahead: Ahead;
  readonly links: readonly ReplicaLink[];
}

export interface RedisServer {
  /** `host:port`, as this process reaches it. */
  readonly address: string;
  /** The connection to its primary, or to itself. */
  readonly primary: Redis;
  readonly isReplica: boolean;
  /** Null: it does not answer. */
  readonly facts: RedisFacts | null;
}

/** Asks every server. One that does not answer is part of the result. */
export async function readServers(redis: Redis): Promise<readonly RedisServer[]> {
  const found = await Promise.all(
    primariesOf(redis).map(async (primary) => {
      const facts = await readFacts(primary).catch(() => null);
      const replicas = await Promise.all((facts?.links ?? []).map((link) => readReplica(primary, link)));
      return [{ address: addressOf(primary), primary, isReplica: false, facts }, ...replicas];
    }),
  );
  return found.flat();
}

/** Sentinels say where the primary is, not the settings. */
function addressOf({ options, stream }: Redis): string {
  if (options.path !== undefined) return 'socket';
  const { remoteAddress: host, remotePort: port } = options.sentinels ? (stream ?? {}) : {};
  return `${host ?? options.host}:${port ?? options.port}`;
}

/** On a connection of its own. Its address is that by which the primary knows it, which may not lead there from here. */
async function readReplica(primary: Redis, { host, port }: ReplicaLink): Promise<RedisServer> {
  const { options: shared } = primary;
  const options: ConnectionOptions = { ...shared, replyMapping: 'legacy', host, port, retryStrategy: () => null };
  delete options.sentinels;
  delete options.path;
  const redis = new Redis(options);
  // Without a listener ioredis prints it.
  redis.on('error', () => undefined);
  const read = async () => {
    await redis.connect();
    return readFacts(redis);
  };
  const facts = await read().catch(() => null);
  redis.disconnect();
  return { address: `${host}:${port}`, primary, isReplica: true, facts };
}

async function readFacts(redis: Redis): Promise<RedisFacts> {
  const askedMs = Date.now();
  const [seconds, microseconds] = await redis.time();
  const answeredMs = Date.now();
  const clockMs = Number(seconds) * 1000 + Number(microseconds) / 1000;
  const [durability, information] = await Promise.all([readDurability(redis), redis.info()]);
  const fact = (name: string) => factIn(information, name);
  const links = information.matchAll(/^slave\d+:ip=([^,]+),port=(\d+),state=(\w+),offset=\d+,lag=(\d+)/gm);
  return {
    ...durability,
    usedBytes: Number(fact('used_memory')),
    maxBytes: Number(fact('maxmemory')),
    machineBytes: Number(fact('total_system_memory')),
    clients: Number(fact('connected_clients')),
    clientsMax: Number(fact('maxclients')),
    isAofFailing: /^aof_last_(write|bgrewrite)_status:err/m.test(information),
    blockedClients: Number(fact('blocked_clients')),
    ahead: [clockMs - answeredMs, clockMs - askedMs],
    links: [...links].map(([, host = '', port, state, lag]) => {
      return { host, port: Number(port), isOnline: state === 'online', lagS: Number(lag) };
    }),
  };
}
