// The whole system as `monitoring/` watches it: API, worker, exporters and Prometheus as processes of their own, on free ports.
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { readConfig } from '../../src/config/config.ts';
import { type ChildProcess, startChild } from '../../tools/stack/child-process.ts';
import { freePort } from '../../tools/stack/free-port.ts';
import type { MonitoringPrograms } from '../../tools/monitoring-programs.ts';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import { mustRun } from '../../tools/stack/run-command.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import { closeDatabase, openDatabase, withConnection } from '../../src/mysql/database.ts';
import { monitoringFolder } from './dashboards.ts';

export interface WatchedSystem {
  readonly apiUrl: string;
  readonly workerUrl: string;
  readonly prometheusUrl: string;
}

/** What undoes a step; run in reverse order. */
export type RollbackError = (() => unknown)[];

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
  undo: RollbackError,
): Promise<WatchedSystem> {
  const redis = await startRedisServer({ folder });
  undo.push(() => redis.stop());
  const { databaseUrl, optionFile } = await createDatabase(folder, undo);
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
  const [apiUrl, workerUrl, redisTarget, mysqlTarget] = await Promise.all([
    startOurs('src/server.ts', environment, undo),
    startOurs('workers/worker.ts', environment, undo),
    startTheirs(
      programs.redisExporter,
      (port) => [`--redis.addr=${redis.url}`, `--web.listen-address=127.0.0.1:${port}`],
      undo,
    ),
    startTheirs(
      programs.mysqldExporter,
      (port) => [`--config.my-cnf=${optionFile}`, `--web.listen-address=127.0.0.1:${port}`],
      undo,
    ),
  ]);
  const targets = {
    api: new URL(apiUrl).host,
    worker: new URL(workerUrl).host,
    redis: redisTarget,
    mysql: mysqlTarget,
  };
  const configFile = writePrometheusConfig(folder, targets);
  const prometheus = await startTheirs(
    programs.prometheus,
    (port) => [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(folder, 'prometheus')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    undo,
    '/-/ready',
  );
  return { apiUrl, workerUrl, prometheusUrl: `http://${prometheus}` };
}

/** The configuration of `monitoring/`, with the addresses of this run, and every second where it has every five. */
function writePrometheusConfig(folder: string, targets: Readonly<Record<string, string>>): string {
  const config = Bun.YAML.parse(readFileSync(join(monitoringFolder, 'prometheus.yml'), 'utf8')) as {
    global: Record<string, string>;
    rule_files: string[];
    scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
  };
  const ours = {
    ...config,
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: config.rule_files.map((path) => join(monitoringFolder, path)),
    scrape_configs: config.scrape_configs.map((job) => ({
      ...job,
      static_configs: [{ targets: [targets[job.job_name]] }],
    })),
  };
  const file = join(folder, 'prometheus.json');
  // JSON is YAML too.
  writeFileSync(file, JSON.stringify(ours));
  return file;
}

/** A database and a user for the exporter, which wants one with a password. */
async function createDatabase(
  folder: string,
  undo: RollbackError,
): Promise<{ databaseUrl: string; optionFile: string }> {
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
  const optionFile = join(folder, 'exporter.cnf');
  const options = { user: name, password: name, host: url.hostname, port: url.port || '3306' };
  const lines = Object.entries(options).map(([option, value]) => `${option}=${value}\n`);
  writeFileSync(optionFile, `[client]\n${lines.join('')}`);
  return { databaseUrl: url.href, optionFile };
}

/** Starts an entry of ours and returns where it listens, as its log tells. */
async function startOurs(
  entry: string,
  environment: Record<string, string | undefined>,
  undo: RollbackError,
): Promise<string> {
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

/** Starts a program that tells nothing of its port, and returns host and port once it answers there. */
async function startTheirs(
  program: string,
  args: (port: number) => string[],
  undo: RollbackError,
  readyPath = '/metrics',
): Promise<string> {
  const port = await freePort();
  const child = await startChild({ program, args: args(port), stdio: 'ignore' });
  undo.push(() => child.stop());
  const answers = async (): Promise<boolean> => {
    try {
      return (
        stillRuns(child, program) &&
        (await fetch(`http://127.0.0.1:${port}${readyPath}`, { signal: AbortSignal.timeout(2000) })).ok
      );
    } catch (error) {
      if (child.hasEnded()) throw error;
      // Not listening yet.
      return false;
    }
  };
  await waitUntil(`${program} to answer`, answers, { waitMsMax });
  return `127.0.0.1:${port}`;
}

function stillRuns(child: ChildProcess, what: string): boolean {
  if (child.hasEnded()) throw new Error(`${what} ended before it answered`);
  return true;
}
