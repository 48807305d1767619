// progress.ts -- The progress of a coupon, sampled for its listeners: one sampler per coupon, however many listeners.
//
// - A coupon is sampled only while it has listeners, once in `PROGRESS_MS`; sampling changes nothing and opens nothing.
// - A listener gets the newest sample immediately, and every later one that differs; a steady one gets all of them, so that it sees when none come.
// - `close` ends every listener, as does the deletion of the coupon.

import { setTimeout as pause } from 'node:timers/promises';
import type { Coupon } from '../coupon/coupon.ts';
import { Unavailable } from '../coupon/outcome.ts';
import type { Snapshots } from '../stock/snapshot.ts';

/** One sample. */
export interface Progress {
  readonly couponId: number;
  readonly version: number;
  readonly totalQuantity: number | null;
  readonly issued: number;
  /** Null without limit. */
  readonly left: number | null;
  /** Accepted and not yet rows; null while Redis has no state of the coupon. */
  readonly unpersisted: number | null;
  /** Since the sample before. */
  readonly issuedPerSecond: number;
  readonly paused: boolean;
}

export interface Listener {
  /** Whether it also gets samples that are the same as the one before. */
  readonly isSteady?: boolean;
  next(progress: Progress): void;
  end(): void;
}

/** A sample without the rate, which takes two; null when there is no such coupon. Throws what Redis or MySQL throw. */
export type Sample = (couponId: number) => Promise<Omit<Progress, 'issuedPerSecond'> | null>;

export interface ProgressDependencies {
  readonly sample: Sample;
  readonly settings: { readonly PROGRESS_MS: number };
  readonly onFault: (fault: unknown) => void;
}

interface Lane {
  readonly listeners: Set<Listener>;
  last: Progress | null;
  sampledMs: number;
}

/** Coupons that are sampled before those without listeners are not: each sample is a round trip to Redis. */
const LANES_MAX = 1000;

export class ProgressHub {
  readonly #dependencies: ProgressDependencies;
  readonly #lanes = new Map<number, Lane>();
  /** First samples that are being taken. */
  readonly #firsts = new Map<number, Promise<Progress | null>>();
  readonly #closing = new AbortController();
  readonly #loops = new Set<Promise<void>>();

  constructor(dependencies: ProgressDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Listens to a coupon.
   *
   * @returns the function that ends it, or null when there is no such coupon
   * @throws Unavailable when the server is stopping; what the first sample throws
   */
  async listen(couponId: number, listener: Listener): Promise<(() => void) | null> {
    const found = await this.#laneOf(couponId);
    if (!found) return null;
    const { lane, last } = found;
    lane.listeners.add(listener);
    listener.next(last);
    return () => void lane.listeners.delete(listener);
  }

  /**
   * The newest sample, at most `PROGRESS_MS` old, however many ask for it; null when there is no such coupon, or too many are sampled.
   *
   * @throws as `listen`
   */
  async recent(couponId: number): Promise<Progress | null> {
    if (this.#lanes.size >= LANES_MAX && !this.#lanes.has(couponId)) return null;
    return (await this.#laneOf(couponId))?.last ?? null;
  }

  /** Ends every listener, and resolves when nothing is sampled any more. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const [couponId, lane] of this.#lanes) this.#end(couponId, lane);
    await Promise.all(this.#loops);
  }

  /** A lane without listeners ends by itself after `PROGRESS_MS`. */
  async #laneOf(couponId: number): Promise<{ readonly lane: Lane; readonly last: Progress } | null> {
    this.#checkOpen();
    const sampled = this.#lanes.get(couponId)?.last ?? (await this.#firstOnce(couponId));
    if (!sampled) return null;
    this.#checkOpen();
    const lane = this.#lanes.get(couponId) ?? this.#start(couponId, sampled);
    return { lane, last: lane.last ?? sampled };
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw new Unavailable('stopping', 'the server is stopping');
  }

  /** However many come at the same time, for one sample. */
  #firstOnce(couponId: number): Promise<Progress | null> {
    const underWay = this.#firsts.get(couponId);
    if (underWay) return underWay;
    const first = this.#first(couponId).finally(() => this.#firsts.delete(couponId));
    this.#firsts.set(couponId, first);
    return first;
  }

  async #first(couponId: number): Promise<Progress | null> {
    const sampled = await this.#dependencies.sample(couponId);
    return sampled ? { ...sampled, issuedPerSecond: 0 } : null;
  }

  #start(couponId: number, first: Progress): Lane {
    const lane: Lane = { listeners: new Set(), last: first, sampledMs: performance.now() };
    this.#lanes.set(couponId, lane);
    const loop = this.#run(couponId, lane).finally(() => this.#loops.delete(loop));
    this.#loops.add(loop);
    return lane;
  }

  async #run(couponId: number, lane: Lane): Promise<void> {
    const { settings, onFault } = this.#dependencies;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await pause(settings.PROGRESS_MS, undefined, { signal }).catch(() => undefined);
      if (this.#lanes.get(couponId) !== lane || signal.aborted) return;
      // Only now: a stream that is renewed leaves no gap in the rate.
      if (lane.listeners.size === 0) return void this.#lanes.delete(couponId);
      try {
        await this.#sampleFor(couponId, lane);
      } catch (fault) {
        // The next sample includes what happened meanwhile.
        onFault(fault);
      }
    }
  }

  async #sampleFor(couponId: number, lane: Lane): Promise<void> {
    const sampled = await this.#dependencies.sample(couponId);
    if (!sampled) return this.#end(couponId, lane);
    const nowMs = performance.now();
    const seconds = Math.max(1, nowMs - lane.sampledMs) / 1000;
    const grown = Math.max(0, sampled.issued - (lane.last?.issued ?? 0));
    const progress = { ...sampled, issuedPerSecond: Math.round(grown / seconds) };
    const same = JSON.stringify(progress) === JSON.stringify(lane.last);
    lane.last = progress;
    lane.sampledMs = nowMs;
    for (const listener of lane.listeners) if (!same || listener.isSteady) listener.next(progress);
  }

  #end(couponId: number, lane: Lane): void {
    this.#lanes.delete(couponId);
    for (const listener of lane.listeners) {
      lane.listeners.delete(listener);
      listener.end();
    }
  }
}

/** Samples from the home of the stock. */
export function createSample(read: (couponId: number) => Promise<Coupon | null>, snapshots: Snapshots): Sample {
  return async (couponId) => {
    const coupon = await read(couponId);
    if (!coupon) return null;
    const { version, totalQuantity, issuedQuantity: rows, paused } = coupon;
    const found = await snapshots.of(coupon);
    // While Redis does not respond, the rows are the best estimate.
    const known = found.issued !== null;
    const issued = Math.max(rows, found.issued ?? 0);
    const left = known || totalQuantity === null ? found.left : Math.max(0, totalQuantity - rows);
    return { couponId, version, totalQuantity, issued, left, unpersisted: known ? issued - rows : null, paused };
  };
}
