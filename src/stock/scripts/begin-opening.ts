// begin-opening.ts -- The caller of begin-opening.lua: who opens, and from what.

import { defineScript, listOf, malformed, wholeOf } from '../../redis/script.ts';
import type { CouponKeys } from '../../stream/keys.ts';

export interface BeginOpeningInput {
  readonly keys: CouponKeys;
  /** What `serverOf` says of the connection. */
  readonly server: string;
  /** Names this attempt; used once. */
  readonly token: string;
  readonly leaseMs: number;
}

/** With `begun` and `unproven` the lease is ours. */
export type BeginOpeningReply =
  | { readonly kind: 'open' | 'busy' | 'begun' }
  | {
      readonly kind: 'unproven';
      readonly epoch: number;
      readonly version: number;
      readonly next: number;
      readonly owners: number;
    };

export const beginOpening = defineScript<BeginOpeningInput, BeginOpeningReply>({
  source: new URL('./begin-opening.lua', import.meta.url),
  keys: ({ keys }) => [keys.state, keys.owners, keys.opening],
  args: ({ server, token, leaseMs }) => [server, token, leaseMs],
  read: (raw) => {
    const reply = listOf(raw, 'begin-opening');
    const [kind] = reply;
    if (kind === 'open' || kind === 'busy' || kind === 'begun') return { kind };
    if (kind !== 'unproven' || reply.length !== 5) malformed('begin-opening');
    const whole = (at: number) => wholeOf(reply[at], 'begin-opening');
    return { kind, epoch: whole(1), version: whole(2), next: whole(3), owners: whole(4) };
  },
});
