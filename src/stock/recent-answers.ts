// recent-answers.ts -- What this process answered in the last seconds, or has in hand: a Redis that fails over may lack it.
//
// Bounded by age and by users. Age counts only while the server that decided is still the one that is connected to, so that answers
// given before an outage outlast it.

import type { Owner } from '../coupon/issue-rows.ts';
import type { Outcome } from '../coupon/outcome.ts';

/** The users of a batch and what they got: an outcome each, or sequences that follow each other. */
export interface AnsweredBatch {
  readonly couponId: number;
  /** The server that decided, as `serverOf` names it. */
  readonly server: string;
  readonly users: readonly string[];
  readonly outcomes: readonly Outcome[] | { readonly first: number };
  /** When those who were issued it were accepted. */
  readonly acceptedMs: number;
  /** False while those who were issued it are not answered yet, as those of an entry that is only in hand. */
  readonly isPromised: boolean;
}

interface Kept extends AnsweredBatch {
  readonly atMs: number;
}

export class RecentAnswers {
  readonly #bounds: { readonly ANSWERS_MS_MAX: number; readonly ANSWERS_MAX: number };
  readonly #elapsedMs: () => number;
  readonly #kept: Kept[] = [];
  /** Up to here they are gone. */
  #from = 0;
  #users = 0;
  /** Gone, or others stand in their place. */
  readonly #settled = new WeakSet<AnsweredBatch>();

  constructor(
    bounds: { readonly ANSWERS_MS_MAX: number; readonly ANSWERS_MAX: number },
    elapsedMs = () => performance.now(),
  ) {
    this.#bounds = bounds;
    this.#elapsedMs = elapsedMs;
  }

  add(batch: AnsweredBatch): void {
    this.#kept.push({ ...batch, atMs: this.#elapsedMs() });
    this.#users += batch.users.length;
    while (this.#users > this.#bounds.ANSWERS_MAX) this.#dropFirst();
  }

  /** Forgets what is old and was decided by the server that is still there: its replicas have it by now. Stops at the first that is not. */
  expire(serverNow: (couponId: number) => string): void {
    const beforeMs = this.#elapsedMs() - this.#bounds.ANSWERS_MS_MAX;
    for (;;) {
      const first = this.#kept[this.#from];
      if (!first) return;
      const isOld = first.atMs < beforeMs && first.server === serverNow(first.couponId);
      if (!isOld && !this.#settled.has(first)) return;
      this.#dropFirst();
    }
  }

  /** What another server decided than the one that is there now, by coupon. */
  inDoubt(serverNow: (couponId: number) => string): ReadonlyMap<number, readonly AnsweredBatch[]> {
    // Asked once for each coupon: there may be tens of thousands of batches.
    const servers = new Map<number, string>();
    const others = this.#kept.filter((batch, i) => {
      const now = servers.get(batch.couponId) ?? serverNow(batch.couponId);
      servers.set(batch.couponId, now);
      return now !== batch.server && now !== '' && i >= this.#from && !this.#settled.has(batch);
    });
    return Map.groupBy(others, ({ couponId }) => couponId);
  }

  /** The server that is there now has what was in doubt, but for the users who lost it: from now on it stands for all others. */
  settle(batches: readonly AnsweredBatch[], server: string, lost: ReadonlySet<string>): void {
    for (const batch of batches) {
      if (this.#settled.has(batch)) continue;
      this.#settled.add(batch);
      this.#users -= batch.users.length;
      const owners = ownersIn(batch).filter(({ userId }) => !lost.has(userId));
      if (owners.length === 0) continue;
      const outcomes = owners.map(({ sequence, acceptedMs, isPromised }): Outcome => {
        return { kind: acceptedMs > 0 || !isPromised ? 'issued' : 'already issued', sequence };
      });
      this.add({ ...batch, server, users: owners.map(({ userId }) => userId), outcomes });
    }
  }

  #dropFirst(): void {
    const first = this.#kept[this.#from];
    if (first && !this.#settled.has(first)) this.#users -= first.users.length;
    if (first) this.#settled.add(first);
    this.#from += 1;
    // Not one by one, which would move all the others each time.
    if (this.#from * 2 < this.#kept.length) return;
    this.#kept.splice(0, this.#from);
    this.#from = 0;
  }
}

export interface AnsweredOwner extends Owner {
  /** 0 for one who had it before. */
  readonly acceptedMs: number;
  /** Whether the user was answered this sequence; "already issued" always is. */
  readonly isPromised: boolean;
}

/** Who has which sequence by a batch. */
export function ownersIn({ users, outcomes, acceptedMs, isPromised }: AnsweredBatch): AnsweredOwner[] {
  if ('first' in outcomes)
    return users.map((userId, i) => ({ userId, sequence: outcomes.first + i, acceptedMs, isPromised }));
  return users.flatMap((userId, i) => {
    const outcome = outcomes[i];
    if (!outcome || !('sequence' in outcome)) return [];
    const { sequence } = outcome;
    return outcome.kind === 'issued'
      ? [{ userId, sequence, acceptedMs, isPromised }]
      : [{ userId, sequence, acceptedMs: 0, isPromised: true }];
  });
}
