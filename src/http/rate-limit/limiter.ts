// limiter.ts -- An eventually consistent fixed-window rate limit, exact within ± one request per process and window.
//
// Each process counts exactly, and no decision waits for Redis. The first request of a name in a window is not reported, since in
// a rush most users ask once; from the second on the counts are added up in Redis, all names of a moment in one script, and the
// totals of all processes apply to the next request. So over all processes a name may exceed its limit by one request for each
// further process, and by what arrives within a round trip to Redis. While Redis is down each process limits alone.

import type { Counted } from './count-requests.ts';
import { problem, retryAfter } from '../problem.ts';

export interface LimiterOptions {
  readonly kind: Counted['kind'];
  /** Requests of a name in a window. */
  readonly requestsMax: number;
  readonly windowS: number;
  /** Names counted in a window; those beyond it are not limited: a bound on memory. */
  readonly namesMax: number;
  /** Adds to the counts of all processes and gives the totals. */
  readonly sync: (counted: Counted) => Promise<ReadonlyMap<string, number>>;
  /** Called when Redis could not be asked. */
  readonly onFault: (error: unknown) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Called for each request that is refused. */
  readonly onRefused?: () => void;
}

/** A name, and how many of its requests were refused. */
export interface RefusedName {
  readonly name: string;
  readonly refused: number;
}

/** What a name may still do in the window. */
export interface Allowance {
  readonly isRefused: boolean;
  readonly requestsMax: number;
  readonly remaining: number;
  /** Seconds to the next window, at least 1. */
  readonly resetS: number;
}

/** Names in one script: bounds how long Redis is blocked. */
const NAMES_PER_SYNC_MAX = 1000;
/** Clocks of processes differ. */
const KEEP_MS = 10_000;

export class Limiter {
  readonly #options: LimiterOptions;
  #window = -1;
  /** Requests by name: of all processes as of the last sync, and of this one. */
  #counts = new Map<string, number>();
  /** Counts that Redis does not have yet. */
  #pending = new Map<string, number>();
  /** Refused requests by name, of this process: in this window, and in the one before. */
  #refused = new Map<string, number>();
  #refusedBefore = new Map<string, number>();
  #flushing: Promise<void> | null = null;

  constructor(options: LimiterOptions) {
    this.#options = options;
  }

  /** Counts a request, or some together, or refuses all of them. Refused requests are not counted. */
  take(name: string, requests = 1): Allowance {
    const { requestsMax, windowS, namesMax, now } = this.#options;
    const nowMs = now();
    const window = Math.floor(nowMs / (windowS * 1000));
    if (window !== this.#window) this.#begin(window);
    const resetS = Math.max(1, Math.ceil(((window + 1) * windowS * 1000 - nowMs) / 1000));
    const seen = this.#counts.get(name) ?? 0;
    if (seen + requests > requestsMax) {
      this.#refused.set(name, (this.#refused.get(name) ?? 0) + 1);
      this.#options.onRefused?.();
      return { isRefused: true, requestsMax, remaining: Math.max(0, requestsMax - seen), resetS };
    }
    const sum = seen + requests;
    if (seen > 0 || this.#counts.size < namesMax) this.#counts.set(name, sum);
    // The second request also reports the first.
    if (sum > 1) this.#report(name, seen === 1 ? sum : requests);
    return { isRefused: false, requestsMax, remaining: requestsMax - sum, resetS };
  }

  /** Takes back a request that `take` has counted, and that turned out to be none of those that are limited. */
  giveBack(name: string): void {
    const seen = this.#counts.get(name) ?? 0;
    if (seen === 0) return;
    this.#counts.set(name, seen - 1);
    // The first one is not reported, and the second reported both.
    if (seen === 1) return;
    this.#pending.set(name, (this.#pending.get(name) ?? 0) - (seen === 2 ? 2 : 1));
    this.#flushing ??= this.#syncAll();
  }

  /** Those refused most often by this process in this window and the one before it, the most first. */
  refusedMost(namesMax: number): readonly RefusedName[] {
    const { windowS, now } = this.#options;
    const age = Math.floor(now() / (windowS * 1000)) - this.#window;
    const sums = new Map<string, number>(age === 0 ? this.#refusedBefore : []);
    for (const [name, refused] of age <= 1 ? this.#refused : []) sums.set(name, (sums.get(name) ?? 0) + refused);
    const names = Array.from(sums, ([name, refused]) => ({ name, refused }));
    return names.toSorted((a, b) => b.refused - a.refused).slice(0, namesMax);
  }

  /** Resolves when no sync is under way. */
  async settled(): Promise<void> {
    while (this.#flushing) await this.#flushing;
  }

  #begin(window: number): void {
    this.#refusedBefore = window === this.#window + 1 ? this.#refused : new Map<string, number>();
    this.#refused = new Map();
    this.#window = window;
    this.#counts = new Map();
    this.#pending = new Map();
  }

  #report(name: string, requests: number): void {
    this.#pending.set(name, (this.#pending.get(name) ?? 0) + requests);
    this.#flushing ??= this.#syncAll();
  }

  /** Repeats until nothing is pending; what is counted meanwhile goes with the next round. */
  async #syncAll(): Promise<void> {
    const { kind, windowS, sync, onFault } = this.#options;
    while (this.#pending.size > 0) {
      // What else arrived in this tick is included.
      await Promise.resolve();
      const window = this.#window;
      const counts = this.#takePending();
      if (counts.size === 0) continue;
      try {
        const totals = await sync({ kind, window, keepMs: windowS * 1000 + KEEP_MS, counts });
        if (window === this.#window) this.#learn(totals);
      } catch (error) {
        // Lost counts are not sent again: this process has them, and elsewhere they would only make the limit stricter.
        onFault(error);
      }
    }
    this.#flushing = null;
  }

  #takePending(): ReadonlyMap<string, number> {
    const taken = new Map([...this.#pending].slice(0, NAMES_PER_SYNC_MAX));
    for (const name of taken.keys()) this.#pending.delete(name);
    return taken;
  }

  #learn(totals: ReadonlyMap<string, number>): void {
    for (const [name, total] of totals) {
      const known = total + (this.#pending.get(name) ?? 0);
      if (known > (this.#counts.get(name) ?? 0)) this.#counts.set(name, known);
    }
  }
}

/** Sets the `RateLimit` headers from half of the limit on: most callers in a rush ask once or twice and do not need them. */
export function setRateLimitHeaders(answer: Response, allowance: Allowance): Response {
  if (!shouldSendHeaders(allowance)) return answer;
  const { requestsMax, remaining, resetS } = allowance;
  answer.headers.set('ratelimit-limit', String(requestsMax));
  answer.headers.set('ratelimit-remaining', String(remaining));
  answer.headers.set('ratelimit-reset', String(resetS));
  return answer;
}

/** Whether `setRateLimitHeaders` would set any: if not, the answer need not be awaited. */
export function shouldSendHeaders({ requestsMax, remaining }: Allowance): boolean {
  return remaining * 2 <= requestsMax;
}

/** The 429. Nothing was decided. */
export function tooMany(kind: Counted['kind'], allowance: Allowance): Response {
  const detail = `This ${kind} asks too often. Nothing was decided.`;
  return setRateLimitHeaders(problem('TOO_MANY_REQUESTS', detail, {}, retryAfter(allowance.resetS)), allowance);
}
