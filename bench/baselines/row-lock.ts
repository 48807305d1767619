// Entry of the ordinary way of `POST /v1/issue`: a row lock a request, in a transaction of its own, through Drizzle.

import { and, eq, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/mysql2';
import { Elysia } from 'elysia';
import { couponIssues, coupons } from '../../drizzle/schema.ts';
import { IssueRequest, openBaselineStores, serveBaseline } from './baseline.ts';

const { database } = await openBaselineStores();
const db = drizzle(database.pools.general);

const app = new Elysia().post(
  '/row-lock',
  async ({ body: { couponId, userId }, status }) => {
    const sequence = await issue(couponId, String(userId));
    return typeof sequence === 'string' ? status(409, { code: sequence }) : status(201, { couponId, userId, sequence });
  },
  { body: IssueRequest },
);

await serveBaseline(app);

function issue(couponId: number, userId: string): Promise<number | string> {
  return db.transaction(async (tx) => {
    const [coupon] = await tx.select().from(coupons).where(eq(coupons.id, couponId)).for('update');
    const now = new Date();
    if (!coupon) return 'COUPON_NOT_EXIST';
    if (now < coupon.dateIssueStart || now >= coupon.dateIssueEnd) return 'INVALID_COUPON_ISSUE_DATE';
    const mine = and(eq(couponIssues.couponId, couponId), eq(couponIssues.userId, userId));
    const [owned] = await tx.select({ sequence: couponIssues.sequence }).from(couponIssues).where(mine);
    if (owned) return 'DUPLICATED_COUPON_ISSUE';
    if (coupon.totalQuantity !== null && coupon.issuedQuantity >= coupon.totalQuantity) {
      return 'INVALID_COUPON_ISSUE_QUANTITY';
    }
    const sequence = coupon.issuedQuantity + 1;
    await tx
      .insert(couponIssues)
      .values({ couponId, sequence, userId, dateIssued: now, dateCreated: now, dateUpdated: now });
    await tx
      .update(coupons)
      .set({ issuedQuantity: sql`${coupons.issuedQuantity} + 1` })
      .where(eq(coupons.id, couponId));
    return sequence;
  });
}
