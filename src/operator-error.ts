// operator-error.ts -- Why a process does not start, said to people in one line for each fault, with a code that is not 0.

/** Whoever started the process can cure it: `message` has one line per fault, each naming the setting and the cure. */
export class StartFault extends Error {
  override readonly name: string = 'StartFault';
}

/**
 * Runs an entry. A fault of its start ends the process with its words alone.
 *
 * @throws everything else that `start` throws: a bug of ours, to be seen with its stack
 */
export async function startOrExplain(start: () => Promise<void>): Promise<void> {
  try {
    await start();
  } catch (error) {
    if (!(error instanceof StartFault)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}
