// stock-levels.ts -- How much is issued and left of the newest coupons, read from both stores without changing anything.
//
// Only some, so that neither the reading nor what is made of it grows with the number of coupons: of the `NEWEST` that were made
// last, those that are not over, at most as many as asked for.

import type { Redis } from 'ioredis';
import { readNewestCoupons } from '../coupon/catalog.ts';
import { type Coupon, UNLIMITED } from '../coupon/coupon.ts';
import { type Database, withConnection } from '../mysql/database.ts';
import { serverOf } from '../redis/connection.ts';
import { couponKeys } from '../stream/keys.ts';
import { look } from './scripts/look.ts';

/** The levels of one coupon, in issues. */
export interface StockLevel {
  readonly couponId: number;
  /** Null: unlimited. */
  readonly quantity: number | null;
  /** Given out by the home of the stock; null while that cannot tell. */
  readonly issued: number | null;
  /** Left at the home of the stock; null when unlimited, or while that cannot tell. */
  readonly left: number | null;
  /** Rows in MySQL. */
  readonly rows: number;
}

export interface StockLevelsDependencies {
  readonly redis: Redis;
  readonly database: Database;
  readonly settings: { readonly PARTITIONS: number };
}

/** Of how many coupons, from the newest on, those that are not over are looked for: bounds the reading. */
const NEWEST = 1000;

/** Reads at most `couponsMax` coupons, the newest first. Throws what Redis or MySQL throw. */
export async function readStockLevels(
  { redis, database, settings }: StockLevelsDependencies,
  couponsMax: number,
): Promise<{ readonly nowMs: number; readonly levels: readonly StockLevel[] }> {
  const found = await withConnection(database, (session) => readNewestCoupons(session, NEWEST, couponsMax));
  const levels = await Promise.all(found.coupons.map((coupon) => levelOf(redis, settings.PARTITIONS, coupon)));
  return { nowMs: found.nowMs, levels };
}

async function levelOf(redis: Redis, partitions: number, coupon: Coupon): Promise<StockLevel> {
  const { id: couponId, totalQuantity: quantity, issuedQuantity: rows } = coupon;
  if (coupon.stockHome === 'mysql') {
    return { couponId, quantity, issued: rows, left: quantity === null ? null : quantity - rows, rows };
  }
  const seen = await look(redis, { keys: couponKeys(couponId, partitions), server: serverOf(redis), users: [] });
  if (seen.kind === 'not open') return { couponId, quantity, issued: null, left: null, rows };
  const { next, until } = seen.stock;
  return { couponId, quantity, issued: seen.issued, left: until === UNLIMITED ? null : until - next + 1, rows };
}
