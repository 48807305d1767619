// migrations.ts -- Applies `drizzle/migrations`, once each and in order, also when two processes start it at the same time.

import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { drizzle } from 'drizzle-orm/mysql2';
import { migrate } from 'drizzle-orm/mysql2/migrator';
import type { PoolConnection } from 'mysql2/promise';
import { type Database, type Session, withConnection } from './database.ts';
import { errorNumber } from './faults.ts';
import { isTooOld, readServerVersion, tooOld } from './server-version.ts';
import { OperatorError } from '../operator-error.ts';

const migrationsFolder = fileURLToPath(new URL('../../drizzle/migrations', import.meta.url));

/** Where Drizzle records what was applied. */
const JOURNAL = '__drizzle_migrations';

/** MySQL: there is no such table. */
const NO_SUCH_TABLE = 1146;

/**
 * Applies what is missing, under a lock of the server's, since DDL cannot be rolled back.
 *
 * @param waitS how long to wait for another process that migrates
 * @returns how many were applied
 * @throws OperatorError when the server is too old, or the lock was not acquired in time; what MySQL throws
 */
export async function applyMigrations(database: Database, waitS: number): Promise<number> {
  return withConnection(database, async (session, connection) => {
    const version = await readServerVersion(session);
    if (isTooOld(version)) throw new OperatorError(tooOld(version));
    await lockMigrations(connection, waitS);
    try {
      const missing = await countMissing(session);
      // The migrator needs more of the driver than sessions have.
      if (missing > 0) await migrate(drizzle(connection), { migrationsFolder, migrationsTable: JOURNAL });
      return missing;
    } finally {
      // SELECT and not DO: Vitess takes functions of locks in a SELECT alone.
      await connection.query("SELECT RELEASE_LOCK(CONCAT(DATABASE(), '.migrations'))");
    }
  });
}

/** How many migrations this release has that the database has not. */
export function missingMigrations(database: Database): Promise<number> {
  return withConnection(database, countMissing);
}

async function lockMigrations(connection: PoolConnection, waitS: number): Promise<void> {
  const [rows] = await connection.query("SELECT GET_LOCK(CONCAT(DATABASE(), '.migrations'), ?) AS locked", [waitS]);
  const [row] = rows as { locked: number | null }[];
  if (row?.locked !== 1)
    throw new OperatorError(
      `DATABASE_URL: another process has been migrating for ${waitS} s; try again when it is done`,
    );
}

async function countMissing(session: Session): Promise<number> {
  const known = readMigrationFiles({ migrationsFolder });
  try {
    const [rows] = await session.execute(
      sql`SELECT COALESCE(MAX(created_at), 0) AS latest FROM ${sql.identifier(JOURNAL)}`,
    );
    const [row] = rows as unknown as { latest: number | string }[];
    return known.filter(({ folderMillis }) => folderMillis > Number(row?.latest ?? 0)).length;
  } catch (error) {
    if (errorNumber(error) === NO_SUCH_TABLE) return known.length;
    throw error;
  }
}
