// command.ts -- The one policy of commands for usage and exit codes: 0 done, 1 failed, 2 called wrongly.

import { databaseSettings, readConfig } from '../config/config.ts';
import { closeDatabase, type Database, openDatabase } from '../mysql/database.ts';
import { startOrExplain } from '../operator-error.ts';
import { explainMysql, explainStoreFailure } from '../runtime/store-faults.ts';

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
