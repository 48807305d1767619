// durability.ts -- What this Redis is, what it really keeps through a crash, and whether it will do.

import type { Redis } from 'ioredis';
import { isCluster, primariesOf } from './connection.ts';

/** The rung of the durability ladder that Redis stands on. */
export interface RedisDurability {
  /** Name and version, such as `Redis 7.0.15` or `Valkey 8.1.4`. */
  readonly product: string;
  /** Of the Redis that it is compatible with; empty when the server does not say. */
  readonly version: string;
  /** `always`: nothing acknowledged is lost. `everysec`: up to two seconds. `no`, `off`: more. `unknown`: the server does not say. */
  readonly appendFsync: 'always' | 'everysec' | 'no' | 'off' | 'unknown';
  /** Anything but `noeviction` lets Redis drop owners and accepted issues when memory is short. */
  readonly maxmemoryPolicy: string;
  /** A replica refuses writes. */
  readonly role: string;
  /** `sentinel` and `cluster` serve another protocol, or a part of the keys alone. */
  readonly mode: string;
  /** Replicas that are connected. */
  readonly replicas: number;
  /** How many it needs to accept a write (`min-replicas-to-write`); null when it does not say. */
  readonly writeReplicasMin: number | null;
  /** Shards of its cluster; 1 without one, or where all of them are connected; 0 when it does not say. */
  readonly shards: number;
  /** What REDIS_URL should be, without user and password, where it should not lead to this server alone; else empty. */
  readonly betterUrl: string;
}

/** The oldest Redis whose `XAUTOCLAIM` and script effects this system relies on. */
const MAJOR_MIN = 7;

/** Asks every server behind a connection. Throws what ioredis throws. */
export async function readDurabilities(redis: Redis): Promise<readonly RedisDurability[]> {
  const found = await Promise.all(primariesOf(redis).map(readDurability));
  return isCluster(redis) ? found.map((each) => ({ ...each, shards: 1 })) : found;
}

/** Asks one server. Throws what ioredis throws. */
export async function readDurability(redis: Redis): Promise<RedisDurability> {
  const information = await redis.info();
  const fact = (name: string) => factIn(information, name);
  // Managed servers may forbid CONFIG; INFO is all there is then.
  const fsync = await redis.config('GET', 'appendfsync').then(secondOf, () => 'unknown');
  // Valkey 9 calls it otherwise.
  const mode = fact('redis_mode') || fact('server_mode');
  const version = fact('redis_version');
  return {
    product:
      fact('server_name') === 'valkey'
        ? `Valkey ${fact('valkey_version')}`
        : `Redis ${version || 'of unknown version'}`,
    version,
    appendFsync: fact('aof_enabled') === '1' ? asFsync(fsync) : 'off',
    maxmemoryPolicy: fact('maxmemory_policy') || 'unknown',
    role: fact('role'),
    mode,
    replicas: Number(fact('connected_slaves')),
    writeReplicasMin: await redis.config('GET', 'min-replicas-to-write').then(numberOf, () => null),
    shards: mode === 'cluster' ? await readShards(redis) : 1,
    betterUrl: await betterUrl(redis, mode, fact),
  };
}

async function betterUrl(redis: Redis, mode: string, fact: (name: string) => string): Promise<string> {
  const scheme = redis.options.tls ? 'rediss' : 'redis';
  const here = addressOf(redis.options.host, redis.options.port);
  if (mode === 'cluster') return `${scheme}+cluster://${here}`;
  if (mode === 'sentinel') {
    const masters: unknown = await redis.call('SENTINEL', 'MASTERS').catch(() => []);
    const name = Array.isArray(masters) && Array.isArray(masters[0]) ? String(masters[0][1]) : 'mymaster';
    return `${scheme}+sentinel://${here}/${name}`;
  }
  return fact('role') === 'slave' ? `${scheme}://${addressOf(fact('master_host'), fact('master_port'))}` : '';
}

function addressOf(host = 'host', port: number | string = 6379): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** A fact of INFO; empty when it is not there. */
export function factIn(information: string, name: string): string {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(information)?.[1] ?? '';
}

async function readShards(redis: Redis): Promise<number> {
  const read = (information: unknown) => Number(factIn(String(information), 'cluster_size'));
  return redis.cluster('INFO').then(read, () => 0);
}

/**
 * What forbids a start, as lines that name the setting and the cure; none when all is well.
 *
 * @param allowVolatile start also without AOF or with eviction: acknowledged issues may be lost
 */
export function durabilityFaults(durability: RedisDurability, allowVolatile: boolean): string[] {
  const { product, version, appendFsync, mode, shards, betterUrl: url } = durability;
  // Nothing else that it says is worth a line.
  if (mode === 'sentinel')
    return [
      `REDIS_URL: this is a Redis Sentinel, which keeps no data; use ${url}, which follows the primary that it watches`,
    ];
  const faults: string[] = [];
  // A version that is no number is nothing to rely on either.
  if (!(Number.parseInt(version, 10) >= MAJOR_MIN))
    faults.push(`REDIS_URL: ${product} is too old; use ${MAJOR_MIN}.0 or newer`);
  if (shards !== 1)
    faults.push(
      `REDIS_URL: this is a node of a Redis Cluster, which has a part of the keys alone; use ${url}, which finds all nodes`,
    );
  if (appendFsync === 'off' && !allowVolatile)
    faults.push(
      'REDIS_URL: this Redis has no AOF and loses acknowledged issues in a crash; set `appendonly yes`, or ALLOW_VOLATILE_REDIS=on to accept that',
    );
  const evicts = evictionFault(durability, allowVolatile);
  if (evicts) faults.push(`REDIS_URL: this Redis ${evicts}, or ALLOW_VOLATILE_REDIS=on to accept that`);
  return faults;
}

/**
 * What is wrong with a replicated Redis, as one line that names the setting and the cure; null when nothing is, or it is not replicated.
 *
 * @param replicasMin REPLICAS_MIN
 */
export function replicationFault({ replicas, writeReplicasMin }: RedisDurability, replicasMin: number): string | null {
  if (writeReplicasMin !== 0 || (replicas === 0 && replicasMin === 0)) return null;
  // Seen: ten seconds of 202 answers, of which nothing was left.
  return (
    'REDIS_URL: this Redis is replicated and has no `min-replicas-to-write`: a primary that was replaced without noticing ' +
    'goes on accepting issues that are then lost; set it to 1'
  );
}

/** What the eviction policy does to coupons, with the cure; null for a policy that evicts nothing. */
export function evictionFault({ maxmemoryPolicy }: RedisDurability, allowVolatile: boolean): string | null {
  if (allowVolatile || maxmemoryPolicy === 'noeviction' || maxmemoryPolicy === 'unknown') return null;
  return `evicts owners and accepted issues when its memory is full (${maxmemoryPolicy}); set \`maxmemory-policy noeviction\``;
}

function asFsync(value: string): RedisDurability['appendFsync'] {
  return value === 'always' || value === 'everysec' || value === 'no' ? value : 'unknown';
}

function numberOf(reply: unknown): number | null {
  const value = secondOf(reply);
  return /^\d+$/.test(value) ? Number(value) : null;
}

function secondOf(reply: unknown): string {
  return Array.isArray(reply) && typeof reply[1] === 'string' ? reply[1] : 'unknown';
}
