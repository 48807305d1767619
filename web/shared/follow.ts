// follow.ts -- Follows a coupon for as long as a page is open, though the client gives up after some attempts.

import type { CouponClient, Progress } from '../../client/coupon-client.ts';

export interface Follower {
  onProgress(progress: Progress): void;
  /** Whether progress is coming; false while the client reconnects. */
  onConnected(connected: boolean): void;
}

/**
 * Follows until it is stopped, or until the server refuses.
 *
 * @returns the function that stops it
 */
export function follow(client: Pick<CouponClient, 'events'>, couponId: number, follower: Follower): () => void {
  const stop = new AbortController();
  void run(client, couponId, follower, stop.signal);
  return () => stop.abort();
}

async function run(
  client: Pick<CouponClient, 'events'>,
  couponId: number,
  { onProgress, onConnected }: Follower,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const onRetry = () => onConnected(false);
    for await (const event of client.events(couponId, { signal, onRetry })) {
      if (signal.aborted) return;
      onConnected(event.kind === 'progress');
      if (event.kind === 'refused') return;
      if (event.kind === 'progress') onProgress(event.progress);
    }
  }
}
