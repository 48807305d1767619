// constant-time-equal.ts -- The one comparison of what only one of two sides should know: it takes as long wherever the two differ.
//
// An early end would tell whoever measures how much of a guess was right.

import { timingSafeEqual } from 'node:crypto';

/** Whether both hold the same bytes. Their lengths are no secret: where these differ, it says no at once. */
export function constantTimeEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
