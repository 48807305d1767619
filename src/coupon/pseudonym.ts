// pseudonym.ts -- What stands in the place of an erased user: a keyed hash, by a key that each coupon has for itself.
//
// With the key an issuer knows the user again who asks once more; it is deleted when the coupon is long over, and from then on nothing
// leads from a pseudonym to its user. Two coupons have nothing in common, so that nobody sees which issues were of one person.

import { createHmac, randomBytes } from 'node:crypto';

/** A key for the pseudonyms of a coupon: 256 bits, 43 characters. */
export function newErasureKey(): string {
  return randomBytes(32).toString('base64url');
}

/** A user id of letters, digits, `_` and `-`, and short enough for entries of version 1: see entry.ts. */
export function pseudonymOf(erasureKey: string, userId: string): string {
  return `erased-${createHmac('sha256', erasureKey).update(userId).digest('base64url')}`;
}

/** Whether a name looks like one. */
export function isPseudonym(name: string): boolean {
  return /^erased-[\w-]{43}$/.test(name);
}
