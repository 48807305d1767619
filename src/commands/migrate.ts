// migrate.ts -- Entry of `bun run migrate`: applies the missing migrations, then exits.

import { applyMigrations } from '../mysql/migrations.ts';
import { refuseArguments, runCommand, withDatabase } from './command.ts';

/** How long to wait for another process that migrates; a migration of large tables takes its time. */
const LOCK_WAIT_S = 600;

await runCommand('usage: bun run migrate', async (args) => {
  refuseArguments(args);
  await withDatabase(
    async (database) => {
      // A migration is not a transaction of a request: it may take as long as it takes.
      const applied = await applyMigrations({ ...database, transactionMsMax: 2 ** 31 - 1 }, LOCK_WAIT_S);
      console.log(applied === 0 ? 'The database is up to date.' : `Applied ${applied} migration(s).`);
    },
    (reason) =>
      `DATABASE_URL: the migration failed (${reason}); start MySQL, or correct address, user and database, then run it again`,
  );
});
