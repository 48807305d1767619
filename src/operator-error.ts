// operator-error.ts -- An error that the operator can fix: its message alone is printed, and the process exits with 1.

/** `message` has one line per fault, each naming the setting and the cure. It holds no secret. */
export class OperatorError extends Error {
  override readonly name: string = 'OperatorError';
}

/**
 * Runs an entry with the arguments of the process; `--help` prints `usage` and does nothing else. An OperatorError ends the process with
 * its message alone.
 *
 * @throws everything else that `start` throws: a bug of ours, which is shown with its stack
 */
export async function startOrExplain(usage: string, start: (args: string[]) => Promise<void>): Promise<void> {
  const args = process.argv.slice(2);
  if (args.includes('--help') || args.includes('-h')) return console.log(usage);
  try {
    await start(args);
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}
