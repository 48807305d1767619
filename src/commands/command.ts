// command.ts -- The one policy of commands for usage and exit codes: 0 done, 1 failed, 2 called wrongly.

import { parseArgs } from 'node:util';
import { type Config, databaseSettings, readConfig } from '../config/config.ts';
import { takeStoresOfDev } from '../config/environment.ts';
import { markedPartitions } from '../installation/installation.ts';
import { closeDatabase, type Database, openDatabase } from '../mysql/database.ts';
import { Unavailable } from '../coupon/outcome.ts';
import { createReplicas } from '../issuing/replicas.ts';
import { OperatorError, startOrExplain } from '../operator-error.ts';
import { connect, issuingConnection } from '../redis/connection.ts';
import { explainMysql, explainRedis, explainStoreFailure, isOfRedis } from '../runtime/store-faults.ts';
import { createRedisStock, type RedisStock } from '../stock/redis-stock.ts';

/** Thrown for wrong arguments: `message` is one line, and the usage is printed below it. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Runs a command as `startOrExplain` does. Wrong arguments print the usage and exit with 2. */
export async function runCommand(usage: string, run: (args: string[]) => Promise<void>): Promise<void> {
  await startOrExplain(usage, async (args) => {
    try {
      await run(args);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      console.error(`${error.message}\n${usage}`);
      process.exit(2);
    }
  });
}

/** For commands that take no arguments. @throws UsageError if there are any */
export function refuseArguments(args: readonly string[]): void {
  if (args.length > 0) throw new UsageError(`unexpected argument: ${args.join(' ')}`);
}

/** Runs `work` on the database of the environment, or of a `bun run dev` that runs here. */
export async function withDatabase(work: (database: Database) => Promise<void>): Promise<void> {
  const taken = takeStoresOfDev();
  if (taken !== null) console.error(taken);
  const settings = readConfig(databaseSettings);
  // A command does one thing at a time; a second connection renews the lock of a migration.
  const database = openDatabase({ ...settings, MYSQL_CONNECTIONS_MAX: 2 });
  try {
    await work(database);
  } catch (error) {
    if (error instanceof Unavailable) throw new OperatorError(error.message, { cause: error });
    throw explainStoreFailure(error, (failure) => explainMysql(failure, database));
  } finally {
    await closeDatabase(database);
  }
}

/** What a command about coupons works with. */
export interface CommandStores {
  readonly redisStock: RedisStock;
  readonly database: Database;
  readonly settings: Config;
}

/** Runs `work` on both stores of the environment. */
export async function withStores(work: (stores: CommandStores) => Promise<void>): Promise<void> {
  await withDatabase(async (database) => {
    const settings = readConfig();
    // A command that fails says so itself.
    const redis = issuingConnection(settings, () => undefined);
    const replicas = createReplicas(settings, () => undefined);
    const connections = [redis, ...(replicas?.connections ?? [])];
    try {
      await Promise.all(connections.map(connect)).catch((error: unknown) => {
        throw explainStoreFailure(error, explainRedis);
      });
      const redisStock = createRedisStock(redis, settings, replicas?.confirm);
      redisStock.setPartitions(settings.PARTITIONS ?? (await markedPartitions(redis)));
      await work({ redisStock, database, settings });
    } catch (error) {
      throw isOfRedis(error) ? explainStoreFailure(error, explainRedis) : error;
    } finally {
      for (const connection of connections) connection.disconnect();
    }
  });
}

/** The value of `--coupon`, and whether `--all` stands in its place, where that may be. @throws UsageError */
export function readCouponOption(args: string[], mayBeAll: boolean): number | 'all' {
  let values: { readonly coupon?: string | undefined; readonly all?: boolean | undefined };
  try {
    values = parseArgs({ args, options: { coupon: { type: 'string' }, all: { type: 'boolean' } } }).values;
  } catch {
    throw new UsageError(`wrong option: ${args.join(' ')}`);
  }
  if (mayBeAll && values.all && values.coupon === undefined) return 'all';
  if (values.all || values.coupon === undefined || !/^[1-9]\d{0,14}$/.test(values.coupon))
    throw new UsageError('--coupon must be the id of a coupon');
  return Number(values.coupon);
}

const FILE_FAULTS = [
  'ENOENT',
  'EACCES',
  'EPERM',
  'EISDIR',
  'ENOTDIR',
  'EEXIST',
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'EIO',
  'EMFILE',
];

/** Throws a fault of a file as one line, and any other as it is. */
export function withFileFaults<Result>(work: Promise<Result>): Promise<Result> {
  return work.catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (!FILE_FAULTS.includes(code)) throw error;
    const path = error instanceof Error && 'path' in error ? String(error.path) : 'the file';
    throw new OperatorError(`${path} cannot be used (${code})`, { cause: error });
  });
}

/** Between two lines that say how far a command is. */
const SAY_MS = 1000;

/** Says how far a command is, at most once a second. */
export function createSay(): (step: string) => void {
  let saidMs = Number.NEGATIVE_INFINITY;
  return (step) => {
    if (performance.now() - saidMs < SAY_MS) return;
    saidMs = performance.now();
    console.error(step);
  };
}
