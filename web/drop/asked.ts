// asked.ts -- Remembers that this browser asked for a coupon as a user: only then is it worth a question what became of it.
//
// Whoever comes back, to a drop that is over perhaps, is told what they have. Of a crowd that only looks, nobody asks.

import type { IssueOf } from '../../client/coupon-client.ts';

/** Notes it before the question goes out: its answer may be lost, and the page with it. */
export function noteAsked(wanted: IssueOf): void {
  localStorage.setItem(nameOf(wanted), 'asked');
}

export function hasAsked(wanted: IssueOf): boolean {
  return localStorage.getItem(nameOf(wanted)) !== null;
}

function nameOf({ couponId, userId }: IssueOf): string {
  return `drop-asked-${couponId}-${userId}`;
}
