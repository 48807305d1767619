// coupon-reader.ts -- Reads coupons by ids that any caller may name: one query at a time for all who ask, and a cache of a second.
//
// - A query answers every request that waits, so that ids that do not exist cost little, however many and however different they are.
// - Public callers and the issuers wait in separate queues, each through a pool of its own.
// - What exists and what does not are cached apart: unknown ids evict no coupon.
// - An edit or a new coupon invalidates its entry; if the message is lost, an entry expires after `SIGN_MS_MAX`.

import { setTimeout as pause } from 'node:timers/promises';
import QuickLRU from 'quick-lru';
import { Combiner } from './combiner.ts';
import { checkPeriod, type Coupon } from '../coupon/coupon.ts';
import { type Refusal, refusal } from '../coupon/outcome.ts';

/** The pools that the two queues read through. */
export type ReadingPool = 'general' | 'public';

/** The coupons with these ids, as far as there are such. */
export type FindCoupons = (pool: ReadingPool, ids: readonly number[]) => Promise<readonly Coupon[]>;

export interface CouponReaderSettings {
  readonly SIGN_MS_MAX: number;
  readonly SIGNS_MAX: number;
  readonly WAITING_USERS_MAX: number;
}

/** Ids in one query. */
const IDS_PER_QUERY_MAX = 1000;
/**
 * From one query of a queue to its next, so that a flood fills each: else most would answer one or two. The first does
 * not wait, nor do public callers for ids that the last one has just answered.
 */
const GATHER_MS = 100;

/** All throw what `find` throws, and Unavailable when too many wait. */
export class CouponReader {
  readonly #settings: CouponReaderSettings;
  readonly #elapsedMs: () => number;
  readonly #combiner: Combiner<ReadingPool, number, Coupon | null>;
  readonly #found: QuickLRU<number, { readonly coupon: Coupon; readonly atMs: number }>;
  /** When an id was last found not to exist. */
  readonly #absent: QuickLRU<number, number>;
  /** When the last query of each queue began. */
  readonly #askedMs = new Map<ReadingPool, number>();
  /** What was read before an invalidation must not be stored after it. */
  #invalidations = 0;

  constructor(find: FindCoupons, settings: CouponReaderSettings, elapsedMs = () => performance.now()) {
    this.#settings = settings;
    // It keeps up to twice as many. To evict the first of a map, one by one, cost a flood of ids more than all the rest.
    const maxSize = Math.ceil(settings.SIGNS_MAX / 2);
    this.#found = new QuickLRU({ maxSize });
    this.#absent = new QuickLRU({ maxSize });
    this.#elapsedMs = elapsedMs;
    this.#combiner = new Combiner((pool, ids) => this.#readBatch(find, pool, ids), {
      usersPerBatchMax: IDS_PER_QUERY_MAX,
      batchesInFlightMax: 1,
      waitingMax: settings.WAITING_USERS_MAX,
    });
  }

  /** The coupon, or null; as it was at most `ageMsMax` ago. */
  async read(id: number, ageMsMax = this.#settings.SIGN_MS_MAX): Promise<Coupon | null> {
    const found = this.#found.get(id);
    if (found && this.#isFresh(found.atMs, ageMsMax)) return found.coupon;
    return this.#isFresh(this.#absent.get(id), ageMsMax) ? null : this.#combiner.submit('public', id);
  }

  /**
   * Whether there is such a coupon. One that was seen may have been deleted since: only a `false` is sure. For the issuers it is as
   * of now, since they cache refusals themselves.
   */
  exists(id: number, pool: ReadingPool): boolean | Promise<boolean> {
    if (this.#found.has(id)) return true;
    if (pool === 'public' && this.#isFresh(this.#absent.get(id), this.#settings.SIGN_MS_MAX)) return false;
    return this.#combiner.submit(pool, id).then((coupon) => coupon !== null);
  }

  /**
   * A refusal of every user that is certain now: there is no such coupon, or the one read at most `SIGN_MS_MAX` ago is paused or
   * not within its period. Null when it may be issued, or when that is not known since MySQL does not respond.
   *
   * @param skewMsMax how far the clock that decides may be from that of this process
   */
  async refusalOf(id: number, skewMsMax: number): Promise<Refusal | null> {
    // One that was last seen open may have changed, which the issuer will find: nothing is waited for.
    const seen = this.#found.get(id)?.coupon;
    if (seen && refusalNow(seen, skewMsMax) === null) return null;
    const exists = await this.exists(id, 'general');
    if (!exists) return refusal['not exist'];
    return refusalNow(await this.read(id), skewMsMax);
  }

  /** Removes what is cached of a coupon that is new, changed or deleted. */
  invalidate(id: number): void {
    this.#invalidations += 1;
    this.#found.delete(id);
    this.#absent.delete(id);
  }

  /** Removes everything: edits may have been missed. */
  invalidateAll(): void {
    this.#invalidations += 1;
    this.#found.clear();
    this.#absent.clear();
  }

  #isFresh(atMs: number | undefined, ageMsMax: number): boolean {
    return atMs !== undefined && this.#elapsedMs() - atMs < ageMsMax;
  }

  async #readBatch(find: FindCoupons, pool: ReadingPool, ids: readonly number[]): Promise<readonly (Coupon | null)[]> {
    const lastMs = this.#askedMs.get(pool) ?? Number.NEGATIVE_INFINITY;
    const waitMs = lastMs + GATHER_MS - this.#elapsedMs();
    // Many who come together ask for one id, and the last query has just answered it. The issuers want it as of now.
    const isRecent = pool === 'public' && waitMs > 0;
    const isKnown = (id: number) =>
      isRecent && (this.#found.get(id)?.atMs === lastMs || this.#absent.get(id) === lastMs);
    if (ids.every(isKnown)) return ids.map((id) => this.#found.get(id)?.coupon ?? null);
    if (waitMs > 0) await pause(waitMs);
    const known = new Set(ids.filter(isKnown));
    const coupons = new Map([...known].map((id) => [id, this.#found.get(id)?.coupon]));
    const asked = [...new Set(ids)].filter((id) => !known.has(id));
    if (asked.length === 0) return ids.map((id) => coupons.get(id) ?? null);
    const invalidations = this.#invalidations;
    const atMs = this.#elapsedMs();
    this.#askedMs.set(pool, atMs);
    for (const coupon of await find(pool, asked)) coupons.set(coupon.id, coupon);
    if (invalidations === this.#invalidations) {
      for (const id of asked) {
        const coupon = coupons.get(id);
        if (coupon) this.#found.set(id, { coupon, atMs });
        else this.#absent.set(id, atMs);
      }
    }
    return ids.map((id) => coupons.get(id) ?? null);
  }
}

function refusalNow(coupon: Coupon | null, skewMsMax: number): Refusal | null {
  if (!coupon) return refusal['not exist'];
  const nowMs = Date.now();
  const { startMs, endMs, paused } = coupon;
  return checkPeriod({ startMs: startMs - skewMsMax, endMs: endMs + skewMsMax, paused }, nowMs);
}
