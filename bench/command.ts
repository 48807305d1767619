// command.ts -- How every bench command runs: help, cleanup, one line for an error, and what its exit code means.
//
// 0    everything held
// 1    the run failed: a threshold, an answer, or a promise
// 2    the command could not run, or could not judge the run
// 130  interrupted

import { OperatorError } from '../src/operator-error.ts';
import { helpOn } from '../tools/help.ts';
import { type Cleanup, cleanUpOnSignals } from '../tools/stack/cleanup.ts';
import { FailedRun } from './bench-error.ts';

/**
 * Runs a command and ends the process.
 *
 * @param usage what `--help` prints
 * @param run whether everything held
 */
export async function runCommand(
  usage: string,
  run: (args: readonly string[], cleanup: Cleanup) => Promise<boolean>,
): Promise<never> {
  helpOn(usage);
  const cleanup = cleanUpOnSignals({ code: 130, words: 'Stopped.' });
  let code = 2;
  try {
    code = (await run(process.argv.slice(2), cleanup)) ? 0 : 1;
  } catch (error) {
    console.error(error instanceof OperatorError ? error.message : error);
    if (error instanceof FailedRun) code = 1;
  } finally {
    await cleanup.run();
  }
  process.exit(code);
}
