// stock-levels.ts -- How much is issued and left of the newest coupons, read from both stores without changing anything.
//
// Bounded, so that neither the reading nor the metrics grow with the number of coupons: of the `NEWEST` made last, those that
// are not over, at most as many as asked for.

import { readNewestCoupons } from '../coupon/catalog.ts';
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

/** Reads at most `couponsMax` coupons, the newest first. Throws what Redis or MySQL throw. */
export async function readStockLevels(
  { database, snapshots }: StockLevelsDependencies,
  couponsMax: number,
): Promise<{ readonly nowMs: number; readonly levels: readonly StockLevel[] }> {
  const found = await withConnection(database, (session) => readNewestCoupons(session, NEWEST, couponsMax));
  const levels = await Promise.all(
    found.coupons.map(async (coupon): Promise<StockLevel> => {
      const { issued, left } = await snapshots.of(coupon);
      return { couponId: coupon.id, quantity: coupon.totalQuantity, issued, left, rows: coupon.issuedQuantity };
    }),
  );
  return { nowMs: found.nowMs, levels };
}
