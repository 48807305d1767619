// prove-state.ts -- The caller of prove-state.lua: a state that survived a restart of Redis is taken on.

import { defineScript, listOf, malformed } from '../../redis/script.ts';
import type { CouponKeys } from '../../stream/keys.ts';

export interface ProveStateInput {
  readonly keys: CouponKeys;
  readonly token: string;
  /** What `serverOf` says of the connection. */
  readonly server: string;
}

export type ProveStateReply = 'opened' | 'superseded';

export const proveState = defineScript<ProveStateInput, ProveStateReply>({
  source: new URL('./prove-state.lua', import.meta.url),
  keys: ({ keys }) => [keys.state, keys.opening],
  args: ({ token, server }) => [token, server],
  read: (raw) => {
    const verdict = listOf(raw, 'prove-state')[0];
    return verdict === 'opened' || verdict === 'superseded' ? verdict : malformed('prove-state');
  },
});
