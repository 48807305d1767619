// offer-scripts.ts -- The typed callers of the scripts by which processes offer what they remember, and wait for each other.

import { defineScript } from '../redis/script.ts';
import { type CouponKeys, offersKey, type PartitionKeys, processesKey } from '../stream/keys.ts';

interface OfferInput {
  readonly keys: CouponKeys;
  readonly keepMs: number;
  /** `offerField`, and the times of acceptance (0: not known) and of the answer with a space between them, in turn; at least one issue. */
  readonly owners: readonly string[];
}

/** Offers issues to the next opening of their coupon. */
export const offer = defineScript({
  source: new URL('./failover/scripts/offer.lua', import.meta.url),
  keys: ({ keys }: OfferInput) => [offersKey(keys)],
  args: ({ keepMs, owners }) => [keepMs, ...owners],
  read: (reply): void => void reply.verdict('offered'),
});

interface NoteInput {
  /** All there are, of one server. */
  readonly partitions: readonly PartitionKeys[];
  readonly name: string;
  readonly server: string;
  readonly aliveMs: number;
  /** The first note of a process also removes the names of those that are gone. */
  readonly isFirst: boolean;
}

/** Notes that a process has offered everything to this server. */
export const noteOffered = defineScript({
  source: new URL('./failover/scripts/note-offered.lua', import.meta.url),
  keys: ({ partitions }: NoteInput) => partitions.map(processesKey),
  args: ({ name, server, aliveMs, isFirst }) => [name, server, aliveMs, isFirst ? 1 : 0],
  read: (reply) => reply.verdict('noted', 'other server'),
});

/** How many processes live and have not. */
export const countUnoffered = defineScript({
  source: new URL('./failover/scripts/count-unoffered.lua', import.meta.url),
  keys: ({ keys }: { readonly keys: PartitionKeys; readonly server: string; readonly aliveMs: number }) => [
    processesKey(keys),
  ],
  args: ({ server, aliveMs }) => [server, aliveMs],
  read: (reply) => {
    reply.verdict('counted');
    return reply.whole(1);
  },
});
