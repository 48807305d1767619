// examples.ts -- Examples of coupons for the OpenAPI document, which can be sent as they stand.

import type { Static } from '@sinclair/typebox';
import type { CouponAnswer } from './json.ts';

/** Examples are issued when they are sent as they stand: the period is this year and the next. */
export const thisYear = new Date().getUTCFullYear();

/** What makes a coupon. */
export const draftExample = {
  title: 'Winter sale: 5,000 off',
  totalQuantity: 1000,
  discountAmount: 5000,
  minAvailableAmount: 20_000,
  dateIssueStart: `${thisYear}-01-01T00:00:00+09:00`,
  dateIssueEnd: `${thisYear + 2}-01-01T00:00:00+09:00`,
};

/** When it can be used, and its currency. */
export const usableExample = {
  currency: 'KRW',
  usableFrom: null,
  usableUntil: null,
  usableDays: 30,
  timeZone: 'Asia/Seoul',
};

/** The coupon that it makes. */
export const couponExample: Static<typeof CouponAnswer> = {
  ...draftExample,
  ...usableExample,
  id: 1,
  couponType: 'FIRST_COME_FIRST_SERVED',
  issuedQuantity: 0,
  dateIssueStart: `${thisYear - 1}-12-31T15:00:00.000Z`,
  dateIssueEnd: `${thisYear + 1}-12-31T15:00:00.000Z`,
  paused: false,
  listed: false,
  dateArchived: null,
  version: 1,
  dateCreated: '2026-11-22T08:30:00.000Z',
  dateUpdated: '2026-11-22T08:30:00.000Z',
};
