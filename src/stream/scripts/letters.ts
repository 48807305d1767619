// letters.ts -- The callers of replay.lua, discard.lua and replace-letter.lua: what an operator does with a dead letter.

import { defineScript } from '../../redis/script.ts';
import type { Owner } from '../../coupon/issue-rows.ts';
import { type CouponKeys, offerField, offersKey, type PartitionKeys } from '../keys.ts';

interface ReplayInput {
  readonly keys: CouponKeys;
  /** Id in the dead stream. */
  readonly id: string;
  readonly users: number;
  /** Names and values of the entry in turn. */
  readonly fields: readonly string[];
}

/** Puts a dead letter back into the stream. Returns its id there, or null when it was no longer among the dead letters. */
export const replay = defineScript({
  source: new URL('./replay.lua', import.meta.url),
  keys: ({ keys }: ReplayInput) => [keys.stream, keys.unpersisted, keys.dead, keys.opening, keys.withdrawn],
  args: ({ id, users, fields }) => [id, users, ...fields],
  read: (reply) => (reply.verdict('replayed', 'gone') === 'gone' ? null : reply.text(1)),
});

interface ReplaceLetterInput {
  readonly keys: PartitionKeys;
  /** Id in the dead stream. */
  readonly id: string;
  /** Names and values of the letter in turn. */
  readonly fields: readonly string[];
}

/** Puts another dead letter in the place of one. */
export const replaceLetter = defineScript({
  source: new URL('./replace-letter.lua', import.meta.url),
  keys: ({ keys }: ReplaceLetterInput) => [keys.dead],
  args: ({ id, fields }) => [id, ...fields],
  read: (reply) => reply.verdict('replaced', 'gone'),
});

interface DiscardInput {
  /** Of the coupon that the letter names; of its partition alone where it names none. */
  readonly keys: CouponKeys | PartitionKeys;
  /** Id in the dead stream. */
  readonly id: string;
  /** What it holds; empty where it does not say. */
  readonly owners: readonly Owner[];
}

/** How long what was discarded is not offered: as long as a process may remember its answers (`ANSWERS_MS_MAX`). */
const DISCARD_KEPT_MS = 600_000;

/** Deletes a dead letter, and the state of its coupon. Returns whether it was still there. */
export const discard = defineScript({
  source: new URL('./discard.lua', import.meta.url),
  keys: ({ keys }: DiscardInput) => {
    const ofCoupon = 'state' in keys ? [keys.state, keys.opening, offersKey(keys)] : [];
    return [keys.dead, keys.withdrawn, ...ofCoupon];
  },
  args: ({ id, owners }) => [id, DISCARD_KEPT_MS, ...owners.map(offerField)],
  read: (reply) => reply.verdict('discarded', 'gone') === 'discarded',
});
