// environments.test.ts -- Where the processes run: in other time zones, without a home or a place to write, behind an egress proxy,
// with stores on IPv6, with a password that MySQL hashes by SHA-256 and no TLS, and with a setting that is misspelt.

import { afterAll, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { sql } from 'drizzle-orm';
import { exportJWK, generateKeyPair } from 'jose';
import { issuerNames } from '../../src/issuing/issuer.ts';
import { closeDatabase, openDatabase, withConnection } from '../../src/mysql/database.ts';
import { isMariadb, readServerVersion } from '../../src/mysql/server-version.ts';
import { findProgram } from '../../tools/stack/find-program.ts';
import { startMysqlServer } from '../../tools/stack/mysql-server.ts';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import { eventually } from '../eventually.ts';
import { AUDIENCE, ISSUER, sign } from '../http/tokens.ts';
import { type EntryOptions, startEntry } from '../started-entry.ts';
import { needsPlainMysql } from '../other-stores.ts';
import { openStores, type Stores } from '../stores.ts';

const root = resolve(import.meta.dir, '../..');
const folder = mkdtempSync(join(tmpdir(), 'environments-'));
const stores = await openStores();
const undo: (() => unknown)[] = [() => rmSync(folder, { recursive: true }), () => stores.close()];
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

interface Surroundings extends EntryOptions {
  /** What the worker has instead. */
  readonly workerEnvironment?: Readonly<Record<string, string>>;
  /** Of the user `u1`. */
  readonly token?: string;
}

function start(entry: string, environment: Readonly<Record<string, string>>, surroundings: Surroundings) {
  const started = startEntry(stores, entry, { ...surroundings, environment });
  return {
    ...started,
    async [Symbol.asyncDispose]() {
      started.child.kill('SIGTERM');
      expect(await started.child.exited).toBe(0);
    },
  };
}

/** Issues a coupon through an API and a worker that run like this; the row must have the right instant. */
async function issueIn(surroundings: Surroundings): Promise<void> {
  const { environment = {}, workerEnvironment = environment, token } = surroundings;
  // Stays open until an hour from now: in a zone that is read wrongly it would be over, or not have begun.
  const { id, startMs } = await stores.coupon();
  await using api = start('src/server.ts', environment, surroundings);
  await using _worker = start('workers/worker.ts', workerEnvironment, surroundings);
  const url = await api.url();
  const shown = (await (await fetch(`${url}/v1/drops/${id}`)).json()) as { dateIssueStart?: string };
  expect(shown.dateIssueStart).toBe(new Date(startMs).toISOString());
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const body = JSON.stringify({ couponId: id, userId: 'u1' });
  expect((await fetch(`${url}/v2/issue-async`, { method: 'POST', headers, body })).status).toBe(202);
  await eventually('the row', async () => (await stores.rows(id)).length === 1);
  const [row] = await stores.rows(id);
  expect(row).toMatchObject({ sequence: 1, userId: 'u1' });
  expect(Math.abs((row?.issuedMs ?? 0) - Date.now())).toBeLessThan(60_000);
}

test.each([
  ['Pacific/Kiritimati', 'America/St_Johns'],
  ['America/St_Johns', 'Pacific/Kiritimati'],
])('an API in %s and a worker in %s mean the same instants', async (api, worker) => {
  await issueIn({ environment: { TZ: api }, workerEnvironment: { TZ: worker } });
});

test.each(['src/server.ts', 'workers/worker.ts'])('%s warns of a variable that is nearly a setting', async (entry) => {
  await using started = start(entry, { PARTITION: 'its-value' }, {});
  await eventually('it to run', () => /"msg":"(listening|draining)"/.test(started.logOf()));
  expect(started.logOf()).toContain('"msg":"PARTITION is no setting; PARTITIONS is"');
  expect(started.logOf()).not.toContain('its-value');
});

const setpriv = findProgram('setpriv');
// Root may write anywhere, whatever the rights say.
const unprivileged =
  process.getuid?.() === 0 && setpriv ? [setpriv, '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
const canRead = Bun.spawnSync([...unprivileged, 'test', '-r', join(root, 'package.json')]).success;

test.skipIf(!canRead)('API and worker need no home, and no folder to write to', async () => {
  const cwd = join(folder, 'read-only');
  mkdirSync(cwd);
  chmodSync(cwd, 0o555);
  chmodSync(folder, 0o755);
  expect(Bun.spawnSync([...unprivileged, 'touch', join(cwd, 'file')]).success).toBe(false);
  await issueIn({ environment: { HOME: '/nonexistent', TMPDIR: cwd }, cwd, launcher: unprivileged });
});

test('an egress proxy is not asked for the stores, nor for keys of an issuer that NO_PROXY names', async () => {
  let asked = 0;
  const proxy = createTcpServer((socket) => {
    asked += 1;
    socket.destroy();
  });
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' }] });
  const issuer = createServer((_, response) => response.setHeader('content-type', 'application/json').end(keys));
  const portOf = (server: ReturnType<typeof createTcpServer>) =>
    new Promise<number>((done) => {
      undo.push(() => server.close());
      server.listen(0, '127.0.0.1', () => done((server.address() as AddressInfo).port));
    });
  const proxyUrl = `http://127.0.0.1:${await portOf(proxy)}`;
  const environment = {
    ...Object.fromEntries(['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'].map((name) => [name, proxyUrl])),
    NO_PROXY: '127.0.0.1',
    AUTH: 'on',
    JWT_ISSUER: ISSUER,
    JWT_AUDIENCE: AUDIENCE,
    JWT_JWKS_URL: `http://127.0.0.1:${await portOf(issuer)}/keys`,
  };
  await issueIn({ environment, token: await sign({ header: { alg: 'ES256', kid: 'k1' }, key: privateKey }) });
  expect(asked).toBe(0);
});

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));

test.skipIf(!hasIpv6)('stores are reached by addresses of IPv6', async () => {
  const [mysql, redis] = await Promise.all([
    startMysqlServer({ folder: join(folder, 'mysql'), settings: { 'bind-address': '127.0.0.1,::1' } }),
    startRedisServer({ folder: join(folder, 'redis'), settings: { bind: '127.0.0.1 ::1' } }),
  ]);
  undo.push(
    () => mysql.stop(),
    () => redis.stop(),
  );
  const own = await openStores({ databaseUrl: mysql.url, redisUrl: redis.url });
  undo.push(() => own.close());
  const database = new URL(await userOf(own, "'six'@'::1'", "IDENTIFIED BY 'secret'"));
  const [, port] = database.host.split(':');
  const settings = {
    DATABASE_URL: `mysql://six:secret@[::1]:${port}${database.pathname}`,
    REDIS_URL: own.config.REDIS_URL.replace('127.0.0.1', '[::1]'),
  };
  await using api = await own.createApi(settings);
  await using worker = await own.startWorker(settings);
  for (const name of issuerNames) {
    const { id } = await own.coupon();
    expect(await api.issuance.issue(name, id, 'u1')).toMatchObject({ kind: 'issued', sequence: 1 });
    await worker.drained();
    expect(await own.rows(id)).toMatchObject([{ sequence: 1, userId: 'u1' }]);
  }
});

const isMysql =
  !isMariadb(await withConnection(stores.database, readServerVersion)) &&
  !needsPlainMysql('makes a user of the server');

test.skipIf(!isMysql)(
  'a user of caching_sha2_password is let in without TLS, before and after MySQL caches the hash',
  async () => {
    const url = await userOf(stores, "'sha2'@'%'", "IDENTIFIED WITH caching_sha2_password BY 'secret'");
    undo.push(() => withConnection(stores.database, (session) => session.execute(sql`DROP USER 'sha2'@'%'`)));
    const DATABASE_URL = Object.assign(new URL(url), { username: 'sha2', password: 'secret' }).href;
    const connectAgain = async () => {
      const database = openDatabase({ ...stores.config, DATABASE_URL });
      try {
        const [rows] = await withConnection(database, (session) => session.execute(sql`SHOW STATUS LIKE 'Ssl_cipher'`));
        return rows as unknown;
      } finally {
        await closeDatabase(database);
      }
    };
    const withoutTls = [{ Variable_name: 'Ssl_cipher', Value: '' }];
    expect(await connectAgain()).toEqual(withoutTls);
    expect(await connectAgain()).toEqual(withoutTls);
    // The server forgets what it has cached.
    await withConnection(stores.database, (session) => session.execute(sql`FLUSH PRIVILEGES`));
    expect(await connectAgain()).toEqual(withoutTls);
  },
);

/** Makes a user with every right on the database of these stores; returns the address of that. */
async function userOf({ database, config }: Stores, name: string, identified: string): Promise<string> {
  const { pathname } = new URL(config.DATABASE_URL);
  await withConnection(database, async (session) => {
    await session.execute(sql.raw(`CREATE USER ${name} ${identified}`));
    await session.execute(sql.raw(`GRANT ALL ON ${pathname.slice(1)}.* TO ${name}`));
  });
  return config.DATABASE_URL;
}
