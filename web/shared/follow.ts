// follow.ts -- Follows a coupon for as long as a page is open: the client gives up in the end, a page that somebody looks at does not.

import type { CouponClient, Progress } from '../../client/coupon-client.ts';

export interface Follower {
  onProgress(progress: Progress): void;
  /** Whether pictures are coming; false while the connection is being made again. */
  onConnected(connected: boolean): void;
}

/**
 * Follows until it is told to stop, or until the server says that there is nothing to follow.
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
    const onAgain = () => onConnected(false);
    for await (const event of client.events(couponId, { signal, onAgain })) {
      if (signal.aborted) return;
      onConnected(event.kind === 'progress');
      if (event.kind === 'refused') return;
      if (event.kind === 'progress') onProgress(event.progress);
    }
  }
}
