// snapshot.ts -- Why a coupon cannot be had just now, read from the home of its stock without changing anything.

import type { Redis } from 'ioredis';
import { readCoupon } from '../coupon/catalog.ts';
import { type Stock, UNLIMITED } from '../coupon/coupon.ts';
import { type Database, withConnection } from '../mysql/database.ts';
import { serverOf } from '../redis/connection.ts';
import { couponKeys } from '../stream/keys.ts';
import { look } from './scripts/look.ts';
import { readOwners } from './opening.ts';

export type Inspection =
  | { readonly kind: 'other' }
  | { readonly kind: 'not started'; readonly startMs: number }
  | {
      readonly kind: 'sold out';
      /** Two inspections with the same edition saw the same owners. */
      readonly edition: string;
      /** How many owners there are. */
      readonly count: number;
      /** All of them, in pages. */
      readonly owners: () => AsyncIterable<readonly string[]>;
    };

/** Looks at one coupon. Throws what Redis or MySQL throw. */
export type Inspect = (couponId: number) => Promise<Inspection>;

export interface InspectionDependencies {
  readonly redis: Redis;
  readonly database: Database;
  readonly settings: { readonly PARTITIONS: number; readonly OPENING_PAGE: number };
}

export function createInspect({ redis, database, settings }: InspectionDependencies): Inspect {
  return async (couponId) => {
    const keys = couponKeys(couponId, settings.PARTITIONS);
    const seen = await look(redis, { keys, server: serverOf(redis), users: [] });
    if (seen.kind === 'open') {
      const { stock, nowMs, epoch, version, issued } = seen;
      if (!stock.paused && nowMs < stock.startMs) return { kind: 'not started', startMs: stock.startMs };
      if (!isSoldOut(stock)) return { kind: 'other' };
      const edition = `redis ${epoch} ${version} ${stock.next}`;
      return {
        kind: 'sold out',
        edition,
        count: issued,
        owners: () => ownersInRedis(redis, keys.owners),
      };
    }
    const coupon = await withConnection(database, (session) => readCoupon(session, couponId));
    if (coupon?.stockHome !== 'mysql') return { kind: 'other' };
    if (!coupon.paused && Date.now() < coupon.startMs) return { kind: 'not started', startMs: coupon.startMs };
    if (coupon.totalQuantity === null || coupon.issuedQuantity < coupon.totalQuantity) return { kind: 'other' };
    const edition = `mysql ${coupon.epoch} ${coupon.version} ${coupon.issuedQuantity}`;
    const owners = () => ownersInMysql(database, couponId, settings.OPENING_PAGE);
    return { kind: 'sold out', edition, count: coupon.issuedQuantity, owners };
  };
}

function isSoldOut(stock: Stock): boolean {
  return stock.until !== UNLIMITED && stock.next > stock.until;
}

async function* ownersInRedis(redis: Redis, key: string): AsyncGenerator<readonly string[]> {
  let cursor = '0';
  do {
    const [next, fields] = await redis.hscan(key, cursor, 'COUNT', 1000);
    yield fields.filter((_, i) => i % 2 === 0);
    cursor = next;
  } while (cursor !== '0');
}

async function* ownersInMysql(database: Database, couponId: number, page: number): AsyncGenerator<readonly string[]> {
  let after = 0;
  for (;;) {
    const rows = await withConnection(database, (session) => readOwners(session, couponId, after, page));
    yield rows.map((row) => row.userId);
    const last = rows.at(-1);
    if (!last || rows.length < page) return;
    after = last.sequence;
  }
}
