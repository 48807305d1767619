// entries.ts -- The entries of a stream, page by page, and how many users they hold. Those of one coupon: see accepted.ts.

import type { Redis } from 'ioredis';
import { readAllocation } from './entry.ts';
import type { PartitionKeys } from './keys.ts';

/** Entries in one read; each holds up to a whole batch of users. */
const STREAM_PAGE = 100;

/** One entry as it stands in a stream. */
export interface StreamEntry {
  readonly id: string;
  readonly fields: readonly string[];
}

/** All entries of a stream in order, in pages; an empty stream gives no page. `from` is as `XRANGE` takes it. */
export async function* streamPages(redis: Redis, stream: string, from = '-'): AsyncGenerator<readonly StreamEntry[]> {
  let start = from;
  for (;;) {
    const entries = await redis.xrange(stream, start, '+', 'COUNT', STREAM_PAGE);
    const last = entries.at(-1);
    if (!last) return;
    yield entries.map(([id, fields]) => ({ id, fields }));
    if (entries.length < STREAM_PAGE) return;
    start = `(${last[0]}`;
  }
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
  for await (const page of streamPages(redis, stream)) {
    for (const { fields } of page) {
      const allocation = readAllocation(fields);
      if (!allocation) continue;
      const more = 'undecodable' in allocation ? 0 : allocation.users.length;
      // With 0 too: an undecodable entry also waits.
      users.set(allocation.couponId, (users.get(allocation.couponId) ?? 0) + more);
    }
  }
  return users;
}
