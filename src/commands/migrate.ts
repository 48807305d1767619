// migrate.ts -- Entry of `bun run migrate`: applies the missing migrations, then exits.

import { readConfig } from '../config/config.ts';
import { closeDatabase, openDatabase } from '../mysql/database.ts';
import { applyMigrations } from '../mysql/migrations.ts';
import { checkMysqlConnection } from '../runtime/preflight.ts';
import { waitForStores } from '../runtime/start-wait.ts';
import { explainMysql, explainStoreFailure } from '../runtime/store-faults.ts';
import { refuseArguments, runCommand } from './command.ts';

/** How long to wait for another process that migrates; a migration of large tables takes its time. */
const LOCK_WAIT_S = 600;

await runCommand('usage: bun run migrate', async (args) => {
  refuseArguments(args);
  const config = readConfig([
    'DATABASE_URL',
    'MYSQL_CONNECTIONS_MAX',
    'MYSQL_QUEUE_MAX',
    'MYSQL_CONNECT_MS_MAX',
    'TRANSACTION_MS_MAX',
    'START_WAIT_S',
  ]);
  // A migration is not a transaction of a request: it may take as long as it takes.
  const database = { ...openDatabase(config), transactionMsMax: 2 ** 31 - 1 };
  try {
    await waitForStores(
      config.START_WAIT_S,
      (waiting) => console.error(waiting),
      () => checkMysqlConnection(database),
    );
    const applied = await applyMigrations(database, LOCK_WAIT_S);
    console.log(applied === 0 ? 'The database is up to date.' : `Applied ${applied} migration(s).`);
  } catch (error) {
    throw explainStoreFailure(error, explainMysql);
  } finally {
    await closeDatabase(database);
  }
});
