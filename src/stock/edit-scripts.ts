// edit-scripts.ts -- The typed callers of the scripts by which an edit, a deletion or a closing of a coupon reaches Redis.

import { type Coupon, UNLIMITED } from '../coupon/coupon.ts';
import { defineScript } from '../redis/script.ts';
import { lostKey, offersKey } from '../stream/keys.ts';
import type { StateInput } from './decision-scripts.ts';

/**
 * The half of an edit that comes after MySQL's commit. `same`: nothing to do. `different`: Redis has other settings under this
 * version, or a newer version.
 */
export const applyEdit = defineScript({
  source: new URL('./scripts/apply-edit.lua', import.meta.url),
  keys: ({ keys }: ApplyEditInput) => [keys.state, keys.owners],
  args: ({ server, coupon: { version, totalQuantity, startMs, endMs, paused } }) => {
    return [server, version, totalQuantity ?? UNLIMITED, startMs, endMs, paused ? 1 : 0];
  },
  read: (reply) => {
    const kind = reply.verdict('applied', 'same', 'not open', 'different');
    return kind === 'different' ? { kind, version: reply.whole(1) } : { kind };
  },
});

interface ApplyEditInput extends StateInput {
  /** As MySQL has committed it. */
  readonly coupon: Pick<Coupon, 'version' | 'totalQuantity' | 'startMs' | 'endMs' | 'paused'>;
}

/**
 * The half of an edit to a lower total that must come before MySQL's; only with `lowered` was anything written. `other version`:
 * the settings in Redis must be repaired first.
 */
export const lowerTotal = defineScript({
  source: new URL('./scripts/lower-total.lua', import.meta.url),
  keys: ({ keys }: LowerTotalInput) => [keys.state, keys.owners],
  args: ({ server, version, total }) => [server, version, total],
  read: (reply) => {
    const kind = reply.verdict('lowered', 'other version', 'not open', 'issued');
    return kind === 'issued' ? { kind, issued: reply.whole(1) } : { kind };
  },
});

interface LowerTotalInput extends StateInput {
  /** As MySQL has it, under the row lock. */
  readonly version: number;
  readonly total: number;
}

/** The half of a deletion that must come before MySQL's; only with `removed` was anything removed. */
export const removeUnissued = defineScript({
  source: new URL('./scripts/remove-unissued.lua', import.meta.url),
  keys: ({ keys }: StateInput) => [keys.state, keys.owners, keys.opening],
  args: ({ server }) => [server],
  read: (reply) => {
    const kind = reply.verdict('removed', 'not open', 'issued');
    return kind === 'issued' ? { kind, issued: reply.whole(1) } : { kind };
  },
});

interface EraseOwnerInput extends Pick<StateInput, 'keys'> {
  readonly userId: string;
  readonly pseudonym: string;
  readonly erasureKey: string;
  /** `offerField` of what is offered of the user. */
  readonly offered: readonly string[];
}

/** Gives what an erased user has of a coupon to their pseudonym. */
export const eraseOwner = defineScript({
  source: new URL('./scripts/erase-owner.lua', import.meta.url),
  keys: ({ keys }: EraseOwnerInput) => [keys.state, keys.owners, offersKey(keys)],
  args: ({ userId, pseudonym, erasureKey, offered }) => [userId, pseudonym, erasureKey, ...offered],
  read: (reply) => reply.verdict('erased', 'absent'),
});

/** The first half of closing a coupon, found to be over under this epoch. */
export const close = defineScript({
  source: new URL('./scripts/close.lua', import.meta.url),
  keys: ({ keys }: Pick<StateInput, 'keys'> & { readonly epoch: number }) => [keys.state, keys.owners, keys.opening],
  args: ({ epoch }) => [epoch],
  read: (reply) => reply.verdict('closed', 'changed'),
});

/** Stops a stock whose coupon MySQL does not have. `removed`: nothing was ever issued from it. */
export const hold = defineScript({
  source: new URL('./scripts/hold.lua', import.meta.url),
  keys: ({ keys }: Pick<StateInput, 'keys'>) => [keys.state, keys.owners, keys.opening, offersKey(keys), lostKey(keys)],
  args: () => [],
  read: (reply) => reply.verdict('removed', 'held', 'gone'),
});
