// refusal-counts.ts -- How often callers of a coupon were refused and why, counted by every API process and added up in Redis.
//
// A process sends its counts once a second, and only while there are some. They are for people who look at a drop, so nothing waits for them:
// counts whose answer is lost are not sent again, since that could count them twice. Ids that no coupon has are not counted.

import type { Redis } from 'ioredis';
import type { Outcome } from '../../coupon/outcome.ts';
import { type CouponKeys, refusalsKey, refusedKey } from '../../stream/keys.ts';

export const refusalKinds = ['already issued', 'not started', 'paused', 'ended', 'sold out'] as const;
export type RefusalKind = (typeof refusalKinds)[number];

/** Entries of a coupon by second, of all processes together; older ones are dropped. */
export const SECONDS_MAX = 3600;
const KEPT_S = 7 * 86_400;
const EVERY_MS = 1000;
/** Coupons whose counts wait in a process; those beyond it are not counted while Redis does not answer. */
const COUPONS_MAX = 1000;

export class RefusalCounts {
  readonly #redis: Redis;
  readonly #keysOf: (couponId: number) => CouponKeys;
  readonly #counts = new Map<number, Map<RefusalKind, number>>();
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor({ redis, keysOf }: { readonly redis: Redis; readonly keysOf: (couponId: number) => CouponKeys }) {
    this.#redis = redis;
    this.#keysOf = keysOf;
  }

  /** Counts one outcome, if it is a refusal of a coupon that exists. On the way of every request. */
  count(couponId: number, { kind }: Outcome): void {
    if (kind === 'issued' || kind === 'not exist') return;
    let counts = this.#counts.get(couponId);
    if (!counts) {
      if (this.#counts.size >= COUPONS_MAX) return;
      this.#counts.set(couponId, (counts = new Map<RefusalKind, number>()));
      this.#timer ??= setTimeout(() => void this.send(), EVERY_MS);
    }
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }

  /** Sends what was counted since the last time. Never throws. */
  async send(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const counted = [...this.#counts];
    this.#counts.clear();
    await Promise.allSettled(counted.flatMap(([couponId, counts]) => this.#sendOne(couponId, [...counts])));
  }

  #sendOne(couponId: number, counts: readonly (readonly [RefusalKind, number])[]): Promise<unknown>[] {
    const keys = this.#keysOf(couponId);
    const [totals, seconds] = [refusalsKey(keys), refusedKey(keys)];
    const sum = counts.reduce((before, [, count]) => before + count, 0);
    return [
      ...counts.map(([kind, count]) => this.#redis.hincrby(totals, kind, count)),
      this.#redis.xadd(seconds, 'MAXLEN', SECONDS_MAX, '*', 'n', sum),
      this.#redis.expire(totals, KEPT_S),
      this.#redis.expire(seconds, KEPT_S),
    ];
  }
}
