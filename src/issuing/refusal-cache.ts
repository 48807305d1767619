// refusal-cache.ts -- Negative cache: repeats a coupon's last refusal for at most about a second, without a round trip.
//
// Sold out is the common answer in a rush, and the only one that need not cost a decision. But it must stay right:
// - An entry is at most `ageMsMax` old, and is invalidated immediately when an operator changes the coupon.
// - An owner must still get `already issued` with the sequence, since a winner whose answer was lost asks again. So a sold-out
//   entry holds the owners in a Bloom filter, and a user who may be among them is passed on to the issuer. The owners of a
//   sold-out coupon do not change, so they are loaded once for each edition.
// - A not-yet-started entry expires `skewMsMax` before the start, since the clock that decides is another.

import QuickLRU from 'quick-lru';
import { type Outcome, type Refusal, refusal } from '../coupon/outcome.ts';
import type { Snapshot } from '../stock/snapshot.ts';
import { BloomFilter } from './bloom-filter.ts';

/** The part of a snapshot that the cache relies on; null when there is no such coupon. */
export type ReadStock = (
  couponId: number,
) => Promise<Pick<Snapshot, 'state' | 'startMs' | 'issued' | 'edition' | 'owners'> | null>;

export interface RefusalCacheBounds {
  readonly ageMsMax: number;
  readonly entriesMax: number;
  /** Over all entries, with those whose owners are being loaded. */
  readonly ownersMax: number;
  readonly skewMsMax: number;
}

/** The clocks of this process, in milliseconds: a monotonic one for ages; the time of day for starts of coupons. */
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

/** The owners of one edition of a sold-out coupon; kept while its entry is renewed. */
interface KnownOwners {
  readonly edition: string;
  readonly filter: BloomFilter;
  readonly count: number;
}

export class RefusalCache {
  readonly #readStock: ReadStock;
  readonly #bounds: RefusalCacheBounds;
  readonly #onFault: (fault: unknown) => void;
  readonly #clock: Clock;
  readonly #entries: QuickLRU<number, CachedRefusal>;
  /** Of coupons that do not exist; apart, so that a flood of unknown ids evicts no entry of a coupon that is in a rush. */
  readonly #absent: QuickLRU<number, CachedRefusal>;
  readonly #known = new Map<number, KnownOwners>();
  readonly #loading = new Set<number>();
  #ownersKept = 0;
  #ownersLoading = 0;
  /** What was decided or read before an invalidation must not be stored after it. */
  #invalidations = 0;

  constructor(
    readStock: ReadStock,
    bounds: RefusalCacheBounds,
    onFault: (fault: unknown) => void,
    clock: Clock = processClock,
  ) {
    this.#readStock = readStock;
    this.#bounds = bounds;
    // It keeps up to twice as many.
    const maxSize = Math.ceil(bounds.entriesMax / 2);
    this.#entries = new QuickLRU({ maxSize });
    this.#absent = new QuickLRU({ maxSize });
    this.#onFault = onFault;
    this.#clock = clock;
  }

  /** The refusal for this user, if a fresh entry gives it for sure. */
  refuse(couponId: number, userId: string): Refusal | null {
    const entry = this.#entries.get(couponId) ?? this.#absent.get(couponId);
    if (entry === undefined) return null;
    if (this.#clock.elapsedMs() >= entry.untilMs) {
      this.#remove(couponId);
      return null;
    }
    return entry.owners?.mayHave(userId) ? null : entry.refusal;
  }

  /** How many invalidations there were. Read it before a decision begins, and pass it to `note` with the outcome. */
  get invalidations(): number {
    return this.#invalidations;
  }

  /** Takes note of an issuer's outcome; may store an entry, unless there was an invalidation since the decision began. */
  note(couponId: number, outcome: Outcome, invalidations: number): void {
    if (invalidations !== this.#invalidations) return;
    if (outcome.kind === 'issued' || outcome.kind === 'already issued' || this.#entries.has(couponId)) return;
    const untilMs = this.#clock.elapsedMs() + this.#bounds.ageMsMax;
    if (outcome.kind === 'not started' || outcome.kind === 'sold out') {
      if (this.#loading.has(couponId) || this.#loading.size >= this.#bounds.entriesMax) return;
      this.#loading.add(couponId);
      this.#loadAndStore(couponId, untilMs, invalidations)
        .catch(this.#onFault)
        .finally(() => this.#loading.delete(couponId));
    } else if (outcome.kind === 'not exist') {
      this.#absent.set(couponId, { refusal: outcome, untilMs, owners: null });
    } else this.#entries.set(couponId, { refusal: outcome, untilMs, owners: null });
  }

  /** Removes the entry of a coupon that was edited. */
  invalidate(couponId: number): void {
    this.#invalidations += 1;
    this.#remove(couponId);
    this.#forget(couponId);
  }

  /** Removes every entry: edits may have been missed. */
  invalidateAll(): void {
    for (const couponId of [...this.#entries.keys(), ...this.#known.keys()]) this.invalidate(couponId);
    this.#absent.clear();
    this.#invalidations += 1;
  }

  async #loadAndStore(couponId: number, untilMs: number, invalidations: number): Promise<void> {
    const found = await this.#readStock(couponId);
    if (found?.state === 'not started') {
      const untilStartMs = this.#clock.elapsedMs() + found.startMs - this.#clock.nowMs() - this.#bounds.skewMsMax;
      const entry = { refusal: refusal['not started'], untilMs: Math.min(untilMs, untilStartMs), owners: null };
      if (invalidations === this.#invalidations) this.#entries.set(couponId, entry);
    }
    if (found?.state !== 'sold out') return;
    const count = found.issued ?? 0;
    if (this.#known.get(couponId)?.edition !== found.edition) {
      // Those of another edition are outdated.
      this.#forget(couponId);
      if (!this.#makeRoom(count)) return;
      const filter = await this.#load(count, found.owners());
      // What was loaded is complete only if nothing changed meanwhile.
      const after = await this.#readStock(couponId);
      if (after?.state !== 'sold out' || after.edition !== found.edition || invalidations !== this.#invalidations)
        return;
      this.#keep(couponId, { edition: found.edition, filter, count });
    }
    const owners = this.#known.get(couponId)?.filter;
    if (owners && invalidations === this.#invalidations)
      this.#entries.set(couponId, { refusal: refusal['sold out'], untilMs, owners });
  }

  async #load(count: number, owners: AsyncIterable<readonly string[]>): Promise<BloomFilter> {
    this.#ownersLoading += count;
    try {
      const filter = new BloomFilter(count);
      for await (const users of owners) for (const user of users) filter.add(user);
      return filter;
    } finally {
      this.#ownersLoading -= count;
    }
  }

  #remove(couponId: number): void {
    this.#entries.delete(couponId);
    this.#absent.delete(couponId);
  }

  /** Evicts the oldest until there is room for so many owners; false when those being loaded leave none. */
  #makeRoom(count: number): boolean {
    const { ownersMax, entriesMax } = this.#bounds;
    if (this.#ownersLoading + count > ownersMax) return false;
    for (const oldest of this.#known.keys()) {
      if (this.#ownersKept + this.#ownersLoading + count <= ownersMax && this.#known.size < entriesMax) break;
      this.#entries.delete(oldest);
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
