// start-wait.ts -- A start waits for stores that are only starting themselves, and ends at once for what waiting cannot cure.

import { setTimeout as pause } from 'node:timers/promises';
import { OperatorError } from '../operator-error.ts';
import type { Fault } from './store-faults.ts';

/** Pause between two checks. */
const PAUSE_MS = 500;

/** What is waited for is said once, and again after so long. */
const SAY_MS = 10_000;

/**
 * Checks until nothing is wrong.
 *
 * @param waitS how long faults that may pass are waited for; 0: not at all
 * @param say is told what is waited for
 * @throws OperatorError with one line for each fault
 */
export async function waitForStores(
  waitS: number,
  say: (waiting: string) => void,
  check: () => Promise<readonly Fault[]>,
): Promise<void> {
  const startMs = performance.now();
  let saidMs = Number.NEGATIVE_INFINITY;
  for (;;) {
    const faults = await check();
    if (faults.length === 0) return;
    const lines = faults.map(({ line }) => line);
    const nowMs = performance.now();
    if (nowMs - startMs >= waitS * 1000 || !faults.every(({ isTransient }) => isTransient))
      throw new OperatorError(lines.join('\n'));
    if (nowMs - saidMs >= SAY_MS) {
      say(`waiting for at most ${waitS} s (START_WAIT_S): ${lines.join('; ')}`);
      saidMs = nowMs;
    }
    await pause(PAUSE_MS);
  }
}
