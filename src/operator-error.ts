// operator-error.ts -- An error that the operator can fix: its message alone is printed, and the process exits with 1.

/** `message` has one line per fault, each naming the setting and the cure. It holds no secret. */
export class OperatorError extends Error {
  override readonly name: string = 'OperatorError';
}

/**
 * Runs an entry. An OperatorError ends the process with its message alone.
 *
 * @throws everything else that `start` throws: a bug of ours, which is shown with its stack
 */
export async function startOrExplain(start: () => Promise<void>): Promise<void> {
  try {
    await start();
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}
