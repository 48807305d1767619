// clock.ts -- The clock of the server, kept by the page: the clock of the computer may be wrong by hours.

export interface ServerClock {
  nowMs(): number;
}

/**
 * Sets a clock by one answer.
 *
 * @param serverMs what the answer said
 * @param sentMs `performance.now()` when the request was sent
 * @param answeredMs `performance.now()` when the answer had come; the server read its clock in between, so the middle is assumed
 */
export function clockSetBy(serverMs: number, sentMs: number, answeredMs: number): ServerClock {
  const ahead = serverMs - (sentMs + answeredMs) / 2;
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
