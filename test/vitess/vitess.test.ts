// vitess.test.ts -- What only Vitess can do otherwise than MySQL, on two shards with the vschema of deploy/vitess.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { gte } from 'drizzle-orm';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { coupons } from '../../drizzle/schema.ts';
import { lockCoupon } from '../../src/coupon/catalog.ts';
import { auditCoupon } from '../../src/operations/audit.ts';
import { closeDatabase, openDatabase, withConnection, withTransaction } from '../../src/mysql/database.ts';
import { endLease, takeLease } from '../../src/mysql/lease.ts';
import { applyMigrations } from '../../src/mysql/migrations.ts';
import { lifeOf } from '../../src/mysql/pool.ts';
import { explainMysql } from '../../src/runtime/store-faults.ts';
import { createRedisStock } from '../../src/stock/redis-stock.ts';
import { issuerNames } from '../../src/issuing/issuer.ts';
import { eventually } from '../eventually.ts';
import { startEntry } from '../started-entry.ts';
import { draftOf, openStores, type Stores } from '../stores.ts';
import { findVitess, startVitess, type VitessServer } from './vitess-server.ts';

const programs = findVitess();
const KEYSPACES = ['test_1', 'test_2'] as const;
const START_MS_MAX = 120_000;
const FIRST_MIGRATION = resolve(import.meta.dirname, '../../drizzle/migrations/0000_create-coupons-and-issues.sql');

describe.skipIf(!programs)('on two shards', () => {
  let server: VitessServer;
  let stores: Stores;

  beforeAll(async () => {
    if (!programs) return;
    // Not SINGLE, which refuses what is to be counted here.
    server = await startVitess({
      programs,
      shards: 2,
      keyspaces: KEYSPACES,
      flags: { 'transaction-mode': 'MULTI' },
    });
    stores = await openStores({ databaseUrl: server.url, keyspaces: KEYSPACES.slice(0, 1) });
  }, START_MS_MAX);
  afterAll(async () => {
    await stores.close();
    await server.stop();
  }, START_MS_MAX);

  /** Transactions that vtgate has committed, by `Single` or `Cross` and `ReadWrite` or `ReadOnly`. */
  const committed = async () => (await server.readCounters())['TransactionsProcessed'] as Record<string, number>;

  /** Rows of a table in the databases of the shards. */
  const inShards = (table: string) =>
    asRoot(server, async (root) => {
      const counted = server.shardDatabases.map((database) => `SELECT COUNT(*) AS n FROM \`${database}\`.${table}`);
      const [rows] = await root.query<RowDataPacket[]>(counted.join(' UNION ALL '));
      return rows.map((row) => Number(row['n']));
    });

  test('no transaction of the hot path spans shards', async () => {
    await using api = await stores.createApi();
    await using worker = await stores.startWorker();
    const made = await Promise.all(Array.from({ length: 8 }, () => stores.coupon({ totalQuantity: 1000 })));
    const before = await committed();
    for (let round = 0; round < 5; round++) {
      await Promise.all(
        made.map(async ({ id }, i) => {
          const users = Array.from({ length: 20 }, (_, k) => `user-${round}-${k}`);
          const issuer = api.issuers[issuerNames[(i + round) % issuerNames.length] ?? 'scripted'];
          const outcomes = await issuer.issue(id, users);
          expect(outcomes.map(({ kind }) => kind)).toEqual(users.map(() => 'issued'));
          expect((await api.issues.statusOf(id, users[0] ?? ''))?.kind).not.toBe('none');
        }),
      );
    }
    await worker.drained();
    for (const { id } of made) expect((await stores.rows(id)).length).toBe(100);
    for (const rows of await inShards('coupon_issues')) expect(rows).toBeGreaterThan(0);
    const after = await committed();
    expect(after['Single.ReadWrite'] ?? 0).toBeGreaterThan((before['Single.ReadWrite'] ?? 0) + 10);
    expect(after['Cross.ReadWrite'] ?? 0).toBe(before['Cross.ReadWrite'] ?? 0);
    expect(after['Cross.ReadOnly'] ?? 0).toBe(before['Cross.ReadOnly'] ?? 0);
  });

  test('an audit counts the rows of its coupon beside its counter', async () => {
    await using api = await stores.createApi();
    const { id } = await stores.coupon({ totalQuantity: 5 });
    await api.issuers.synchronous.issue(id, ['a', 'b', 'c']);
    const redisStock = createRedisStock(api.redis, stores.config);
    expect(await auditCoupon({ redisStock, database: stores.database }, id)).toMatchObject({
      rows: 3,
      issuedQuantity: 3,
      totalQuantity: 5,
      unexpected: 0,
      outsidePeriod: 0,
    });
  });

  test('a lease, by which one worker delivers to webhooks, is held by one until it gives it back', async () => {
    const take = (owner: string) => takeLease(stores.database, 'of a test', owner, 60_000);
    expect([await take('a'), await take('b'), await take('a'), await take('b')]).toEqual([true, false, true, false]);
    await endLease(stores.database, 'of a test', 'a');
    expect([await take('b'), await take('a')]).toEqual([true, false]);
  });

  test('a client that freezes within a transaction loses its locks', async () => {
    const { id } = await stores.coupon();
    const settings = stores.configWith({ TRANSACTION_MS_MAX: 1000 });
    const frozen = openDatabase(settings);
    const connection = await frozen.pools.general.getConnection();
    await lifeOf(connection).ready;
    await connection.query('BEGIN');
    await connection.query(`SELECT id FROM coupons WHERE id = ${id} FOR UPDATE`);
    const start = performance.now();
    const others = openDatabase(stores.configWith({ TRANSACTION_MS_MAX: 10_000 }));
    await withTransaction(others, (tx) => lockCoupon(tx, id));
    expect(performance.now() - start).toBeLessThan(8000);
    // What it does when it wakes is refused.
    const late = await connection
      .query(`UPDATE coupons SET version = 9 WHERE id = ${id}`)
      .catch((error: unknown) => error);
    expect(late).toBeInstanceOf(Error);
    connection.destroy();
    await closeDatabase(others);
    await closeDatabase(frozen);
    expect((await stores.couponNow(id)).version).toBe(1);
  });

  test('a coupon is made also where the sequence gives an id that another coupon has', async () => {
    await using api = await stores.createApi();
    const coupon = await stores.coupon();
    const made = await api.catalog.create(draftOf(coupon));
    const taken = made.id + 2;
    await withConnection(stores.database, (session) =>
      session.insert(coupons).values({
        ...coupon,
        id: taken,
        couponType: 'FIRST_COME_FIRST_SERVED',
        dateIssueStart: new Date(coupon.startMs),
        dateIssueEnd: new Date(coupon.endMs),
        dateCreated: new Date(),
        dateUpdated: new Date(),
      }),
    );
    const ids = new Set<number>();
    for (let i = 0; i < 4; i++) ids.add((await api.catalog.create(draftOf(coupon))).id);
    expect(ids.size).toBe(4);
    expect(ids.has(taken)).toBe(false);
    // The sequence would give their ids to other tests.
    await withConnection(stores.database, (session) => session.delete(coupons).where(gte(coupons.id, taken)));
  });

  test('two migrations at once: each statement runs once', async () => {
    const url = server.urlOf(KEYSPACES[1]);
    const [one, two] = [open(url), open(url)];
    const applied = await Promise.all([applyMigrations(one, 60), applyMigrations(two, 60)]);
    expect(Math.min(...applied)).toBe(0);
    expect(await applyMigrations(one, 1)).toBe(0);
    for (const [shard, database] of ['-80', '80-'].entries()) {
      expect(await tablesOf(`vt_${KEYSPACES[1]}_${database}`)).toEqual(
        await tablesOf(server.shardDatabases[shard] ?? ''),
      );
    }
    await closeDatabase(one);
    await closeDatabase(two);
  }, 90_000);

  test('a statement in doubt that one shard has done and another cannot do is not taken for done', async () => {
    const keyspace = KEYSPACES[1];
    const database = open(server.urlOf(keyspace));
    await applyMigrations(database, 60);
    const applied = await withConnection(database, async (_, connection) => {
      const [rows] = await connection.query<RowDataPacket[]>(
        'SELECT created_at FROM __drizzle_migrations ORDER BY created_at',
      );
      for (const table of [
        'coupons',
        'api_keys',
        'audit_trail',
        'erased_users',
        'code_patterns',
        'code_imports',
        'imported_codes',
        'installation',
        'outbox',
        'webhooks',
        'webhook_cursors',
        'webhook_deliveries',
        'leases',
        '__drizzle_migrations',
      ])
        await connection.query(`DROP TABLE ${table}`);
      return rows;
    });
    // One shard has `coupon_issues` of the first migration, whose first statement is in doubt; the other has a stray file.
    const [createIssues = ''] = readFileSync(FIRST_MIGRATION, 'utf8').split('--> statement-breakpoint');
    await asRoot(server, async (root) => {
      for (const shard of ['-80', '80-']) {
        await root.query(`DROP VIEW \`vt_${keyspace}_${shard}\`.coupon_issue_days`);
        await root.query(`DROP TABLE \`vt_${keyspace}_${shard}\`.coupon_issues`);
      }
      await root.query(`USE \`vt_${keyspace}_-80\``);
      await root.query(createIssues);
    });
    const stray = join(dirname(server.mysql.logFile), 'mysql', `vt_${keyspace}_80@002d`, 'coupon_issues.ibd');
    writeFileSync(stray, '');
    await withConnection(database, (_, connection) =>
      connection.query('UPDATE migration_progress SET migration = ?, done = 0, begun = 1 WHERE id = 1', [
        Number(applied[0]?.['created_at']),
      ]),
    );
    await expect(applyMigrations(database, 1)).rejects.toThrow('coupon_issues');
    rmSync(stray);
    expect(await applyMigrations(database, 1)).toBe(applied.length);
    expect(await tablesOf(`vt_${keyspace}_80-`)).toEqual(await tablesOf(`vt_${keyspace}_-80`));
    await closeDatabase(database);
  }, 90_000);

  test('a process starts, and says that it is Vitess', async () => {
    const key = 'the key of an operator';
    const entry = startEntry(stores, 'src/server.ts', { environment: { AUTH: 'on', ADMIN_API_KEY: key } });
    const headers = { authorization: `Bearer ${key}` };
    const ready = await (await fetch(`${await entry.url()}/readyz`, { headers })).text();
    entry.child.kill();
    await entry.child.exited;
    expect(ready).toContain('Vitess');
  });

  test('a table that the vschema lacks is said, with the place of the vschema', async () => {
    const asked = withConnection(stores.database, (_, connection) => connection.query('SELECT * FROM not_in_vschema'));
    const error = await asked.catch((failure: unknown) => failure);
    expect(explainMysql(error, stores.database).line).toContain('deploy/vitess/README.md');
  });

  test('issuing goes on after kill -9 of vtgate and all tablets', async () => {
    await using api = await stores.createApi();
    const { id } = await stores.coupon({ totalQuantity: 100 });
    await api.issuers.synchronous.issue(id, ['before']);
    await server.vitess.kill();
    await expect(api.issuers.synchronous.issue(id, ['while'])).rejects.toThrow();
    await server.vitess.restart();
    await server.ready();
    await eventually('an issue', async () => {
      const outcomes = await api.issuers.synchronous.issue(id, ['after']).catch(() => []);
      return outcomes.length === 1;
    });
    expect((await stores.rows(id)).map(({ userId }) => userId)).toEqual(['before', 'after']);
  }, 90_000);

  const open = (url: string) => ({
    ...openDatabase(stores.configWith({ DATABASE_URL: url })),
    transactionMsMax: 60_000,
  });

  const tablesOf = (database: string) =>
    asRoot(server, async (root) => {
      const [rows] = await root.query<RowDataPacket[]>(
        'SELECT table_name AS t, column_name AS c, column_type AS y FROM information_schema.columns WHERE table_schema = ? ORDER BY 1, 2',
        [database],
      );
      return rows;
    });
});

async function asRoot<Result>({ mysql }: VitessServer, work: (root: Connection) => Promise<Result>): Promise<Result> {
  const root = await createConnection(mysql.url);
  try {
    return await work(root);
  } finally {
    root.destroy();
  }
}
