// pace.ts -- How long the page waits before it reads the coupon again, while it has no event stream: seconds when that may matter, else minutes.
//
// A drop has 100,000 visitors and more. Their requests are for a cache in front of the server, but must not be many even without one.

export interface Situation {
  readonly phase: 'unknown' | 'before' | 'open' | 'over';
  /** Until the start, when `phase` is `before`. */
  readonly startInMs: number;
  /** Reads in a row that failed. */
  readonly failures: number;
  /** Reads in a row that brought nothing new. */
  readonly unchanged: number;
}

const SLOWEST_MS = 60_000;

/** @param random from 0 to 1: visitors who came together must not come back together */
export function nextReadMs({ phase, startInMs, failures, unchanged }: Situation, random: number): number {
  const spread = 0.5 + random;
  if (failures > 0) return Math.min(SLOWEST_MS, 1000 * 2 ** Math.min(failures, 6)) * spread;
  if (phase === 'unknown') return 1000 * spread;
  if (phase === 'over') return SLOWEST_MS * spread;
  if (phase === 'before') {
    const usualMs = SLOWEST_MS * spread;
    // In the seconds after the start, not all in the same one.
    return startInMs > usualMs ? usualMs : startInMs + 1000 + 4000 * random;
  }
  return Math.min(20_000, 2000 * 1.5 ** Math.min(unchanged, 8)) * spread;
}
