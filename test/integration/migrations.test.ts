// migrations.test.ts -- A migration can be interrupted anywhere and repeated, on the server at hand; what was applied is compared one by one.

import { afterAll, describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { drizzle } from 'drizzle-orm/mysql2';
import { migrate as migrateAsEarlierReleases } from 'drizzle-orm/mysql2/migrator';
import { closeDatabase, type Database, openDatabase, withConnection } from '../../src/mysql/database.ts';
import { errorNumber } from '../../src/mysql/faults.ts';
import { applyMigrations, compareMigrations } from '../../src/mysql/migrations.ts';
import { issuingConnection } from '../../src/redis/connection.ts';
import { OperatorError } from '../../src/operator-error.ts';
import { preflight } from '../../src/runtime/preflight.ts';
import { runCommand } from '../../tools/stack/run-command.ts';
import { eventually } from '../eventually.ts';
import { openStores, type Settings } from '../stores.ts';
import { openTcpProxy } from '../tcp-proxy.ts';

const migrationsFolder = resolve(import.meta.dirname, '../../drizzle/migrations');
const journal = JSON.parse(readFileSync(join(migrationsFolder, 'meta/_journal.json'), 'utf8')) as {
  readonly entries: readonly { readonly idx: number; readonly when: number; readonly tag: string }[];
};
const all = journal.entries.length;

const stores = await openStores();
const root = (statement: string) => withConnection(stores.database, (_, connection) => connection.query(statement));
const cleanup: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const step of cleanup.reverse()) await step();
  await stores.close();
});

/** A database that is empty, and a way to make it so again. */
async function emptyDatabase() {
  const name = `coupon_test_${crypto.randomUUID().replaceAll('-', '')}`;
  await root(`CREATE DATABASE ${name}`);
  cleanup.push(() => root(`DROP DATABASE ${name}`));
  const url = new URL(stores.config.DATABASE_URL);
  url.pathname = `/${name}`;
  return {
    name,
    url: url.href,
    clear: async () => {
      await root(`DROP DATABASE ${name}`);
      await root(`CREATE DATABASE ${name}`);
    },
  };
}

function open(url: string, settings: Settings = {}): Database & AsyncDisposable {
  const database = openDatabase(stores.configWith({ ...settings, DATABASE_URL: url }));
  return { ...database, transactionMsMax: 30_000, [Symbol.asyncDispose]: () => closeDatabase(database) };
}

async function rowsOf(database: Database, statement: string): Promise<Record<string, unknown>[]> {
  const [rows] = await withConnection(database, (_, connection) => connection.query(statement));
  return rows as Record<string, unknown>[];
}

/** Every table as the server would create it, what the journal says, and what is in progress. */
async function stateOf(database: Database) {
  const tables = (await rowsOf(database, 'SHOW TABLES')).map((row) => String(Object.values(row)[0]));
  const created = new Map<string, string>();
  for (const table of tables) {
    const [row] = await rowsOf(database, `SHOW CREATE TABLE ${table}`);
    // The next id of the journal depends on how often it was tried.
    const statement = String(row?.['Create Table'] ?? row?.['Create View']);
    // Nor is it the same who made a view.
    created.set(table, statement.replace(/ AUTO_INCREMENT=\d+/, '').replace(/ DEFINER=\S+/, ''));
  }
  const applied = tables.includes('__drizzle_migrations')
    ? await rowsOf(database, 'SELECT created_at FROM __drizzle_migrations ORDER BY created_at')
    : [];
  return {
    tables: created,
    applied: applied.map((row) => Number(row['created_at'])),
    progress: await rowsOf(database, 'SELECT owner, migration, done, begun FROM migration_progress'),
  };
}

/** What a process leaves that is killed: its lease, which ends after some seconds. */
const endLease = (database: Database) =>
  withConnection(database, (_, connection) => connection.query('UPDATE migration_progress SET expires_ms = 0')).catch(
    (error: unknown) => {
      // Killed before there was the table.
      if (errorNumber(error) !== 1146) throw error;
    },
  );

const expected = await (async () => {
  const { url } = await emptyDatabase();
  await using database = open(url);
  expect(await applyMigrations(database, 1)).toBe(all);
  return await stateOf(database);
})();

/** Counts the statements of a connection, by the packets in which MySQL's protocol sends them. */
function onStatement(n: number, met: { count: number }): (packet: string) => boolean {
  return (packet) => packet.charCodeAt(4) === 3 && ++met.count === n;
}

/** Mostly they wait for the disk. */
const LANES = 4;

/**
 * Interrupts a migration of an empty database after its first statement, after its second and so on, in several databases at a time.
 *
 * @param migrate with the connection that is lost
 * @param complete what comes then, with one that is not
 * @returns how often it was interrupted: until it was not
 */
async function afterEachStatement(
  migrate: (database: Database) => Promise<'done' | 'interrupted'>,
  complete: (database: Database, n: number) => Promise<void>,
): Promise<number> {
  let [next, interrupted, isOver] = [1, 0, false];
  const lane = async () => {
    const { url, clear } = await emptyDatabase();
    await using proxy = await openTcpProxy(url);
    await using direct = open(url);
    while (!isOver) {
      const n = next++;
      await clear();
      {
        await using database = open(proxy.url);
        proxy.loseReplyTo(onStatement(n, { count: 0 }));
        if ((await migrate(database)) === 'done') {
          isOver = true;
          return;
        }
      }
      interrupted += 1;
      await complete(direct, n);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return interrupted;
}

describe('interrupted', () => {
  test('everything is there after an undisturbed run', () => {
    expect([...expected.tables.keys()]).toEqual([
      '__drizzle_migrations',
      'api_keys',
      'audit_trail',
      'code_imports',
      'code_patterns',
      'coupon_issue_days',
      'coupon_issues',
      'coupons',
      'erased_users',
      'imported_codes',
      'installation',
      'leases',
      'migration_progress',
      'outbox',
      'webhook_cursors',
      'webhook_deliveries',
      'webhooks',
    ]);
    expect(expected.applied).toEqual(journal.entries.map(({ when }) => when));
    expect(expected.progress).toEqual([{ owner: null, migration: null, done: 0, begun: 0 }]);
    for (const text of expected.tables.values())
      expect(text).toMatch(/SQL SECURITY INVOKER VIEW|ENGINE=InnoDB .*DEFAULT CHARSET=utf8mb4/);
  });

  test('after any statement, a migration that is repeated brings the same schema', async () => {
    const interrupted = await afterEachStatement(
      (database) =>
        applyMigrations(database, 1).then(
          (applied) => (applied === all ? 'done' : 'interrupted'),
          () => 'interrupted',
        ),
      async (direct, n) => {
        await endLease(direct);
        await applyMigrations(direct, 1);
        expect([n, await stateOf(direct)]).toEqual([n, expected]);
      },
    );
    // Three to open the connection; every statement of the migrations has its record before it and a transaction around it.
    expect(interrupted).toBeGreaterThan(40);
  }, 240_000);

  test('after kill -9 of the command, the next one waits for the lease and completes it', async () => {
    const { url } = await emptyDatabase();
    await using proxy = await openTcpProxy(url);
    await using direct = open(url);
    const environment = (databaseUrl: string) => ({ ...process.env, DATABASE_URL: databaseUrl });
    const child = Bun.spawn([process.execPath, 'src/commands/migrate.ts'], {
      env: environment(proxy.url),
      stdout: 'ignore',
    });
    proxy.loseReplyTo((packet) => {
      if (!packet.includes('CREATE TABLE `coupons`')) return false;
      child.kill('SIGKILL');
      return true;
    });
    await child.exited;
    expect(await compareMigrations(direct)).toEqual({ missing: all, unknown: 0 });
    const { output } = await runCommand(process.execPath, ['src/commands/migrate.ts'], {
      environment: environment(url),
    });
    expect(output).toBe(`Applied ${all} migration(s).`);
    expect(await stateOf(direct)).toEqual(expected);
  });

  test('by the earlier migrator after any statement, a migration is completed by this one', async () => {
    // The earlier migrator creates its journal in another form.
    const withoutJournal = (state: typeof expected) => ({
      ...state,
      tables: new Map([...state.tables].filter(([table]) => table !== '__drizzle_migrations')),
    });
    const interrupted = await afterEachStatement(
      (database) =>
        earlierMigrator(database).then(
          () => 'done',
          () => 'interrupted',
        ),
      async (direct, n) => {
        await applyMigrations(direct, 1);
        expect([n, withoutJournal(await stateOf(direct))]).toEqual([n, withoutJournal(expected)]);
      },
    );
    expect(interrupted).toBeGreaterThan(20);
  }, 120_000);

  test('by a missing privilege, a migration goes on once it is granted', async () => {
    const { name, url } = await emptyDatabase();
    const user = `u_${crypto.randomUUID().slice(0, 8)}`;
    await root(`CREATE USER ${user}@'%' IDENTIFIED BY 'pw'`);
    cleanup.push(() => root(`DROP USER ${user}@'%'`));
    await root(`GRANT SELECT, INSERT, UPDATE, CREATE ON ${name}.* TO ${user}@'%'`);
    const address = new URL(url);
    address.username = user;
    address.password = 'pw';
    await using database = open(address.href);
    const denied = await applyMigrations(database, 1).catch(errorNumber);
    expect(denied).toBe(1142);
    await root(`GRANT INDEX, ALTER, CREATE VIEW ON ${name}.* TO ${user}@'%'`);
    await using again = open(address.href);
    expect(await applyMigrations(again, 1)).toBe(all);
    await using direct = open(url);
    expect(await stateOf(direct)).toEqual(expected);
  });
});

function earlierMigrator(database: Database): Promise<void> {
  return withConnection(database, (_, connection) =>
    migrateAsEarlierReleases(drizzle(connection), { migrationsFolder, migrationsTable: '__drizzle_migrations' }),
  );
}

describe('what is there already', () => {
  test('nothing is done twice to a database that an earlier release migrated', async () => {
    const { url } = await emptyDatabase();
    await using database = open(url);
    await earlierMigrator(database);
    await rowsOf(
      database,
      "INSERT INTO api_keys (name, scopes, digest, date_created) VALUES ('k', 'read', 'd', NOW())",
    );
    expect(await applyMigrations(database, 1)).toBe(0);
    const { applied, progress } = await stateOf(database);
    expect({ applied, progress }).toEqual({ applied: expected.applied, progress: expected.progress });
    expect(await rowsOf(database, 'SELECT name FROM api_keys')).toEqual([{ name: 'k' }]);
  });

  test('tables that an early release made in latin1, a default of the server, hold any text after it, and keep what they held', async () => {
    const { name, url } = await emptyDatabase();
    await using database = open(url);
    await root(`ALTER DATABASE ${name} CHARACTER SET latin1`);
    const early = journal.entries.slice(0, 3);
    for (const { tag } of early) {
      const text = readFileSync(join(migrationsFolder, `${tag}.sql`), 'utf8');
      for (const statement of text.split('--> statement-breakpoint'))
        await rowsOf(database, statement.replace(' ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4', ''));
    }
    await rowsOf(
      database,
      'CREATE TABLE __drizzle_migrations (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint)',
    );
    for (const { when } of early)
      await rowsOf(database, `INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('', ${when})`);
    const key = (owner: string) =>
      rowsOf(
        database,
        `INSERT INTO api_keys (name, scopes, digest, date_created) VALUES ('${owner}', 'read', 'd', NOW())`,
      );
    await key('Café Zürich');
    await expect(key('쇼핑몰 🎟')).rejects.toThrow(/Incorrect string value/);
    expect(await applyMigrations(database, 1)).toBe(all - early.length);
    await key('쇼핑몰 🎟');
    expect(await rowsOf(database, 'SELECT name FROM api_keys ORDER BY id')).toEqual([
      { name: 'Café Zürich' },
      { name: '쇼핑몰 🎟' },
    ]);
    const { tables } = await stateOf(database);
    for (const table of ['api_keys', 'coupons', 'coupon_issues', 'installation'])
      expect([table, tables.get(table)]).toEqual([table, expected.tables.get(table)]);
  });

  test('a table of another application under one of our names stays an error, and stays theirs', async () => {
    const { url } = await emptyDatabase();
    await using database = open(url);
    await rowsOf(database, 'CREATE TABLE coupons (theirs int)');
    for (let i = 0; i < 3; i++) expect(await applyMigrations(database, 1).catch(errorNumber)).toBe(1050);
    expect(await rowsOf(database, 'SELECT * FROM coupons')).toEqual([]);
    expect((await rowsOf(database, 'SHOW COLUMNS FROM coupons')).map((row) => row['Field'])).toEqual(['theirs']);
  });

  test('a migration whose date lies before the newest applied one is applied', async () => {
    const { url } = await emptyDatabase();
    await using database = open(url);
    await applyMigrations(database, 1);
    await rowsOf(database, 'DROP TABLE api_keys');
    await rowsOf(database, `DELETE FROM __drizzle_migrations WHERE created_at = ${journal.entries[1]?.when}`);
    expect(await compareMigrations(database)).toEqual({ missing: 1, unknown: 0 });
    expect(await applyMigrations(database, 1)).toBe(1);
    expect(await stateOf(database)).toEqual(expected);
  });

  test('a database that is ahead of the release is one warning, for a start and for the command', async () => {
    const { url } = await emptyDatabase();
    await using database = open(url);
    await applyMigrations(database, 1);
    await rowsOf(database, "INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('later', 1999999999999)");
    const line = 'DATABASE_URL: the database has 1 migration(s) of a later release; see docs/releases.md';
    const warnings: string[] = [];
    const redis = issuingConnection(stores.config, () => undefined);
    await preflight({
      database,
      connections: [redis],
      settings: { ALLOW_VOLATILE_REDIS: 'on', START_WAIT_S: 0 },
      say: (warning) => warnings.push(warning),
      testRedis: () => Promise.resolve([]),
    }).finally(() => redis.disconnect());
    expect(warnings).toEqual([line]);
    const environment = { ...process.env, DATABASE_URL: url };
    const { ok, output } = await runCommand(process.execPath, ['src/commands/migrate.ts'], { environment });
    expect({ ok, lines: output.split('\n').toSorted((a, b) => a.localeCompare(b)) }).toEqual({
      ok: true,
      lines: [line, 'The database is up to date.'],
    });
  });

  test('what another release left incomplete is not built upon', async () => {
    const { url } = await emptyDatabase();
    await using database = open(url);
    await applyMigrations(database, 1);
    await rowsOf(database, 'UPDATE migration_progress SET migration = 1999999999999, done = 1, begun = 2');
    expect(await applyMigrations(database, 1)).toBe(0);
    await rowsOf(database, `DELETE FROM __drizzle_migrations WHERE created_at = ${journal.entries[1]?.when}`);
    await expect(applyMigrations(database, 1)).rejects.toThrow(
      'DATABASE_URL: another release left migration 1999999999999 incomplete; run `bun run migrate` of that release first',
    );
  });
});

describe('the lock', () => {
  test('processes that migrate an empty database in parallel all succeed, and one of them did it', async () => {
    const { url } = await emptyDatabase();
    await using database = open(url);
    const run = () =>
      runCommand(process.execPath, ['src/commands/migrate.ts'], { environment: { ...process.env, DATABASE_URL: url } });
    const results = await Promise.all([run(), run(), run()]);
    expect(results.map(({ output }) => output).toSorted((a, b) => a.localeCompare(b))).toEqual([
      `Applied ${all} migration(s).`,
      'The database is up to date.',
      'The database is up to date.',
    ]);
    expect(await stateOf(database)).toEqual(expected);
  });

  test('a process that waits in vain for another that migrates says so', async () => {
    const { url } = await emptyDatabase();
    await using database = open(url);
    await applyMigrations(database, 1);
    await rowsOf(database, "UPDATE migration_progress SET owner = 'another', expires_ms = 9999999999999");
    await expect(applyMigrations(database, 1)).rejects.toThrow(
      new OperatorError('DATABASE_URL: another process has been migrating for 1 s; try again when it is done'),
    );
    await endLease(database);
    expect(await applyMigrations(database, 1)).toBe(0);
  });

  test('a process renews its lease during a long statement, and stops after it when another took over', async () => {
    const { name, url } = await emptyDatabase();
    await using database = open(url);
    {
      await using proxy = await openTcpProxy(url);
      await using broken = open(proxy.url);
      proxy.loseReplyTo((packet) => packet.includes('CREATE TABLE `coupons`'));
      await expect(applyMigrations(broken, 1)).rejects.toThrow();
    }
    await endLease(database);
    // A transaction that has read the table makes DDL on it wait.
    let run: Promise<unknown> = Promise.resolve();
    await withConnection(database, async (_, reader) => {
      await reader.query('BEGIN');
      await reader.query('SELECT * FROM coupons');
      run = applyMigrations(database, 1).catch((error: unknown) => error);
      await eventually('the statement that waits', async () =>
        (await rowsOf(database, 'SHOW FULL PROCESSLIST')).some(
          (row) => row['db'] === name && String(row['Info']).includes('CREATE INDEX `coupons_by_home`'),
        ),
      );
      const expiresMs = async () =>
        Number((await rowsOf(database, 'SELECT expires_ms FROM migration_progress'))[0]?.['expires_ms']);
      const before = await expiresMs();
      await eventually('a renewal', async () => (await expiresMs()) > before);
      await rowsOf(database, "UPDATE migration_progress SET owner = 'another', expires_ms = 9999999999999");
      await reader.query('COMMIT');
    });
    expect(await run).toEqual(
      new OperatorError('DATABASE_URL: another process took over the migration; run it again when that is done'),
    );
    await endLease(database);
    await applyMigrations(database, 1);
    expect(await stateOf(database)).toEqual(expected);
  });
});

test('the files of the migrations stand in the order of their names and dates, and name engine and character set', () => {
  const { entries } = journal;
  expect(entries.map(({ idx }) => idx)).toEqual(entries.map((_, i) => i));
  expect(entries.map(({ tag }) => tag.slice(0, 5))).toEqual(entries.map((_, i) => `${String(i).padStart(4, '0')}_`));
  const dates = entries.map(({ when }) => when);
  expect(dates).toEqual([...new Set(dates)].toSorted((a, b) => a - b));
  const files = readdirSync(migrationsFolder).filter((file) => file.endsWith('.sql'));
  expect(files.toSorted()).toEqual(entries.map(({ tag }) => `${tag}.sql`));
  const statements = files.flatMap((file) =>
    readFileSync(join(migrationsFolder, file), 'utf8').split('--> statement-breakpoint'),
  );
  for (const statement of statements.filter((text) => text.includes('CREATE TABLE')))
    expect(statement.trim()).toEndWith(') ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;');
});
