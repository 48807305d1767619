// apply-edit.ts -- The caller of apply-edit.lua: the half of an edit that comes after MySQL's commit.

import { type Coupon, UNLIMITED } from '../../coupon/coupon.ts';
import { defineScript, listOf, malformed, wholeOf } from '../../redis/script.ts';
import type { CouponKeys } from '../../stream/keys.ts';

export interface ApplyEditInput {
  readonly keys: CouponKeys;
  /** What `serverOf` says of the connection. */
  readonly server: string;
  /** As MySQL has committed it. */
  readonly coupon: Pick<Coupon, 'version' | 'totalQuantity' | 'startMs' | 'endMs' | 'paused'>;
}

/** `same`: nothing to do. `different`: the copy has this version or a newer one, and says something else. */
export type ApplyEditReply =
  | { readonly kind: 'applied' | 'same' | 'not open' }
  | { readonly kind: 'different'; readonly version: number };

export const applyEdit = defineScript<ApplyEditInput, ApplyEditReply>({
  source: new URL('./apply-edit.lua', import.meta.url),
  keys: ({ keys }) => [keys.state, keys.owners],
  args: ({ server, coupon: { version, totalQuantity, startMs, endMs, paused } }) => [
    server,
    version,
    totalQuantity ?? UNLIMITED,
    startMs,
    endMs,
    paused ? 1 : 0,
  ],
  read: (raw) => {
    const reply = listOf(raw, 'apply-edit');
    const verdict = reply[0];
    if (verdict === 'different') return { kind: verdict, version: wholeOf(reply[1], 'apply-edit') };
    if (verdict === 'applied' || verdict === 'same' || verdict === 'not open') return { kind: verdict };
    return malformed('apply-edit');
  },
});
