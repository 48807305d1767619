// command.ts -- The one policy of commands for usage and exit codes: 0 done, 1 failed, 2 called wrongly.

import { parseArgs } from 'node:util';
import { type Config, databaseSettings, readConfig } from '../config/config.ts';
import { markedPartitions } from '../installation/installation.ts';
import { closeDatabase, type Database, openDatabase } from '../mysql/database.ts';
import { startOrExplain } from '../operator-error.ts';
import { connect, issuingConnection } from '../redis/connection.ts';
import { explainMysql, explainRedis, explainStoreFailure } from '../runtime/store-faults.ts';
import { createRedisStock, type RedisStock } from '../stock/redis-stock.ts';

/** Thrown for wrong arguments: `message` is one line, and the usage is printed below it. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Runs a command with the arguments of the process. `--help` prints the usage instead. Throws as `startOrExplain` does. */
export async function runCommand(usage: string, run: (args: string[]) => Promise<void>): Promise<void> {
  const args = process.argv.slice(2);
  if (args.includes('--help')) return console.log(usage);
  await startOrExplain(async () => {
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

/** Runs `work` on the database of the environment. */
export async function withDatabase(work: (database: Database) => Promise<void>): Promise<void> {
  const settings = readConfig(databaseSettings);
  // A command does one thing at a time; a second connection renews the lock of a migration.
  const database = openDatabase({ ...settings, MYSQL_CONNECTIONS_MAX: 2 });
  try {
    await work(database);
  } catch (error) {
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
    try {
      await connect(redis).catch((error: unknown) => {
        throw explainStoreFailure(error, explainRedis);
      });
      const redisStock = createRedisStock(redis, settings);
      redisStock.setPartitions(settings.PARTITIONS ?? (await markedPartitions(redis)));
      await work({ redisStock, database, settings });
    } finally {
      redis.disconnect();
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
