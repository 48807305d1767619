// database.ts -- The pools of MySQL connections, and the only ways to use one: `withTransaction`, `readDecideWrite`, `withConnection`.
//
// A connection on which anything failed is destroyed, never returned: after a lost reply or a timeout it may still hold an
// open transaction or a late answer. All ways are bounded in time, since mysql2 by itself waits for ever.

import { drizzle, type MySql2Database } from 'drizzle-orm/mysql2';
import { type Connection as CallbackConnection, format } from 'mysql2';
import {
  type Connection,
  createPool,
  type Pool,
  type PoolConnection,
  type QueryOptions,
  type QueryValues,
} from 'mysql2/promise';
import { readDatabaseUrl } from './url.ts';

/** What the pool needs to know. Times in milliseconds. */
export interface DatabaseSettings {
  readonly DATABASE_URL: string;
  readonly MYSQL_CONNECTIONS_MAX: number;
  readonly MYSQL_QUEUE_MAX: number;
  readonly MYSQL_CONNECT_MS_MAX: number;
  readonly TRANSACTION_MS_MAX: number;
}

/** The pools with their bound on time. */
export interface Database {
  readonly pool: Pool;
  /**
   * For `readDecideWrite` alone: its connections take several statements in one question, none of which is the text of a caller.
   * Whoever issues never waits for whoever manages.
   */
  readonly issuingPool: Pool;
  readonly transactionMsMax: number;
  readonly use: Readonly<Record<PoolName, PoolUse>>;
  readonly onTransaction: OnTransaction;
}

/** The general pool, and that of `readDecideWrite`. */
export const poolNames = ['general', 'issuing'] as const;
export type PoolName = (typeof poolNames)[number];

/** How much of a pool is in use just now. */
export interface PoolUse {
  /** Connections at work. */
  used: number;
  /** Requests that wait for a connection. */
  waiting: number;
}

/** Hears how a transaction ended and how long it took, with the wait for a connection. */
export type OnTransaction = (result: 'committed' | 'failed', seconds: number) => void;

/** One connection, seen through Drizzle. */
export type Session = MySql2Database;

/** Work on a connection took longer than it may. Its transaction is rolled back, unless it was just committing. */
export class DatabaseTimeout extends Error {
  override readonly name = 'DatabaseTimeout';
}

/** Instants are UTC, in statements and in rows. */
const TIMEZONE = 'Z';

/** A connection is ended by the server when it is idle for so many times the longest transaction; the pool then drops it. */
const IDLE_TRANSACTIONS = 2;

/** Thrown by the work of a transaction that is to be rolled back, on a connection that is well and can be used again. */
export class RollbackError extends Error {
  override readonly name: string = 'RollbackError';
}

/** A statement of `readDecideWrite` found a row where it was to insert one. Everything was rolled back. */
export class DuplicateRow extends RollbackError {
  override readonly name = 'DuplicateRow';
}

/** Makes the pools; they connect on first use. */
export function openDatabase(settings: DatabaseSettings, onTransaction: OnTransaction = () => {}): Database {
  return {
    pool: openPool(settings, false),
    issuingPool: openPool(settings, true),
    transactionMsMax: settings.TRANSACTION_MS_MAX,
    use: { general: { used: 0, waiting: 0 }, issuing: { used: 0, waiting: 0 } },
    onTransaction,
  };
}

function openPool(settings: DatabaseSettings, compound: boolean): Pool {
  const { ssl, ...address } = readDatabaseUrl(settings.DATABASE_URL);
  const pool = createPool({
    ...address,
    ...(ssl && { ssl }),
    // -FOUND_ROWS: a duplicate that changes nothing counts 0, so that `affectedRows` is the number of rows that went in.
    // -LOCAL_FILES: the server may not ask this process for files.
    flags: ['-FOUND_ROWS', '-LOCAL_FILES'],
    timezone: TIMEZONE,
    charset: 'utf8mb4',
    // More than one statement in a query is how an injection becomes a deletion: only where no text of a caller can be in it.
    multipleStatements: compound,
    queryFormat: formatSql,
    connectionLimit: settings.MYSQL_CONNECTIONS_MAX,
    maxIdle: settings.MYSQL_CONNECTIONS_MAX,
    idleTimeout: 60_000,
    waitForConnections: true,
    queueLimit: settings.MYSQL_QUEUE_MAX,
    connectTimeout: settings.MYSQL_CONNECT_MS_MAX,
    enableKeepAlive: true,
  });
  pool.pool.on('connection', (connection) => {
    // Queued before the first statement of the borrower. READ COMMITTED: no gap locks, and a read after a row lock sees
    // what its last holder committed. Strict mode: wrong data is an error, never shortened or zeroed.
    connection.query(
      `SET SESSION time_zone = '+00:00', SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'`,
      destroyOn(connection),
    );
    connection.query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED', destroyOn(connection));
    // A process that freezes, or whose host is gone without a word, would hold its row locks for the eight hours that a server
    // waits by default, and nobody could write that coupon. None that is well is silent for so long within a transaction.
    // From 8.0.24 on, MySQL says why it ends a connection (4031 here, 1053 at a shutdown) in a packet with the number 0. If it
    // crosses a statement on its way, the driver takes it for the answer: the statement fails with it, having done nothing, and
    // the driver prints `got packets out of order` to stderr, which no option of it turns off. MariaDB just closes.
    const idleS = Math.ceil((IDLE_TRANSACTIONS * settings.TRANSACTION_MS_MAX) / 1000);
    connection.query(`SET SESSION wait_timeout = ${idleS}`, destroyOn(connection));
  });
  return pool;
}

/** Ends every connection once the statements under way are answered. */
export async function closeDatabase(database: Database): Promise<void> {
  await Promise.all([database.pool.end(), database.issuingPool.end()]);
}

/**
 * Runs `work` in a transaction: committed when it returns, rolled back when it throws.
 *
 * @throws whatever `work` or MySQL throws; after a failed COMMIT nobody knows whether it took place
 * @throws DatabaseTimeout when connection, work and commit together take longer than `transactionMsMax`
 */
export async function withTransaction<Result>(
  database: Database,
  work: (tx: Session) => Promise<Result>,
): Promise<Result> {
  return timed(database, async () => {
    const done = await withConnection(database, async (session, connection) => {
      await query(connection, { sql: 'BEGIN' });
      try {
        const result = await work(session);
        await query(connection, { sql: 'COMMIT' });
        return { result };
      } catch (error) {
        if (!(error instanceof RollbackError)) throw error;
        await query(connection, { sql: 'ROLLBACK' });
        return error;
      }
    });
    if (done instanceof RollbackError) throw done;
    return done.result;
  });
}

/** What was decided from what was read. */
export interface Decided<Result> {
  /** Statements, in order; none: the transaction ends with nothing written. */
  readonly write: readonly string[];
  readonly result: Result;
}

/** Rows as MySQL names their columns. */
export type Rows = readonly Readonly<Record<string, unknown>>[];

/**
 * A transaction in two questions, whatever its number of statements: BEGIN with all that is read, then all that is written with
 * COMMIT. What the reading locks is held for one round trip, and the next in line gets it while we hear that we are done.
 *
 * The server stops at the first statement that fails, so that a COMMIT is reached only when all before it were done. (Vitess
 * does so since its version 9.)
 *
 * @param read the statements after BEGIN: constants, checked numbers and checked user ids, since a text of a caller could bring
 *   statements of its own
 * @param decide gets the rows of each of them, in order
 * @throws DuplicateRow when a row was there that was to be inserted; everything is rolled back
 * @throws whatever `decide` or MySQL throws, after which nothing was written, unless the COMMIT itself failed: then nobody knows
 * @throws DatabaseTimeout as `withTransaction` does
 */
export async function readDecideWrite<Result>(
  database: Database,
  read: readonly string[],
  decide: (rows: readonly Rows[]) => Decided<Result>,
): Promise<Result> {
  return timed(database, async () => {
    const done = await onConnection(database, 'issuing', async (connection) => {
      const [replies] = (await query(connection, { sql: ['BEGIN', ...read].join(';') })) as [readonly Rows[]];
      const { write, result } = decide(replies.slice(1));
      try {
        await query(connection, { sql: write.length === 0 ? 'ROLLBACK' : [...write, 'COMMIT'].join(';') });
        return { result };
      } catch (error) {
        if (!isDuplicate(error)) throw error;
        await query(connection, { sql: 'ROLLBACK' });
        return new DuplicateRow('a row was there already', { cause: error });
      }
    });
    if (done instanceof RollbackError) throw done;
    return done.result;
  });
}

function isDuplicate(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ER_DUP_ENTRY';
}

async function timed<Result>(database: Database, transaction: () => Promise<Result>): Promise<Result> {
  const startMs = performance.now();
  let ended: 'committed' | 'failed' = 'failed';
  try {
    const result = await transaction();
    ended = 'committed';
    return result;
  } finally {
    database.onTransaction(ended, (performance.now() - startMs) / 1000);
  }
}

/** Runs `work` on one connection without a transaction. Throws as `withTransaction` does. */
export function withConnection<Result>(
  database: Database,
  work: (session: Session, connection: PoolConnection) => Promise<Result>,
): Promise<Result> {
  return onConnection(database, 'general', (connection) => work(drizzle(drizzleClient(connection)), connection));
}

async function onConnection<Result>(
  database: Database,
  poolName: PoolName,
  work: (connection: PoolConnection) => Promise<Result>,
): Promise<Result> {
  const pool = poolName === 'general' ? database.pool : database.issuingPool;
  const use = database.use[poolName];
  let overdue = false;
  let borrowed: PoolConnection | undefined;
  const deadline = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    overdue = true;
    borrowed?.destroy();
    deadline.reject(new DatabaseTimeout(`MySQL took longer than ${database.transactionMsMax} ms`));
  }, database.transactionMsMax);
  const run = async () => {
    use.waiting += 1;
    const connection = await pool.getConnection().finally(() => {
      use.waiting -= 1;
    });
    if (overdue) {
      connection.release();
      return deadline.promise;
    }
    borrowed = connection;
    use.used += 1;
    try {
      const result = await work(connection);
      connection.release();
      return result;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  };
  try {
    return await Promise.race([run(), deadline.promise]);
  } finally {
    clearTimeout(timer);
    if (borrowed) use.used -= 1;
  }
}

/** The connection as Drizzle needs it: something that is asked and promises an answer. */
function drizzleClient(connection: PoolConnection): Connection {
  return {
    query: (options: QueryOptions, values: readonly unknown[]) => query(connection, options, values),
  } as unknown as Connection;
}

/**
 * Asks MySQL. The driver's own promises take a stack trace for every query, for the sake of an error that hardly ever comes.
 */
function query(connection: PoolConnection, options: QueryOptions, values: readonly unknown[] = []): Promise<unknown> {
  // Typed as promising, though it is the one below the promises.
  const raw = connection.connection as unknown as CallbackConnection;
  return new Promise((resolve, reject) => {
    raw.query(
      { ...options, ...(values.length > 0 && { values: [...values] as QueryValues }) },
      (error: Error | null, rows: unknown, fields: unknown) => {
        if (error) reject(error);
        else resolve([rows, fields]);
      },
    );
  });
}

/**
 * The text of a statement with its values written out. The driver by itself looks for places of values also where there are none,
 * in every letter of a statement that inserts a thousand rows.
 */
function formatSql(statement: string, values: readonly unknown[] | undefined): string {
  return values === undefined || values.length === 0
    ? statement
    : format(statement, values as Parameters<typeof format>[1], false, TIMEZONE);
}

/** A connection whose session could not be set up must not be used. */
function destroyOn(connection: { destroy(): void }): (error: unknown) => void {
  return (error) => {
    if (error) connection.destroy();
  };
}
