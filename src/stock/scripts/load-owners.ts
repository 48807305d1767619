// load-owners.ts -- The caller of load-owners.lua: one page of owners for an opening.

import { defineScript, listOf, malformed, wholeOf } from '../../redis/script.ts';
import { type CouponKeys, loadingKey } from '../../stream/keys.ts';

export interface LoadOwnersInput {
  readonly keys: CouponKeys;
  readonly token: string;
  readonly leaseMs: number;
  /** User and sequence in turn; may be empty. */
  readonly owners: readonly (string | number)[];
}

/** How many owners are gathered by now, or null when another process took the lease. */
export type LoadOwnersReply = number | null;

export const loadOwners = defineScript<LoadOwnersInput, LoadOwnersReply>({
  source: new URL('./load-owners.lua', import.meta.url),
  keys: ({ keys, token }) => [keys.opening, loadingKey(keys, token)],
  args: ({ token, leaseMs, owners }) => [token, leaseMs, ...owners],
  read: (raw) => {
    const reply = listOf(raw, 'load-owners');
    if (reply[0] === 'superseded') return null;
    if (reply[0] !== 'loaded') malformed('load-owners');
    return wholeOf(reply[1], 'load-owners');
  },
});
