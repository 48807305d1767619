// with-vitess.ts -- Entry of `bun run vitess SHARDS COMMAND…`: runs a command, such as `bun run test test/contract`, with a private Vitess.

import { cleanUpOnSignals } from '../../tools/stack/cleanup.ts';
import { runCommand } from '../../tools/stack/run-command.ts';
import { wantsHelp } from '../../tools/help.ts';
import { say } from '../../tools/progress.ts';
import { findVitess, howToGetVitess, startVitess } from './vitess-server.ts';

const USAGE = `bun run vitess SHARDS COMMAND…

SHARDS is 0 (not sharded), 2 or 4. The command gets TEST_DATABASE_URL, and TEST_KEYSPACES with the names of empty keyspaces.`;

if (wantsHelp(process.argv.slice(2, 3))) {
  say(USAGE);
  process.exit();
}

/** Files of tests that run at a time, and some. */
const KEYSPACES = 6;

const cleanup = cleanUpOnSignals({ code: 130, words: 'Stopped.' });
try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
} finally {
  await cleanup.run();
}
process.exit();

async function run([shardsText = '', program, ...args]: readonly string[]): Promise<number> {
  const shards = ([0, 2, 4] as const).find((known) => String(known) === shardsText);
  if (shards === undefined || program === undefined) {
    say(USAGE);
    return 2;
  }
  const programs = findVitess();
  if (!programs) throw new Error(howToGetVitess);
  const keyspaces = Array.from({ length: KEYSPACES }, (_, i) => `test_${i + 1}`);
  // Tests look at all rows at once, and empty tables. What the product does is held to one shard by vitess.test.ts, and by chaos.
  const server = await startVitess({ programs, shards, keyspaces, flags: { 'transaction-mode': 'MULTI' } });
  cleanup.add(() => server.stop());
  const environment = { ...process.env, TEST_DATABASE_URL: server.url, TEST_KEYSPACES: keyspaces.join(',') };
  const { ok } = await runCommand(program, args, { environment, echo: true });
  return ok ? 0 : 1;
}
