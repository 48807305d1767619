// sql-literals.ts -- Users, instants and issues as SQL text. Written out instead of bound, since a thousand bound values cost more to format
// than to look up or store. Safe, because nothing but the characters of a user id gets through; checked here for every caller.

import { endpointNumber } from '../coupon/accepted-by.ts';
import { isUserId } from '../coupon/coupon.ts';
import { invariant } from '../invariant.ts';
import type { Issue } from './plan.ts';

/** `'42'`. Throws InvariantViolation for anything that is not a user id. */
function userLiteral(userId: string): string {
  invariant(isUserId(userId), 'a user id that was never checked reached SQL');
  return `'${userId}'`;
}

/** `'42','43'`, for `IN (…)`. */
export function userLiterals(userIds: readonly string[]): string {
  return userIds.map(userLiteral).join(',');
}

let lastInstant = { ms: Number.NaN, literal: '' };

/** `'2026-11-22 20:55:00.123'`, UTC. The users of an entry share their instant, so the last one is kept. */
function instantLiteral(ms: number): string {
  if (ms !== lastInstant.ms) {
    lastInstant = { ms, literal: `'${new Date(ms).toISOString().slice(0, 23).replace('T', ' ')}'` };
  }
  return lastInstant.literal;
}

/** `(7,37,'42','2026-11-22 20:55:00.123',3)`, with the endpoint by its number. Nothing but digits and the letters of a user id can get in. */
export function issueLiteral({ couponId, sequence, userId, acceptedMs, endpoint }: Issue): string {
  invariant(Number.isSafeInteger(couponId) && Number.isSafeInteger(sequence), 'a row is malformed');
  const number = endpoint ? endpointNumber(endpoint) : 'NULL';
  return `(${couponId},${sequence},${userLiteral(userId)},${instantLiteral(acceptedMs)},${number})`;
}
