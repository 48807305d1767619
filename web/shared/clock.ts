// clock.ts -- The clock of the server, kept by the page: the clock of the computer may be wrong by hours.

export interface ServerClock {
  nowMs(): number;
}

/**
 * A clock set by several answers, of which caches may have kept some for a while: none can tell a time that is yet to come, so that the
 * latest of them is the best, and the fastest tells how long an answer is on its way.
 */
export function clockOfAnswers() {
  let behindMs = Number.NEGATIVE_INFINITY;
  let fastestMs = Number.POSITIVE_INFINITY;
  return {
    /**
     * @param serverMs what the answer said
     * @param sentMs `performance.now()` when the request was sent
     * @param answeredMs `performance.now()` when the answer had come
     */
    set(serverMs: number, sentMs: number, answeredMs: number): ServerClock {
      behindMs = Math.max(behindMs, serverMs - answeredMs);
      fastestMs = Math.min(fastestMs, answeredMs - sentMs);
      const ahead = behindMs + fastestMs / 2;
      return { nowMs: () => performance.now() + ahead };
    },
  };
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
