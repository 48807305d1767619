// api.ts -- The operators' part of the API as functions. All throw `ApiFault`.

import type { Audit, Coupon, CouponChanges, DeadLetterList, Load, NewCoupon } from '../../client/coupon-client.ts';
import { asOperator } from './session.ts';

export const listCoupons = (after: number) =>
  asOperator<{ coupons: readonly Coupon[]; next: number | null }>(`/v1/coupons?limit=20&after=${after}`);

/** With the clock of the server, by which a coupon is open or not. */
export const readCoupon = (id: number) => asOperator<Coupon>(`/v1/coupons/${id}`);

export const createCoupon = (fields: NewCoupon) => asOperator<Coupon>('/v1/coupons', { method: 'POST', body: fields });

/** Only while it is at `version`; else the fault is `PRECONDITION_FAILED`. */
export const editCoupon = (id: number, version: number, changes: CouponChanges) =>
  asOperator<Coupon>(`/v1/coupons/${id}`, { method: 'PATCH', body: changes, headers: { 'if-match': `"${version}"` } });

export const deleteCoupon = (id: number, version: number) =>
  asOperator<null>(`/v1/coupons/${id}`, { method: 'DELETE', headers: { 'if-match': `"${version}"` } });

export const openCoupon = (id: number) => asOperator<Coupon>(`/v1/coupons/${id}/open`, { method: 'POST' });

/** Reads all rows of the coupon: it may take a while. */
export const auditCoupon = (id: number) => asOperator<Audit>(`/v1/coupons/${id}/audit`, { waitMsMax: 60_000 });

export const readLoad = () => asOperator<Load>('/v1/load', { waitMsMax: 4000 });

export const listDeadLetters = () => asOperator<DeadLetterList>('/v1/dead-letters');

export const replayDeadLetter = (id: string) => asOperator<null>(`/v1/dead-letters/${id}/replay`, { method: 'POST' });

export const discardDeadLetter = (id: string) => asOperator<null>(`/v1/dead-letters/${id}`, { method: 'DELETE' });

/** What a coupon is doing at an instant of the server, in the order in which the rules look. */
export function stateOf(coupon: Coupon, nowMs: number, left: number | null): CouponState {
  if (coupon.paused) return 'paused';
  if (nowMs < Date.parse(coupon.dateIssueStart)) return 'not started';
  if (nowMs >= Date.parse(coupon.dateIssueEnd)) return 'ended';
  return left === 0 ? 'sold out' : 'open';
}

export type CouponState = 'paused' | 'not started' | 'ended' | 'sold out' | 'open';
