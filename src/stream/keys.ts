// keys.ts -- The keys of coupons and their streams in Redis. The tag in braces keeps all keys of one decision in one Cluster slot.

import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { prefixOf } from '../redis/scan.ts';

/** The keys of one partition: what its coupons share. */
export interface PartitionKeys {
  /** Stream: one entry per accepted batch. */
  readonly stream: string;
  /** Stream: entries that can never be written, with the reason. */
  readonly dead: string;
  /** String: users in the stream, accepted but not yet rows. */
  readonly unpersisted: string;
  /** Sorted set: entries whose dead letter was replayed or discarded, by when. A worker may still have one in hand. */
  readonly withdrawn: string;
}

/** The keys of one coupon, with those of its partition. */
export interface CouponKeys extends PartitionKeys {
  /** Hash: form, run, next, until, gap, start, end, paused, epoch, version. */
  readonly state: string;
  /** Hash: user → sequence. */
  readonly owners: string;
  /** String with a lease: the token of the process that is opening or closing the coupon. */
  readonly opening: string;
  /** String with a lease: the Redlock lock. */
  readonly lock: string;
}

/** Hash of the idempotency keys that a user has used, through an API key or with their own token (''). The id itself is not in it. */
export function idempotencyKey(keyDigest: string, userId: string): string {
  return `idempotency:${shortDigest(`${keyDigest} ${userId}`)}`;
}

/** Of 128 bits, which cannot be hit on purpose. */
export function shortDigest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

/** Where a Redis is marked as one of this installation. */
export const INSTALLATION_KEY = 'installation';

/** The consumer group of the workers, on every stream. */
export const GROUP = 'workers';

/** Where an edit of a coupon is announced, so that every process invalidates its cached refusal. */
export function changesChannel(redis: Redis): string {
  // The driver puts the prefix before keys, not before channels.
  return `${prefixOf(redis)}coupons:changed`;
}

/** The partition of a coupon. It never changes, so neither may `partitions`. */
export function partitionOf(couponId: number, partitions: number): number {
  return couponId % partitions;
}

/** The keys of a partition. */
export function partitionKeys(partition: number): PartitionKeys {
  const stream = `issues:{${partition}}`;
  return { stream, dead: `${stream}:dead`, unpersisted: `${stream}:unpersisted`, withdrawn: `${stream}:withdrawn` };
}

/** The keys of a coupon. */
export function couponKeys(couponId: number, partitions: number): CouponKeys {
  const partition = partitionOf(couponId, partitions);
  const coupon = `coupon:{${partition}}:${couponId}`;
  return {
    ...partitionKeys(partition),
    state: `${coupon}:state`,
    owners: `${coupon}:owners`,
    opening: `${coupon}:opening`,
    lock: `${coupon}:lock`,
  };
}

/** Where the process that holds the opening lease with `token` gathers the owners before they are swapped in. */
export function loadingKey(keys: CouponKeys, token: string): string {
  return `${keys.owners}:${token}`;
}

/** What is written before a WAIT for replicas. */
export function waitMarkKey({ stream }: PartitionKeys): string {
  return `${stream}:mark`;
}

/** Hash: what processes offer to the next opening, see offer.lua; and what was discarded, and is not to come back. */
export function offersKey({ owners }: CouponKeys): string {
  return owners.replace(/owners$/, 'offers');
}

/** Its field for an issue. No user id has a space. */
export function offerField({ userId, sequence }: { readonly userId: string; readonly sequence: number }): string {
  return `${userId} ${sequence}`;
}

/** How many answers about a coupon a failover of Redis has broken, as far as a process that gave them noticed. */
export function lostKey({ owners }: CouponKeys): string {
  return owners.replace(/owners$/, 'lost');
}

/** How long an audit says so. */
export const LOST_KEPT_S = 30 * 86_400;

export function isLostKey(key: string): boolean {
  return key.endsWith(':lost');
}

/** String: since when a coupon with gaps among its sequences is open as it is, see settled-sequences.ts. */
export function gapsKey({ owners }: CouponKeys): string {
  return owners.replace(/owners$/, 'gaps');
}

/** Hash: how often callers of a coupon were refused, by reason; see refusal-counts.ts. */
export function refusalsKey({ owners }: CouponKeys): string {
  return owners.replace(/owners$/, 'refusals');
}

/** Stream: the same by second, the newest of them. */
export function refusedKey({ owners }: CouponKeys): string {
  return owners.replace(/owners$/, 'refused');
}

/** All keys of a coupon beside its stock: what goes with the coupon. */
export function keysBeside(keys: CouponKeys): readonly string[] {
  return [offersKey(keys), lostKey(keys), gapsKey(keys), refusalsKey(keys), refusedKey(keys)];
}

/** Hash: the processes that may have something to offer, see offers.ts. */
export function processesKey({ stream }: PartitionKeys): string {
  return `${stream}:processes`;
}
