// redis-preflight.test.ts -- A Redis on which a promise would break, and a user of Redis who may not do all that it takes, are refused
// at start in one line that names the cure.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Redis } from 'ioredis';
import { freePort } from '../../tools/stack/free-port.ts';
import { firstReply } from '../../tools/stack/first-reply.ts';
import { type PrivateServer, startPrivateServer } from '../../tools/stack/private-server.ts';
import { isRedisReady, startRedisServer } from '../../tools/stack/redis-server.ts';
import { blockingConnection, connect, issuingConnection, subscribingConnection } from '../../src/redis/connection.ts';
import { scriptNames, timeScripts } from '../../src/redis/script.ts';
import { preflight } from '../../src/runtime/preflight.ts';
import { claimInstallation } from '../../src/installation/installation.ts';
import { INSTALLATION_KEY } from '../../src/stream/keys.ts';
import { testApi, testWorker } from '../../src/runtime/redis-self-test.ts';
import { testInbox } from '../../workers/inbox.ts';
import { LEASE_KEY } from '../../workers/reconcile.ts';
import { eventually } from '../eventually.ts';
import { connectTo } from '../redis-database.ts';
import { openStores } from '../stores.ts';

const folder = mkdtempSync(join(tmpdir(), 'redis-preflight-'));
// Its users are of one server, wherever the other tests run.
const own = await startRedisServer({ folder: join(folder, 'own') });
const stores = await openStores({ redisUrl: own.url });
const undo: (() => Promise<unknown>)[] = [() => own.stop(), () => stores.close()];
afterAll(async () => {
  for (const step of undo.reverse()) await step();
  rmSync(folder, { recursive: true });
});

async function startRedis(name: string, settings: Record<string, string> = {}) {
  const server = await startRedisServer({ folder: join(folder, name), settings });
  undo.push(() => server.stop());
  const redis = await connectTo(server.url);
  undo.push(async () => redis.disconnect());
  return { server, redis };
}

const roles = ['API', 'worker'] as const;
type Role = (typeof roles)[number];

/** The lines with which a process is refused; none when it may start. */
async function faultsOf(
  role: Role,
  url: string,
  settings: { limits?: boolean; volatile?: 'on' } = {},
): Promise<string[]> {
  const config = { ...stores.config, REDIS_URL: url };
  const redis = issuingConnection(config, () => undefined);
  const other =
    role === 'API'
      ? subscribingConnection(config, () => undefined)
      : blockingConnection(config, config.BLOCK_MS, () => undefined);
  try {
    await preflight({
      database: stores.database,
      connections: [redis, other],
      settings: { ALLOW_VOLATILE_REDIS: settings.volatile ?? 'off', START_WAIT_S: 0 },
      say: () => undefined,
      testRedis: () =>
        role === 'API'
          ? testApi(redis, other, settings.limits ?? false)
          : testWorker(redis, LEASE_KEY, (keys) => testInbox(other, keys, config)),
    });
    return [];
  } catch (error) {
    return error instanceof Error ? error.message.split('\n') : ['not an error'];
  } finally {
    redis.disconnect();
    other.disconnect();
  }
}

const plain = await startRedis('plain');

/** A user with these rules. Returns the URL under which it connects. */
async function withUser(...rules: string[]): Promise<string> {
  const name = `u${crypto.randomUUID()}`;
  await plain.redis.call('ACL', 'SETUSER', name, 'on', '>secret', 'reset', 'on', '>secret', ...rules);
  const url = new URL(plain.server.url);
  url.username = name;
  url.password = 'secret';
  return url.href;
}

const lacks = (...rules: string[]) => [
  `REDIS_URL: Redis does not allow its user all that is needed; add to the rules of its ACL: ${rules.join(' ')}`,
];
const everything = ['~*', '&*', '+@all'];

/** What the scripts call, read off their sources. */
const calls = new Set<string>();
for (const path of new Bun.Glob('src/**/*.lua').scanSync(resolve(import.meta.dir, '../..'))) {
  const source = await Bun.file(resolve(import.meta.dir, '../..', path)).text();
  for (const [, name = '', subcommand] of source.matchAll(/redis\.p?call\('(\w+)'(?:, '([A-Z]+)')?/g))
    calls.add([name, ...(subcommand ? [subcommand] : [])].join('|').toLowerCase());
}
const ofRole = { API: ['subscribe'], worker: ['xgroup|create', 'xautoclaim', 'xreadgroup', 'scan'] };
/** Of its own scripts. */
const onlyOf: Record<string, Role> = { 'xgroup|delconsumer': 'worker', 'xinfo|consumers': 'worker' };

describe.each(roles)('%s', (role) => {
  test('starts with all rights, and leaves nothing in Redis', async () => {
    expect(await faultsOf(role, await withUser(...everything), { limits: true })).toEqual([]);
    // What was let expire takes a moment.
    await eventually('an empty Redis', async () => (await plain.redis.dbsize()) === 0);
  });

  // Counting requests, and idempotency keys.
  const onlyOfApi = ['hincrby', 'expire'];
  test.each([...calls, ...ofRole[role], 'evalsha', 'eval', 'hscan', 'publish', 'xinfo|stream'])(
    'a user without %s is refused',
    async (name) => {
      if ((onlyOf[name] ?? (onlyOfApi.includes(name) ? 'API' : role)) !== role) return;
      const url = await withUser(...everything, `-${name}`);
      expect(await faultsOf(role, url, { limits: true })).toEqual(lacks(`+${name}`));
    },
  );

  test.each(['config', 'script|load', '@dangerous +info'])('a user without %s may start', async (rules) => {
    const url = await withUser(...everything, ...`-${rules}`.split(' '));
    expect(await faultsOf(role, url)).toEqual([]);
  });

  test.each(['~coupon:*', '~issues:*', '~installation', role === 'API' ? '~idempotency:*' : '~reconciler'])(
    'a user without the keys %s is refused',
    async (pattern) => {
      const all = ['~coupon:*', '~issues:*', '~installation', '~idempotency:*', '~reconciler'];
      const url = await withUser(...all.filter((other) => other !== pattern), '&*', '+@all');
      expect(await faultsOf(role, url)).toEqual(lacks(pattern));
    },
  );

  test('a user without the channel is refused, and one without several rights is told all of them', async () => {
    expect(await faultsOf(role, await withUser('~*', '+@all'))).toEqual(lacks('&coupons:changed'));
    const url = await withUser(
      '~issues:*',
      '~idempotency:*',
      '~reconciler',
      '~installation',
      '&*',
      '+@all',
      '-xadd',
      '-xdel',
    );
    const [line = '', ...more] = await faultsOf(role, url);
    expect(more).toEqual([]);
    for (const right of ['~coupon:*', '+xadd', '+xdel']) expect(line.split(' ')).toContain(right);
  });

  test('a user who may only read is refused', async () => {
    const [line, ...more] = await faultsOf(role, await withUser('%R~*', '&*', '+@all'));
    expect(more).toEqual([]);
    expect(line).toStartWith(lacks('~').join());
  });

  test('a Redis that evicts is refused, unless that was accepted explicitly', async () => {
    await plain.redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    try {
      expect(await faultsOf(role, plain.server.url)).toEqual([
        'REDIS_URL: this Redis evicts owners and accepted issues when its memory is full (allkeys-lru); ' +
          'set `maxmemory-policy noeviction`, or ALLOW_VOLATILE_REDIS=on to accept that',
      ]);
      expect(await faultsOf(role, plain.server.url, { volatile: 'on' })).toEqual([]);
    } finally {
      await plain.redis.config('SET', 'maxmemory-policy', 'noeviction');
    }
  });

  test('a Redis whose memory is full is no fault of a start: the worker frees it', async () => {
    await plain.redis.config('SET', 'maxmemory', '1');
    try {
      expect(await faultsOf(role, plain.server.url)).toEqual([]);
    } finally {
      await plain.redis.config('SET', 'maxmemory', '0');
    }
  });
});

test('every script is run, and each as far as its last command', async () => {
  const config = { ...stores.config, REDIS_URL: plain.server.url };
  const [redis, subscriber] = [
    issuingConnection(config, () => undefined),
    subscribingConnection(config, () => undefined),
  ];
  const ran = new Set<string>();
  timeScripts(redis, (script) => ran.add(script));
  await Promise.all([connect(redis), connect(subscriber)]);
  // `MONITOR` says what a script calls, and that a script called it.
  const monitor = await plain.redis.monitor();
  const called = new Set<string>();
  const last = Promise.withResolvers<null>();
  monitor.on('monitor', (_: string, [command = '', text = '']: string[], source: string) => {
    const name = ['XGROUP', 'XINFO'].includes(command) ? `${command}|${text}` : command;
    if (source === 'lua') called.add(name.toLowerCase());
    if (text === 'the end') last.resolve(null);
  });
  try {
    expect(await testApi(redis, subscriber, true)).toEqual([]);
    expect(await testWorker(redis, LEASE_KEY, (keys) => testInbox(redis, keys, config))).toEqual([]);
    await claimInstallation({ database: stores.database, redis, settings: stores.config });
    await plain.redis.echo('the end');
    await last.promise;
  } finally {
    for (const connection of [redis, subscriber, monitor]) connection.disconnect();
    await plain.redis.del(INSTALLATION_KEY);
  }
  expect([...ran].sort()).toEqual([...scriptNames].sort());
  expect([...called].sort()).toEqual([...calls].sort());
});

/** The rules of a user that the page names: the least that is needed, and all but what is dangerous. */
async function rulesOfPage(which: 'least' | 'usual'): Promise<string[]> {
  const page = await Bun.file(resolve(import.meta.dir, '../../deploy/README.md')).text();
  const lines = [...page.matchAll(/^ACL SETUSER coupon on >\S+ (.+)$/gm)].map(([, rules = '']) => rules.split(' '));
  const found = lines.filter((rules) => rules.includes('+@all') === (which === 'usual'));
  expect(found).toHaveLength(1);
  return found.flat();
}

test('the least rights that the page names hold none that a start would not miss', async () => {
  const rules = await rulesOfPage('least');
  const rights = rules.filter((rule) => rule.startsWith('+'));
  expect(rights.length).toBeGreaterThan(30);
  for (const right of rights) {
    const url = await withUser(...rules.filter((rule) => rule !== right));
    const missed = await Promise.all(roles.map((role) => faultsOf(role, url, { limits: true })));
    expect([right, ...new Set(missed.flat())]).toEqual([right, ...lacks(right)]);
  }
});

test.each(['least', 'usual'] as const)(
  'a user with the %s rights that the page names issues and records',
  async (which) => {
    const rules = await rulesOfPage(which);
    // A database of its own: what is issued stays there.
    const url = `${await withUser(...rules, '+select')}/1`;
    for (const role of roles) expect(await faultsOf(role, url, { limits: true })).toEqual([]);
    await using api = await stores.createApi({ REDIS_URL: url });
    await using _worker = await stores.startWorker({ REDIS_URL: url });
    const { id } = await stores.coupon();
    for (const issuer of ['scripted', 'locked', 'synchronous'] as const)
      expect((await api.issuance.issue(issuer, id, issuer)).kind).toBe('issued');
    await eventually('three rows', async () => (await stores.rows(id)).length === 3);
  },
);

describe('named as what it is', () => {
  test('a replica', async () => {
    const primaryPort = await freePort();
    await plain.redis.call('REPLICAOF', '127.0.0.1', String(primaryPort));
    try {
      expect(await faultsOf('API', plain.server.url)).toEqual([
        `REDIS_URL: this is a replica, which refuses writes; use redis://127.0.0.1:${primaryPort}, or promote it`,
      ]);
    } finally {
      await plain.redis.call('REPLICAOF', 'NO', 'ONE');
    }
  });

  test('a sentinel', async () => {
    const port = await freePort();
    const file = join(folder, 'sentinel.conf');
    writeFileSync(file, `port ${port}\nbind 127.0.0.1\nsentinel monitor coupons 127.0.0.1 ${plain.server.port} 1\n`);
    const child = Bun.spawn(['redis-server', file, '--sentinel'], { stdout: 'ignore', stderr: 'ignore' });
    try {
      await eventually('the sentinel to answer', () => isRedisReady(port));
      expect(await faultsOf('API', `redis://127.0.0.1:${port}`)).toEqual([
        `REDIS_URL: this is a Redis Sentinel, which keeps no data; use redis+sentinel://127.0.0.1:${port}/coupons, which follows the primary that it watches`,
      ]);
    } finally {
      child.kill();
      await child.exited;
    }
  });

  test('a node of a cluster, unless it has all the keys', async () => {
    const [first, second] = [await startNode('first'), await startNode('second')];
    await first.redis.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383);
    await eventually('the cluster of one', () => hasSize(first.redis, 1));
    expect(await faultsOf('API', first.server.url)).toEqual([]);
    expect(await faultsOf('worker', first.server.url)).toEqual([]);
    await first.redis.call('CLUSTER', 'DELSLOTSRANGE', 8192, 16_383);
    await second.redis.call('CLUSTER', 'ADDSLOTSRANGE', 8192, 16_383);
    await first.redis.call('CLUSTER', 'MEET', '127.0.0.1', second.server.port, second.busPort);
    await eventually('the cluster of two', () => hasSize(first.redis, 2));
    expect(await faultsOf('API', first.server.url)).toEqual([
      'REDIS_URL: this is a node of a Redis Cluster, which has a part of the keys alone; ' +
        `use redis+cluster://127.0.0.1:${first.server.port}, which finds all nodes`,
    ]);
  });
});

async function startNode(name: string): Promise<{ server: PrivateServer; redis: Redis; busPort: number }> {
  const busPort = await freePort();
  const node = await startRedis(name, { 'cluster-enabled': 'yes', 'cluster-port': String(busPort) });
  return { ...node, busPort };
}

async function hasSize(redis: Redis, size: number): Promise<boolean> {
  const information = String(await redis.cluster('INFO'));
  return information.includes(`cluster_size:${size}\r`) && information.includes('cluster_state:ok');
}

describe('the Redis of compose.yaml', () => {
  const passwords = { REDIS_PASSWORD: 'ofthecoupons', REDIS_EXPORTER_PASSWORD: 'oftheexporter' };
  let server: PrivateServer | undefined;
  const urlOf = (user: string, password: string) => `redis://${user}:${password}@127.0.0.1:${server?.port ?? 0}`;

  beforeAll(async () => {
    const data = join(folder, 'compose');
    mkdirSync(data);
    server = await startPrivateServer(
      {
        name: 'Redis',
        prepare: async () => {},
        command: (port) => {
          const environment = Object.entries({ ...passwords, TMPDIR: data }).map(([name, value]) => `${name}=${value}`);
          const script = resolve(import.meta.dirname, '../../deploy/compose/redis.sh');
          const args = [...environment, 'sh', script, '--port', String(port), '--bind', '127.0.0.1', '--dir', data];
          return { program: 'env', args };
        },
        // Without a password it answers, and refuses.
        isReady: async (port) =>
          (await firstReply(port, 'PING\r\n'))?.toString('latin1').startsWith('-NOAUTH') ?? false,
        url: (port) => `redis://127.0.0.1:${port}`,
      },
      { folder: data },
    );
    undo.push(async () => server?.stop());
  });

  test.each(roles)('lets the %s in with its password, durable, and no one without', async (role) => {
    expect(await faultsOf(role, urlOf('coupon', passwords.REDIS_PASSWORD), { limits: true })).toEqual([]);
    for (const url of [urlOf('coupon', 'wrong'), urlOf('default', ''), `redis://127.0.0.1:${server?.port ?? 0}`])
      expect((await faultsOf(role, url)).join()).toMatch(/^REDIS_URL: [^,]*(WRONGPASS|NOAUTH)/);
  });

  test('the passwords stand in no file and in no argument', async () => {
    const ends = [readFileSync(join(folder, 'compose', 'users.acl'), 'utf8')];
    if (existsSync('/proc')) ends.push(readFileSync(`/proc/${server?.pid ?? 0}/cmdline`, 'utf8'));
    for (const text of ends) for (const password of Object.values(passwords)) expect(text).not.toContain(password);
  });

  test('its exporter reads the state of the server, and no key', async () => {
    const redis = await connectTo(urlOf('exporter', passwords.REDIS_EXPORTER_PASSWORD));
    expect(await redis.info()).toContain('aof_enabled:1');
    const refused: [string, ...string[]][] = [
      ['HGETALL', 'coupon:{0}:1:owners'],
      ['SET', 'x', '1'],
      ['KEYS', '*'],
      ['CONFIG', 'GET', '*'],
      ['FLUSHALL'],
      ['EVAL', 'return 1', '0'],
      ['SLOWLOG', 'GET'],
      ['ACL', 'LIST'],
      ['SUBSCRIBE', 'coupons:changed'],
    ];
    for (const [command, ...args] of refused) await expect(redis.call(command, ...args)).rejects.toThrow('NOPERM');
    redis.disconnect();
  });
});
