// closing.ts -- Putting a coupon away that is long over: its owners are freed in Redis, its home is MySQL again, nothing is lost.
//
// Safe without a lease: requests do not open a coupon that is over (see stock.ts). CouponEditor may, and an edit may prolong it: an
// opening that began before the first half has lost its lease to it, and one that begins later has raised the epoch, which the
// second half finds out, and does nothing.

import { eq } from 'drizzle-orm';
import type { Redis } from 'ioredis';
import { coupons } from '../../drizzle/schema.ts';
import { lockCoupon } from '../coupon/catalog.ts';
import { type Database, withTransaction } from '../mysql/database.ts';
import { hasEntryOf } from '../stream/entries.ts';
import { couponKeys } from '../stream/keys.ts';
import { close } from './scripts/close.ts';
import { readKnown } from './opening.ts';

export interface ClosingDependencies {
  readonly redis: Redis;
  readonly database: Database;
  readonly settings: {
    readonly PARTITIONS: number;
    /** How long a coupon must be over. Far longer than clocks differ. */
    readonly CLOSE_AFTER_MS: number;
  };
}

/**
 * Closes a coupon if it is long over and all that was accepted is written.
 *
 * @param epoch the coupon's, as it was read when it was found to be over
 * @returns whether it was closed; false leaves it for the next round
 * @throws what Redis or MySQL throw; what was not finished is finished by the next call
 */
export async function closeCoupon(
  { redis, database, settings }: ClosingDependencies,
  couponId: number,
  epoch: number,
): Promise<boolean> {
  const keys = couponKeys(couponId, settings.PARTITIONS);
  const isOver = () =>
    withTransaction(database, async (tx) => {
      const coupon = await lockCoupon(tx, couponId);
      const { nowMs } = await readKnown(tx, couponId);
      return coupon?.stockHome === 'redis' && coupon.epoch === epoch && coupon.endMs + settings.CLOSE_AFTER_MS <= nowMs;
    });
  if (!(await isOver())) return false;
  if ((await close(redis, { keys, epoch })) !== 'closed') return false;
  // After this point nothing more can be accepted; what was is a row once the stream has no entry of it left.
  if (await hasEntryOf(redis, keys.stream, couponId)) return false;
  return withTransaction(database, async (tx) => {
    const coupon = await lockCoupon(tx, couponId);
    if (coupon?.stockHome !== 'redis' || coupon.epoch !== epoch) return false;
    await tx
      .update(coupons)
      .set({ stockHome: 'mysql', epoch: epoch + 1 })
      .where(eq(coupons.id, couponId));
    return true;
  });
}
