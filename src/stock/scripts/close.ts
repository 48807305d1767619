// close.ts -- The caller of close.lua: the first half of putting a coupon away.

import { defineScript, listOf, malformed } from '../../redis/script.ts';
import type { CouponKeys } from '../../stream/keys.ts';

export interface CloseInput {
  readonly keys: CouponKeys;
  readonly epoch: number;
}

export type CloseReply = 'closed' | 'changed';

export const close = defineScript<CloseInput, CloseReply>({
  source: new URL('./close.lua', import.meta.url),
  keys: ({ keys }) => [keys.state, keys.owners, keys.opening],
  args: ({ epoch }) => [epoch],
  read: (raw) => {
    const verdict = listOf(raw, 'close')[0];
    return verdict === 'closed' || verdict === 'changed' ? verdict : malformed('close');
  },
});
