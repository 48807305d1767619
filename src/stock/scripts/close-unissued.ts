// close-unissued.ts -- The caller of close-unissued.lua: the half of a deletion that must come before MySQL's.

import { defineScript, listOf, malformed, wholeOf } from '../../redis/script.ts';
import type { CouponKeys } from '../../stream/keys.ts';

export interface CloseUnissuedInput {
  readonly keys: CouponKeys;
  /** What `serverOf` says of the connection. */
  readonly server: string;
}

/** Only with `closed` was anything removed. */
export type CloseUnissuedReply =
  | { readonly kind: 'closed' | 'not open' }
  | { readonly kind: 'issued'; readonly issued: number };

export const closeUnissued = defineScript<CloseUnissuedInput, CloseUnissuedReply>({
  source: new URL('./close-unissued.lua', import.meta.url),
  keys: ({ keys }) => [keys.state, keys.owners, keys.opening],
  args: ({ server }) => [server],
  read: (raw) => {
    const reply = listOf(raw, 'close-unissued');
    if (reply[0] === 'closed' || reply[0] === 'not open') return { kind: reply[0] };
    if (reply[0] === 'issued') return { kind: 'issued', issued: wholeOf(reply[1], 'close-unissued') };
    return malformed('close-unissued');
  },
});
