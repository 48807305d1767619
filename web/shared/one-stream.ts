// one-stream.ts -- Follows a coupon with one event stream for all pages of a browser, since a browser allows six connections to a host.
//
// - The visible pages compete for a lock (Web Locks). The page that has it opens the stream, and passes on what comes (BroadcastChannel).
// - A hidden page releases the lock and has no stream; the lock of a page that is closed is released by the browser.
// - Where the browser has no locks, each visible page has a stream of its own.

import type { CouponClient, Progress } from '../../client/coupon-client.ts';
import { type Follower, follow } from './follow.ts';

export interface OneStreamOptions {
  readonly client: Pick<CouponClient, 'events'>;
  readonly couponId: number;
  /** Pages with the same name share a stream. Those of another coupon hear nothing while a page has it. */
  readonly name: string;
  /** The longest pause between two connections while the server has no place for another. */
  readonly pauseMsMax: number;
}

/** The page that has the stream says so as often. */
const BEAT_MS = 4000;
/** After so long without a word, no other page has the stream of this coupon. */
const SILENCE_MS = 10_000;

interface Message {
  readonly couponId: number;
  /** Null asks for it. */
  readonly progress: Progress | null;
  /** How long ago it came from the server. */
  readonly ageMs: number;
}

/** Follows while the page is visible. `onConnected` says whether progress comes, from whichever page. */
export function followTogether(options: OneStreamOptions, follower: Follower): () => void {
  const { name, couponId } = options;
  const channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel(name);
  let last: Progress | null = null;
  let lastMs = 0;
  let isLeading = false;
  let silence: ReturnType<typeof setTimeout> | undefined;
  let leave: (() => void) | null = null;
  const send = (progress: Progress | null) =>
    channel?.postMessage({ couponId, progress, ageMs: performance.now() - lastMs } satisfies Message);
  const lead = () => {
    isLeading = true;
    let isConnected = false;
    const streamed: Follower = {
      onProgress: (progress) => {
        last = progress;
        lastMs = performance.now();
        send(progress);
        follower.onProgress(progress, 0);
      },
      onConnected: (connected) => {
        isConnected = connected;
        follower.onConnected(connected);
      },
    };
    const stopStream = follow(options.client, couponId, streamed, options.pauseMsMax);
    const beat = setInterval(() => isConnected && send(last), BEAT_MS);
    return () => {
      isLeading = false;
      clearInterval(beat);
      stopStream();
    };
  };
  if (channel) {
    channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if (data.couponId !== couponId) return;
      if (isLeading) {
        if (data.progress === null && last !== null) send(last);
      } else if (data.progress !== null && leave !== null) {
        clearTimeout(silence);
        silence = setTimeout(() => !isLeading && follower.onConnected(false), SILENCE_MS);
        follower.onProgress(data.progress, data.ageMs);
        follower.onConnected(true);
      }
    };
  }
  const change = () => {
    if (!document.hidden && leave === null) {
      leave = whileLocked(name, lead);
      send(null);
    } else if (document.hidden && leave !== null) {
      clearTimeout(silence);
      leave();
      leave = null;
      last = null;
      follower.onConnected(false);
    }
  };
  document.addEventListener('visibilitychange', change);
  change();
  return () => {
    document.removeEventListener('visibilitychange', change);
    clearTimeout(silence);
    leave?.();
    leave = null;
    channel?.close();
  };
}

/** Starts once the lock is had, which may be never; returns the function that stops, or stops waiting. */
function whileLocked(name: string, start: () => () => void): () => void {
  // Only pages from a secure origin have locks.
  const { locks } = navigator as { readonly locks?: LockManager };
  if (!locks) return start();
  const leaving = new AbortController();
  const held = async () => {
    const stop = start();
    await new Promise<void>((resolve) => leaving.signal.addEventListener('abort', () => resolve()));
    stop();
  };
  locks.request(name, { signal: leaving.signal }, held).catch(() => undefined);
  return () => leaving.abort();
}
