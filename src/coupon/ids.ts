// ids.ts -- The ids of coupons and users as callers write them. What is no id is refused before it can reach a key or a query.

import { type TSchema, Type } from '@sinclair/typebox';
import type { Fault } from '../http/problem.ts';
import { ID_MAX, isUserId, USER_ID_PATTERN } from './coupon.ts';

/** A coupon id in a body: a number, never a string. */
export const CouponId = Type.Integer({
  minimum: 1,
  maximum: ID_MAX,
  description: `id of a coupon: an integer from 1 to ${ID_MAX}`,
});

/** A user id in an answer. */
export const UserId = Type.String({
  pattern: USER_ID_PATTERN,
  description: 'id of a user: 1 to 64 of the characters A-Z, a-z, 0-9, _ and -',
});

/** A user id in a body. A number is taken as its decimal text, so `42` and `"42"` are one user. */
export const SentUserId = Type.Union([UserId, Type.Integer({ minimum: 0, maximum: ID_MAX })], {
  description: `id of a user: 1 to 64 of the characters A-Z, a-z, 0-9, _ and -, or an integer from 0 to ${ID_MAX}`,
});

/**
 * The coupon id of a path, or the fault of what stands there: no sign, no leading zero, no fraction.
 *
 * @param text null where the path cannot be decoded, such as `%`
 */
export function readCouponId(text: string | null): number | Fault {
  const id = text !== null && /^[1-9][0-9]{0,15}$/.test(text) ? Number(text) : 0;
  return Number.isSafeInteger(id) && id > 0 ? id : fault('/couponId', CouponId);
}

/**
 * The user id of a path, or the fault of what stands there.
 *
 * @param text null where the path cannot be decoded; tested as text it would be the user `null`
 */
export function readUserId(text: string | null): string | Fault {
  return text !== null && isUserId(text) ? text : fault('/userId', UserId);
}

function fault(pointer: string, schema: TSchema): Fault {
  return { in: 'path', pointer, expected: schema.description ?? 'an id' };
}
