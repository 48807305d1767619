// clock.ts -- The clock of the server, kept by the page: the caller's own may be wrong by hours, and a countdown must not be.

/** Tells the server's time. */
export interface ServerClock {
  nowMs(): number;
}

/**
 * Sets a clock by one answer.
 *
 * @param serverMs what the answer said
 * @param askedMs `performance.now()` when the question went out
 * @param answeredMs `performance.now()` when the answer had come; the server spoke somewhere between, so half the way is assumed
 */
export function clockSetBy(serverMs: number, askedMs: number, answeredMs: number): ServerClock {
  const ahead = serverMs - (askedMs + answeredMs) / 2;
  return { nowMs: () => performance.now() + ahead };
}

/** A duration as days, hours, minutes and seconds, rounded up, so that zero is shown when the time has come and not before. */
export function splitDuration(ms: number) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return {
    days: Math.floor(seconds / 86_400),
    hours: Math.floor(seconds / 3600) % 24,
    minutes: Math.floor(seconds / 60) % 60,
    seconds: seconds % 60,
  };
}
