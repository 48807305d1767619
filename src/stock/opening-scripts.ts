// opening-scripts.ts -- The typed callers of the scripts that open a coupon in Redis, in the order of their steps.

import type { Stock } from '../coupon/coupon.ts';
import { defineScript } from '../redis/script.ts';
import { loadingKey } from '../stream/keys.ts';
import type { StateInput } from './decision-scripts.ts';

/** One attempt at opening, named by a token that is used once. */
export interface OpeningInput extends StateInput {
  readonly token: string;
  readonly leaseMs: number;
}

/** Takes the lease for opening: with `begun` and `unproven` it is ours. */
export const beginOpening = defineScript({
  source: new URL('./scripts/begin-opening.lua', import.meta.url),
  keys: ({ keys }: OpeningInput) => [keys.state, keys.owners, keys.opening],
  args: ({ server, token, leaseMs }) => [server, token, leaseMs],
  read: (reply) => {
    const kind = reply.verdict('open', 'busy', 'begun', 'unproven', 'unknown form');
    if (kind !== 'unproven') return { kind };
    if (reply.length !== 5) return reply.malformed();
    return { kind, epoch: reply.whole(1), version: reply.whole(2), next: reply.whole(3), owners: reply.whole(4) };
  },
});

export type BeginOpeningReply = Awaited<ReturnType<typeof beginOpening>>;

/** User and sequence in turn; may be empty. */
type LoadOwnersInput = Omit<OpeningInput, 'server'> & { readonly owners: readonly (string | number)[] };

/** Loads one page of owners. Returns how many are loaded by now, or null when another process took the lease. */
export const loadOwners = defineScript({
  source: new URL('./scripts/load-owners.lua', import.meta.url),
  keys: ({ keys, token }: LoadOwnersInput) => [keys.opening, loadingKey(keys, token)],
  args: ({ token, leaseMs, owners }) => [token, leaseMs, ...owners],
  read: (reply) => (reply.verdict('loaded', 'superseded') === 'superseded' ? null : reply.whole(1)),
});

interface FinishOpeningInput extends Omit<OpeningInput, 'leaseMs'> {
  /** How many owners were loaded. */
  readonly owners: number;
  readonly stock: Stock;
  readonly epoch: number;
  readonly version: number;
  /** How far the clock of MySQL is ahead of that of Redis, in milliseconds; 0 when they agree as far as can be told. */
  readonly aheadMs: number;
  readonly erasureKey?: string | undefined;
}

/** The form of the states that this release writes: the meaning of all fields. A change of one is another form; see docs/releases.md. */
const STATE_FORM = 1;
/** With the key of pseudonyms. */
const ERASED_FORM = '1e';

/** Swaps in what was loaded: the one place that writes a coupon's state as a whole. */
export const finishOpening = defineScript({
  source: new URL('./scripts/finish-opening.lua', import.meta.url),
  keys: ({ keys, token }: FinishOpeningInput) => [keys.state, keys.owners, keys.opening, loadingKey(keys, token)],
  args: ({ token, owners, server, stock, epoch, version, aheadMs, erasureKey }) => {
    const { next, until, startMs: start, endMs: end } = stock;
    // Sequences below `next` without an owner. Owners must always be `next - 1 - gap`, else some were lost.
    const gap = next - 1 - owners;
    const settings = { start, end, paused: stock.paused ? 1 : 0, epoch, version, ahead: aheadMs };
    const form = erasureKey === undefined ? { form: STATE_FORM } : { form: ERASED_FORM, erased: erasureKey };
    const state = { ...form, run: server, next, until, gap, ...settings };
    return [token, owners, ...Object.entries(state).flat()];
  },
  read: (reply) => reply.verdict('opened', 'superseded', 'incomplete'),
});

/** Keeps a state that survived a restart of Redis, after it was compared with MySQL. */
export const proveState = defineScript({
  source: new URL('./scripts/prove-state.lua', import.meta.url),
  keys: ({ keys }: ProveStateInput) => [keys.state, keys.opening],
  args: ({ token, server, aheadMs, erasureKey }) => [
    token,
    server,
    aheadMs,
    ...(erasureKey === undefined ? [] : [erasureKey]),
  ],
  read: (reply) => reply.verdict('opened', 'superseded'),
});

type ProveStateInput = Omit<OpeningInput, 'leaseMs'> & Pick<FinishOpeningInput, 'aheadMs' | 'erasureKey'>;

/** Abandons an opening that found nothing to open, or failed. */
export const endOpening = defineScript({
  source: new URL('./scripts/end-opening.lua', import.meta.url),
  keys: ({ keys, token }: Pick<OpeningInput, 'keys' | 'token'>) => [keys.opening, loadingKey(keys, token)],
  args: ({ token }) => [token],
  read: (reply): void => void reply.verdict('ended'),
});
