// accepted.ts -- All that was accepted of one coupon: what waits in the stream, what is among the dead letters, the rows.
//
// Whoever decides about a coupon, or says what a user has of it, reads these here, in this order: the stream, the dead letters,
// what was added to the stream meanwhile, the rows. An entry leaves the stream only once its rows are committed or it is a dead
// letter, so it is found in one of them; a dead letter that is replayed comes back at the end of the stream. In any other order it
// could slip between two readings, and its user would have nothing, or its stock would be given out again. One that is replayed and
// becomes a dead letter again could still slip through; so as long as letters were added meanwhile, what is new is read again.
//
// Entries of every version count: the users of one that this release cannot write are owners all the same.

import type { Redis } from 'ioredis';
import { type Owner, ownerPages } from '../coupon/issue-rows.ts';
import type { Database } from '../mysql/database.ts';
import { streamPages } from './entries.ts';
import { type Allocation, readAllocation, type Undecodable } from './entry.ts';
import type { PartitionKeys } from './keys.ts';

/** An entry of a coupon that is not yet rows. */
export interface WaitingEntry {
  readonly isDead: boolean;
  /** As `bun run dead-letters` lists the partition's: the stream and the id in it. */
  readonly place: string;
  readonly held: Allocation | Undecodable;
}

/** An entry of a coupon whose owners cannot be decoded: nothing that needs all owners may go on. */
export class UndecodableEntryError extends Error {
  override readonly name = 'UndecodableEntryError';
  readonly couponId: number;
  readonly place: string;

  constructor(couponId: number, place: string) {
    super(`an entry of a coupon does not say who holds what of it: ${place}`);
    this.couponId = couponId;
    this.place = place;
  }
}

/** The entries of one coupon in the stream, among the dead letters, and added since; each part is read when it is asked for. */
async function* waitingParts(
  redis: Redis,
  { stream, dead }: PartitionKeys,
  couponId: number,
): AsyncGenerator<AsyncGenerator<WaitingEntry>> {
  const ends = new Map<string, string>();
  const read = async function* (key: string): AsyncGenerator<WaitingEntry> {
    for await (const page of streamPages(redis, key, ends.get(key))) {
      for (const { id, fields } of page) {
        ends.set(key, `(${id}`);
        const held = readAllocation(fields);
        if (held?.couponId === couponId) yield { isDead: key === dead, place: `${key} ${id}`, held };
      }
    }
  };
  const parts = () => {
    return [read(stream), read(dead), read(stream)];
  };
  let before = await lastAdded(redis, dead);
  for (;;) {
    yield* parts();
    const after = await lastAdded(redis, dead);
    if (after === before) return;
    before = after;
  }
}

/** The id of the last entry that was ever added to a stream. */
export async function lastAdded(redis: Redis, stream: string): Promise<string> {
  try {
    const info = (await redis.xinfo('STREAM', stream)) as readonly unknown[];
    return String(info[info.indexOf('last-generated-id') + 1]);
  } catch (error) {
    if (error instanceof Error && error.message.includes('no such key')) return '0-0';
    throw error;
  }
}

/** Every entry of one coupon that is not yet rows. */
export async function* waitingEntries(
  redis: Redis,
  keys: PartitionKeys,
  couponId: number,
): AsyncGenerator<WaitingEntry> {
  for await (const part of waitingParts(redis, keys, couponId)) yield* part;
}

/** Who holds what by the entries of one coupon that are not yet rows. Throws UndecodableEntryError for one that does not say so. */
export async function* waitingOwners(redis: Redis, keys: PartitionKeys, couponId: number): AsyncGenerator<Owner> {
  for await (const entry of waitingEntries(redis, keys, couponId)) yield* ownersIn(entry, couponId);
}

function ownersIn({ held, place }: WaitingEntry, couponId: number): Owner[] {
  if ('undecodable' in held) throw new UndecodableEntryError(couponId, place);
  return ownersOf(held);
}

/** Whether anything of a coupon is not yet rows. */
export async function isAnyWaiting(redis: Redis, keys: PartitionKeys, couponId: number): Promise<boolean> {
  for await (const _ of waitingEntries(redis, keys, couponId)) return true;
  return false;
}

/** Everybody who was accepted, in pages of at most `limit`; `areRows` is false for what is not yet rows. Throws as `waitingOwners`. */
export async function* acceptedPages(
  { redis, database }: { readonly redis: Redis; readonly database: Database },
  keys: PartitionKeys,
  couponId: number,
  limit: number,
): AsyncGenerator<{ readonly owners: readonly Owner[]; readonly areRows: boolean }> {
  for await (const part of waitingParts(redis, keys, couponId)) {
    let owners: Owner[] = [];
    for await (const entry of part) {
      for (const owner of ownersIn(entry, couponId)) {
        if (owners.push(owner) < limit) continue;
        yield { owners, areRows: false };
        owners = [];
      }
    }
    if (owners.length > 0) yield { owners, areRows: false };
  }
  for await (const page of ownerPages(database, couponId, limit)) yield { owners: page, areRows: true };
}

export function ownersOf({ firstSequence, users }: Allocation): Owner[] {
  return users.map((userId, i) => ({ userId, sequence: firstSequence + i }));
}
