// progress.ts -- How far each coupon is: the highest sequence of its rows, and the last position of its events in the outbox.

import { and, asc, between, eq, gt, sql } from 'drizzle-orm';
import { couponIssues, coupons } from '../../drizzle/schema.ts';
import { webhookCursors } from '../../drizzle/webhook-tables.ts';
import { type Database, readFromPrimary, type Session } from '../mysql/database.ts';
import { keysetPages } from '../mysql/pages.ts';
import { LAST_GIVEN, recordCouponEvents } from './outbox.ts';

export interface Progress {
  readonly couponId: number;
  /** Whether its stock is in Redis: issues may be accepted that are not yet rows. */
  readonly isOpen: boolean;
  readonly sequence: number;
  readonly position: number;
}

/** Coupons in one read. */
const PAGE = 500;

/**
 * All coupons in pages, in order of id, each after what the coupons are was recorded in the outbox. Throws what MySQL throws.
 *
 * For each coupon one entry of an index is read, however many issues it has.
 */
export async function* progressPages(database: Database): AsyncGenerator<readonly Progress[]> {
  for await (const page of keysetPages(database, PAGE, ({ id }: StoredCoupon) => id, readCoupons)) {
    const [first, last] = [page[0]?.id ?? 0, page.at(-1)?.id ?? 0];
    const [sequences, positions] = await readFromPrimary(database, async (session) => [
      await session
        .select({ couponId: couponIssues.couponId, highest: sql`MAX(${couponIssues.sequence})`.mapWith(Number) })
        .from(couponIssues)
        .where(between(couponIssues.couponId, first, last))
        .groupBy(couponIssues.couponId),
      await session
        .select({ couponId: webhookCursors.couponId, highest: webhookCursors.position })
        .from(webhookCursors)
        .where(and(between(webhookCursors.couponId, first, last), eq(webhookCursors.webhookId, LAST_GIVEN))),
    ]);
    const [highest, positionOf] = [toMap(sequences), toMap(positions)];
    const states = page.map(({ dateEnd, ...coupon }) => ({ ...coupon, endMs: dateEnd.getTime() }));
    await recordCouponEvents(database, states, highest);
    yield page.map(({ id: couponId, isOpen }) => {
      return { couponId, isOpen, sequence: highest.get(couponId) ?? 0, position: positionOf.get(couponId) ?? 0 };
    });
  }
}

type StoredCoupon = Awaited<ReturnType<typeof readCoupons>>[number];

function readCoupons(session: Session, after: number, limit: number) {
  return session
    .select({
      id: coupons.id,
      totalQuantity: coupons.totalQuantity,
      issuedQuantity: coupons.issuedQuantity,
      dateEnd: coupons.dateIssueEnd,
      isOpen: sql`stock_home = 'redis'`.mapWith(Boolean),
      isOver: sql`date_issue_end <= UTC_TIMESTAMP(3)`.mapWith(Boolean),
    })
    .from(coupons)
    .where(gt(coupons.id, after))
    .orderBy(asc(coupons.id))
    .limit(limit);
}

function toMap(rows: readonly { readonly couponId: number; readonly highest: number }[]): ReadonlyMap<number, number> {
  return new Map(rows.map(({ couponId, highest }) => [couponId, highest]));
}
