// entries.ts -- What is accepted but not a row, read from the stream and from the dead letters, page by page.
//
// Entries of every version count: the users of one that this release cannot write are owners all the same.

import type { Redis } from 'ioredis';
import { type Allocation, type Undecodable, readAllocation } from './entry.ts';
import type { PartitionKeys } from './keys.ts';

/** Entries in one read; each holds up to a whole batch of users. */
const STREAM_PAGE = 100;

/** One entry as it stands in a stream. */
export interface StreamEntry {
  readonly id: string;
  readonly fields: readonly string[];
}

/** All entries of a stream in order, in pages; an empty stream gives no page. */
export async function* streamPages(redis: Redis, stream: string): AsyncGenerator<readonly StreamEntry[]> {
  let start = '-';
  for (;;) {
    const entries = await redis.xrange(stream, start, '+', 'COUNT', STREAM_PAGE);
    const last = entries.at(-1);
    if (!last) return;
    yield entries.map(([id, fields]) => ({ id, fields }));
    if (entries.length < STREAM_PAGE) return;
    start = `(${last[0]}`;
  }
}

/** An entry of a coupon whose owners cannot be decoded: nothing that needs all owners may go on. */
export class UndecodableEntryError extends Error {
  override readonly name = 'UndecodableEntryError';
  readonly couponId: number;
  /** As `bun run dead-letters` lists the partition's: the stream and the id in it. */
  readonly place: string;

  constructor(couponId: number, place: string) {
    super(`an entry of a coupon does not say who holds what of it: ${place}`);
    this.couponId = couponId;
    this.place = place;
  }
}

/**
 * What the entries of one coupon hold that are in a stream of its partition, in pages.
 *
 * @throws UndecodableEntryError when one of them cannot be decoded; those of other coupons do not matter
 */
export async function* allocationPages(
  redis: Redis,
  stream: string,
  couponId: number,
): AsyncGenerator<readonly Allocation[]> {
  for await (const page of streamPages(redis, stream)) {
    const mine: Allocation[] = [];
    for (const { id, fields } of page) {
      const allocation = readAllocation(fields);
      if (allocation?.couponId !== couponId) continue;
      if ('undecodable' in allocation) throw new UndecodableEntryError(couponId, `${stream} ${id}`);
      mine.push(allocation);
    }
    yield mine;
  }
}

/** What the entries of one coupon hold that are in the stream or among the dead letters; undecodable ones are left out. */
export async function allocationsOf(redis: Redis, stream: string, couponId: number): Promise<readonly Allocation[]> {
  const found: Allocation[] = [];
  for await (const allocation of allocationsIn(redis, stream)) {
    if (allocation.couponId === couponId && !('undecodable' in allocation)) found.push(allocation);
  }
  return found;
}

/** Whether a stream has any entry of a coupon, decodable or not. */
export async function hasEntryOf(redis: Redis, stream: string, couponId: number): Promise<boolean> {
  for await (const allocation of allocationsIn(redis, stream)) if (allocation.couponId === couponId) return true;
  return false;
}

/** Users per coupon that are in the stream, and among the dead letters, of one partition. */
export interface WaitingUsers {
  readonly unpersisted: ReadonlyMap<number, number>;
  readonly dead: ReadonlyMap<number, number>;
}

/** Counts a partition. One pass over each stream, bounded by `UNPERSISTED_USERS_MAX`. */
export async function countWaiting(redis: Redis, keys: PartitionKeys): Promise<WaitingUsers> {
  return { unpersisted: await countUsers(redis, keys.stream), dead: await countUsers(redis, keys.dead) };
}

async function countUsers(redis: Redis, stream: string): Promise<ReadonlyMap<number, number>> {
  const users = new Map<number, number>();
  for await (const allocation of allocationsIn(redis, stream)) {
    const more = 'undecodable' in allocation ? 0 : allocation.users.length;
    // With 0 too: an undecodable entry also waits.
    users.set(allocation.couponId, (users.get(allocation.couponId) ?? 0) + more);
  }
  return users;
}

async function* allocationsIn(redis: Redis, stream: string): AsyncGenerator<Allocation | Undecodable> {
  for await (const page of streamPages(redis, stream)) {
    for (const { fields } of page) {
      const allocation = readAllocation(fields);
      if (allocation) yield allocation;
    }
  }
}
