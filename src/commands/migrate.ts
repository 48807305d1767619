// migrate.ts -- Entry of `bun run migrate`: applies the missing migrations, then exits.

import { readConfig } from '../config/config.ts';
import { closeDatabase, openDatabase } from '../mysql/database.ts';
import { applyMigrations, compareMigrations } from '../mysql/migrations.ts';
import { aheadOfRelease, explainStoreFailure } from '../runtime/preflight.ts';
import { refuseArguments, runCommand } from './command.ts';

/** How long to wait for another process that migrates; a migration of large tables takes its time. */
const LOCK_WAIT_S = 600;

await runCommand('usage: bun run migrate', async (args) => {
  refuseArguments(args);
  const config = readConfig(['DATABASE_URL', 'MYSQL_QUEUE_MAX', 'MYSQL_CONNECT_MS_MAX', 'TRANSACTION_MS_MAX']);
  // A migration is not a transaction of a request: it may take as long as it takes. The second connection renews its lock.
  const database = { ...openDatabase({ ...config, MYSQL_CONNECTIONS_MAX: 2 }), transactionMsMax: 2 ** 31 - 1 };
  try {
    const applied = await applyMigrations(database, LOCK_WAIT_S);
    const { unknown } = await compareMigrations(database);
    if (unknown > 0) console.warn(aheadOfRelease(unknown));
    console.log(applied === 0 ? 'The database is up to date.' : `Applied ${applied} migration(s).`);
  } catch (error) {
    throw explainStoreFailure(
      error,
      (reason) =>
        `DATABASE_URL: the migration failed (${reason}); start MySQL, or correct address, user and database, then run it again`,
    );
  } finally {
    await closeDatabase(database);
  }
});
