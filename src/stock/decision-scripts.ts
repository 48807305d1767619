// decision-scripts.ts -- The typed callers of the scripts that issue from a coupon's stock in Redis, or read it: take, look, put.

import { type Endpoint, endpointNumber } from '../coupon/accepted-by.ts';
import type { Stock } from '../coupon/coupon.ts';
import { type Outcome, type Refusal, refusal } from '../coupon/outcome.ts';
import { defineScript } from '../redis/script.ts';
import { entryVersion } from '../stream/entry.ts';
import { type CouponKeys, waitMarkKey, type PartitionKeys } from '../stream/keys.ts';

/** What every script on a coupon's state is given. */
export interface StateInput {
  readonly keys: CouponKeys;
  /** The server that the caller is connected to, as `serverOf` names it. */
  readonly server: string;
}

/** What users are called where some were erased. Without it, or with another key, scripts on users answer `erased`. */
export interface Pseudonyms {
  readonly erasureKey: string;
  /** One for each user, in the same order. */
  readonly names: readonly string[];
}

/** Nothing was done: ask again with the pseudonyms of this key. */
export interface Erased {
  readonly kind: 'erased';
  readonly erasureKey: string;
}

const pseudonymArgs = (pseudonyms: Pseudonyms | undefined) =>
  pseudonyms ? [pseudonyms.erasureKey, pseudonyms.names.join(',')] : [];

interface TakeInput extends StateInput {
  readonly couponId: number;
  readonly unpersistedUsersMax: number;
  /** In order of arrival, 1 to 1,000. */
  readonly users: readonly string[];
  /** Which was asked. */
  readonly endpoint: Endpoint;
  readonly pseudonyms?: Pseudonyms | undefined;
}

/** The verdict of `take`. With any other kind than `decided` nothing was written. */
type TakeReply =
  | Erased
  | { readonly kind: 'not open' | 'overloaded' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | {
      readonly kind: 'decided';
      /** The server that decided. */
      readonly server: string;
      /** By the clock of Redis. */
      readonly acceptedMs: number;
      readonly epoch: number;
      /** One per user, in the same order. */
      readonly outcomes: readonly Outcome[];
    };

/** Parts of the reply of `take` before the first number. */
const TAKE_HEAD = 3;

const takeVerdicts = ['erased', 'not open', 'overloaded', 'paused', 'not started', 'ended'] as const;

/** Decides for a batch of users in one atomic step. */
export const take = defineScript<TakeInput, TakeReply>({
  source: new URL('./scripts/take.lua', import.meta.url),
  keys: ({ keys }) => [keys.state, keys.owners, keys.stream, keys.unpersisted],
  args: ({ couponId, server, unpersistedUsersMax, users, endpoint, pseudonyms }) => {
    const entry = [entryVersion(users), endpointNumber(endpoint)];
    return [couponId, server, unpersistedUsersMax, users.join(','), ...entry, ...pseudonymArgs(pseudonyms)];
  },
  read: (reply, { users, server }) => {
    const verdict = reply.verdict('decided', 'all issued', ...takeVerdicts);
    if (verdict === 'erased') return { kind: verdict, erasureKey: reply.text(1) };
    if (verdict === 'not open' || verdict === 'overloaded') return { kind: verdict };
    if (verdict !== 'decided' && verdict !== 'all issued') return { kind: 'refused', refusal: refusal[verdict] };
    // The common case of a rush: one number stands for all.
    const allIssued = verdict === 'all issued';
    if (reply.length !== TAKE_HEAD + (allIssued ? 1 : users.length)) return reply.malformed();
    const first = reply.whole(TAKE_HEAD);
    const outcomes = users.map((_, i) =>
      allIssued ? ({ kind: 'issued', sequence: first + i } as const) : outcomeOf(reply.whole(TAKE_HEAD + i)),
    );
    return { kind: 'decided', server, acceptedMs: reply.whole(1), epoch: reply.whole(2), outcomes };
  },
});

/** Above zero the sequence just issued, below zero the one that the user has already, zero when the stock is gone. */
function outcomeOf(number: number): Outcome {
  if (number > 0) return { kind: 'issued', sequence: number };
  if (number < 0) return { kind: 'already issued', sequence: -number };
  return refusal['sold out'];
}

interface LookInput extends StateInput {
  /** At most 1,000; may be empty. */
  readonly users: readonly string[];
  readonly pseudonyms?: Pseudonyms | undefined;
}

/** The stock of a coupon that is open in Redis, at one instant. */
export interface OpenStock {
  readonly kind: 'open';
  /** The server that was asked. */
  readonly server: string;
  /** By the clock of Redis. */
  readonly nowMs: number;
  readonly epoch: number;
  readonly version: number;
  readonly stock: Stock;
  /** How many users have the coupon. */
  readonly issued: number;
  /** The sequence of each user asked for who has the coupon. */
  readonly owners: ReadonlyMap<string, number>;
  /** Those among them who were erased: the coupon is not theirs to see and to use any more. */
  readonly erased: ReadonlySet<string>;
}

export type LookReply = OpenStock | { readonly kind: 'not open' };

/** Parts of the reply of `look` before the first owner. */
const LOOK_HEAD = 10;

/** Reads the stock of a coupon, and which of some users have it. */
export const look = defineScript<LookInput, LookReply | Erased>({
  source: new URL('./scripts/look.lua', import.meta.url),
  keys: ({ keys }) => [keys.state, keys.owners],
  args: ({ server, users, pseudonyms }) => [server, users.join(','), ...pseudonymArgs(pseudonyms)],
  read: (reply, { server, users }) => {
    const verdict = reply.verdict('open', 'not open', 'erased');
    if (verdict === 'erased') return { kind: verdict, erasureKey: reply.text(1) };
    if (verdict === 'not open') return { kind: verdict };
    const paused = reply.whole(8);
    const isWhole = reply.length >= LOOK_HEAD && (reply.length - LOOK_HEAD) % 2 === 0;
    if (!isWhole || (paused !== 0 && paused !== 1)) return reply.malformed();
    const owners = new Map<string, number>();
    const erased = new Set<string>();
    for (let at = LOOK_HEAD; at < reply.length; at += 2) {
      const user = users[Math.abs(reply.whole(at)) - 1] ?? reply.malformed();
      owners.set(user, reply.whole(at + 1));
      if (reply.whole(at) < 0) erased.add(user);
    }
    const [nowMs, epoch, version] = [reply.whole(1), reply.whole(2), reply.whole(3)];
    const [next, until, startMs, endMs] = [reply.whole(4), reply.whole(5), reply.whole(6), reply.whole(7)];
    const stock = { next, until, startMs, endMs, paused: paused === 1 };
    return { kind: 'open', server, nowMs, epoch, version, stock, issued: reply.whole(9), owners, erased };
  },
});

interface PutInput extends StateInput {
  readonly couponId: number;
  /** The value under which the lock was acquired: the fence. */
  readonly token: string;
  readonly unpersistedUsersMax: number;
  /** As they were when the stock was read. */
  readonly epoch: number;
  readonly version: number;
  readonly next: number;
  /** The winners, in order, at least one. */
  readonly taken: readonly string[];
  /** Which they asked. */
  readonly endpoint: Endpoint;
}

/**
 * The fenced write of the `locked` issuer. `changed`: read and decide again. `lost`: the lock is not ours any more. Only with
 * `written` was anything written.
 */
export const put = defineScript({
  source: new URL('./scripts/put.lua', import.meta.url),
  keys: ({ keys }: PutInput) => [keys.state, keys.owners, keys.stream, keys.unpersisted, keys.lock],
  args: ({ couponId, token, unpersistedUsersMax, server, epoch, version, next, taken, endpoint }) => {
    const entry = [entryVersion(taken), endpointNumber(endpoint)];
    return [couponId, token, unpersistedUsersMax, server, epoch, version, next, taken.join(','), ...entry];
  },
  read: (reply) => reply.verdict('written', 'changed', 'lost', 'overloaded'),
});

interface RestoreEntryInput extends StateInput {
  readonly couponId: number;
  /** Of the state in which the issues were found. */
  readonly epoch: number;
  readonly first: number;
  readonly users: readonly string[];
  /** 0: not known any more. */
  readonly acceptedMs: number;
}

/** Puts issues that are nowhere but among the owners back into the stream. `changed`: the state is another by now. */
export const restoreEntry = defineScript({
  source: new URL('./scripts/restore-entry.lua', import.meta.url),
  keys: ({ keys }: RestoreEntryInput) => [keys.state, keys.owners, keys.stream, keys.unpersisted],
  args: ({ couponId, server, epoch, first, users, acceptedMs }) => {
    return [couponId, server, epoch, first, users.join(','), entryVersion(users), acceptedMs];
  },
  read: (reply) => reply.verdict('restored', 'changed'),
});

/**
 * Returns once as many replicas as REPLICAS_MIN asks for have all that a server had written when it was called.
 *
 * @param keys of any partition that the server has
 * @param server the one that decided, as `serverOf` names it
 * @throws Unavailable `dependency` when there are too few in time, or another server took over; what ioredis throws
 */
export type Confirm = (keys: PartitionKeys, server: string) => Promise<void>;

/** Writes what a WAIT of the same connection then waits for. */
export const mark = defineScript({
  source: new URL('./failover/scripts/mark.lua', import.meta.url),
  keys: ({ keys }: { readonly keys: PartitionKeys; readonly server: string }) => [waitMarkKey(keys)],
  args: ({ server }) => [server],
  read: (reply) => reply.verdict('marked', 'other server'),
});
