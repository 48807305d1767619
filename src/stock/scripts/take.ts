// take.ts -- The caller of take.lua: one atomic decision for a batch of users.

import { defineScript, listOf, malformed, textOf, wholeOf } from '../../redis/script.ts';
import type { CouponKeys } from '../../stream/keys.ts';
import { type Outcome, type Refusal, refusal } from '../../coupon/outcome.ts';

export interface TakeInput {
  readonly keys: CouponKeys;
  readonly couponId: number;
  /** What `serverOf` says of the connection. */
  readonly server: string;
  readonly unpersistedUsersMax: number;
  /** In order of arrival, 1 to 1,000. */
  readonly users: readonly string[];
}

/** What the script decided. With any other kind than `decided` nothing was written. */
export type TakeReply =
  | { readonly kind: 'not open' | 'overloaded' }
  | { readonly kind: 'closed'; readonly refusal: Refusal }
  | {
      readonly kind: 'decided';
      /** By the clock of Redis. */
      readonly acceptedMs: number;
      readonly epoch: number;
      /** One per user, in the same order. */
      readonly outcomes: readonly Outcome[];
    };

const HEAD = 3;

export const take = defineScript<TakeInput, TakeReply>({
  source: new URL('./take.lua', import.meta.url),
  keys: ({ keys }) => [keys.state, keys.owners, keys.stream, keys.unpersisted],
  args: ({ couponId, server, unpersistedUsersMax, users }) => [couponId, server, unpersistedUsersMax, users.join(',')],
  read: (raw, { users }) => {
    const reply = listOf(raw, 'take');
    const verdict = textOf(reply[0], 'take');
    switch (verdict) {
      case 'not open':
      case 'overloaded':
        return { kind: verdict };
      case 'paused':
      case 'not started':
      case 'ended':
        return { kind: 'closed', refusal: refusal[verdict] };
      case 'all issued':
        return { ...decided(reply, 1), outcomes: issuedFrom(wholeOf(reply[HEAD], 'take'), users.length) };
      case 'decided':
        return {
          ...decided(reply, users.length),
          outcomes: users.map((_, i) => outcomeOf(wholeOf(reply[HEAD + i], 'take'))),
        };
      default:
        return malformed('take');
    }
  },
});

function decided(reply: readonly unknown[], numbers: number) {
  if (reply.length !== HEAD + numbers) malformed('take');
  return { kind: 'decided', acceptedMs: wholeOf(reply[1], 'take'), epoch: wholeOf(reply[2], 'take') } as const;
}

/** The common case of a rush, in which one number tells of all. */
function issuedFrom(first: number, users: number): readonly Outcome[] {
  const outcomes: Outcome[] = [];
  for (let i = 0; i < users; i++) outcomes.push({ kind: 'issued', sequence: first + i });
  return outcomes;
}

/** Above zero the sequence just issued, below zero that which the user has already, zero when the stock is gone. */
function outcomeOf(number: number): Outcome {
  if (number > 0) return { kind: 'issued', sequence: number };
  if (number < 0) return { kind: 'already issued', sequence: -number };
  return refusal['sold out'];
}
