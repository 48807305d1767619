// put.ts -- The caller of put.lua: the fenced write of the `locked` issuer.

import { defineScript, listOf, malformed } from '../../redis/script.ts';
import type { CouponKeys } from '../../stream/keys.ts';

export interface PutInput {
  readonly keys: CouponKeys;
  readonly couponId: number;
  /** The value under which the lock was acquired: the fence. */
  readonly token: string;
  readonly unpersistedUsersMax: number;
  /** What `serverOf` says of the connection. */
  readonly server: string;
  /** As they were when the stock was read. */
  readonly epoch: number;
  readonly version: number;
  readonly next: number;
  /** The winners, in order, at least one. */
  readonly taken: readonly string[];
}

/** `changed`: read and decide again. `lost`: the lock is not ours any more. Only with `written` was anything written. */
export type PutReply = 'written' | 'changed' | 'lost' | 'overloaded';

export const put = defineScript<PutInput, PutReply>({
  source: new URL('./put.lua', import.meta.url),
  keys: ({ keys }) => [keys.state, keys.owners, keys.stream, keys.unpersisted, keys.lock],
  args: ({ couponId, token, unpersistedUsersMax, server, epoch, version, next, taken }) => [
    couponId,
    token,
    unpersistedUsersMax,
    server,
    epoch,
    version,
    next,
    taken.join(','),
  ],
  read: (raw) => {
    const verdict = listOf(raw, 'put')[0];
    switch (verdict) {
      case 'written':
      case 'changed':
      case 'lost':
      case 'overloaded':
        return verdict;
      default:
        return malformed('put');
    }
  },
});
