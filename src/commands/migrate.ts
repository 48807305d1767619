// migrate.ts -- Entry of `bun run migrate`: applies the missing migrations, then exits.

import { readConfig } from '../config/config.ts';
import { applyMigrations, compareMigrations } from '../mysql/migrations.ts';
import { aheadOfRelease, checkMysqlConnection } from '../runtime/preflight.ts';
import { waitForStores } from '../runtime/start-wait.ts';
import { refuseArguments, runCommand, withDatabase } from './command.ts';

/** How long to wait for another process that migrates; a migration of large tables takes its time. */
const LOCK_WAIT_S = 600;

await runCommand('usage: bun run migrate   (applies the missing migrations; safe to repeat)', async (args) => {
  refuseArguments(args);
  await withDatabase(async (database) => {
    // A migration is not a transaction of a request: it may take as long as it takes.
    const patient = { ...database, transactionMsMax: 2 ** 31 - 1 };
    await waitForStores(
      readConfig(['START_WAIT_S']).START_WAIT_S,
      (waiting) => console.error(waiting),
      () => checkMysqlConnection(patient),
    );
    const applied = await applyMigrations(patient, LOCK_WAIT_S);
    const { unknown } = await compareMigrations(patient);
    if (unknown > 0) console.warn(aheadOfRelease(unknown));
    console.log(applied === 0 ? 'The database is up to date.' : `Applied ${applied} migration(s).`);
  });
});
