// closing.ts -- Closing a coupon that is long over: its owners are freed in Redis, and its home is MySQL again. Nothing is lost.
//
// Safe without a lease: requests do not open a coupon that is over (see opening.ts). An edit may, to prolong it: an opening that
// began before the first half of a closing has lost its lease to it, and a later one has raised the epoch, on which the second
// half gives up.

import { eq } from 'drizzle-orm';
import { coupons } from '../../drizzle/schema.ts';
import { lockCoupon } from '../coupon/catalog.ts';
import { readHighestSequence } from '../coupon/issue-rows.ts';
import { type Database, withTransaction } from '../mysql/database.ts';
import { isAnyWaiting } from '../stream/accepted.ts';
import type { RedisStock } from './redis-stock.ts';

export interface ClosingDependencies {
  readonly redisStock: RedisStock;
  readonly database: Database;
  readonly settings: {
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
  { redisStock, database, settings }: ClosingDependencies,
  couponId: number,
  epoch: number,
): Promise<boolean> {
  const isOver = () =>
    withTransaction(database, async (tx) => {
      const coupon = await lockCoupon(tx, couponId);
      const { nowMs } = await readHighestSequence(tx, couponId);
      return coupon?.stockHome === 'redis' && coupon.epoch === epoch && coupon.endMs + settings.CLOSE_AFTER_MS <= nowMs;
    });
  if (!(await isOver())) return false;
  const server = redisStock.serverOfCoupon(couponId);
  if ((await redisStock.close(couponId, epoch)) !== 'closed') return false;
  await redisStock.confirm?.(redisStock.keysOf(couponId), server);
  // From here on nothing can be accepted; what was accepted is a row once neither stream nor dead letters have an entry of it.
  if (await isAnyWaiting(redisStock.redis, redisStock.keysOf(couponId), couponId)) return false;
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
