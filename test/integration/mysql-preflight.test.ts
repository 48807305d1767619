// mysql-preflight.test.ts -- A MySQL on which a promise would break is refused at start, in one line that names the cure; settings that
// servers have elsewhere change nothing, since every session sets its own.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eq } from 'drizzle-orm';
import { coupons } from '../../drizzle/schema.ts';
import { SYSTEM } from '../../src/auth/audit-trail.ts';
import { removeAbandoned } from '../../src/codes/abandoned.ts';
import { parsePattern } from '../../src/codes/pattern.ts';
import { invariant } from '../../src/invariant.ts';
import { startMysqlServer } from '../../tools/stack/mysql-server.ts';
import { closeDatabase, openDatabase, type Session, withConnection } from '../../src/mysql/database.ts';
import { applyMigrations } from '../../src/mysql/migrations.ts';
import { readServerVersion, unsupportedServer } from '../../src/mysql/server-version.ts';
import { testMysql } from '../../src/runtime/mysql-self-test.ts';
import { explainMysql } from '../../src/runtime/store-faults.ts';
import { eventually } from '../eventually.ts';
import { startEntry } from '../started-entry.ts';
import { openStores, type Stores } from '../stores.ts';
import { startTestDelivering } from '../test-delivering.ts';
import { startReceiver } from '../webhook-receiver.ts';

const folder = mkdtempSync(join(tmpdir(), 'mysql-preflight-'));
const stores = await openStores();
const undo: (() => unknown)[] = [() => stores.close()];
afterAll(async () => {
  for (const step of undo.reverse()) await step();
  rmSync(folder, { recursive: true });
});
const root = (statement: string) => withConnection(stores.database, (_, connection) => connection.query(statement));

/** The lines with which a process is refused; none when it may start. */
async function faultsOf(url = stores.config.DATABASE_URL): Promise<string[]> {
  const database = openDatabase({ ...stores.config, DATABASE_URL: url });
  try {
    return await testMysql(database, await withConnection(database, readServerVersion));
  } catch (error) {
    return [explainMysql(error).line];
  } finally {
    await closeDatabase(database);
  }
}

const server = await startMysqlServer({ folder, settings: { 'innodb-lock-wait-timeout': '5' } });
undo.push(() => server.stop());
const own = await openStores({ databaseUrl: server.url });
undo.push(() => own.close());
const set = (statement: string) => withConnection(own.database, (_, connection) => connection.query(statement));
await set("CREATE USER app@'%' IDENTIFIED BY 'app'");
await set("GRANT ALL ON *.* TO app@'%'");
// MySQL writes some names otherwise.
const isMariadb = JSON.stringify(await set('SELECT VERSION()')).includes('MariaDB');
await set(`REVOKE SUPER, ${isMariadb ? 'CONNECTION ADMIN' : 'CONNECTION_ADMIN'} ON *.* FROM app@'%'`);
const ISOLATION = isMariadb ? 'tx_isolation' : 'transaction_isolation';
// Whoever may administer skips init_connect.
const app = new URL(own.config.DATABASE_URL);
app.username = app.password = 'app';

test('a healthy MySQL passes; nothing is left in it, and no id of a coupon is used up', async () => {
  await root('TRUNCATE coupons');
  expect(await faultsOf()).toEqual([]);
  expect(await stores.coupon()).toMatchObject({ id: 1 });
  expect(await faultsOf()).toEqual([]);
  expect(await stores.coupon()).toMatchObject({ id: 2 });
  expect(await root('SELECT * FROM coupon_issues')).toMatchObject([[], {}]);
});

test('users with the rights that the guide names migrate, start, issue, record and delete', async () => {
  const guide = await Bun.file(resolve(import.meta.dir, '../../deploy/README.md')).text();
  const grants = [...guide.matchAll(/^GRANT .+;$/gm)].map(([line]) => line.slice(0, -1));
  expect(grants.map((line) => / TO (\w+)@/.exec(line)?.[1])).toEqual(['migrate', ...Array<string>(13).fill('serve')]);
  const name = `rights_${crypto.randomUUID().slice(0, 8)}`;
  await set(`CREATE DATABASE ${name}`);
  for (const user of ['migrate', 'serve']) await set(`CREATE USER ${user}@'%' IDENTIFIED BY 'pw'`);
  const urlOf = (user: string) => {
    const url = new URL(`/${name}`, server.url);
    return Object.assign(url, { username: user, password: 'pw' }).href;
  };
  const [migrating = '', ...serving] = grants.map((line) => line.replace(/ON coupon\./, `ON ${name}.`));
  await set(migrating);
  const database = openDatabase({ ...own.config, DATABASE_URL: urlOf('migrate') });
  await applyMigrations(database, 5);
  await closeDatabase(database);
  for (const grant of serving) await set(grant);
  const DATABASE_URL = urlOf('serve');
  expect(await faultsOf(DATABASE_URL)).toEqual([]);
  const running = startEntry({ config: { ...own.config, DATABASE_URL } }, 'src/server.ts');
  undo.push(() => running.child.kill('SIGKILL'));
  expect((await fetch(`${await running.url()}/readyz`)).status).toBe(200);
  await using api = await own.createApi({ DATABASE_URL, WEBHOOK_PRIVATE: 'on' });
  await using worker = await own.startWorker({ DATABASE_URL });
  const draft = {
    title: 'a',
    totalQuantity: 3,
    discountAmount: 0,
    minAvailableAmount: 0,
    startMs: 0,
    endMs: 4e12,
    listed: true,
  };
  const coupon = await api.catalog.create(draft);
  for (const issuer of ['scripted', 'locked', 'synchronous'] as const)
    expect((await api.issuance.issue(issuer, coupon.id, issuer)).kind).toBe('issued');
  await worker.drained();
  const unused = await api.catalog.create(draft);
  const pattern = parsePattern('RIGHTS-########');
  invariant(pattern, 'not a pattern');
  expect(await api.codes.generate(coupon.id, pattern, SYSTEM)).toEqual({ kind: 'generated' });
  const uploaded = (async function* () {
    yield [1, 2, 3].map((line) => ({ line, code: `RIGHTS-${line}` }));
  })();
  expect(await api.codes.import(unused.id, uploaded, SYSTEM)).toEqual({ kind: 'imported', codes: 3 });
  expect(await api.editor.remove(unused.id, null)).toMatchObject({ kind: 'removed' });
  await removeAbandoned(api.database);
  await using receiver = startReceiver();
  expect(
    await api.webhooks.create({ url: receiver.url, kinds: ['issue.created', 'issue.used'] }, SYSTEM),
  ).toMatchObject({
    kind: 'created',
  });
  const delivering = startTestDelivering(own, { DATABASE_URL, WEBHOOK_PRIVATE: 'on', WEBHOOK_POLL_MS: 20 });
  expect(await api.issues.change(coupon.id, 'locked', { kind: 'use', reference: null })).toMatchObject({
    kind: 'done',
  });
  await eventually('the event', () => receiver.events.length === 1);
  await delivering[Symbol.asyncDispose]();
  expect(delivering.faults).toEqual([]);
  // What they need not write they cannot write.
  const restricted = openDatabase({ ...own.config, DATABASE_URL });
  undo.push(() => closeDatabase(restricted));
  for (const table of ['api_keys', 'audit_trail', '__drizzle_migrations', 'migration_progress'])
    await expect(
      withConnection(restricted, (_, connection) => connection.query(`UPDATE ${table} SET id = 1`)),
    ).rejects.toThrow('denied');
});

describe('refused is', () => {
  test('a table that cannot roll back', async () => {
    await root('ALTER TABLE coupon_issues ENGINE=MyISAM');
    try {
      expect(await faultsOf()).toEqual([
        'DATABASE_URL: the table coupon_issues is of the engine MyISAM; ALTER TABLE coupon_issues ENGINE=InnoDB',
      ]);
    } finally {
      await root('ALTER TABLE coupon_issues ENGINE=InnoDB');
    }
  });

  test('a MySQL that does not check', async () => {
    await root('ALTER TABLE coupons DROP CONSTRAINT coupons_never_too_many');
    try {
      expect(await faultsOf()).toEqual([
        'DATABASE_URL: MySQL does not enforce CHECK constraints, the last guard of P1; turn them on there',
      ]);
    } finally {
      await root('ALTER TABLE coupons ADD CONSTRAINT coupons_never_too_many CHECK (issued_quantity <= total_quantity)');
    }
  });

  test.each(['SELECT', 'INSERT', 'UPDATE', 'DELETE'])('a user without the right to %s', async (lacking) => {
    const rights = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'].filter((right) => right !== lacking);
    const [line = '', ...more] = await faultsOf(await userWith(rights));
    expect(more).toEqual([]);
    expect(line).toStartWith(
      'DATABASE_URL: MySQL cannot be used (ER_TABLEACCESS_DENIED_ERROR 1142): the user lacks a right; GRANT',
    );
  });

  test('a proxy that drops what sessions are set to', async () => {
    const proxy = await changingProxy(stores.config.DATABASE_URL, DROP_SETTINGS);
    // Also for the names of the settings: every server has another default here or there.
    const [line = '', ...more] = await faultsOf(proxy);
    expect(more).toEqual([]);
    expect(line).toMatch(
      /^DATABASE_URL: sessions do not keep their settings \(time_zone, sql_mode[a-z_, ]*\); let the proxy pass `SET`/,
    );
  });

  test.each([
    ['TiDB', '8.0.11-TiDB-v8.5.0', 'TiDB Server (Apache License 2.0)', '0', 'this is TiDB'],
    ['OceanBase', '5.7.25', 'OceanBase_CE 4.2.1', '0', 'this is OceanBase'],
    ['Galera', '10.11.6-MariaDB', 'mariadb.org', '3', 'this is a Galera cluster of 3 nodes'],
  ])('%s, by its own name', async (_, version, comment, size, says) => {
    expect(await unsupportedServer(telling(comment, size), version)).toStartWith(`DATABASE_URL: ${says}`);
  });
});

test('MySQL, MariaDB and a Galera of one node are no others', async () => {
  expect(
    await withConnection(stores.database, async (session) =>
      unsupportedServer(session, await readServerVersion(session)),
    ),
  ).toBe(null);
  expect(await unsupportedServer(telling('mariadb.org', '1'), '10.11.6-MariaDB')).toBe(null);
});

test('a user with no more than the four rights passes', async () => {
  expect(await faultsOf(await userWith(['SELECT', 'INSERT', 'UPDATE', 'DELETE']))).toEqual([]);
});

describe('settings of a server of our own', () => {
  test.each([
    ['autocommit', '0', '1'],
    ['init_connect', "'SET autocommit=0'", "''"],
    ['sql_mode', "'ANSI,STRICT_TRANS_TABLES'", "''"],
    ['sql_mode', "'NO_BACKSLASH_ESCAPES'", "''"],
    ['sql_mode', "''", "''"],
    ['time_zone', "'+09:00'", "'SYSTEM'"],
    [ISOLATION, "'SERIALIZABLE'", "'REPEATABLE-READ'"],
    [ISOLATION, "'READ-UNCOMMITTED'", "'REPEATABLE-READ'"],
    ['init_connect', "'SET SESSION sql_safe_updates=1'", "''"],
    ['init_connect', "'SET SESSION sql_auto_is_null=1'", "''"],
    ['max_allowed_packet', '65536', '16777216'],
    ['innodb_lock_wait_timeout', '1', '5'],
    ['auto_increment_increment', '10', '1'],
    ['wait_timeout', '2', '28800'],
    ['completion_type', "'CHAIN'", "'NO_CHAIN'"],
    ['completion_type', "'RELEASE'", "'NO_CHAIN'"],
    ['lc_messages', "'ko_KR'", "'en_US'"],
    ['sort_buffer_size', '32768', '2097152'],
  ])('%s = %s changes nothing, or is refused', async (name, value, before) => {
    await set(`SET GLOBAL ${name} = ${value}`);
    try {
      const faults = await faultsOf(app.href);
      if (name === 'completion_type') {
        expect(faults).toEqual([`DATABASE_URL: completion_type of MySQL is ${value.slice(1, -1)}; set it to NO_CHAIN`]);
        return;
      }
      expect(faults).toEqual([]);
      await using api = await own.createApi({ DATABASE_URL: app.href });
      await using _worker = await own.startWorker({ DATABASE_URL: app.href });
      const coupon = await own.coupon({ totalQuantity: 30, title: `"quoted" \\ 'it''s' 쿠폰` });
      const outcomes = await Promise.all(
        Array.from({ length: 40 }, (_, i) =>
          api.issuance.issue((['scripted', 'locked', 'synchronous'] as const)[i % 3] ?? 'scripted', coupon.id, `u${i}`),
        ),
      );
      expect(outcomes.filter(({ kind }) => kind === 'issued')).toHaveLength(30);
      await eventually('all rows', async () => (await own.rows(coupon.id)).length === 30);
      const [first] = await own.rows(coupon.id);
      expect(Math.abs((first?.issuedMs ?? 0) - Date.now())).toBeLessThan(60_000);
    } finally {
      await set(`SET GLOBAL ${name} = ${before}`);
    }
  });
});

// MySQL 9.7 does not start with these settings.
describe.skipIf(!isMariadb)('a server of gbk that ignores the character set of the handshake', () => {
  // In gbk the last byte of the first character and the backslash of an escaped quote are one character, and the quote ends the text.
  const titles = ["\u4fff', 1, 1) -- ", "\u07ff' OR '1'='1", '\u4fff" \\', "it's 쿠폰 \u{1f39f}", '\u4fff\\'];
  let gbk: Stores | undefined;
  const stand = () => gbk ?? expect.unreachable('the server did not start');
  beforeAll(async () => {
    const settings = { 'character-set-server': 'gbk', 'skip-character-set-client-handshake': 'ON' };
    const started = await startMysqlServer({ folder: join(folder, 'gbk'), settings });
    undo.push(() => started.stop());
    gbk = await openStores({ databaseUrl: started.url });
    undo.push(() => stand().close());
  });

  test('has sessions of utf8mb4, starts, and keeps every title as it was typed', async () => {
    const { config } = stand();
    expect(await faultsOf(config.DATABASE_URL)).toEqual([]);
    for (const title of titles) expect(await stand().coupon({ title })).toMatchObject({ title });
  });

  test('is refused behind a proxy that drops SET NAMES', async () => {
    const proxy = await changingProxy(stand().config.DATABASE_URL, DROP_NAMES);
    expect(await faultsOf(proxy)).toEqual([
      'DATABASE_URL: sessions do not keep their settings (character_set_client, character_set_connection, ' +
        'character_set_results); let the proxy pass `SET`, or connect without it',
    ]);
  });

  test('takes no title for a statement, even behind such a proxy', async () => {
    const proxy = await changingProxy(stand().config.DATABASE_URL, DROP_NAMES);
    const database = openDatabase({ ...stand().config, DATABASE_URL: proxy });
    undo.push(() => closeDatabase(database));
    for (const title of titles) {
      const { id } = await stand().coupon({ title: 'plain' });
      await withConnection(database, (session) => session.update(coupons).set({ title }).where(eq(coupons.id, id)));
      expect(await stand().couponNow(id)).toMatchObject({ title });
    }
  });
});

/** A user of this test's database with these rights. Returns the URL under which it connects. */
async function userWith(rights: readonly string[]): Promise<string> {
  const url = new URL(stores.config.DATABASE_URL);
  url.username = `u${crypto.randomUUID().slice(0, 8)}`;
  url.password = 'secret';
  await root(`CREATE USER '${url.username}'@'%' IDENTIFIED BY 'secret'`);
  undo.push(() => root(`DROP USER '${url.username}'@'%'`));
  await root(`GRANT ${rights.join(', ')} ON ${url.pathname.slice(1)}.* TO '${url.username}'@'%'`);
  return url.href;
}

/** A session of a server that says this of itself. */
function telling(comment: string, wsrepClusterSize: string): Session {
  const rows = [[{ comment }], [{ Value: wsrepClusterSize }]];
  return { execute: () => Promise.resolve([rows.shift() ?? []]) } as unknown as Session;
}

type TextChange = readonly [from: RegExp, to: string];

/** Settings are taken for variables of the user. */
const DROP_SETTINGS: TextChange = [/SESSION (?=time_zone|sql_mode|autocommit)/g, '@dropped'];
const DROP_NAMES: TextChange = [/SET NAMES utf8mb4/g, "DO 'NAMES latin1'"];

/** A proxy that changes statements, within their length. */
async function changingProxy(databaseUrl: string, [from, to]: TextChange): Promise<string> {
  const url = new URL(databaseUrl);
  const target = { port: Number(url.port), host: url.hostname };
  const proxy = createServer((client) => {
    const behind = connectTcp(target);
    client.on('data', (data) => {
      const changed = data.toString('latin1').replaceAll(from, (text) => to.padEnd(text.length));
      behind.write(Buffer.from(changed, 'latin1'));
    });
    behind.pipe(client);
    for (const socket of [client, behind])
      socket.on('error', () => client.destroy()).on('close', () => behind.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  undo.push(() => proxy.close());
  const address = proxy.address();
  url.port = String(address !== null && typeof address === 'object' ? address.port : 0);
  return url.href;
}
