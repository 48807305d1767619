// eventually.ts -- How a test waits: for a condition, never for a time, and never without a bound.

import { waitUntil } from '../tools/stack/wait-until.ts';

/** Generous for a loaded machine; a test that passes does not come near it. */
const WAIT_MS_MAX = 15_000;

/**
 * Asks again and again until the condition holds.
 *
 * @param what what is waited for, as it reads after "waited for"
 * @throws Error when it does not come about, or what the condition throws
 */
export function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  return waitUntil(what, condition, { waitMsMax: WAIT_MS_MAX, pauseMs: 5 });
}
