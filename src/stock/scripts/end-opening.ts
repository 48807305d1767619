// end-opening.ts -- The caller of end-opening.lua: an opening that found nothing to open, or failed.

import { defineScript, listOf, malformed } from '../../redis/script.ts';
import { type CouponKeys, loadingKey } from '../../stream/keys.ts';

export interface EndOpeningInput {
  readonly keys: CouponKeys;
  readonly token: string;
}

export const endOpening = defineScript<EndOpeningInput, void>({
  source: new URL('./end-opening.lua', import.meta.url),
  keys: ({ keys, token }) => [keys.opening, loadingKey(keys, token)],
  args: ({ token }) => [token],
  read: (raw) => {
    if (listOf(raw, 'end-opening')[0] !== 'ended') malformed('end-opening');
  },
});
