// testbed.ts -- Everything a run needs, private and durable: Redis with every write flushed, MySQL with every commit flushed, our API
// and worker as real processes. Nothing of it outlives the run.

import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Redis } from 'ioredis';
import type { Cleanup } from '../../tools/stack/cleanup.ts';
import { startMysqlServer } from '../../tools/stack/mysql-server.ts';
import { step } from '../../tools/progress.ts';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import { mustRun } from '../../tools/stack/run-command.ts';
import { tempFolder } from '../../tools/leftovers.ts';
import { type Config, readConfig } from '../../src/config/config.ts';
import { closeDatabase, type Database, openDatabase } from '../../src/mysql/database.ts';
import { connect, issuingConnection } from '../../src/redis/connection.ts';
import { type Service, startService } from './own-process.ts';

/** Settings by the names of the environment. */
export type Settings = Readonly<Partial<Record<keyof Config, string>>>;

/** As a new installation has. */
const PARTITIONS = 64;

export interface Testbed {
  readonly api: Service;
  readonly worker: Service;
  readonly redisPid: number;
  readonly mysqlPid: number;
  /** Connections of the run itself. */
  readonly redis: Redis;
  readonly database: Database;
  readonly config: Config & { readonly PARTITIONS: number };
  /** Restarts the API with other settings. */
  restartApi(settings: Settings): Promise<void>;
  /** One more of our processes or of the baselines, stopped with the rest. */
  start(name: string, entry: string, options?: StartOptions): Promise<Service>;
}

export interface StartOptions {
  readonly settings?: Settings;
  readonly args?: readonly string[];
  /** A port that it shares with other processes, each of which names it. */
  readonly sharedPort?: number;
}

/** Where the stores are, and whose CPU counts as theirs. */
export interface TestbedStores {
  readonly redisUrl: string;
  readonly databaseUrl: string;
  readonly redisPid: number;
  readonly mysqlPid: number;
}

export interface TestbedOptions {
  readonly cleanup: Cleanup;
  /** One Redis and one MySQL of its own without it. */
  readonly stores?: TestbedStores;
  /** Where CPU profiles of API and worker go; none are taken without it. */
  readonly profileFolder?: string | undefined;
}

/** @throws Error for people when a server is missing or does not come up */
export async function openTestbed({ cleanup, profileFolder, stores }: TestbedOptions): Promise<Testbed> {
  const folder = tempFolder('coupon-bench-');
  cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
  const { redisUrl, databaseUrl, redisPid, mysqlPid } = stores ?? (await startStores(folder, cleanup));
  const environment = {
    REDIS_URL: redisUrl,
    DATABASE_URL: databaseUrl,
    HOST: '127.0.0.1',
    LOG_LEVEL: 'warn',
    NODE_ENV: 'production',
    AUTH: 'off',
    PARTITIONS: String(PARTITIONS),
  };
  await mustRun(process.execPath, ['src/commands/migrate.ts'], {
    folder: resolve(import.meta.dirname, '../..'),
    environment: { ...process.env, ...environment },
  });
  const start = async (name: string, entry: string, options: StartOptions = {}): Promise<Service> => {
    const { settings, args = [], sharedPort } = options;
    const runtime = profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}/${name}`];
    const service = await startService({
      name,
      entry,
      folder,
      runtime,
      args,
      sharedPort,
      environment: { ...environment, ...settings },
    });
    cleanup.add(() => service.stop());
    return service;
  };
  const config = { ...readConfig(undefined, environment), PARTITIONS };
  const redis = issuingConnection(config, (error) => console.error(error.message));
  await connect(redis);
  const database = openDatabase(config);
  let api = await start('api', 'src/server.ts');
  const worker = await start('worker', 'workers/worker.ts');
  cleanup.add(async () => {
    redis.disconnect();
    await closeDatabase(database);
  });
  return {
    get api() {
      return api;
    },
    worker,
    redisPid,
    mysqlPid,
    redis,
    database,
    config,
    start,
    async restartApi(settings) {
      await api.stop();
      api = await start('api', 'src/server.ts', { settings });
    },
  };
}

async function startStores(folder: string, cleanup: Cleanup): Promise<TestbedStores> {
  const redis = await step(
    'Redis',
    () => startRedisServer({ folder }),
    () => 'every write flushed',
  );
  cleanup.add(() => redis.stop());
  const mysql = await step(
    'MySQL',
    () => startMysqlServer({ folder }),
    () => 'every commit flushed',
  );
  cleanup.add(() => mysql.stop());
  return { redisUrl: redis.url, databaseUrl: mysql.url, redisPid: redis.pid, mysqlPid: mysql.pid };
}
