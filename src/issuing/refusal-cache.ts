// refusal-cache.ts -- Refuses without asking anybody, for a second at most, what was just refused.
//
// Sold out is the common answer in a rush, and the only one that need not cost a decision. But it must stay right:
// - A sign is at most `signMsMax` old, and dropped at once when an operator changes the coupon.
// - Who already has the coupon must still hear `already issued` with its sequence, since a winner whose answer was lost asks
//   again. So a sold-out sign knows the owners by a filter, and whoever may be among them is let through to the issuer.
//   The owners of a sold-out coupon do not change, so they are loaded once for each edition.
// - A not-yet-started sign comes down `skewMsMax` before the start, since the clock that decides is another.

import type { Inspect, Inspection } from '../stock/snapshot.ts';
import { type Outcome, type Refusal, refusal } from '../coupon/outcome.ts';
import { BloomFilter } from './bloom-filter.ts';

type SoldOut = Extract<Inspection, { readonly kind: 'sold out' }>;

export interface RefusalCacheBounds {
  readonly signMsMax: number;
  readonly signsMax: number;
  /** Over all signs, with those whose owners are just being loaded. */
  readonly ownersMax: number;
  readonly skewMsMax: number;
}

/** The clocks of this process, in milliseconds: one that never jumps, for ages; the time of day, for starts of coupons. */
export interface Clock {
  elapsedMs(): number;
  nowMs(): number;
}

const processClock: Clock = { elapsedMs: () => performance.now(), nowMs: () => Date.now() };

interface CachedRefusal {
  readonly refusal: Refusal;
  /** By `Clock.elapsedMs`. */
  readonly untilMs: number;
  /** Of a sold-out coupon only. */
  readonly owners: BloomFilter | null;
}

/** The owners of one edition of a sold-out coupon; kept while its sign is renewed. */
interface KnownOwners {
  readonly edition: string;
  readonly filter: BloomFilter;
  readonly count: number;
}

export class RefusalCache {
  readonly #inspect: Inspect;
  readonly #bounds: RefusalCacheBounds;
  readonly #onFault: (fault: unknown) => void;
  readonly #clock: Clock;
  readonly #signs = new Map<number, CachedRefusal>();
  readonly #known = new Map<number, KnownOwners>();
  readonly #hanging = new Set<number>();
  #ownersKept = 0;
  #ownersLoading = 0;
  /** Rises with every drop: what was decided or looked up before a drop must not be hung after it. */
  #drops = 0;

  constructor(
    inspect: Inspect,
    bounds: RefusalCacheBounds,
    onFault: (fault: unknown) => void,
    clock: Clock = processClock,
  ) {
    this.#inspect = inspect;
    this.#bounds = bounds;
    this.#onFault = onFault;
    this.#clock = clock;
  }

  /** The refusal for this user, if a sign that is still fresh gives it for sure. */
  refuse(couponId: number, userId: string): Refusal | null {
    const sign = this.#signs.get(couponId);
    if (sign === undefined) return null;
    if (this.#clock.elapsedMs() >= sign.untilMs) {
      this.#signs.delete(couponId);
      return null;
    }
    return sign.owners?.mayHave(userId) ? null : sign.refusal;
  }

  /** How many drops there were. Ask before a decision begins, and hand it to `note` with the outcome. */
  get drops(): number {
    return this.#drops;
  }

  /** Takes note of how an issuer decided; may hang a sign, unless there was a drop since the decision began. */
  note(couponId: number, outcome: Outcome, drops: number): void {
    if (drops !== this.#drops) return;
    if (outcome.kind === 'issued' || outcome.kind === 'already issued' || this.#signs.has(couponId)) return;
    const untilMs = this.#clock.elapsedMs() + this.#bounds.signMsMax;
    if (outcome.kind === 'not started' || outcome.kind === 'sold out') {
      if (this.#hanging.has(couponId) || this.#hanging.size >= this.#bounds.signsMax) return;
      this.#hanging.add(couponId);
      this.#lookAndHang(couponId, untilMs, drops)
        .catch(this.#onFault)
        .finally(() => this.#hanging.delete(couponId));
    } else this.#hang(couponId, { refusal: outcome, untilMs, owners: null });
  }

  /** Takes the sign of a coupon down: it was edited. */
  drop(couponId: number): void {
    this.#drops += 1;
    this.#signs.delete(couponId);
    this.#forget(couponId);
  }

  /** Takes every sign down: edits may have been missed. */
  dropAll(): void {
    for (const couponId of [...this.#signs.keys(), ...this.#known.keys()]) this.drop(couponId);
    this.#drops += 1;
  }

  async #lookAndHang(couponId: number, untilMs: number, drops: number): Promise<void> {
    const found = await this.#inspect(couponId);
    if (found.kind === 'not started') {
      const untilStartMs = this.#clock.elapsedMs() + found.startMs - this.#clock.nowMs() - this.#bounds.skewMsMax;
      const sign = { refusal: refusal['not started'], untilMs: Math.min(untilMs, untilStartMs), owners: null };
      if (drops === this.#drops) this.#hang(couponId, sign);
    }
    if (found.kind !== 'sold out') return;
    const known = this.#known.get(couponId);
    if (known?.edition !== found.edition) {
      // Those of another edition are of no use any more.
      this.#forget(couponId);
      if (!this.#makeRoom(found.count)) return;
      const filter = await this.#load(found);
      // What was loaded is whole only if nothing changed on the way.
      const after = await this.#inspect(couponId);
      if (after.kind !== 'sold out' || after.edition !== found.edition || drops !== this.#drops) return;
      this.#keep(couponId, { edition: found.edition, filter, count: found.count });
    }
    const owners = this.#known.get(couponId)?.filter;
    if (owners && drops === this.#drops) this.#hang(couponId, { refusal: refusal['sold out'], untilMs, owners });
  }

  async #load({ count, owners }: Pick<SoldOut, 'count' | 'owners'>): Promise<BloomFilter> {
    this.#ownersLoading += count;
    try {
      const filter = new BloomFilter(count);
      for await (const users of owners()) for (const user of users) filter.add(user);
      return filter;
    } finally {
      this.#ownersLoading -= count;
    }
  }

  #hang(couponId: number, sign: CachedRefusal): void {
    const [oldest] = this.#signs.keys();
    if (this.#signs.size >= this.#bounds.signsMax && oldest !== undefined) this.#signs.delete(oldest);
    this.#signs.set(couponId, sign);
  }

  /** Lets the oldest go until so many more can be known; false when those that are being loaded leave no room. */
  #makeRoom(count: number): boolean {
    const { ownersMax, signsMax } = this.#bounds;
    if (this.#ownersLoading + count > ownersMax) return false;
    for (const oldest of this.#known.keys()) {
      if (this.#ownersKept + this.#ownersLoading + count <= ownersMax && this.#known.size < signsMax) break;
      this.#signs.delete(oldest);
      this.#forget(oldest);
    }
    return true;
  }

  #keep(couponId: number, owners: KnownOwners): void {
    // Others may have been kept since there was room.
    if (!this.#makeRoom(owners.count)) return;
    this.#known.set(couponId, owners);
    this.#ownersKept += owners.count;
  }

  #forget(couponId: number): void {
    this.#ownersKept -= this.#known.get(couponId)?.count ?? 0;
    this.#known.delete(couponId);
  }
}
