// literals.ts -- Users as SQL text. Written out instead of bound, since a thousand bound values cost more to format than to
// look up or store. Safe, because nothing but the letters of a user id gets through; checked here, whoever the caller is.

import { isUserId } from '../coupon/coupon.ts';
import { invariant } from '../invariant.ts';

/** `'42'`. Throws InvariantViolation for anything that is not a user id. */
export function userLiteral(userId: string): string {
  invariant(isUserId(userId), 'a user id that was never checked reached SQL');
  return `'${userId}'`;
}

/** `'42','43'`, for `IN (…)`. */
export function userLiterals(userIds: readonly string[]): string {
  return userIds.map(userLiteral).join(',');
}
