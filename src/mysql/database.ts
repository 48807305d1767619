// database.ts -- The pools of MySQL connections, and the only ways to use one: `withTransaction`, `withConnection`, and `readThenWrite` of
// read-then-write.ts.
//
// Each pool is a bulkhead: who waits in one never delays those in another.
// A connection on which anything failed is destroyed, never returned: after a lost reply or a timeout it may still hold an
// open transaction or a late answer. All ways are bounded in time, since mysql2 by itself waits forever.

import { sql } from 'drizzle-orm';
import { drizzle, type MySql2Database } from 'drizzle-orm/mysql2';
import type { Connection as CallbackConnection } from 'mysql2';
import type { Connection, Pool, PoolConnection, QueryOptions, QueryValues } from 'mysql2/promise';
import { isDemoted, wasUndone } from './faults.ts';
import { type DatabaseSettings, lifeOf, openPool } from './pool.ts';
import { isVitess } from './server-version.ts';

/** The pools with their bound on time. */
export interface Database {
  readonly pools: Readonly<Record<PoolName, Pool>>;
  /** The pool of everything but `readThenWrite`; see `throughPool`. */
  readonly poolName: PoolName;
  readonly transactionMsMax: number;
  readonly use: Readonly<Record<PoolName, PoolUse>>;
  /** Connections that were made before are not used any more: a server said that it is not the primary. By `performance.now()`. */
  readonly demoted: { beforeMs: number };
  /** What the server is; undefined before the first connection. */
  readonly server: { isVitess?: boolean };
  readonly onTransaction: OnTransaction;
}

/**
 * `issuing` is for `readThenWrite` alone: its connections take several statements in one query, none of which is the text of a caller.
 * `public`: what users and anonymous callers read and use. `security`: API keys, readiness, and whether the stores belong together.
 * `general`: operators, openings and the worker.
 */
export const poolNames = ['general', 'issuing', 'public', 'security'] as const;
export type PoolName = (typeof poolNames)[number];

/** Connections of the pool `security`: one query at a time each for keys, readiness and the comparison of the stores. */
const SECURITY_CONNECTIONS = 3;

/** How many connections each pool may have. */
export function poolSizes({ MYSQL_CONNECTIONS_MAX: most }: Pick<DatabaseSettings, 'MYSQL_CONNECTIONS_MAX'>) {
  return { general: most, issuing: most, public: Math.ceil(most / 2), security: SECURITY_CONNECTIONS } as const;
}

/** How much of a pool is in use. */
export interface PoolUse {
  /** Connections at work. */
  used: number;
  /** Requests that wait for a connection. */
  waiting: number;
}

/** Called with the result of a transaction and its duration, including the wait for a connection. */
export type OnTransaction = (result: 'committed' | 'failed', seconds: number) => void;

/** One connection, seen through Drizzle. */
export type Session = MySql2Database;

/** The clock of MySQL in milliseconds, as a column of a query. */
export const clockMs = sql`CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS UNSIGNED)`.mapWith(Number);

/** Work on a connection took longer than it may. Its transaction is rolled back, unless it was just committing. */
export class DatabaseTimeout extends Error {
  override readonly name = 'DatabaseTimeout';
}

/** Thrown by the work of a transaction to roll it back; the connection is healthy and can be used again. */
export class RollbackError extends Error {
  override readonly name: string = 'RollbackError';
}

/** Makes the pools; they connect on first use. */
export function openDatabase(settings: DatabaseSettings, onTransaction: OnTransaction = () => {}): Database {
  const sizes = poolSizes(settings);
  const server: Database['server'] = {};
  const onVersion = (version: string) => {
    server.isVitess = isVitess(version);
  };
  const pool = (name: PoolName) =>
    openPool({ ...settings, MYSQL_CONNECTIONS_MAX: sizes[name] }, name === 'issuing', onVersion);
  const unused = () => ({ used: 0, waiting: 0 });
  return {
    pools: { general: pool('general'), issuing: pool('issuing'), public: pool('public'), security: pool('security') },
    poolName: 'general',
    transactionMsMax: settings.TRANSACTION_MS_MAX,
    demoted: { beforeMs: 0 },
    server,
    use: { general: unused(), issuing: unused(), public: unused(), security: unused() },
    onTransaction,
  };
}

/** The same database through another of its pools. */
export function throughPool(database: Database, poolName: Exclude<PoolName, 'issuing'>): Database {
  return { ...database, poolName };
}

/** Ends every connection once the statements under way are answered. */
export async function closeDatabase(database: Database): Promise<void> {
  await Promise.all(Object.values(database.pools).map((pool) => pool.end()));
}

/**
 * Runs `work` in a transaction: committed when it returns, rolled back when it throws.
 *
 * @throws what `work` or MySQL throw; after a failed COMMIT the result is ambiguous
 * @throws DatabaseTimeout when connection, work and commit together take longer than `transactionMsMax`
 */
export function withTransaction<Result>(database: Database, work: (tx: Session) => Promise<Result>): Promise<Result> {
  return timed(database, () =>
    withConnection(database, async (session, connection) => {
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
    }),
  );
}

/** Tries once more what the server says it has rolled back, or never begun: the caller of a request would only do the same. */
export async function retryUndone<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!wasUndone(error)) throw error;
    return work();
  }
}

/** Runs a transaction, which returns instead of throwing when its connection can be used again. */
/** Runs a transaction, reports how it ended and how long it took, and throws a `RollbackError` that it returns. */
export async function timed<Result>(
  database: Database,
  transaction: () => Promise<{ readonly result: Result } | RollbackError>,
): Promise<Result> {
  const startMs = performance.now();
  let ended: 'committed' | 'failed' = 'failed';
  try {
    const done = await transaction();
    if (done instanceof RollbackError) throw done;
    ended = 'committed';
    return done.result;
  } finally {
    database.onTransaction(ended, (performance.now() - startMs) / 1000);
  }
}

/** Runs `work` on one connection without a transaction. Throws as `withTransaction` does. */
export function withConnection<Result>(
  database: Database,
  work: (session: Session, connection: PoolConnection) => Promise<Result>,
): Promise<Result> {
  return onConnection(database, database.poolName, (connection) =>
    work(drizzle(drizzleClient(connection)), connection),
  );
}

/** Whether this is Vitess, which the first connection says. Throws what MySQL throws. */
export async function isOnVitess(database: Database): Promise<boolean> {
  if (database.server.isVitess === undefined) await withConnection(database, () => Promise.resolve());
  return database.server.isVitess === true;
}

/**
 * Reads what decides, or what tells a user that they have nothing, in a transaction: a proxy that sends plain reads to replicas, which
 * may be seconds behind, sends this to the primary. A server that was demoted behind a standing connection refuses a transaction that
 * may write; a new connection then leads to the primary, or to one that is read-only for now. Throws as `withTransaction` does.
 *
 * Vitess sends every read to the primary, and a transaction that reads several shards would keep a connection of each.
 */
export async function readFromPrimary<Result>(
  database: Database,
  read: (tx: Session) => Promise<Result>,
): Promise<Result> {
  const readAfter = (begin: string) =>
    withConnection(database, async (session, connection) => {
      if (database.server.isVitess) return read(session);
      await query(connection, { sql: begin });
      const result = await read(session);
      await query(connection, { sql: 'COMMIT' });
      return result;
    });
  try {
    return await readAfter('START TRANSACTION READ WRITE');
  } catch (error) {
    if (!isDemoted(error)) throw error;
    return readAfter('BEGIN');
  }
}

/** Runs `work` on one connection of a pool; beyond `transactionMsMax` the connection is destroyed. Throws as `withTransaction` does. */
export async function onConnection<Result>(
  database: Database,
  poolName: PoolName,
  work: (connection: PoolConnection) => Promise<Result>,
): Promise<Result> {
  const pool = database.pools[poolName];
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
    const connection = await freshConnection(pool, database).finally(() => {
      use.waiting -= 1;
    });
    if (overdue) {
      connection.release();
      return deadline.promise;
    }
    borrowed = connection;
    use.used += 1;
    try {
      await lifeOf(connection).ready;
      const result = await work(connection);
      connection.release();
      return result;
    } catch (error) {
      connection.destroy();
      if (isDemoted(error)) database.demoted.beforeMs = performance.now();
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

/** A connection that is not too old, and was made since a server last said that it is not the primary. */
async function freshConnection(pool: Pool, { demoted }: Database): Promise<PoolConnection> {
  for (;;) {
    const connection = await pool.getConnection();
    const { madeMs, retireMs } = lifeOf(connection);
    if (madeMs >= demoted.beforeMs && performance.now() < retireMs) return connection;
    connection.destroy();
  }
}

/** The connection as Drizzle needs it: a `query` that returns a promise. */
function drizzleClient(connection: PoolConnection): Connection {
  return {
    query: (options: QueryOptions, values: readonly unknown[]) => query(connection, options, values),
  } as unknown as Connection;
}

/** Sends a statement. The driver's own promises take a stack trace for every query, for an error that hardly ever comes. */
export function query(
  connection: PoolConnection,
  options: QueryOptions,
  values: readonly unknown[] = [],
): Promise<unknown> {
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
