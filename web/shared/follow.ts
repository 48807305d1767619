// follow.ts -- Follows a coupon for as long as a page is open, though the client gives up after some attempts.

import type { CouponClient, Progress } from '../../client/coupon-client.ts';

export interface Follower {
  /** @param ageMs how long ago it came from the server */
  onProgress(progress: Progress, ageMs: number): void;
  /** Whether progress is coming; false while the client reconnects. */
  onConnected(connected: boolean): void;
}

/**
 * Follows until it is stopped, or until the server refuses.
 *
 * @param pauseMsMax the longest pause after the client has given up
 * @returns the function that stops it
 */
export function follow(
  client: Pick<CouponClient, 'events'>,
  couponId: number,
  follower: Follower,
  pauseMsMax = 5000,
): () => void {
  const stop = new AbortController();
  void run(client, couponId, follower, pauseMsMax, stop.signal);
  return () => stop.abort();
}

/** The first pause, which doubles. */
const PAUSE_MS = 1000;
/** The first pause after the server said that it has no place. */
const FULL_PAUSE_MS = 15_000;

async function run(
  client: Pick<CouponClient, 'events'>,
  couponId: number,
  { onProgress, onConnected }: Follower,
  pauseMsMax: number,
  signal: AbortSignal,
): Promise<void> {
  let pauses = 0;
  while (!signal.aborted) {
    const onRetry = () => onConnected(false);
    let isFull = false;
    for await (const event of client.events(couponId, { signal, onRetry })) {
      if (signal.aborted) return;
      onConnected(event.kind === 'progress');
      if (event.kind === 'refused') return;
      if (event.kind === 'progress') {
        pauses = 0;
        onProgress(event.progress, 0);
      } else isFull = event.problem?.status === 503 || event.problem?.status === 429;
    }
    // Spread, so that pages that were turned away together do not come back together.
    const longestMs = Math.min(pauseMsMax, (isFull ? FULL_PAUSE_MS : PAUSE_MS) * 2 ** pauses);
    pauses += 1;
    await pause(longestMs * (0.5 + Math.random() / 2), signal);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}
