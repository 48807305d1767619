// start.test.ts -- A process that cannot do its work does not start: it names the setting and the cure, and ends with a failure.

import { afterAll, describe, expect, test } from 'bun:test';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import { closeDatabase, openDatabase, withConnection } from '../../src/mysql/database.ts';
import { compareMigrations } from '../../src/mysql/migrations.ts';
import { needsPlainMysql } from '../other-stores.ts';
import { openEmptyDatabase, openStores } from '../stores.ts';

const root = resolve(import.meta.dirname, '../..');
const stores = await openStores();
const { DATABASE_URL, REDIS_URL, KEY_PREFIX = '' } = stores.config;
const folder = mkdtempSync(join(tmpdir(), 'start-test-'));
const empty = await openEmptyDatabase(stores);
const unmigrated = openDatabase({ ...stores.config, DATABASE_URL: empty.url });
const { missing } = await compareMigrations(unmigrated);
await closeDatabase(unmigrated);
const volatile = await startRedisServer({ folder, settings: { appendonly: 'no' } });
/** Listens on a port that another process may want. */
const listening = createServer().listen(0, '127.0.0.1');
const takenPort = String((listening.address() as AddressInfo).port);
afterAll(async () => {
  listening.close();
  await volatile.stop();
  rmSync(folder, { recursive: true });
  await empty.close();
  await stores.close();
});

/** Runs an entry that must refuse to start, and returns what it prints. */
async function refusal(
  entry: string,
  environment: Readonly<Record<string, string>>,
  { command = [process.execPath], cwd = root }: { readonly command?: readonly string[]; readonly cwd?: string } = {},
) {
  const child = Bun.spawn([...command, ...entry.split(' ')], {
    cwd,
    env: {
      ...process.env,
      DATABASE_URL,
      REDIS_URL,
      KEY_PREFIX,
      AUTH: 'off',
      HOST: '127.0.0.1',
      PORT: '0',
      WORKER_PORT: '0',
      START_WAIT_S: '0',
      ...environment,
    },
    stdout: 'ignore',
    stderr: 'pipe',
    // One that starts all the same must not outlive the test.
    timeout: 30_000,
  });
  const [code, said] = await Promise.all([child.exited, child.stderr.text()]);
  return { code, said };
}

function urlWith(url: string, path: string): string {
  const changed = new URL(url);
  changed.pathname = path;
  return changed.href;
}

const unusableRedis = (reason: string) => `REDIS_URL: Redis cannot be used (${reason}`;
const NOBODY = 'ECONNREFUSED): nothing listens there; start it, or correct host and port';

describe.each(['src/server.ts', 'workers/worker.ts'])('%s refuses', (entry) => {
  test.each([
    ['a Redis that is not running', { REDIS_URL: 'redis://127.0.0.1:1' }, unusableRedis(NOBODY)],
    [
      'a user whom Redis does not know',
      { REDIS_URL: withUser(REDIS_URL) },
      unusableRedis('WRONGPASS): it refuses user and password; correct them'),
    ],
    [
      'a database that Redis does not have',
      { REDIS_URL: urlWith(volatile.url, '/99999') },
      unusableRedis('ERR): it has no such database; raise its `databases`, or correct the number'),
    ],
    [
      'a Redis without AOF',
      { REDIS_URL: volatile.url },
      'REDIS_URL: this Redis has no AOF and loses acknowledged issues in a crash; set `appendonly yes`, or ALLOW_VOLATILE_REDIS=on to accept that',
    ],
    [
      'a MySQL that is not running',
      { DATABASE_URL: 'mysql://root@127.0.0.1:1/coupons' },
      `DATABASE_URL: MySQL cannot be used (${NOBODY}`,
    ],
    [
      'a MySQL that was not migrated',
      { DATABASE_URL: empty.url },
      `DATABASE_URL: ${missing} migration(s) are missing; run \`bun run migrate\``,
    ],
  ])('%s', async (_, environment, says) => {
    expect(await refusal(entry, environment)).toEqual({ code: 1, said: `${says}\n` });
  });
});

const nowhere = 'HOST: nobody can listen on this address; set it to one of this machine, or to :: for all of them';
const portTaken = (setting: string) => `${setting}: this port is taken; stop what listens there, or set it to another`;

test.each([
  ['src/server.ts', { PORT: takenPort }, portTaken('PORT')],
  ['src/server.ts', { METRICS_PORT: takenPort }, portTaken('METRICS_PORT')],
  ['workers/worker.ts', { WORKER_PORT: takenPort }, portTaken('WORKER_PORT')],
  // An address for documents, which no machine has (RFC 5737).
  ['src/server.ts', { HOST: '192.0.2.1' }, nowhere],
  ['workers/worker.ts', { HOST: '192.0.2.1' }, nowhere],
  ['workers/worker.ts', { HOST: 'nowhere.invalid' }, nowhere],
])('%s refuses %p', async (entry, environment, says) => {
  expect(await refusal(entry, environment)).toEqual({ code: 1, said: `${says}\n` });
});

test('src/server.ts on Deno refuses to start without built pages', async () => {
  // A copy, since this one may have been built.
  const copy = join(folder, 'not-built');
  for (const name of ['src', 'drizzle', 'package.json'])
    cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  const deno = [
    process.env.DENO_PATH ?? 'deno',
    'run',
    '--quiet',
    '--no-lock',
    '--node-modules-dir=manual',
    '--allow-all',
  ];
  expect(await refusal('src/server.ts', {}, { command: deno, cwd: copy })).toEqual({
    code: 1,
    said: 'dist/pages: Deno cannot build the pages; run `bun run build` first\n',
  });
});

// MySQL has a certificate that nobody vouches for; MariaDB offers no TLS until it is given one.
const tlsRefusal = (await hasTls())
  ? 'HANDSHAKE_SSL_ERROR): its certificate is of an authority that is not known; name the file of that authority in DATABASE_CA'
  : 'HANDSHAKE_NO_SSL_SUPPORT): it does not support TLS; turn it on there, or remove it from the URL';

const hasNoUsers = needsPlainMysql('tries users, databases and TLS of a server that has them');
test.skipIf(hasNoUsers).each([
  ['a MySQL that is not running', 'mysql://root@127.0.0.1:1/coupons', NOBODY],
  [
    'a host that is not known',
    'mysql://root@nowhere.invalid/coupons',
    'ENOTFOUND): its host name is unknown; correct the host',
  ],
  [
    'a wrong password',
    withUser(DATABASE_URL),
    'ER_ACCESS_DENIED_ERROR 1045): it refuses user and password; correct them',
  ],
  ['TLS where there is none', `${DATABASE_URL}?sslmode=verify_identity`, tlsRefusal],
  [
    'a database that MySQL does not have',
    urlWith(DATABASE_URL, '/nowhere'),
    'ER_BAD_DB_ERROR 1049): it has no such database; create it, or correct the name',
  ],
])('src/commands/migrate.ts refuses %s', async (_, url, reason) => {
  expect(await refusal('src/commands/migrate.ts', { DATABASE_URL: url })).toEqual({
    code: 1,
    said: `DATABASE_URL: MySQL cannot be used (${reason}\n`,
  });
});

test('src/commands/dead-letters.ts refuses a Redis that is not running', async () => {
  expect(await refusal('src/commands/dead-letters.ts list', { REDIS_URL: 'redis://127.0.0.1:1' })).toEqual({
    code: 1,
    said: `${unusableRedis(NOBODY)}\n`,
  });
});

async function hasTls(): Promise<boolean> {
  const [rows] = await withConnection(stores.database, (_, connection) =>
    connection.query("SHOW VARIABLES LIKE 'ssl_cert'"),
  );
  return JSON.stringify(rows).includes('.pem');
}

function withUser(url: string): string {
  // Not by `URL`, which does not read the addresses of a cluster.
  return url.replace(/:\/\/(?:[^@/]*@)?/, '://nobody:wrong@');
}
