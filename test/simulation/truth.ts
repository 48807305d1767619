// truth.ts -- What both stores together say of a coupon at a quiet moment, and what must never be so.

import { waitingOwners } from '../../src/stream/accepted.ts';
import type { Coupon } from '../../src/coupon/coupon.ts';
import type { Stores } from '../stores.ts';

/** Everyone who has the coupon, now. */
export interface Truth {
  readonly coupon: Coupon;
  /** Who is a row. */
  readonly rows: ReadonlyMap<string, number>;
  /** Who is a row, or waits in the stream. */
  readonly holders: ReadonlyMap<string, number>;
  /** What is broken whatever the answers were. */
  readonly broken: readonly string[];
}

export async function readTruth(stores: Stores, couponId: number): Promise<Truth> {
  const coupon = await stores.couponNow(couponId);
  const found = await stores.rows(couponId);
  const { dead, owners } = stores.keys(couponId);
  const waiting = await Array.fromAsync(waitingOwners(stores.redis, stores.keys(couponId), couponId));
  const owned = Object.entries(await stores.redis.hgetall(owners));
  const letters = await stores.redis.xlen(dead);
  const rows = new Map(found.map(({ userId, sequence }) => [userId, sequence]));
  const holders = new Map([...waiting.map(({ userId, sequence }) => [userId, sequence] as const), ...rows]);
  const broken: string[] = [];
  const { totalQuantity: total, issuedQuantity, startMs, endMs } = coupon;
  if (total !== null && rows.size > total) broken.push(`P1: ${rows.size} rows of ${total}`);
  if (total !== null && holders.size > total) broken.push(`P1: ${holders.size} holders of ${total}`);
  if (issuedQuantity !== rows.size) broken.push(`P1: issued_quantity is ${issuedQuantity}, rows are ${rows.size}`);
  if (rows.size !== found.length) broken.push(`P2: ${found.length} rows of ${rows.size} users`);
  if (new Set(holders.values()).size !== holders.size) broken.push('P2: a sequence has two holders');
  for (const { userId, sequence } of waiting)
    if (holders.get(userId) !== sequence) broken.push(`P2: ${userId} has ${holders.get(userId)} and ${sequence}`);
  // An owner in Redis hears that he has it: so it must be on its way, or there.
  for (const [user, sequence] of owned)
    if (holders.get(user) !== Number(sequence))
      broken.push(`P3: Redis says that ${user} has ${sequence}, and it is ${holders.get(user)}`);
  if (letters > 0) broken.push(`P3: ${letters} dead letters`);
  // The period is moved by whole days, and back: what was issued within it then may be outside now.
  if (startMs < endMs && found.some(({ issuedMs }) => issuedMs < startMs))
    broken.push('P5: a row from before the start');
  return { coupon, rows, holders, broken };
}
