// logging.ts -- What is logged, as operators change it for up to an hour: in this process immediately, in all others within seconds.
//
// The change stands in Redis until it ends. While Redis does not answer, or its user may not, it is in effect in this process alone, and
// handed on later.

import type { Redis } from 'ioredis';
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { LogLevel, REQUEST_LOG_MODE } from '../config/log-settings.ts';

export interface LogSettings {
  /** Of LOG_LEVEL. */
  readonly logLevel: Static<typeof LogLevel>;
  /** Of REQUEST_LOG. */
  readonly requestLog: string;
}

/** Settings in effect until an instant, in milliseconds since 1970. */
interface LogChange extends LogSettings {
  readonly untilMs: number;
}

export interface LoggingDependencies {
  readonly redis: Redis;
  /** As the process was started, and as it is again later. */
  readonly configured: LogSettings;
  readonly apply: (settings: LogSettings) => void;
  /** Redis could not be asked; it is asked again. */
  readonly onFault: (error: unknown) => void;
}

/** As it stands in Redis. */
const Shared = Type.Object({
  logLevel: LogLevel,
  requestLog: Type.String({ pattern: REQUEST_LOG_MODE }),
  untilMs: Type.Number(),
});
const KEY = 'logging';
/** Between two looks for a change that was made elsewhere. */
const PAUSE_MS = 2000;

/** Null for what is no change of this release's. */
function readChange(text: string): LogChange | null {
  try {
    const found: unknown = JSON.parse(text);
    return Value.Check(Shared, found) ? found : null;
  } catch {
    return null;
  }
}

export class Logging {
  readonly #dependencies: LoggingDependencies;
  #change: LogChange | null = null;
  #isShared = true;
  #timer: ReturnType<typeof setInterval> | undefined;
  #isStopped = false;

  constructor(dependencies: LoggingDependencies) {
    this.#dependencies = dependencies;
  }

  /** What is in effect; `untilMs` is null for what was configured. */
  current(): LogSettings & { readonly untilMs: number | null } {
    return this.#change ?? { ...this.#dependencies.configured, untilMs: null };
  }

  /**
   * Changes it for so long; 0 ends a change.
   *
   * @returns whether the other processes will learn it; otherwise Redis does not answer, and they do once it does
   */
  async change(settings: Partial<LogSettings>, durationMs: number): Promise<boolean> {
    const { logLevel, requestLog } = this.current();
    this.#use({ logLevel, requestLog, ...settings, untilMs: Date.now() + durationMs });
    this.#isShared = false;
    await this.#refresh();
    return this.#isShared;
  }

  /** From now on follows what is changed elsewhere. */
  watch(): void {
    this.#timer = setInterval(() => void this.#refresh(), PAUSE_MS);
    this.#timer.unref();
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  async #refresh(): Promise<void> {
    const { redis, onFault } = this.#dependencies;
    try {
      if (!this.#isShared) {
        const change = this.#change;
        if (change) await redis.set(KEY, JSON.stringify(change), 'PX', Math.max(1, change.untilMs - Date.now()));
        else await redis.del(KEY);
        this.#isShared = true;
      }
      const shared = await redis.get(KEY);
      if (this.#isShared) this.#use(shared === null ? null : readChange(shared));
    } catch (error) {
      // The connection ends before the answer to the last look.
      if (!this.#isStopped) onFault(error);
      this.#use(this.#change);
    }
  }

  #use(change: LogChange | null): void {
    this.#change = change && change.untilMs > Date.now() ? change : null;
    this.#dependencies.apply(this.current());
  }
}
