// lower-total.ts -- The caller of lower-total.lua: the half of an edit that must come before MySQL's.

import { defineScript, listOf, malformed, wholeOf } from '../../redis/script.ts';
import type { CouponKeys } from '../../stream/keys.ts';

export interface LowerTotalInput {
  readonly keys: CouponKeys;
  /** What `serverOf` says of the connection. */
  readonly server: string;
  /** As MySQL has it, under the row lock. */
  readonly version: number;
  readonly total: number;
}

/** Only with `lowered` was anything written. `other version`: the copy must be repaired first. */
export type LowerTotalReply =
  | { readonly kind: 'lowered' | 'other version' | 'not open' }
  | { readonly kind: 'issued'; readonly issued: number };

export const lowerTotal = defineScript<LowerTotalInput, LowerTotalReply>({
  source: new URL('./lower-total.lua', import.meta.url),
  keys: ({ keys }) => [keys.state, keys.owners],
  args: ({ server, version, total }) => [server, version, total],
  read: (raw) => {
    const reply = listOf(raw, 'lower-total');
    switch (reply[0]) {
      case 'lowered':
      case 'other version':
      case 'not open':
        return { kind: reply[0] };
      case 'issued':
        return { kind: 'issued', issued: wholeOf(reply[1], 'lower-total') };
      default:
        return malformed('lower-total');
    }
  },
});
