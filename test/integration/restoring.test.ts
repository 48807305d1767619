// restoring.test.ts -- What docs/restoring.md says, played with real processes, real backups and the commands of that page.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { withConnection } from '../../src/mysql/database.ts';
import { tempFolder } from '../../tools/leftovers.ts';
import { findProgram } from '../../tools/stack/find-program.ts';
import type { PrivateServer } from '../../tools/stack/private-server.ts';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import { eventually } from '../eventually.ts';
import { connectTo } from '../redis-database.ts';
import { runEntry, startEntry } from '../started-entry.ts';
import { needsPlainMysql } from '../other-stores.ts';
import { openStores, type Stores } from '../stores.ts';

const folder = tempFolder('coupon-restoring-');
const [dumpProgram, clientProgram] = [findProgram('mariadb-dump', 'mysqldump'), findProgram('mariadb', 'mysql')];
const hasPrograms = dumpProgram !== undefined && clientProgram !== undefined;
const isPlayable = hasPrograms && !needsPlainMysql('dumps and restores a database');

let redisServer: PrivateServer;
let stores: Stores;

beforeAll(async () => {
  redisServer = await startRedisServer({ folder: join(folder, 'production') });
  stores = await openStores({ redisUrl: redisServer.url });
});
afterAll(async () => {
  await stores?.close();
  await redisServer?.stop();
  rmSync(folder, { recursive: true, force: true });
});

type Environment = Readonly<Record<string, string>>;
type Config = Stores['config'];

/** A command, or an entry that is to end by itself. */
function run(
  entry: string,
  words: readonly string[],
  { DATABASE_URL, REDIS_URL }: Config = stores.config,
  environment: Environment = {},
) {
  return runEntry({ DATABASE_URL, REDIS_URL }, entry, words, {
    environment: { PORT: '0', HOST: '127.0.0.1', ...environment },
  });
}

/** An API as a process of its own, and a worker unless there is to be none. */
async function start(config: Config = stores.config, hasWorker = true) {
  const environment = { ANSWERS_MS_MAX: '300000', REDIS_COMMAND_MS_MAX: '5000' };
  const api = startEntry({ config }, 'src/server.ts', { environment });
  const worker = hasWorker ? await stores.startWorker() : null;
  const stopWorker = async () => worker?.stop();
  return {
    url: await api.url(),
    stopWorker,
    stop: async () => {
      api.child.kill('SIGTERM');
      await Promise.all([api.child.exited, stopWorker()]);
    },
  };
}

const people = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}-${i + 1}`);

/** Asks once for each user, one after the other. Returns the sequence of all who have the coupon now. */
async function issue(url: string, couponId: number, users: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const sequences = new Map<string, number>();
  for (const userId of users) {
    const ask = () =>
      fetch(`${url}/v2/issue-async`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ couponId, userId }),
      });
    let answer = await ask();
    // While a store comes back.
    await eventually('an answer', async () => answer.status !== 503 || (answer = await ask()).status !== 503);
    const { sequence } = (await answer.json()) as { readonly sequence?: number };
    if (sequence !== undefined) sequences.set(userId, sequence);
  }
  return sequences;
}

async function numbers(couponId: number): Promise<ReadonlyMap<string, number>> {
  return new Map((await stores.rows(couponId)).map(({ userId, sequence }) => [userId, sequence]));
}

const written = (couponId: number, rows: number) =>
  eventually(`${rows} rows`, async () => (await stores.rows(couponId)).length === rows);

function clientArguments(databaseUrl: string): string[] {
  const { hostname, port, username, password, pathname } = new URL(databaseUrl);
  return [
    `-h${hostname}`,
    `-P${port || 3306}`,
    `-u${username}`,
    ...(password ? [`-p${password}`] : []),
    pathname.slice(1),
  ];
}

let backups = 0;

async function dumpMysql(): Promise<string> {
  const file = join(folder, `dump-${(backups += 1)}.sql`);
  const args = ['--single-transaction', ...clientArguments(stores.config.DATABASE_URL)];
  const child = Bun.spawn([dumpProgram ?? '', ...args], { stdout: Bun.file(file), stderr: 'inherit' });
  expect(await child.exited).toBe(0);
  return file;
}

async function restoreMysql(file: string, databaseUrl = stores.config.DATABASE_URL): Promise<void> {
  const child = Bun.spawn([clientProgram ?? '', ...clientArguments(databaseUrl)], {
    stdin: Bun.file(file),
    stderr: 'inherit',
  });
  expect(await child.exited).toBe(0);
}

const dataOf = (name: string) => join(folder, name, 'redis');

/** Waits until a command of the background is done. */
async function background(
  server: PrivateServer,
  begin: (redis: Awaited<ReturnType<typeof connectTo>>) => Promise<unknown>,
) {
  const redis = await connectTo(server.url);
  await begin(redis);
  await eventually('Redis to have written it', async () => {
    const information = await redis.info('persistence');
    return !/(rdb_bgsave_in_progress|aof_rewrite_in_progress|aof_rewrite_scheduled):1/.test(information);
  });
  redis.disconnect();
}

/** Copies its AOF. */
async function backUpAof(): Promise<string> {
  const copy = join(folder, `aof-${(backups += 1)}`);
  await background(redisServer, (redis) => redis.bgrewriteaof());
  cpSync(join(dataOf('production'), 'appendonlydir'), copy, { recursive: true });
  return copy;
}

async function restoreAof(copy: string): Promise<void> {
  await redisServer.kill();
  rmSync(join(dataOf('production'), 'appendonlydir'), { recursive: true });
  cpSync(copy, join(dataOf('production'), 'appendonlydir'), { recursive: true });
  await redisServer.restart();
}

/** Makes an AOF of a snapshot, since Redis with an AOF does not load one. */
async function aofOf(snapshot: string): Promise<string> {
  const name = `from-snapshot-${(backups += 1)}`;
  mkdirSync(dataOf(name), { recursive: true });
  cpSync(snapshot, join(dataOf(name), 'dump.rdb'));
  const server = await startRedisServer({ folder: join(folder, name), settings: { appendonly: 'no' } });
  await background(server, (redis) => redis.config('SET', 'appendonly', 'yes'));
  await server.stop();
  return join(dataOf(name), 'appendonlydir');
}

describe.skipIf(!isPlayable)('restored', () => {
  test('MySQL older than Redis: what Redis knows is written again, each user under the number of the answer', async () => {
    const { id } = await stores.coupon({ totalQuantity: 30 });
    const before = await start();
    const first = await issue(before.url, id, people('a', 10));
    await written(id, 10);
    const dump = await dumpMysql();
    const second = await issue(before.url, id, people('b', 10));
    await written(id, 20);
    await before.stop();
    await restoreMysql(dump);
    expect(await numbers(id)).toEqual(first);
    const { out, err, code } = await run('src/commands/reconcile.ts', ['--all']);
    expect({ err, code }).toEqual({ err: '', code: 0 });
    const counts = 'rows 10, unpersisted 10, dead 0, missing 0, unknown 0, unexpected 0, lost 0';
    expect(out).toContain(`coupon ${id}: 10 put back, 0 unowned; ${counts}\n`);
    expect(out).toMatch(/^\d+ coupon\(s\)\. 10 issue\(s\) that MySQL lost are on their way to it\.$/m);
    const after = await start();
    await written(id, 20);
    const all = new Map([...first, ...second]);
    expect(await numbers(id)).toEqual(all);
    expect(await issue(after.url, id, [...all.keys(), 'new'])).toEqual(new Map([...all, ['new', 21]]));
    await after.stop();
  }, 120_000);

  test('Redis older than MySQL, from a snapshot: nothing is issued twice; answers that were no rows are lost', async () => {
    const { id } = await stores.coupon({ totalQuantity: 30 });
    const before = await start();
    const first = await issue(before.url, id, people('a', 10));
    await written(id, 10);
    await background(redisServer, (redis) => redis.bgsave());
    const snapshot = join(folder, `snapshot-${(backups += 1)}.rdb`);
    cpSync(join(dataOf('production'), 'dump.rdb'), snapshot);
    const second = await issue(before.url, id, people('b', 10));
    await written(id, 20);
    await before.stopWorker();
    const lost = await issue(before.url, id, people('lost', 5));
    expect([...lost.values()]).toEqual([21, 22, 23, 24, 25]);
    await before.stop();
    await restoreAof(await aofOf(snapshot));
    const { out, code } = await run('src/commands/reconcile.ts', ['--all']);
    expect(code).toBe(0);
    const counts = 'rows 20, unpersisted 0, dead 0, missing 0, unknown 0, unexpected 0, lost 0';
    expect(out).toContain(`coupon ${id}: 0 put back, 0 unowned; ${counts}\n`);
    const after = await start();
    const all = new Map([...first, ...second]);
    expect(await issue(after.url, id, [...all.keys()])).toEqual(all);
    // The number that another was told, and so on until the stock is gone.
    expect((await issue(after.url, id, ['new'])).get('new')).toBe(21);
    expect((await issue(after.url, id, [...lost.keys(), ...people('late', 10)])).size).toBe(9);
    await written(id, 30);
    expect(new Set((await numbers(id)).keys()).size).toBe(30);
    expect(
      JSON.parse((await run('src/commands/reconcile.ts', ['--coupon', String(id)])).out.replace(/^[^{]*/, '')),
    ).toMatchObject({
      rows: 30,
      issuedQuantity: 30,
      missing: 0,
      unknown: 0,
      unexpected: 0,
    });
    await after.stop();
  }, 120_000);

  test('Redis older than MySQL while the APIs go on: they put back what they answered', async () => {
    const { id } = await stores.coupon({ totalQuantity: 30 });
    const before = await start();
    await issue(before.url, id, people('a', 10));
    await written(id, 10);
    const aof = await backUpAof();
    await before.stopWorker();
    const kept = await issue(before.url, id, people('kept', 5));
    await restoreAof(aof);
    expect((await issue(before.url, id, ['new'])).get('new')).toBe(16);
    expect(await issue(before.url, id, [...kept.keys()])).toEqual(kept);
    await using _worker = await stores.startWorker();
    await written(id, 16);
    await before.stop();
  }, 120_000);

  test.each(['Redis', 'MySQL'] as const)(
    'both older, %s by more: who has a row or is known to Redis keeps the number, and nobody gets a second',
    async (older) => {
      const { id } = await stores.coupon({ totalQuantity: 20 });
      const before = await start();
      const first = await issue(before.url, id, people('a', 5));
      await written(id, 5);
      const early = older === 'Redis' ? await backUpAof() : await dumpMysql();
      const second = await issue(before.url, id, people('b', 5));
      await written(id, 10);
      const late = older === 'Redis' ? await dumpMysql() : await backUpAof();
      const lost = await issue(before.url, id, people('c', 5));
      await written(id, 15);
      await before.stop();
      const [aof, dump] = older === 'Redis' ? [early, late] : [late, early];
      await restoreMysql(dump);
      await restoreAof(aof);
      const { out, code } = await run('src/commands/reconcile.ts', ['--all']);
      expect(code).toBe(0);
      expect(out).toContain(`coupon ${id}: ${older === 'Redis' ? 0 : 5} put back, 0 unowned; `);
      const after = await start();
      const known = new Map([...first, ...second]);
      await written(id, 10);
      expect(await numbers(id)).toEqual(known);
      expect(await issue(after.url, id, [...known.keys()])).toEqual(known);
      expect((await issue(after.url, id, ['new'])).get('new')).toBe(11);
      expect((await issue(after.url, id, [...lost.keys(), ...people('late', 10)])).size).toBe(9);
      await written(id, 20);
      await after.stop();
    },
    120_000,
  );

  test('staging from a dump: keys are revoked, and the Redis of production refuses it', async () => {
    const { id } = await stores.coupon({ totalQuantity: 30 });
    const production = await start();
    const first = await issue(production.url, id, people('a', 5));
    await written(id, 5);
    const { out: made } = await run('src/commands/keys.ts', ['create', '--scope', 'read']);
    const key = made.trim();
    const dump = await dumpMysql();
    const name = `staging_${crypto.randomUUID().slice(0, 8)}`;
    const url = new URL(stores.config.DATABASE_URL);
    url.pathname = `/${name}`;
    await withConnection(stores.database, (_, connection) => connection.query(`CREATE DATABASE ${name}`));
    const own = await startRedisServer({ folder: join(folder, 'staging') });
    try {
      await restoreMysql(dump, url.href);
      const wrong: Config = { ...stores.config, DATABASE_URL: url.href };
      const staging: Config = { ...wrong, REDIS_URL: own.url };
      expect(await run('src/commands/detach.ts', [], wrong)).toMatchObject({
        code: 1,
        err: expect.stringMatching(/^REDIS_URL: this Redis is of the same installation as this database/) as unknown,
      });
      expect(await run('src/commands/detach.ts', [], staging)).toEqual({
        code: 0,
        err: '',
        out: '1 key(s) are revoked. This database is now a separate installation.\n',
      });
      for (const entry of ['src/server.ts', 'workers/worker.ts'])
        expect(await run(entry, [], wrong, { AUTH: 'off', WORKER_PORT: '0' })).toMatchObject({
          code: 1,
          err: expect.stringMatching(/^REDIS_URL: this Redis belongs to another installation/) as unknown,
        });
      const copy = await start(staging, false);
      const statusOf = async (at: string) =>
        (await fetch(`${at}/v1/coupons/${id}`, { headers: { authorization: `Bearer ${key}` } })).status;
      // With AUTH=off a key that is not known is one without the scope.
      expect([await statusOf(copy.url), await statusOf(production.url)]).toEqual([403, 200]);
      expect(await issue(copy.url, id, [...first.keys(), 'tester'])).toEqual(new Map([...first, ['tester', 6]]));
      expect((await issue(production.url, id, ['customer'])).get('customer')).toBe(6);
      await written(id, 6);
      expect([...(await numbers(id)).keys()]).not.toContain('tester');
      await copy.stop();
    } finally {
      await production.stop();
      await own.stop();
      await withConnection(stores.database, (_, connection) => connection.query(`DROP DATABASE ${name}`));
    }
  }, 120_000);
});
