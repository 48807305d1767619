// stream-entries.ts -- What is accepted but not a row, read from the stream and from the dead letters, page by page.

import type { Redis } from 'ioredis';
import { type Entry, readEntry } from './entry.ts';
import type { PartitionKeys } from './keys.ts';

/** Entries read at once; each holds up to a whole batch of users. */
const STREAM_PAGE = 100;

/** One entry as it stands in a stream, with what it means or why it means nothing. */
export interface StreamEntry {
  readonly id: string;
  readonly fields: readonly string[];
  readonly entry: Entry | { readonly reason: string };
}

/** All entries of a stream in order, in pages; an empty stream gives no page. */
export async function* streamPages(redis: Redis, stream: string): AsyncGenerator<readonly StreamEntry[]> {
  let start = '-';
  for (;;) {
    const entries = await redis.xrange(stream, start, '+', 'COUNT', STREAM_PAGE);
    const last = entries.at(-1);
    if (!last) return;
    yield entries.map(([id, fields]) => ({ id, fields, entry: readEntry(fields) }));
    if (entries.length < STREAM_PAGE) return;
    start = `(${last[0]}`;
  }
}

/** The entries of one coupon that are in the stream or among the dead letters of its partition. */
export async function entriesOf(redis: Redis, stream: string, couponId: number): Promise<readonly Entry[]> {
  const found: Entry[] = [];
  for await (const page of streamPages(redis, stream)) {
    for (const { entry } of page) if (!('reason' in entry) && entry.couponId === couponId) found.push(entry);
  }
  return found;
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
    for (const { entry } of page) {
      if (!('reason' in entry)) users.set(entry.couponId, (users.get(entry.couponId) ?? 0) + entry.users.length);
    }
  }
  return users;
}
