// pool.ts -- A pool of MySQL connections, each option spelled out with its reason.

import { format, type PoolConnection } from 'mysql2';
import { createPool, type Pool } from 'mysql2/promise';
import { isVitess } from './server-version.ts';
import { type DatabaseAddress, readDatabaseUrl } from './url.ts';

/** What the pool needs to know. Times in milliseconds. */
export interface DatabaseSettings extends DatabaseAddress {
  readonly MYSQL_CONNECTIONS_MAX: number;
  readonly MYSQL_QUEUE_MAX: number;
  readonly MYSQL_CONNECT_MS_MAX: number;
  readonly TRANSACTION_MS_MAX: number;
  readonly MYSQL_CONNECTION_S_MAX: number;
}

/** When a connection was made, and when it is to be replaced, by `performance.now()`. */
interface Life {
  readonly madeMs: number;
  readonly retireMs: number;
  /** Resolves when its session is set up; a connection whose session cannot be set up must not be used. */
  readonly ready: Promise<void>;
}

const lives = new WeakMap<object, Life>();

/** The life of a connection as the driver hands it out; one that was never seen is over. */
export function lifeOf({ connection }: { readonly connection: object }): Life {
  return lives.get(connection) ?? { madeMs: 0, retireMs: 0, ready: Promise.resolve() };
}

/** Connections that were made together do not all end together: up to so large a part of their life earlier. */
const JITTER = 0.1;

/** Instants are UTC, in statements and in rows. */
const TIMEZONE = 'Z';

/**
 * What every session is set to. READ COMMITTED: no gap locks, and a read after a row lock sees what its last holder committed.
 * Strict mode: wrong data is an error, never shortened or zeroed. `autocommit`: else every read begins a transaction, whose locks stay.
 * utf8mb4: a server may ignore the character set of the handshake, and take bytes of a text for its end.
 */
export const sessionSettings = {
  character_set_client: 'utf8mb4',
  character_set_connection: 'utf8mb4',
  character_set_results: 'utf8mb4',
  time_zone: '+00:00',
  sql_mode: 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO',
  autocommit: 1,
  isolation: 'READ-COMMITTED',
} as const;

/** A connection is ended by the server when it is idle for so many times the longest transaction; the pool then drops it. */
const IDLE_TRANSACTIONS = 2;

/**
 * Makes a pool, which connects on first use.
 *
 * @param compound several statements in one query: only where no text of a caller can be in it
 * @param onVersion gets what each server says of itself, such as `9.7.0` or `8.4.6-Vitess`, before the connection is used
 */
export function openPool(settings: DatabaseSettings, compound: boolean, onVersion: (version: string) => void): Pool {
  const pool = createPool({
    ...readDatabaseUrl(settings),
    // -FOUND_ROWS: a duplicate that changes nothing counts 0, so that `affectedRows` is the number of rows that went in.
    // -LOCAL_FILES: the server may not ask this process for files.
    flags: ['-FOUND_ROWS', '-LOCAL_FILES'],
    timezone: TIMEZONE,
    charset: 'utf8mb4',
    // More than one statement in a query is how an injection becomes a deletion.
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
    const madeMs = performance.now();
    const lifeMs = settings.MYSQL_CONNECTION_S_MAX * 1000 * (1 - JITTER * Math.random());
    const ready = setUp(asPromised(connection), settings, onVersion);
    // Whoever borrows the connection hears of a failure.
    ready.catch(() => undefined);
    lives.set(connection, { madeMs, retireMs: madeMs + lifeMs, ready });
  });
  return pool;
}

type Ask = (statement: string) => Promise<unknown>;

/**
 * Its statements are queued before the first one of the borrower, but for the last, which waits for the version. That is known first,
 * to explain what fails.
 */
async function setUp(ask: Ask, settings: DatabaseSettings, onVersion: (version: string) => void): Promise<void> {
  const { time_zone: zone, sql_mode: mode, autocommit } = sessionSettings;
  const idleMs = IDLE_TRANSACTIONS * settings.TRANSACTION_MS_MAX;
  const asked = [
    'SET NAMES utf8mb4',
    `SET SESSION time_zone = '${zone}', SESSION sql_mode = '${mode}', SESSION autocommit = ${autocommit}`,
    'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
    // A process that freezes, or whose host vanishes, would hold its row locks for the eight hours that a server waits by
    // default, and no other could write that coupon. A healthy one is never silent for so long within a transaction.
    // From 8.0.24 on, MySQL says why it ends a connection (4031 here, 1053 at a shutdown) in a packet with the number 0. If it
    // crosses a statement on its way, the driver takes it for the answer: the statement fails with it, having done nothing, and
    // the driver prints `got packets out of order` to stderr, which no option of it turns off. MariaDB just closes.
    `SET SESSION wait_timeout = ${Math.ceil(idleMs / 1000)}`,
  ];
  const versioned = ask('SELECT VERSION() AS version').then((rows) => {
    const [row] = rows as { readonly version?: string }[];
    onVersion(row?.version ?? '');
    return row?.version ?? '';
  });
  const [version] = await Promise.all([versioned, ...asked.map(ask)]);
  // Vitess takes `wait_timeout` and ignores it. Its own setting is in milliseconds, and at most what its tablets allow.
  if (isVitess(version)) await ask(`SET SESSION transaction_timeout = ${idleMs}`);
}

/** Destroys the connection when a statement fails. */
function asPromised(connection: PoolConnection): Ask {
  return (statement) =>
    new Promise((resolve, reject) => {
      connection.query(statement, (error, rows) => {
        if (!error) return resolve(rows);
        connection.destroy();
        reject(error);
      });
    });
}

/**
 * The text of a statement with its values written out. The driver by itself looks for places of values also where there are none,
 * in every letter of a statement that inserts a thousand rows.
 */
function formatSql(statement: string, values: readonly unknown[] | undefined): string {
  return values === undefined || values.length === 0
    ? statement
    : format(statement, values.map(safely) as Parameters<typeof format>[1], false, TIMEZONE);
}

/** Printable ASCII without quotes and backslash: the same bytes in every character set, none of which ends a text. */
const PLAIN = /^[ !#-&(-[\]-~]*$/;

/**
 * A text that people wrote, as hexadecimal digits: escaping it is right in one character set and an injection in another. Not a
 * prepared statement, which proxies do not all know.
 */
function safely(value: unknown): unknown {
  if (typeof value !== 'string' || PLAIN.test(value)) return value;
  return { toSqlString: () => `_utf8mb4 X'${Buffer.from(value, 'utf8').toString('hex')}'` };
}
