// crowd.ts -- The crowd of a rehearsal: some press before it opens, all press then, one in ten twice, through all three endpoints. It keeps
// every answer, so that the verdict can hold the system to each.

import type { Json, Target } from './target.ts';

const endpoints = ['/v1/issue', '/v1/issue-async', '/v2/issue-async'] as const;

/** What an answer says. `unknown`: it may be issued or not, after all retries. */
export const outcomes = ['issued', 'sold out', 'already issued', 'not open', 'unknown', 'other'] as const;
export type Outcome = (typeof outcomes)[number];

const outcomeOf: Readonly<Record<string, Outcome>> = {
  INVALID_COUPON_ISSUE_QUANTITY: 'sold out',
  DUPLICATED_COUPON_ISSUE: 'already issued',
  INVALID_COUPON_ISSUE_DATE: 'not open',
  FAIL_COUPON_ISSUE_REQUEST: 'unknown',
  INTERNAL: 'unknown',
};

/** One answer that a user got. */
export interface Given {
  readonly userId: string;
  readonly outcome: Outcome;
  /** The number of the issue, where the answer names one. */
  readonly sequence: number | null;
  /** By the clock of the system. */
  readonly answeredMs: number;
}

export interface CrowdOptions {
  readonly target: Pick<Target, 'send' | 'nowMs'>;
  readonly couponId: number;
  readonly users: number;
  readonly connections: number;
  readonly startMs: number;
}

/** Some come early, and press until it opens: they show whether it opens too soon. */
const EARLY_USERS = 20;
const EARLY_MS = 1_500;
const EARLY_PAUSE_MS = 50;
/** Of a request whose result is ambiguous: a retry finds it out. */
const ATTEMPTS_MAX = 4;
const RETRY_MS = 500;

export class Crowd {
  readonly given: Given[] = [];
  readonly counts = new Map<Outcome, number>(outcomes.map((outcome) => [outcome, 0]));
  /** What answers say that are none of the above. */
  readonly others = new Map<string, number>();
  readonly latenciesMs: number[] = [];
  readonly #options: CrowdOptions;
  readonly #owners = new Set<string>();
  #endMs: number | undefined;

  constructor(options: CrowdOptions) {
    this.#options = options;
  }

  /** Resolves when everybody has an answer. */
  async run(): Promise<void> {
    const { users, connections, startMs } = this.#options;
    const early = Array.from({ length: Math.min(EARLY_USERS, users) }, (_, i) => this.#press(i));
    await this.#until(startMs);
    let next = early.length;
    const one = async (): Promise<void> => {
      for (let i = next++; i < users; i = next++) {
        await this.#ask(i, 0);
        // Through another endpoint than the first time.
        if (i % 10 === 0) await this.#ask(i, 1);
      }
    };
    await Promise.all([...early, ...Array.from({ length: connections }, one)]);
    this.#endMs = this.#options.target.nowMs();
  }

  figures() {
    const { startMs, target } = this.#options;
    const sorted = this.latenciesMs.toSorted((a, b) => a - b);
    const at = (share: number) => Math.round(sorted[Math.ceil(sorted.length * share) - 1] ?? 0);
    const seconds = Math.max(0.001, ((this.#endMs ?? target.nowMs()) - startMs) / 1_000);
    return { requests: sorted.length, seconds, p50Ms: at(0.5), p99Ms: at(0.99) };
  }

  /** Presses again and again until the coupon is open. */
  async #press(i: number): Promise<void> {
    await this.#until(this.#options.startMs - EARLY_MS);
    while ((await this.#ask(i, 0)) === 'not open' && this.#options.target.nowMs() < this.#options.startMs + EARLY_MS)
      await new Promise((resolve) => setTimeout(resolve, EARLY_PAUSE_MS));
  }

  async #until(ms: number): Promise<void> {
    const { nowMs } = this.#options.target;
    // A timer may ring a little early.
    while (nowMs() < ms) await new Promise((resolve) => setTimeout(resolve, Math.min(1_000, ms - nowMs())));
  }

  /** Asks for a user, until the result is known. */
  async #ask(i: number, shift: number): Promise<Outcome> {
    const { target, couponId } = this.#options;
    const userId = `rehearsal-${i}`;
    const path = endpoints[(i + shift) % endpoints.length] ?? endpoints[0];
    for (let attempt = 1; ; attempt += 1) {
      const sentMs = performance.now();
      const { status, body } = await target.send('POST', path, { couponId, userId });
      const answered = this.#outcomeOf(status, body);
      // By an earlier attempt whose answer was lost.
      const isRecovered = answered === 'already issued' && attempt > 1 && !this.#owners.has(userId);
      const outcome = isRecovered ? 'issued' : answered;
      if (outcome === 'unknown' && attempt < ATTEMPTS_MAX) {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        continue;
      }
      if (this.#options.startMs <= target.nowMs()) this.latenciesMs.push(performance.now() - sentMs);
      this.counts.set(outcome, (this.counts.get(outcome) ?? 0) + 1);
      const sequence = typeof body['sequence'] === 'number' ? body['sequence'] : null;
      if (outcome === 'issued') this.#owners.add(userId);
      this.given.push({ userId, outcome, sequence, answeredMs: target.nowMs() });
      return outcome;
    }
  }

  #outcomeOf(status: number, body: Json): Outcome {
    if (status === 201 || status === 202) return 'issued';
    if (status === 0) return 'unknown';
    const code = String(body['code']);
    const known = outcomeOf[code];
    if (known === undefined) this.others.set(code, (this.others.get(code) ?? 0) + 1);
    return known ?? 'other';
  }
}
