// status.ts -- Whether a user has a coupon, and how far it has come.

import { and, eq } from 'drizzle-orm';
import type { Redis } from 'ioredis';
import { couponIssues } from '../../drizzle/schema.ts';
import { readCoupon } from '../coupon/catalog.ts';
import { type Database, type Session, withConnection } from '../mysql/database.ts';
import { serverOf } from '../redis/connection.ts';
import { couponKeys } from './keys.ts';
import { Unavailable } from './outcome.ts';
import { look } from './scripts/look.ts';
import type { StockKeeper } from './stock.ts';

/** `accepted`: durable in Redis, not yet a row. `issued`: a row. `used`: redeemed. */
export type IssueStatus =
  | { readonly kind: 'none' }
  | { readonly kind: 'accepted' | 'issued' | 'used'; readonly sequence: number };

export interface Issues {
  /** The status of one issue; null when there is no such coupon. Throws what Redis or MySQL throw, and Unavailable. */
  statusOf(couponId: number, userId: string): Promise<IssueStatus | null>;
}

export interface IssuesDependencies {
  readonly redis: Redis;
  readonly database: Database;
  readonly stock: StockKeeper;
  readonly settings: { readonly PARTITIONS: number };
}

export function createIssues({ redis, database, stock, settings }: IssuesDependencies): Issues {
  const rowOf = (couponId: number, userId: string) =>
    withConnection(
      database,
      async (session) => (await readRow(session, couponId, userId)) ?? readCoupon(session, couponId),
    );
  return {
    async statusOf(couponId, userId) {
      const found = await rowOf(couponId, userId);
      if (!found || !('stockHome' in found)) return found;
      if (found.stockHome === 'mysql') return { kind: 'none' };
      const keys = couponKeys(couponId, settings.PARTITIONS);
      let seen = await look(redis, { keys, server: serverOf(redis), users: [userId] });
      if (seen.kind === 'not open') {
        const opened = await stock.open(couponId);
        seen = await look(redis, { keys, server: serverOf(redis), users: [userId] });
        // Over, and put away or lost: what is not among the rows is not there, unless it still waits in the stream.
        if (seen.kind === 'not open' && opened !== 'open') return { kind: 'none' };
      }
      if (seen.kind === 'not open') throw new Unavailable('dependency', 'the state of a coupon does not stay in Redis');
      const sequence = seen.owners.get(userId);
      return sequence === undefined ? { kind: 'none' } : { kind: 'accepted', sequence };
    },
  };
}

async function readRow(session: Session, couponId: number, userId: string): Promise<IssueStatus | null> {
  const [row] = await session
    .select({ sequence: couponIssues.sequence, dateUsed: couponIssues.dateUsed })
    .from(couponIssues)
    .where(and(eq(couponIssues.userId, userId), eq(couponIssues.couponId, couponId)));
  return row ? { kind: row.dateUsed === null ? 'issued' : 'used', sequence: row.sequence } : null;
}
