// use-drop.ts -- Follows one drop while a page is open: its progress by events, the load once a second, readiness and timeline now and then.

import { useEffect, useState } from 'preact/hooks';
import type { Readiness, Timeline } from '../../../client/coupon-client.ts';
import { followTogether } from '../../shared/one-stream.ts';
import { asOperator, follower, readReadiness } from '../session.ts';
import { type Point, pointOf, type Sample, type Seen, withPoint } from './samples.ts';

const EVERY_MS = 1000;
const LOAD_MS_MAX = 4000;
const READINESS_EVERY_MS = 5000;
const TIMELINE_EVERY_MS = 3000;

export interface Drop extends Seen {
  readonly points: readonly Point[];
  readonly readiness: Sample<Readiness> | null;
  readonly timeline: Timeline | null;
  /** `performance.now()` when this drop was opened: before, nothing could come. */
  readonly openedMs: number;
  /** `performance.now()` of this picture. */
  readonly nowMs: number;
}

const nothing: Omit<Drop, 'openedMs' | 'nowMs'> = {
  progress: null,
  load: null,
  loadBefore: null,
  points: [],
  readiness: null,
  timeline: null,
};

function opened(): Drop {
  const nowMs = performance.now();
  return { ...nothing, openedMs: nowMs, nowMs };
}

export function useDrop(id: number): Drop {
  const [drop, setDrop] = useState<Drop>(opened);
  useEffect(() => {
    let seen = opened();
    setDrop(seen);
    const stop = new AbortController();
    const show = (change: Partial<Drop>) => {
      if (stop.signal.aborted) return;
      seen = { ...seen, ...change };
      setDrop({ ...seen, nowMs: performance.now() });
    };
    // One stream for all tabs of the browser that watch this coupon, and none while this one is hidden.
    const stream = { client: follower, couponId: id, name: `console-events-${id}`, pauseMsMax: 5000 };
    const stopFollowing = followTogether(stream, {
      onProgress: (value, ageMs) => show({ progress: { value, atMs: performance.now() - ageMs } }),
      // What counts is when the last sample came.
      onConnected: () => undefined,
    });
    repeat(stop.signal, EVERY_MS, async () => {
      const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(LOAD_MS_MAX)]);
      const result = await asOperator((client) => client.load({ signal }));
      if (result.kind !== 'done') return;
      show({ loadBefore: seen.load, load: { value: result.value, atMs: performance.now() } });
    });
    repeat(stop.signal, READINESS_EVERY_MS, async () => {
      const value = await readReadiness();
      if (value) show({ readiness: { value, atMs: performance.now() } });
    });
    repeat(stop.signal, TIMELINE_EVERY_MS, async () => {
      const result = await asOperator((client) => client.coupons.timeline(id));
      if (result.kind === 'done') show({ timeline: result.value });
    });
    // By the clock, whatever comes: where nothing comes the lines have a gap.
    const ticking = setInterval(() => {
      const nowMs = performance.now();
      show({ points: withPoint(seen.points, pointOf(seen, nowMs, Date.now())) });
    }, EVERY_MS);
    return () => {
      stop.abort();
      clearInterval(ticking);
      stopFollowing();
    };
  }, [id]);
  return drop;
}

/** Calls again and again, never twice at the same time, and not while nobody sees the page. */
function repeat(signal: AbortSignal, everyMs: number, call: () => Promise<void>): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isRunning = false;
  const run = async () => {
    clearTimeout(timer);
    if (isRunning || signal.aborted) return;
    isRunning = true;
    if (!document.hidden) await call();
    isRunning = false;
    if (!signal.aborted) timer = setTimeout(() => void run(), everyMs);
  };
  const onVisible = () => void run();
  document.addEventListener('visibilitychange', onVisible, { signal });
  signal.addEventListener('abort', () => clearTimeout(timer));
  void run();
}
