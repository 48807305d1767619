// status.tsx -- What a coupon is doing, by a word and by a mark that differs in colour and in shape.

import type { Coupon } from '../../../client/coupon-client.ts';
import { say } from '../say.ts';

export interface StatusProps {
  readonly coupon: Coupon;
  readonly nowMs: number;
  /** Null without limit. */
  readonly left: number | null;
}

export function Status({ coupon, nowMs, left }: StatusProps) {
  const state = stateOf(coupon, nowMs, left);
  return <span class={`status ${state.replace(' ', '-')}`}>{say(state)}</span>;
}

/** What a coupon is doing at an instant of the server's clock; the checks are in the order of the rules. */
function stateOf(coupon: Coupon, nowMs: number, left: number | null) {
  if (coupon.dateArchived !== null) return 'archived';
  if (coupon.paused) return 'paused';
  if (nowMs < Date.parse(coupon.dateIssueStart)) return 'not started';
  if (nowMs >= Date.parse(coupon.dateIssueEnd)) return 'ended';
  return left === 0 ? 'sold out' : 'open';
}
