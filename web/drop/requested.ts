// requested.ts -- Remembers which coupons this browser requested as which user, so that a user who comes back sees what they have.
//
// Without a request there is nothing to show, and a crowd that only looks sends no requests for it.

import type { IssueRequest } from '../../client/coupon-client.ts';
import { readStored, store } from '../shared/storage.ts';

/** Called before the request is sent: its answer may be lost, and the page with it. */
export function noteRequest(request: IssueRequest): void {
  store('localStorage', nameOf(request), 'asked');
}

export function hasRequested(request: IssueRequest): boolean {
  return readStored('localStorage', nameOf(request)) !== null;
}

function nameOf({ couponId, userId }: IssueRequest): string {
  return `drop-asked-${couponId}-${userId}`;
}
