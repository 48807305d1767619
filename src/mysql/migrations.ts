// migrations.ts -- Applies `drizzle/migrations` statement by statement, under a lock, so that an interrupted run can be repeated.
//
// DDL cannot be rolled back, and a process can end between any two statements. So the one row of `migration_progress` names the
// migration in progress, how many of its statements are done, and how many were begun. A statement that was begun but is not
// recorded as done is in doubt: it runs again, and if the server then says that its result is already there, it is done. DDL
// either happens or does not (InnoDB of MySQL 8, MariaDB from 10.6), and other statements commit together with their record.
//
// The same row is the lock, a lease by the clock of the server: GET_LOCK is forbidden by Percona XtraDB Cluster, and Vitess and
// proxies may end it early. Each statement locks the row and checks the owner first, so that a process whose lease was taken by
// another one stops. If its last DDL is still running then, the server makes the same DDL of the new owner wait for it.
//
// `__drizzle_migrations` holds what is complete, under the name and in the form of the releases that knew nothing else.

import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { type MigrationMeta, readMigrationFiles } from 'drizzle-orm/migrator';
import type { PoolConnection, ResultSetHeader, RowDataPacket } from 'mysql2/promise';
import { type Database, withConnection, withTransaction } from './database.ts';
import { errorNumber } from './faults.ts';
import { isTooOld, readServerVersion, tooOld } from './server-version.ts';
import { OperatorError } from '../operator-error.ts';

const migrationsFolder = fileURLToPath(new URL('../../drizzle/migrations', import.meta.url));

const JOURNAL = '__drizzle_migrations';

/** How long a process that was killed keeps others waiting. */
const LEASE_MS = 10_000;
const RENEW_MS = LEASE_MS / 4;
const POLL_MS = 250;

const CLOCK_MS = 'CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS UNSIGNED)';

/** MySQL: there is no such table. */
const NO_SUCH_TABLE = 1146;

/** MySQL: a row lock was not acquired in time. */
const LOCK_WAIT_TIMEOUT = 1205;

/** The errors by which MySQL and MariaDB say that a statement has nothing left to do. */
const alreadyThere = new Set([
  1050, // CREATE TABLE, CREATE VIEW: there is one
  1051, // DROP TABLE: unknown table
  1060, // ADD COLUMN: duplicate column
  1061, // ADD INDEX: duplicate key name
  1068, // ADD PRIMARY KEY: there is one
  1091, // DROP COLUMN or INDEX: there is none
  1826, // ADD CONSTRAINT: duplicate name (MariaDB)
  3821, // DROP CHECK: there is none (MySQL)
  3822, // ADD CHECK: duplicate name (MySQL)
]);

/** The connection that migrates, and the owner that it is in `migration_progress`. */
interface Run {
  readonly connection: PoolConnection;
  readonly owner: string;
}

/** What is in progress; `migration` is its `created_at`, or null. */
interface Progress {
  readonly migration: number | null;
  readonly done: number;
  readonly begun: number;
}

/** How the migrations of this release and those of the database differ. */
export interface MigrationDifference {
  /** This release has them, the database does not. */
  readonly missing: number;
  /** The database has them, this release does not: a later release was here. */
  readonly unknown: number;
}

/**
 * Applies what is missing, under the lock.
 *
 * @param waitS how long to wait for another process that migrates
 * @returns how many were applied
 * @throws OperatorError when the server is too old, the lock was not acquired in time or was lost, or a migration that this
 *   release does not know is incomplete; what MySQL throws. It can always be repeated
 */
export async function applyMigrations(database: Database, waitS: number): Promise<number> {
  return withConnection(database, async (session, connection) => {
    const version = await readServerVersion(session);
    if (isTooOld(version)) throw new OperatorError(tooOld(version));
    const run: Run = { connection, owner: crypto.randomUUID() };
    await prepareProgress(connection);
    await acquireLock(run, waitS);
    const renewal = setInterval(() => void renewLock(database, run.owner), RENEW_MS);
    try {
      const missing = await missingInOrder(connection);
      for (const migration of missing) await applyMigration(run, migration);
      return missing.length;
    } finally {
      clearInterval(renewal);
      await releaseLock(run);
    }
  });
}

/** Compares the database with this release, migration by migration. Throws what MySQL throws. */
export function compareMigrations(database: Database): Promise<MigrationDifference> {
  return withConnection(database, async (_, connection) => {
    const known = new Set(readMigrationFiles({ migrationsFolder }).map(({ folderMillis }) => folderMillis));
    const applied = (await readApplied(connection)) ?? new Set();
    return { missing: known.difference(applied).size, unknown: applied.difference(known).size };
  });
}

/** Creates the tables of the progress and of the journal, each step so that it can be repeated. */
async function prepareProgress(connection: PoolConnection): Promise<void> {
  await connection.query(`CREATE TABLE IF NOT EXISTS migration_progress (
    id int NOT NULL PRIMARY KEY,
    owner char(36) CHARACTER SET ascii COLLATE ascii_bin,
    expires_ms bigint NOT NULL,
    migration bigint,
    done int NOT NULL,
    begun int NOT NULL
  ) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4`);
  if ((await select(connection, 'SELECT id FROM migration_progress WHERE id = 1')).length === 0) {
    const { migration, begun } = await progressOfEarlierRelease(connection);
    await connection.query(
      `INSERT INTO migration_progress (id, expires_ms, migration, done, begun) VALUES (1, 0, ?, 0, ?)
        ON DUPLICATE KEY UPDATE done = done`,
      [migration, begun],
    );
  }
  // After the row: a journal without the row was made by an earlier release.
  await connection.query(`CREATE TABLE IF NOT EXISTS ${JOURNAL} (
    id serial PRIMARY KEY,
    hash text NOT NULL,
    created_at bigint
  ) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4`);
}

/** An earlier release left no word about its progress: if a migration is missing, all of its statements are in doubt. */
async function progressOfEarlierRelease(connection: PoolConnection): Promise<Progress> {
  const applied = await readApplied(connection);
  const next = applied && readMigrationFiles({ migrationsFolder }).find((known) => !applied.has(known.folderMillis));
  return { migration: next?.folderMillis ?? null, done: 0, begun: next?.sql.length ?? 0 };
}

/** The `created_at` of every migration that is complete; null without a journal. */
async function readApplied(connection: PoolConnection): Promise<Set<number> | null> {
  try {
    const rows = await select(connection, `SELECT created_at FROM ${JOURNAL}`);
    return new Set(rows.map((row) => Number(row['created_at'])));
  } catch (error) {
    if (errorNumber(error) === NO_SUCH_TABLE) return null;
    throw error;
  }
}

/** The migrations to apply: first the one that was interrupted, then by date, whatever is already applied after them. */
async function missingInOrder(connection: PoolConnection): Promise<MigrationMeta[]> {
  const applied = await readApplied(connection);
  const missing = readMigrationFiles({ migrationsFolder }).filter(({ folderMillis }) => !applied?.has(folderMillis));
  const { migration } = await readProgress(connection);
  const interrupted = missing.find(({ folderMillis }) => folderMillis === migration);
  if (missing.length > 0 && migration !== null && !interrupted)
    throw new OperatorError(
      `DATABASE_URL: another release left migration ${migration} incomplete; run \`bun run migrate\` of that release first`,
    );
  return interrupted ? [interrupted, ...missing.filter((other) => other !== interrupted)] : missing;
}

async function readProgress(connection: PoolConnection): Promise<Progress> {
  const [row] = await select(connection, 'SELECT migration, done, begun FROM migration_progress WHERE id = 1');
  const migration: unknown = row?.['migration'] ?? null;
  return {
    migration: migration === null ? null : Number(migration),
    done: Number(row?.['done']),
    begun: Number(row?.['begun']),
  };
}

async function applyMigration(run: Run, { folderMillis, hash, sql: statements }: MigrationMeta): Promise<void> {
  const found = await readProgress(run.connection);
  const { done, begun } = found.migration === folderMillis ? found : { done: 0, begun: 0 };
  for (const [i, statement] of statements.entries()) {
    if (i < done) continue;
    const isInDoubt = i < begun;
    await record(run, { migration: folderMillis, done: i, begun: Math.max(begun, i + 1) });
    const after = { migration: folderMillis, done: i + 1, begun: Math.max(begun, i + 1) };
    try {
      await record(run, after, statement);
    } catch (error) {
      if (!hasNothingToDo(error)) throw error;
      // Not by us: the name is taken by something else. That stays an error, however often it is tried.
      await record(run, isInDoubt ? after : { migration: folderMillis, done: i, begun: i });
      if (!isInDoubt) throw error;
    }
  }
  const complete = `INSERT INTO ${JOURNAL} (hash, created_at) VALUES ('${hash}', ${folderMillis})`;
  await record(run, { migration: null, done: 0, begun: 0 }, complete);
}

/** Vitess puts the errors of all shards that failed into one, a line for each, and gives it the number of one of them. */
function hasNothingToDo(error: unknown): boolean {
  const lines = error instanceof Error ? error.message.split('\n') : [];
  const numbers = lines.length > 1 ? lines.map((line) => /\(errno (\d+)\)/.exec(line)?.[1]) : [errorNumber(error)];
  return numbers.every((number) => alreadyThere.has(Number(number)));
}

/**
 * Runs a statement and records the progress that it means, in one transaction unless it is DDL, which commits by itself.
 *
 * @throws OperatorError when another process owns the lock; what MySQL throws
 */
function record({ connection, owner }: Run, progress: Progress, statement?: string): Promise<void> {
  return inTransaction(connection, async () => {
    const [row] = await select(connection, 'SELECT owner FROM migration_progress WHERE id = 1 FOR UPDATE');
    if (row?.['owner'] !== owner)
      throw new OperatorError('DATABASE_URL: another process took over the migration; run it again when that is done');
    if (statement !== undefined) await connection.query(statement);
    const { migration, done, begun } = progress;
    await connection.query('UPDATE migration_progress SET migration = ?, done = ?, begun = ? WHERE id = 1', [
      migration,
      done,
      begun,
    ]);
  });
}

/** On the connection of the run; no transaction is left open, whatever fails. */
async function inTransaction<Result>(connection: PoolConnection, work: () => Promise<Result>): Promise<Result> {
  await connection.query('BEGIN');
  try {
    const result = await work();
    await connection.query('COMMIT');
    return result;
  } catch (error) {
    await connection.query('ROLLBACK').catch(() => {
      // The connection is gone, and its transaction with it.
    });
    throw error;
  }
}

async function acquireLock(run: Run, waitS: number): Promise<void> {
  const deadlineMs = performance.now() + waitS * 1000;
  while (!(await tryLock(run))) {
    if (performance.now() >= deadlineMs)
      throw new OperatorError(
        `DATABASE_URL: another process has been migrating for ${waitS} s; try again when it is done`,
      );
    await delay(POLL_MS);
  }
}

async function tryLock({ connection, owner }: Run): Promise<boolean> {
  try {
    return await inTransaction(connection, async () => {
      const [result] = await connection.query<ResultSetHeader>(
        `UPDATE migration_progress SET owner = ?, expires_ms = ${CLOCK_MS} + ${LEASE_MS}
          WHERE id = 1 AND (owner IS NULL OR expires_ms < ${CLOCK_MS})`,
        [owner],
      );
      return result.affectedRows === 1;
    });
  } catch (error) {
    // Another process is within a statement that commits together with its record.
    if (errorNumber(error) === LOCK_WAIT_TIMEOUT) return false;
    throw error;
  }
}

/** On a connection of its own, since a statement of a migration may take long. */
async function renewLock(database: Database, owner: string): Promise<void> {
  const expiresMs = sql.raw(`${CLOCK_MS} + ${LEASE_MS}`);
  const renewal = sql`UPDATE migration_progress SET expires_ms = ${expiresMs} WHERE id = 1 AND owner = ${owner}`;
  await withTransaction(database, (tx) => tx.execute(renewal)).catch(() => {
    // The next one may succeed; if the lock is lost, the next statement finds out.
  });
}

async function releaseLock({ connection, owner }: Run): Promise<void> {
  const release = 'UPDATE migration_progress SET owner = NULL WHERE id = 1 AND owner = ?';
  await inTransaction(connection, () => connection.query(release, [owner])).catch(() => {
    // The lease ends by itself.
  });
}

async function select(connection: PoolConnection, statement: string): Promise<RowDataPacket[]> {
  const [rows] = await connection.query<RowDataPacket[]>(statement);
  return rows;
}
