// Shows what is read off a Redis about the crashes it survives, and which Redis is refused.
import { describe, expect, test } from 'bun:test';
import type { Redis } from 'ioredis';
import {
  durabilityFaults,
  type RedisDurability,
  readDurability,
  replicationFault,
} from '../../src/redis/durability.ts';

const durable: RedisDurability = {
  product: 'Redis 7.0.15',
  mode: 'standalone',
  shards: 1,
  betterUrl: '',
  version: '7.0.15',
  appendFsync: 'always',
  maxmemoryPolicy: 'noeviction',
  role: 'master',
  replicas: 0,
  writeReplicasMin: 0,
};

/** A Redis with these facts in INFO; `fsync` null forbids CONFIG. */
function telling(facts: Record<string, string>, fsync: string | null): Redis {
  const lines = Object.entries(facts).map(([name, value]) => `${name}:${value}\r\n`);
  const redis = {
    options: {},
    info: () => Promise.resolve(`# Server\r\n${lines.join('')}`),
    config: (_: string, name: string) =>
      fsync === null
        ? Promise.reject(new Error('ERR unknown command'))
        : Promise.resolve([name, name === 'appendfsync' ? fsync : '0']),
  };
  return redis as unknown as Redis;
}

const facts = {
  redis_version: '7.0.15',
  redis_mode: 'standalone',
  aof_enabled: '1',
  maxmemory_policy: 'noeviction',
  role: 'master',
  connected_slaves: '0',
};

describe('what the server has is read', () => {
  test.each(['always', 'everysec', 'no'] as const)('appendfsync %s', async (appendFsync) => {
    expect(await readDurability(telling(facts, appendFsync))).toEqual({ ...durable, appendFsync });
  });

  test('no AOF is `off`, whatever appendfsync says', async () => {
    const without = { ...facts, aof_enabled: '0' };
    expect(await readDurability(telling(without, 'always'))).toEqual({ ...durable, appendFsync: 'off' });
  });

  test('a server that forbids CONFIG is not taken for volatile', async () => {
    const silent = { appendFsync: 'unknown', writeReplicasMin: null } as const;
    expect(await readDurability(telling(facts, null))).toEqual({ ...durable, ...silent });
  });

  test('a policy that evicts, and a replica, are seen', async () => {
    const replica = {
      ...facts,
      maxmemory_policy: 'allkeys-lru',
      role: 'slave',
      master_host: '10.0.0.7',
      master_port: '6380',
    };
    expect(await readDurability(telling(replica, 'always'))).toEqual({
      ...durable,
      maxmemoryPolicy: 'allkeys-lru',
      role: 'slave',
      betterUrl: 'redis://10.0.0.7:6380',
    });
  });

  test('Valkey is called by its own name and version, and judged by the Redis that it is compatible with', async () => {
    const { redis_mode: _, ...others } = facts;
    const ofValkey = { server_mode: 'standalone', server_name: 'valkey', valkey_version: '8.1.4' };
    const valkey = { ...others, redis_version: '7.2.4', ...ofValkey };
    expect(await readDurability(telling(valkey, 'always'))).toEqual({
      ...durable,
      product: 'Valkey 8.1.4',
      version: '7.2.4',
    });
  });

  test('a server that reports nothing is not taken for a durable one', async () => {
    const silent = await readDurability(telling({}, null));
    expect(silent).toEqual({
      product: 'Redis of unknown version',
      version: '',
      appendFsync: 'off',
      maxmemoryPolicy: 'unknown',
      role: '',
      mode: '',
      replicas: 0,
      writeReplicasMin: null,
      shards: 1,
      betterUrl: '',
    });
    expect(durabilityFaults(silent, false)).toHaveLength(2);
  });
});

test.each(['always', 'everysec', 'no', 'unknown'] as const)('a start with appendfsync %s is fine', (appendFsync) => {
  expect(durabilityFaults({ ...durable, appendFsync }, false)).toEqual([]);
});

test('a start without AOF is refused, with setting and cure, unless that was accepted explicitly', () => {
  const volatile: RedisDurability = { ...durable, appendFsync: 'off' };
  expect(durabilityFaults(volatile, false)).toEqual([
    'REDIS_URL: this Redis has no AOF and loses acknowledged issues in a crash; set `appendonly yes`, or ALLOW_VOLATILE_REDIS=on to accept that',
  ]);
  expect(durabilityFaults(volatile, true)).toEqual([]);
});

test.each(['7.0.0', '7.4.1', '8.2.0', '10.0.0'])('Redis %s is new enough', (version) => {
  expect(durabilityFaults({ ...durable, version }, false)).toEqual([]);
});

test.each(['2.8.24', '5.0.14', '6.2.14', '', 'unknown'])(
  'Redis %p is refused, with setting and cure',
  async (version) => {
    const found = await readDurability(telling({ ...facts, redis_version: version }, 'always'));
    expect(durabilityFaults(found, true)).toEqual([
      `REDIS_URL: Redis ${version || 'of unknown version'} is too old; use 7.0 or newer`,
    ]);
  },
);

test.each([
  ['without replicas', durable, 0, false],
  ['without replicas, though they are to be waited for', durable, 1, true],
  ['with replicas', { ...durable, replicas: 1 }, 0, true],
  ['that stops without them', { ...durable, replicas: 1, writeReplicasMin: 1 }, 1, false],
  ['that does not say', { ...durable, replicas: 1, writeReplicasMin: null }, 1, false],
] as const)(
  'a Redis %s is asked for min-replicas-to-write where a primary may be replaced',
  (_, found, replicasMin, isAsked) => {
    const line = replicationFault(found, replicasMin);
    if (isAsked) expect(line).toInclude('`min-replicas-to-write`');
    else expect(line).toBeNull();
  },
);
