// retry.ts -- Retries with exponential backoff until success, or until stopped.

import { setTimeout as pause } from 'node:timers/promises';

/** The worker was stopped between two tries. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}

export interface RetryOptions {
  readonly pauseMsMax: number;
  readonly stop: AbortSignal;
  /** Whether trying again can help. */
  readonly isTransient: (failure: unknown) => boolean;
  readonly onFailure: (failure: unknown, pauseMs: number) => void;
}

/** First pause, unless `pauseMsMax` is shorter; doubles with each failure. */
const PAUSE_MS_MIN = 20;

/**
 * Runs `work` until it succeeds.
 *
 * @throws its failure when that is not transient; Stopped when `stop` is aborted between two tries
 */
export async function retryUntilSuccess<Result>(work: () => Promise<Result>, options: RetryOptions): Promise<Result> {
  const { pauseMsMax, stop, isTransient, onFailure } = options;
  for (let pauseMs = Math.min(PAUSE_MS_MIN, pauseMsMax); ; pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
    try {
      return await work();
    } catch (failure) {
      if (!isTransient(failure)) throw failure;
      onFailure(failure, pauseMs);
    }
    if (stop.aborted) throw new Stopped('stopped between two tries');
    await pause(pauseMs, undefined, { signal: stop }).catch(() => {
      throw new Stopped('stopped between two tries');
    });
  }
}
