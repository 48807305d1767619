// Waits until everything that can happen by itself has happened; no test needs a clock for that.

/** Turns enough for the longest chain of promises in these tests; each turn runs every callback that is ready. */
const TURNS = 5;

/** Resolves when promises that are ready have called back, and what these started, too. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
}
