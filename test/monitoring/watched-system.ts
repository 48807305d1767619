// The whole system as `monitoring/` watches it: API, worker, exporters and Prometheus as processes of their own, on free ports.
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { readConfig } from '../../src/config/config.ts';
import { type ChildProcess, startChild } from '../../tools/stack/child-process.ts';
import { startMonitoring, type WatchedAddresses } from '../../tools/monitor/processes.ts';
import type { MonitoringPrograms } from '../../tools/monitor/programs.ts';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import { mustRun } from '../../tools/stack/run-command.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import { closeDatabase, openDatabase, withConnection } from '../../src/mysql/database.ts';

export interface WatchedSystem {
  readonly apiUrl: string;
  readonly workerUrl: string;
  readonly prometheusUrl: string;
}

/** What undoes a step; run in reverse order. */
export type Undo = (() => unknown)[];

export const adminApiKey = 'a-key-for-this-test-alone';
const root = resolve(import.meta.dirname, '../..');
const waitMsMax = 20_000;

/**
 * Starts everything. Redis is private, since its exporter tells of a whole server; in MySQL a database of its own is enough.
 *
 * @param folder an empty one, for data and configuration
 * @param undo gets what is to be done when the test is over, also when this fails
 */
export async function startWatchedSystem(
  programs: MonitoringPrograms,
  folder: string,
  undo: Undo,
): Promise<WatchedSystem> {
  const redis = await startRedisServer({ folder });
  undo.push(() => redis.stop());
  const { databaseUrl, mysql } = await createDatabase(undo);
  const environment = {
    ...process.env,
    REDIS_URL: redis.url,
    DATABASE_URL: databaseUrl,
    AUTH: 'off',
    ADMIN_API_KEY: adminApiKey,
    HOST: '127.0.0.1',
    PORT: '0',
    WORKER_PORT: '0',
    LOG_LEVEL: 'info',
  };
  await mustRun(process.execPath, ['src/commands/migrate.ts'], { folder: root, environment });
  const [apiUrl, workerUrl] = await Promise.all([
    startOurs('src/server.ts', environment, undo),
    startOurs('workers/worker.ts', environment, undo),
  ]);
  const watched = { apiUrl, workerUrl, redisUrl: redis.url, mysql };
  const prometheusUrl = await startMonitoring(programs, watched, { folder, undo: (each) => undo.push(each) });
  return { apiUrl, workerUrl, prometheusUrl };
}

/** A database and a user for the exporter, which wants one with a password. */
async function createDatabase(undo: Undo): Promise<{ databaseUrl: string; mysql: WatchedAddresses['mysql'] }> {
  const serverUrl = process.env['TEST_DATABASE_URL'];
  if (!serverUrl) throw new Error('TEST_DATABASE_URL is not set: start the tests with `bun run test`');
  const bounds = readConfig(
    [
      'MYSQL_CONNECTIONS_MAX',
      'MYSQL_QUEUE_MAX',
      'MYSQL_CONNECT_MS_MAX',
      'MYSQL_CONNECTION_S_MAX',
      'TRANSACTION_MS_MAX',
    ],
    {},
  );
  const server = openDatabase({ ...bounds, DATABASE_URL: serverUrl });
  undo.push(() => closeDatabase(server));
  const name = `coupon_watched_${randomUUID().slice(0, 8)}`;
  const run = (...statements: string[]): Promise<void> =>
    withConnection(server, async (_, connection) => {
      for (const statement of statements) await connection.query(statement);
    });
  await run(
    `CREATE DATABASE ${name}`,
    `CREATE USER ${name}@'%' IDENTIFIED BY '${name}'`,
    `GRANT ALL ON *.* TO ${name}@'%'`,
  );
  undo.push(() => run(`DROP DATABASE ${name}`, `DROP USER ${name}@'%'`));
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const mysql = { user: name, password: name, host: url.hostname, port: url.port || '3306' };
  return { databaseUrl: url.href, mysql };
}

/** Starts an entry of ours and returns where it listens, as its log tells. */
async function startOurs(entry: string, environment: Record<string, string | undefined>, undo: Undo): Promise<string> {
  const child = await startChild({
    program: process.execPath,
    args: [entry],
    stdio: ['ignore', 'pipe', 'inherit'],
    folder: root,
    environment,
  });
  undo.push(() => child.stop());
  const { stdout } = child;
  if (stdout === null) throw new Error(`${entry} has no output`);
  let url: string | undefined;
  // Read to its end, so that a full pipe never stops the process.
  createInterface({ input: stdout }).on('line', (line) => {
    const [, address] = /"url":"([^"]+)"/.exec(line) ?? [];
    const [, port] = /"metricsPort":(\d+)/.exec(line) ?? [];
    url ??= address ?? (port === undefined ? undefined : `http://127.0.0.1:${port}`);
  });
  await waitUntil(`${entry} to listen`, () => stillRuns(child, entry) && url !== undefined, { waitMsMax });
  return url ?? '';
}

function stillRuns(child: ChildProcess, what: string): boolean {
  if (child.hasEnded()) throw new Error(`${what} ended before it answered`);
  return true;
}
