// Waits for a condition, with a bound: what takes too long is a failure that says so, never a hang and never a blind sleep.

/** A condition did not hold in time. */
export class TimedOut extends Error {}

/**
 * Asks `condition` again and again until it holds.
 *
 * @param what what is waited for, as it reads after "waited for"
 * @throws TimedOut when it does not hold within `waitMsMax` milliseconds, or whatever `condition` itself throws
 */
export async function waitUntil(
  what: string,
  condition: () => boolean | Promise<boolean>,
  { waitMsMax, pauseMs = 25 }: { waitMsMax: number; pauseMs?: number },
): Promise<void> {
  const deadlineMs = performance.now() + waitMsMax;
  while (!(await condition())) {
    if (performance.now() >= deadlineMs) throw new TimedOut(`waited ${waitMsMax} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
