// retry.ts -- Retries with exponential backoff until success, or until stopped.

import { setTimeout as pause } from 'node:timers/promises';
import type { Config } from '../src/config/config.ts';

/** The worker was stopped between two tries. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}

export interface RetryDependencies {
  readonly settings: Pick<Config, 'RETRY_MS_MAX'>;
  /** Observes a try that failed with a transient error. */
  readonly observer: { retrying(failure: unknown, pauseMs: number): void };
  /** Once aborted, no retry follows: what is unfinished stays in the stream. */
  readonly stop: AbortSignal;
}

/** First pause, unless `RETRY_MS_MAX` is shorter; doubles with each failure. */
const PAUSE_MS_MIN = 20;

/**
 * Runs `work` until it succeeds.
 *
 * @param isTransient whether trying again can help; by default it always can
 * @throws its failure when that is not transient; Stopped when `stop` is aborted between two tries
 */
export async function retryUntilSuccess<Result>(
  { settings, observer, stop }: RetryDependencies,
  work: () => Promise<Result>,
  isTransient: (failure: unknown) => boolean = () => true,
): Promise<Result> {
  const pauseMsMax = settings.RETRY_MS_MAX;
  for (let pauseMs = Math.min(PAUSE_MS_MIN, pauseMsMax); ; pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
    try {
      return await work();
    } catch (failure) {
      if (!isTransient(failure)) throw failure;
      observer.retrying(failure, pauseMs);
    }
    if (stop.aborted) throw new Stopped('stopped between two tries');
    await pause(pauseMs, undefined, { signal: stop }).catch(() => {
      throw new Stopped('stopped between two tries');
    });
  }
}
