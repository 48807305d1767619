// ids.ts -- The ids of coupons and users as callers write them. What is no id is refused before it can reach a key or a query.

import { Type } from '@sinclair/typebox';
import { ID_MAX, USER_ID_PATTERN } from './coupon.ts';

/** A coupon id: a number, never a string. */
export const CouponId = Type.Integer({
  minimum: 1,
  maximum: ID_MAX,
  description: `id of a coupon: an integer from 1 to ${ID_MAX}`,
});

/** A user id in a path or an answer. */
export const UserId = Type.String({
  pattern: USER_ID_PATTERN,
  description: 'id of a user: 1 to 64 of the characters A-Z, a-z, 0-9, _ and -',
});

/** A user id in a body. A number is taken as its decimal text, so `42` and `"42"` are one user. */
export const SentUserId = Type.Union([UserId, Type.Integer({ minimum: 0, maximum: ID_MAX })], {
  description: `id of a user: 1 to 64 of the characters A-Z, a-z, 0-9, _ and -, or an integer from 0 to ${ID_MAX}`,
});

/** The parameters of paths. */
export const couponIdParameter = { schema: CouponId, example: 1 };
export const userIdParameter = { schema: UserId, example: '42' };
