// database.test.ts -- The rules of the database layer, on the server at hand: transactions, time limits, counts, faults.

import { afterAll, describe, expect, test } from 'bun:test';
import { eq, sql } from 'drizzle-orm';
import { coupons } from '../../drizzle/schema.ts';
import { lockCoupon, readCoupon } from '../../src/coupon/catalog.ts';
import { insertIssues } from '../../src/ledger/insert.ts';
import type { Issue } from '../../src/ledger/plan.ts';
import {
  closeDatabase,
  type Database,
  openDatabase,
  type Session,
  withConnection,
  withTransaction,
} from '../../src/mysql/database.ts';
import { readThenWrite, type Rows } from '../../src/mysql/read-then-write.ts';
import { errorNumber, isDataFault } from '../../src/mysql/faults.ts';
import { eventually } from '../eventually.ts';
import { isOnVitess, needsPlainMysql } from '../other-stores.ts';
import { openStores, type Settings } from '../stores.ts';
import { openTcpProxy } from '../tcp-proxy.ts';

const stores = await openStores();
afterAll(() => stores.close());

/** A pool of the test's own. */
function ownDatabase(settings: Settings = {}): Database & AsyncDisposable {
  const database = openDatabase(stores.configWith(settings));
  return { ...database, [Symbol.asyncDispose]: () => closeDatabase(database) };
}

/** The same pool for what must come about, however busy the machine is. */
const patiently = (database: Database): Database => ({ ...database, transactionMsMax: 10_000 });

const setTitle = (tx: Session, id: number, title: string) =>
  tx.update(coupons).set({ title }).where(eq(coupons.id, id));
const titleOf = async (id: number) => (await stores.couponNow(id)).title;

/** The id that the server gives a connection. */
async function connectionId(session: Session): Promise<number> {
  const [rows] = await session.execute(sql`SELECT CONNECTION_ID() AS id`);
  const [row] = rows as unknown as { id: number }[];
  return Number(row?.id);
}

async function isConnected(id: number): Promise<boolean> {
  const [rows] = await withConnection(stores.database, (session) => session.execute(sql`SHOW PROCESSLIST`));
  return (rows as unknown as { Id: number }[]).some((row) => Number(row.Id) === id);
}

const cannotSeeIds = needsPlainMysql('tells connections apart by the ids that MySQL gives them');
const cannotSignal = needsPlainMysql('raises errors by SIGNAL');

test.skipIf(cannotSeeIds)(
  'what a transaction did is there when it returns, and its connection is used again',
  async () => {
    await using database = ownDatabase({ MYSQL_CONNECTIONS_MAX: 1 });
    const { id } = await stores.coupon();
    const first = await withTransaction(database, async (tx) => {
      await setTitle(tx, id, 'done');
      return connectionId(tx);
    });
    expect(await titleOf(id)).toBe('done');
    expect(await withTransaction(database, connectionId)).toBe(first);
  },
);

test.skipIf(cannotSeeIds)(
  'a transaction that throws leaves nothing behind, not its lock and not its connection',
  async () => {
    await using database = ownDatabase({ MYSQL_CONNECTIONS_MAX: 1 });
    const { id, title } = await stores.coupon();
    let used = 0;
    const failing = withTransaction(database, async (tx) => {
      await lockCoupon(tx, id);
      await setTitle(tx, id, 'never');
      used = await connectionId(tx);
      throw new Error('planted');
    });
    await expect(failing).rejects.toThrow('planted');
    // The pool has but one: had the broken one been given back, the next would be in its transaction.
    expect(await withTransaction(database, connectionId)).not.toBe(used);
    await eventually('the connection to be gone', async () => !(await isConnected(used)));
    expect(await titleOf(id)).toBe(title);
    expect((await withTransaction(stores.database, (tx) => lockCoupon(tx, id)))?.title).toBe(title);
  },
);

test('a transaction that takes too long is given up and rolled back', async () => {
  await using database = ownDatabase({ TRANSACTION_MS_MAX: 100, MYSQL_CONNECTIONS_MAX: 1 });
  const { id, title } = await stores.coupon();
  const slow = withTransaction(database, async (tx) => {
    await setTitle(tx, id, 'never');
    await tx.execute(sql`SELECT SLEEP(1)`);
  });
  await expect(slow).rejects.toMatchObject({ name: 'DatabaseTimeout' });
  // And the one place in the pool is free again.
  expect(await withTransaction(patiently(database), (tx) => readCoupon(tx, id))).toMatchObject({ id, title });
  expect(await titleOf(id)).toBe(title);
});

test.skipIf(cannotSignal).each([1290, 1792, 1836])(
  'a server that says it is not the primary (%d) gets no more work on any connection that was made before',
  async (number) => {
    await using database = ownDatabase({ MYSQL_CONNECTIONS_MAX: 3 });
    const idOf = (rows: readonly Rows[]) => Number(rows.at(-1)?.[0]?.['id']);
    const issuing = () =>
      readThenWrite(database, ['SELECT CONNECTION_ID() AS id'], (rows) => ({ write: [], result: idOf(rows) }));
    const general = () =>
      withConnection(database, async (_, connection) => {
        const [rows] = await connection.query('SELECT CONNECTION_ID() AS id');
        return idOf([rows as Rows]);
      });
    const connections = () => Promise.all([issuing(), issuing(), issuing(), general(), general(), general()]);
    const before = new Set(await connections());
    expect((await connections()).every((id) => before.has(id))).toBe(true);
    const refused = withTransaction(database, (tx) =>
      tx.execute(sql.raw(`SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = ${number}`)),
    );
    expect(await refused.catch(errorNumber)).toBe(number);
    expect((await connections()).filter((id) => before.has(id))).toEqual([]);
  },
);

test.skipIf(cannotSeeIds)('a connection is replaced when it has reached its age', async () => {
  await using database = ownDatabase({ MYSQL_CONNECTIONS_MAX: 1, MYSQL_CONNECTION_S_MAX: 1 });
  const idNow = () =>
    withConnection(database, async (_, connection) => {
      const [rows] = await connection.query('SELECT CONNECTION_ID() AS id');
      return (rows as Rows)[0]?.['id'];
    });
  const first = await idNow();
  expect(await idNow()).toBe(first);
  await eventually('another connection', async () => (await idNow()) !== first);
});

describe('reading, deciding and writing', () => {
  const lockTitle = (id: number) => `SELECT title FROM coupons WHERE id = ${id} FOR UPDATE`;
  const oneRow = (statement: string) => ({ statement, rows: 1 });
  const setPaused = (id: number) => oneRow(`UPDATE coupons SET paused = 1 WHERE id = ${id}`);
  const insertIssue = (id: number, user: string) =>
    oneRow(`INSERT INTO coupon_issues (coupon_id, sequence, user_id, date_issued, date_created, date_updated)
     VALUES (${id}, 1, '${user}', NOW(3), NOW(3), NOW(3))`);
  const readId = 'SELECT CONNECTION_ID() AS id';
  const idOf = (rows: readonly Rows[]) => Number(rows.at(-1)?.[0]?.['id']);
  const connectionOf = (database: Database) =>
    readThenWrite(database, [readId], (rows) => ({ write: [], result: idOf(rows) }));

  test('is one transaction: rows come in the order of the statements, and what was written is there when it returns', async () => {
    await using database = ownDatabase();
    const { id, title } = await stores.coupon();
    const read = [lockTitle(id), 'SELECT 2 AS two UNION ALL SELECT 3'];
    const result = await readThenWrite(database, read, (rows) => ({
      write: [setPaused(id), insertIssue(id, 'a')],
      result: rows.map((each) => each.map((row) => ({ ...row }))),
    }));
    expect(result).toEqual([[{ title }], [{ two: 2 }, { two: 3 }]]);
    expect(await stores.couponNow(id)).toMatchObject({ paused: true });
    expect(await stores.rows(id)).toMatchObject([{ sequence: 1, userId: 'a' }]);
  });

  test('holds what it locked until it is done, so that no other transaction decides from the same', async () => {
    await using database = ownDatabase({ MYSQL_CONNECTIONS_MAX: 4 });
    const { id } = await stores.coupon();
    const raise = () =>
      readThenWrite(database, [`SELECT version FROM coupons WHERE id = ${id} FOR UPDATE`], ([rows]) => ({
        write: [oneRow(`UPDATE coupons SET version = ${Number(rows?.[0]?.['version']) + 1} WHERE id = ${id}`)],
        result: null,
      }));
    const { version } = await stores.couponNow(id);
    await Promise.all(Array.from({ length: 40 }, raise));
    expect((await stores.couponNow(id)).version).toBe(version + 40);
  });

  test.skipIf(cannotSeeIds)(
    'with nothing to write leaves nothing behind, and its connection is used again',
    async () => {
      await using database = ownDatabase({ MYSQL_CONNECTIONS_MAX: 1 });
      const { id } = await stores.coupon();
      const first = await readThenWrite(database, [lockTitle(id), readId], (rows) => ({
        write: [],
        result: idOf(rows),
      }));
      // Would wait forever, were the row still locked.
      await withTransaction(stores.database, (tx) => lockCoupon(tx, id));
      expect(await connectionOf(database)).toBe(first);
    },
  );

  test.skipIf(cannotSeeIds)(
    'that fails on a duplicate row is rolled back, and its connection is used again',
    async () => {
      await using database = ownDatabase({ MYSQL_CONNECTIONS_MAX: 1 });
      const { id } = await stores.coupon();
      const write = [setPaused(id), insertIssue(id, 'a'), insertIssue(id, 'b'), setPaused(id)];
      const first = await connectionOf(database);
      const failing = readThenWrite(database, [lockTitle(id)], () => ({ write, result: null }));
      await expect(failing).rejects.toMatchObject({ name: 'DuplicateRow' });
      expect(await stores.couponNow(id)).toMatchObject({ paused: false });
      expect(await stores.rows(id)).toEqual([]);
      expect(await connectionOf(database)).toBe(first);
    },
  );

  test('is not believed when one of its statements did not affect the rows that it must', async () => {
    await using database = ownDatabase();
    const { id } = await stores.coupon();
    // As after a server that ended the transaction between two statements: all succeed, and one of them did nothing.
    const nothing = oneRow(`UPDATE coupons SET paused = 1 WHERE id = ${id} AND paused = 1`);
    const packet = readThenWrite(database, [lockTitle(id)], () => ({ write: [nothing], result: null }));
    await expect(packet).rejects.toThrow(/P3: a transaction was committed without all of its statements/);
  });

  test.skipIf(cannotSignal)('is tried once more when the server has rolled it back, and only then', async () => {
    await using database = ownDatabase({ MYSQL_CONNECTIONS_MAX: 1 });
    const { id } = await stores.coupon();
    const failWith = (number: number) => oneRow(`SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = ${number}`);
    const tries = { 1213: 0, 1205: 0 };
    for (const number of [1213, 1205] as const) {
      const packet = readThenWrite(database, [lockTitle(id)], () => {
        tries[number] += 1;
        return { write: tries[number] === 1 ? [failWith(number)] : [setPaused(id)], result: 'done' };
      });
      const result = await packet.catch((error: unknown) => errorNumber(error));
      expect(result).toBe(number === 1213 ? 'done' : 1205);
    }
    expect(tries).toEqual({ 1213: 2, 1205: 1 });
  });

  test.skipIf(cannotSeeIds)(
    'that fails in any step leaves nothing behind, not its lock and not its connection',
    async () => {
      await using database = ownDatabase({ MYSQL_CONNECTIONS_MAX: 1 });
      const { id } = await stores.coupon();
      const wrong = oneRow('UPDATE coupons SET nowhere = 1');
      const faults = [
        [[lockTitle(id), 'SELECT nowhere'], () => ({ write: [], result: null })],
        [
          [lockTitle(id)],
          () => {
            throw new Error('planted');
          },
        ],
        [[lockTitle(id)], () => ({ write: [setPaused(id), wrong], result: null })],
      ] as const;
      for (const [read, decide] of faults) {
        const before = await connectionOf(database);
        await expect(readThenWrite<null>(database, read, decide)).rejects.toThrow();
        expect(await connectionOf(database)).not.toBe(before);
        expect(await withTransaction(stores.database, (tx) => lockCoupon(tx, id))).toMatchObject({ paused: false });
      }
    },
  );

  test('alone may send several statements in one query: elsewhere a second statement is an error', async () => {
    await using database = ownDatabase();
    const two = withConnection(database, (session) => session.execute(sql.raw('SELECT 1; SELECT 2')));
    await expect(two).rejects.toMatchObject({ cause: { code: isOnVitess ? 'ER_SYNTAX_ERROR' : 'ER_PARSE_ERROR' } });
  });
});

test('a process that freezes within a transaction does not keep its locks, and its pool works once it resumes', async () => {
  await using frozen = ownDatabase({ TRANSACTION_MS_MAX: 500, MYSQL_CONNECTIONS_MAX: 1 });
  const { id } = await stores.coupon();
  // Without the time limit of `withTransaction`: a frozen process has no timers.
  const connection = await frozen.pools.general.getConnection();
  await connection.query('BEGIN');
  await connection.query(`UPDATE coupons SET title = 'never' WHERE id = ${id}`);
  await withTransaction(stores.database, (tx) => setTitle(tx, id, 'by another'));
  expect(await titleOf(id)).toBe('by another');
  await expect(connection.query('COMMIT')).rejects.toThrow();
  connection.destroy();
  expect(await withTransaction(patiently(frozen), (tx) => readCoupon(tx, id))).toMatchObject({ id });
});

test('waiting for a connection is bounded in time too, and one that comes late returns to the pool', async () => {
  await using database = ownDatabase({ TRANSACTION_MS_MAX: 200, MYSQL_CONNECTIONS_MAX: 1 });
  const patient = patiently(database);
  const release = Promise.withResolvers<void>();
  const taken = Promise.withResolvers<void>();
  const holder = withConnection(patient, async () => {
    taken.resolve();
    await release.promise;
  });
  await taken.promise;
  await expect(withTransaction(database, connectionId)).rejects.toMatchObject({ name: 'DatabaseTimeout' });
  release.resolve();
  await holder;
  expect(await withTransaction(patient, connectionId)).toBeGreaterThan(0);
});

test('beyond the bound of waiters for a connection the next is refused', async () => {
  await using database = ownDatabase({ MYSQL_CONNECTIONS_MAX: 1, MYSQL_QUEUE_MAX: 2 });
  const release = Promise.withResolvers<void>();
  const holders = Array.from({ length: 3 }, () => withConnection(database, () => release.promise));
  await expect(withConnection(database, connectionId)).rejects.toThrow(/queue/i);
  release.resolve();
  await Promise.all(holders);
});

test('a server that breaks off or is down is a failure, and is used again when it is back', async () => {
  await using proxy = await openTcpProxy(stores.config.DATABASE_URL);
  await using database = ownDatabase({ DATABASE_URL: proxy.url, TRANSACTION_MS_MAX: 5000 });
  await withConnection(database, connectionId);
  proxy.loseReplyTo((text) => text.includes('UPDATE') || text.includes('update'));
  const { id, title } = await stores.coupon();
  const cutOff = withTransaction(database, (tx) => setTitle(tx, id, 'never'));
  await expect(cutOff).rejects.toThrow();
  expect(await titleOf(id)).toBe(title);
  proxy.cut();
  await expect(withTransaction(database, connectionId)).rejects.toThrow();
  proxy.restore();
  expect(await withTransaction(database, connectionId)).toBeGreaterThan(0);
});

test('an existing row, by sequence or by user, is neither counted nor changed', async () => {
  const { id } = await stores.coupon();
  const issue = (sequence: number, userId: string, acceptedMs: number): Issue => {
    return { couponId: id, epoch: 1, sequence, userId, acceptedMs };
  };
  const insert = (...issues: Issue[]) => withTransaction(stores.database, (tx) => insertIssues(tx, issues));
  expect(await insert(issue(1, 'a', 1000), issue(2, 'b', 1000))).toBe(2);
  expect(await insert(issue(1, 'a', 1000), issue(2, 'b', 2000))).toBe(0);
  expect(await insert(issue(1, 'other', 2000), issue(3, 'c', 2000), issue(4, 'a', 2000))).toBe(1);
  expect(await stores.rows(id)).toEqual([
    { sequence: 1, userId: 'a', issuedMs: 1000 },
    { sequence: 2, userId: 'b', issuedMs: 1000 },
    { sequence: 3, userId: 'c', issuedMs: 2000 },
  ]);
});

test('an instant comes back to the millisecond as it went in, whatever the zone of the server', async () => {
  const startMs = Date.UTC(2026, 2, 29, 1, 30, 0, 123);
  const endMs = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
  const { id } = await stores.coupon({ startMs, endMs });
  expect(await stores.couponNow(id)).toMatchObject({ startMs, endMs });
  const zones = await withConnection(stores.database, async (session) => {
    const [rows] = await session.execute(sql`SELECT @@session.time_zone AS zone, @@session.sql_mode AS mode`);
    return rows as unknown as { zone: string; mode: string }[];
  });
  expect(zones[0]?.zone).toBe('+00:00');
  expect(zones[0]?.mode).toContain('STRICT_ALL_TABLES');
});

test('a reader after a row lock sees what its last holder committed', async () => {
  const { id } = await stores.coupon();
  const read = Promise.withResolvers<void>();
  const written = Promise.withResolvers<void>();
  const late = withTransaction(stores.database, async (tx) => {
    await readCoupon(tx, id);
    read.resolve();
    await written.promise;
    await lockCoupon(tx, id);
    return (await readCoupon(tx, id))?.title;
  });
  await read.promise;
  await withTransaction(stores.database, (tx) => setTitle(tx, id, 'newer'));
  written.resolve();
  expect(await late).toBe('newer');
});

/** What the statement fails with. */
async function faultOf(statement: string): Promise<unknown> {
  return withConnection(stores.database, (session) => session.execute(sql.raw(statement))).then(
    () => null,
    (error: unknown) => error,
  );
}

test('data errors of this server are permanent', async () => {
  const { id } = await stores.coupon();
  const row = (values: string) =>
    `INSERT INTO coupon_issues (coupon_id, sequence, user_id, date_issued, date_created, date_updated) VALUES (${values})`;
  const bad = [
    row(`${id}, 1, '${'x'.repeat(256)}', NOW(3), NOW(3), NOW(3)`),
    row(`${id}, -1, 'a', NOW(3), NOW(3), NOW(3)`),
    row(`${id}, 1, 'a', '2026-02-30 00:00:00', NOW(3), NOW(3)`),
    row(`${id}, 1, 'é', NOW(3), NOW(3), NOW(3)`),
    `UPDATE coupons SET issued_quantity = total_quantity + 1 WHERE id = ${id}`,
    `UPDATE coupons SET issued_quantity = issued_quantity - 1 WHERE id = ${id}`,
    `UPDATE coupons SET date_issue_end = date_issue_start WHERE id = ${id}`,
  ];
  for (const statement of bad)
    expect({ statement, final: isDataFault(await faultOf(statement)) }).toEqual({ statement, final: true });
  expect(await stores.rows(id)).toEqual([]);
});

test('a lock wait that timed out, as this server reports it, is transient', async () => {
  const { id } = await stores.coupon();
  const release = Promise.withResolvers<void>();
  const locked = Promise.withResolvers<void>();
  const holder = withTransaction(stores.database, async (tx) => {
    await lockCoupon(tx, id);
    locked.resolve();
    await release.promise;
  });
  await locked.promise;
  const lockWait = await withConnection(stores.database, async (session) => {
    await session.execute(sql`SET SESSION innodb_lock_wait_timeout = 1`);
    await setTitle(session, id, 'never');
  }).catch((error: unknown) => error);
  release.resolve();
  await holder;
  const passing = [
    lockWait,
    await faultOf('SELECT * FROM no_such_table'),
    await faultOf('SET TRANSACTION READ ONLY; x'),
    await faultOf(`UPDATE coupons SET title = NULL WHERE id = ${id}`),
    await faultOf(`INSERT INTO coupon_issues (coupon_id, sequence) VALUES (${id}, 1)`),
  ];
  // Vitess has no numbers of its own for a table that is missing and what is no statement.
  const ofVtgate = isOnVitess ? [1105, 1105] : [1146, 1064];
  expect(passing.map(errorNumber)).toEqual([1205, ...ofVtgate, 1048, 1364]);
  expect(passing.filter(isDataFault)).toEqual([]);
});

const hasShards = needsPlainMysql('locks two coupons in one transaction, which are in two shards');
test.skipIf(hasShards)(
  'in a deadlock one transaction fails with a transient error, and the other commits',
  async () => {
    const [a, b] = await Promise.all([stores.coupon(), stores.coupon()]);
    const both = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
    const cross = (mine: number, theirs: number, ready: () => void) =>
      withTransaction(stores.database, async (tx) => {
        await lockCoupon(tx, mine);
        ready();
        await Promise.all(both.map(({ promise }) => promise));
        await lockCoupon(tx, theirs);
      });
    const ends = await Promise.allSettled([cross(a.id, b.id, both[0].resolve), cross(b.id, a.id, both[1].resolve)]);
    const failures = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
    expect(failures.map(errorNumber)).toEqual([1213]);
    expect(failures.map(isDataFault)).toEqual([false]);
  },
);
