// cluster.ts -- The whole system as in production, on private durable stores: several API processes, several workers, real HTTP.

import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Redis } from 'ioredis';
import { type Config, readConfig } from '../../src/config/config.ts';
import { freePort } from '../../tools/stack/free-port.ts';
import { startMysqlServer } from '../../tools/stack/mysql-server.ts';
import type { PrivateServer } from '../../tools/stack/private-server.ts';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import { tempFolder } from '../../tools/leftovers.ts';
import { closeDatabase, type Database, openDatabase } from '../../src/mysql/database.ts';
import { applyMigrations } from '../../src/mysql/migrations.ts';
import { connect, issuingConnection } from '../../src/redis/connection.ts';
import { type ReplicatedRedis, startReplicatedRedis } from '../replicated-redis.ts';
import type { PartitionedConfig } from '../stores.ts';
import type { Fault } from './faults.ts';
import { KeptProcess } from './kept-process.ts';
import { openTcpProxy } from '../tcp-proxy.ts';
import { findVitess, howToGetVitess, startVitess, type VitessServer } from '../vitess/vitess-server.ts';
import { type RedisKind, startManyRedis } from './many-redis.ts';
import { type Receiver, startReceivers } from './receivers.ts';
import { type MovableMysql, startMovableMysql } from './movable-mysql.ts';

/** Settings by the names of the environment. */
export type Settings = Readonly<Partial<Record<keyof Config, string | number>>>;

export interface ClusterOptions {
  readonly apis: number;
  readonly workers: number;
  /** For every process. */
  readonly settings?: Settings;
  /** All APIs listen on one port. */
  readonly sharesPort?: boolean;
  /** Override the durable ones of the private Redis. */
  readonly redisSettings?: Record<string, string>;
  /** The addresses of the stores that the processes get, for a proxy in between. */
  readonly route?: (urls: StoreUrls) => Promise<{ readonly api: Settings; readonly worker: Settings }>;
  /** The source that the processes run, if it is not this one. */
  readonly root?: string;
  /** The program of another MySQL server than the one on the PATH. */
  readonly mysqlProgram?: string | undefined;
  /** Puts MySQL behind an address of its own, so that it can go back to a copy and be replaced by another server. */
  readonly movesMysql?: boolean;
  /** Instead of one Redis. */
  readonly redis?: RedisKind | undefined;
  /** So many replicas of that one, behind an address that follows a failover. */
  readonly replicas?: number | undefined;
  /** A MySQL that is there already: it is used, and never harmed. */
  readonly databaseUrl?: string | undefined;
  /** A private Vitess of so many shards, whose connections do not grow old. */
  readonly vitessShards?: 0 | 2 | undefined;
}

export interface StoreUrls {
  readonly redis: string;
  readonly mysql: string;
}

export interface Cluster {
  readonly apis: readonly KeptProcess[];
  readonly workers: readonly KeptProcess[];
  /** Of webhooks, which nobody has registered yet. */
  readonly receivers: readonly Receiver[];
  /** The primary at the start where it is replicated. */
  readonly redisServer: PrivateServer;
  readonly replicatedRedis: ReplicatedRedis | null;
  /** What is done to a Redis of several servers that find each other; null with one. */
  readonly redisFaults: readonly Fault[] | null;
  /** null when it is not ours to harm. */
  readonly mysqlServer: Pick<PrivateServer, 'kill' | 'restart'> | null;
  /** The same, if it was asked for one that moves. */
  readonly movableMysql: MovableMysql | null;
  readonly vitess: VitessServer | null;
  /** Connections of the observer, straight to the stores. */
  readonly redis: Redis;
  readonly database: Database;
  readonly config: PartitionedConfig;
  /** The log lines in which a process reports a bug of its own. */
  ownFaults(): string[];
  stop(): Promise<void>;
}

/** The key with which operators come. */
export const ADMIN_KEY = 'the key of a chaos run';

const OBSERVER_MS_MAX = 10_000;

/** Quick where production is patient: a run must see many recoveries in little time. */
const PARTITIONS = 4;
const quick: Settings = {
  PARTITIONS,
  LOG_LEVEL: 'warn',
  HOST: '127.0.0.1',
  AUTH: 'off',
  ADMIN_API_KEY: ADMIN_KEY,
  BLOCK_MS: 100,
  RETRY_MS_MAX: 200,
  CLAIM_IDLE_MS: 400,
  REDIS_COMMAND_MS_MAX: 700,
  REDIS_CONNECT_MS_MAX: 700,
  MYSQL_CONNECT_MS_MAX: 700,
  TRANSACTION_MS_MAX: 2000,
  OPENING_LEASE_MS: 700,
  OPENING_WAIT_MS_MAX: 3000,
  LOCK_LEASE_MS: 500,
  LOCK_WAIT_MS_MAX: 100,
  SHUTDOWN_MS_MAX: 10_000,
  WEBHOOK_PRIVATE: 'on',
  WEBHOOK_POLL_MS: 200,
  WEBHOOK_MS_MAX: 2000,
  WEBHOOK_RETRY_S_MAX: 2,
};

/** Starts everything, and waits until it answers. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const undo: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    return await startWith(options, undo, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startWith(
  options: ClusterOptions,
  undo: (() => unknown)[],
  stop: () => Promise<void>,
): Promise<Cluster> {
  const folder = tempFolder('coupon-chaos-');
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  const { replicas = 0, redisSettings = {} } = options;
  const replicatedRedis =
    replicas > 0 ? await startReplicatedRedis(folder, { replicas, settings: redisSettings }) : null;
  undo.push(() => replicatedRedis?.[Symbol.asyncDispose]());
  const redisServer =
    replicatedRedis?.members[0]?.server ?? (await startRedisServer({ folder, settings: redisSettings }));
  undo.push(() => redisServer.stop());
  const manyRedis = options.redis
    ? await startManyRedis(options.redis, folder, Number(options.settings?.REPLICAS_MIN ?? 0))
    : null;
  undo.push(() => manyRedis?.stop());
  const sql = await startSql(folder, options, undo);
  const { mysqlServer, movableMysql } = sql;
  const urls = { redis: manyRedis?.url ?? replicatedRedis?.address.url ?? redisServer.url, mysql: sql.url };
  // A run must not wait long for what MySQL lost.
  const reconciling: Settings = movableMysql ? { RECONCILE_MS: 1000 } : {};
  const direct: Settings = {
    ...quick,
    ...reconciling,
    ...options.settings,
    REDIS_URL: urls.redis,
    DATABASE_URL: urls.mysql,
  };
  const config = { PARTITIONS, ...readConfig(undefined, asEnvironment({ ...direct, DATABASE_URL: sql.observerUrl })) };
  // Patient: on a loaded machine a late reply is no finding.
  const database = openDatabase({ ...config, TRANSACTION_MS_MAX: 30_000, MYSQL_CONNECT_MS_MAX: OBSERVER_MS_MAX });
  undo.push(() => closeDatabase(database));
  await applyMigrations(database, 30);
  const redis = issuingConnection({ ...config, REDIS_COMMAND_MS_MAX: OBSERVER_MS_MAX }, () => {});
  undo.push(() => redis.disconnect());
  await connect(redis);
  const routed = (await options.route?.(urls)) ?? { api: {}, worker: {} };
  const root = options.root ?? resolve(import.meta.dirname, '../..');
  const sharedPort = options.sharesPort ? await freePort() : undefined;
  const apis = await keptProcesses('api', options.apis, root, folder, { ...direct, ...routed.api }, sharedPort);
  const workers = await keptProcesses('worker', options.workers, root, folder, { ...direct, ...routed.worker });
  const receivers = startReceivers();
  for (const each of [...receivers, ...apis, ...workers]) undo.push(() => each.stop());
  await Promise.all([...apis, ...workers].map((each) => each.start()));
  const servers = {
    redisServer,
    replicatedRedis,
    redisFaults: manyRedis?.faults ?? null,
    mysqlServer,
    movableMysql,
    vitess: sql.vitess,
  };
  return { apis, workers, receivers, ...servers, redis, database, config, ownFaults: () => ownFaults(folder), stop };
}

interface Sql extends Pick<Cluster, 'mysqlServer' | 'movableMysql' | 'vitess'> {
  /** For the processes. */
  readonly url: string;
  /** Straight to it. */
  readonly observerUrl: string;
}

async function startSql(folder: string, options: ClusterOptions, undo: (() => unknown)[]): Promise<Sql> {
  const { databaseUrl, vitessShards, mysqlProgram } = options;
  if (vitessShards !== undefined) return startVitessSql(vitessShards, undo);
  const movableMysql = options.movesMysql && !databaseUrl ? await startMovableMysql(folder, mysqlProgram) : null;
  const mysqlServer = movableMysql ?? (databaseUrl ? null : await startMysql(folder, mysqlProgram));
  undo.push(() => mysqlServer?.stop());
  const url = databaseUrl ?? mysqlServer?.url ?? '';
  return { mysqlServer, movableMysql, vitess: null, url, observerUrl: url };
}

/** PlanetScale ends connections that are old; here they are so soon. */
const CONNECTION_MS_MAX = 10_000;

async function startVitessSql(shards: 0 | 2, undo: (() => unknown)[]): Promise<Sql> {
  const programs = findVitess();
  if (!programs) throw new Error(`--vitess: ${howToGetVitess}`);
  const vitess = await startVitess({ programs, shards });
  undo.push(() => vitess.stop());
  const proxy = await openTcpProxy(vitess.url, { connectionMsMax: CONNECTION_MS_MAX });
  undo.push(() => proxy[Symbol.asyncDispose]());
  return { mysqlServer: vitess.mysql, movableMysql: null, vitess, url: proxy.url, observerUrl: vitess.url };
}

function startMysql(folder: string, program: string | undefined): Promise<PrivateServer> {
  return startMysqlServer({
    folder,
    ...(program === undefined ? {} : { program }),
    // Small: the runs are short, and several engines may be on one machine.
    settings: { 'innodb-buffer-pool-size': '64M' },
  });
}

async function keptProcesses(
  kind: 'api' | 'worker',
  count: number,
  root: string,
  folder: string,
  settings: Settings,
  sharedPort?: number,
): Promise<KeptProcess[]> {
  const entry = kind === 'api' ? 'src/server.ts' : 'workers/worker.ts';
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const name = `${kind}-${i + 1}`;
      const port = await freePort();
      const ofApi = sharedPort ? { PORT: sharedPort, METRICS_PORT: port, REUSE_PORT: 'on' } : { PORT: port };
      const own = kind === 'api' ? ofApi : { WORKER_PORT: port, WORKER_NAME: name };
      const environment = asEnvironment({ ...settings, ...own });
      const logFile = join(folder, `${name}.log`);
      // On a shared port any of them may answer.
      const aliveUrl = `http://127.0.0.1:${port}${sharedPort ? '/metrics' : '/livez'}`;
      return new KeptProcess({ name, entry, folder: root, environment, logFile, port: sharedPort ?? port, aliveUrl });
    }),
  );
}

function asEnvironment(settings: Settings): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)]));
}

/** What must never be in a log, whatever the stores do: a broken invariant, a request that failed, an end by an exception. */
const faultPattern = /InvariantViolation|a request failed|the server failed|Uncaught|Unhandled|^error:|P[1-5]:/;

function ownFaults(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /^(api|worker)-\d+[.]log$/.test(name))
    .flatMap((name) =>
      readFileSync(join(folder, name), 'utf8')
        .split('\n')
        .filter((line) => faultPattern.test(line))
        .map((line) => `${name}: ${line.slice(0, 400)}`),
    );
}
