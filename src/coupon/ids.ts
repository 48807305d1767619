// ids.ts -- The ids of coupons and users as callers write them. What is no id is refused before it can reach a key or a query.

import { Type } from '@sinclair/typebox';
import { ID_MAX, USER_ID_LENGTH_MAX, USER_ID_PATTERN } from './coupon.ts';

/** A coupon id: a number, never a string. */
export const CouponId = Type.Integer({
  minimum: 1,
  maximum: ID_MAX,
  description: `id of a coupon: an integer from 1 to ${ID_MAX}`,
});

const userIdText = `1 to ${USER_ID_LENGTH_MAX} visible ASCII characters but " ' , \\ { and }, and not . or ..`;

/** A user id in a path, percent-encoded, or in an answer. */
export const UserId = Type.String({
  pattern: USER_ID_PATTERN,
  minLength: 1,
  maxLength: USER_ID_LENGTH_MAX,
  description: `id of a user: ${userIdText}; base64url or a hash of an id with other characters is one`,
});

/** A user id in a body. A number is taken as its decimal text, so `42` and `"42"` are one user. */
export const SentUserId = Type.Union([UserId, Type.Integer({ minimum: 0, maximum: ID_MAX })], {
  description:
    `id of a user: ${userIdText} (send base64url or a hash of an id with others), ` +
    `or an integer from 0 to ${ID_MAX} in plain digits (send any other number as text)`,
});

/** The parameters of paths. */
export const couponIdParameter = { schema: CouponId, example: 1 };
export const userIdParameter = { schema: UserId, example: '42' };
