// look.ts -- The caller of look.lua: what Redis knows of a coupon and some users, without changing it.

import type { Stock } from '../../coupon/coupon.ts';
import { defineScript, listOf, malformed, wholeOf } from '../../redis/script.ts';
import type { CouponKeys } from '../../stream/keys.ts';

export interface LookInput {
  readonly keys: CouponKeys;
  /** What `serverOf` says of the connection. */
  readonly server: string;
  /** At most 1,000; may be empty. */
  readonly users: readonly string[];
}

export type LookReply =
  | { readonly kind: 'not open' }
  | {
      readonly kind: 'open';
      /** By the clock of Redis. */
      readonly nowMs: number;
      readonly epoch: number;
      readonly version: number;
      readonly stock: Stock;
      /** How many users have the coupon. */
      readonly issued: number;
      /** The sequence of each asked user who has the coupon. */
      readonly owners: ReadonlyMap<string, number>;
    };

const HEAD = 10;

export const look = defineScript<LookInput, LookReply>({
  source: new URL('./look.lua', import.meta.url),
  keys: ({ keys }) => [keys.state, keys.owners],
  args: ({ server, users }) => [server, users.join(',')],
  read: (raw, { users }) => {
    const reply = listOf(raw, 'look');
    if (reply[0] === 'not open') return { kind: 'not open' };
    if (reply[0] !== 'open' || reply.length < HEAD || (reply.length - HEAD) % 2 !== 0) malformed('look');
    const whole = (at: number) => wholeOf(reply[at], 'look');
    const paused = whole(8);
    if (paused !== 0 && paused !== 1) malformed('look');
    const owners = new Map<string, number>();
    for (let at = HEAD; at < reply.length; at += 2)
      owners.set(users[whole(at) - 1] ?? malformed('look'), whole(at + 1));
    return {
      kind: 'open',
      nowMs: whole(1),
      epoch: whole(2),
      version: whole(3),
      stock: { next: whole(4), until: whole(5), startMs: whole(6), endMs: whole(7), paused: paused === 1 },
      issued: whole(9),
      owners,
    };
  },
});
