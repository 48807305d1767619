// stock-levels.ts -- How much is issued and left of the coupons that matter now, read from both stores without changing anything.
//
// Bounded, so that neither the reading nor the metrics grow with the number of coupons: those requested last, then the newest.

import { readCoupons, readNewestCoupons } from '../coupon/catalog.ts';
import { type Database, withConnection } from '../mysql/database.ts';
import type { Snapshot, Snapshots } from './snapshot.ts';

/** The levels of one coupon, in issues. */
export interface StockLevel extends Pick<Snapshot, 'issued' | 'left'> {
  readonly couponId: number;
  /** Null: unlimited. */
  readonly quantity: number | null;
  /** Rows in MySQL. */
  readonly rows: number;
}

export interface StockLevelsDependencies {
  readonly database: Database;
  readonly snapshots: Snapshots;
}

/** Of how many coupons, from the newest on, those that are not over are looked for: bounds the reading. */
const NEWEST = 1000;

/**
 * Reads at most `couponsMax` coupons that are not over.
 *
 * @param requested ids of those requested last, which come first
 * @throws what Redis or MySQL throw
 */
export async function readStockLevels(
  { database, snapshots }: StockLevelsDependencies,
  couponsMax: number,
  requested: readonly number[] = [],
): Promise<{ readonly nowMs: number; readonly levels: readonly StockLevel[] }> {
  const { nowMs, coupons } = await withConnection(database, async (session) => {
    const newest = await readNewestCoupons(session, NEWEST, couponsMax);
    const asked = (await readCoupons(session, requested)).filter(({ endMs }) => endMs > newest.nowMs);
    const byId = new Map([...asked, ...newest.coupons].map((coupon) => [coupon.id, coupon]));
    return { nowMs: newest.nowMs, coupons: [...byId.values()].slice(0, couponsMax) };
  });
  const levels = await Promise.all(
    coupons.map(async (coupon): Promise<StockLevel> => {
      const { issued, left } = await snapshots.of(coupon);
      return { couponId: coupon.id, quantity: coupon.totalQuantity, issued, left, rows: coupon.issuedQuantity };
    }),
  );
  return { nowMs, levels };
}
