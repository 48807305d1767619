// dead-letters.ts -- The dead letters: entries that could not be written, for an operator to inspect, replay or discard.

import { type Actor, type RecordChange, SYSTEM } from '../auth/audit-trail.ts';
import { ownersOf } from '../stream/accepted.ts';
import { streamPages } from '../stream/entries.ts';
import { type Allocation, type Entry, readAllocation, readEntry, UNKNOWN_VERSION } from '../stream/entry.ts';
import { changesChannel } from '../stream/keys.ts';
import { discard, replay } from '../stream/scripts/letters.ts';
import type { RedisStock } from '../stock/redis-stock.ts';

/** One dead letter. */
export interface DeadLetterView {
  /** `<partition>-<id in the dead stream>`. */
  readonly id: string;
  /** The entry it comes from. */
  readonly entryId: string;
  readonly reason: string;
  /** Null when this release cannot read it, so that it cannot be replayed either. */
  readonly entry: Entry | null;
  /** What an entry says that this release cannot read, by the fields that every version keeps. */
  readonly allocation?: Allocation;
}

export interface DeadLetters {
  /** All of them, by partition and age; or those of one partition. */
  list(partition?: number): AsyncGenerator<DeadLetterView>;
  /** One with the fields of its entry, or null. */
  read(
    id: string,
  ): Promise<
    (DeadLetterView & { readonly fields: readonly { readonly name: string; readonly value: string }[] }) | null
  >;
  /**
   * Puts one back into the stream; the worker writes it under its sequence if that is still free.
   *
   * @returns `replayed`; `gone` when there is none with this id; `unreadable` when this release cannot read it. Only `replayed` changed anything
   */
  replay(id: string, by?: Actor): Promise<'replayed' | 'gone' | 'unreadable'>;
  /**
   * Deletes one permanently: its users do not have the coupon, and its pieces are stock again (P4), since the coupon is opened
   * again from what is then there. False when there is none with this id.
   */
  discard(id: string, by?: Actor): Promise<boolean>;
}

/** Redis refuses numbers of more than 64 bits with an error, as for a wrong command; all of 19 digits fit. */
const ID_PATTERN = /^(\d{1,4})-(\d{1,19}-\d{1,19})$/;

/** Fields that the dead stream adds to those of the entry. */
const ADDED = new Set(['entry', 'reason']);

/**
 * The dead letters of all partitions. Every function throws what Redis throws.
 *
 * @param recordChange records what operators do; a worker replays what it can read again, which nobody decided
 */
export function createDeadLetters(redisStock: RedisStock, recordChange: RecordChange = async () => {}): DeadLetters {
  const { redis, keysOf, serverFor, confirm } = redisStock;
  const find = async (id: string) => {
    const [, partition, streamId] = ID_PATTERN.exec(id) ?? [];
    const keys = redisStock.partitions[Number(partition)];
    if (!keys || streamId === undefined) return null;
    const [found] = await redis.xrange(keys.dead, streamId, streamId);
    return found ? { keys, id: streamId, fields: found[1] } : null;
  };
  return {
    async *list(only) {
      for (const [partition, { dead }] of redisStock.partitions.entries()) {
        if (only !== undefined && only !== partition) continue;
        for await (const page of streamPages(redis, dead)) {
          for (const { id, fields } of page) yield viewOf(`${partition}-${id}`, fields);
        }
      }
    },
    async read(id) {
      const found = await find(id);
      if (!found) return null;
      const fields = entryFields(found.fields);
      const names = fields.filter((_, i) => i % 2 === 0);
      return {
        ...viewOf(id, found.fields),
        fields: names.map((name, i) => ({ name, value: fields[2 * i + 1] ?? '' })),
      };
    },
    async replay(id, by = SYSTEM) {
      const found = await find(id);
      if (!found) return 'gone';
      const letter = viewOf(id, found.fields);
      const { entry } = letter;
      if (!entry) return 'unreadable';
      await recordChange(by, { action: 'dead-letter.replay', ...recordOf(letter) });
      const fields = entryFields(found.fields);
      const keys = { ...keysOf(entry.couponId), ...found.keys };
      const replayed = await replay(redis, { keys, id: found.id, users: entry.users.length, fields });
      return replayed === null ? 'gone' : 'replayed';
    },
    async discard(id, by = SYSTEM) {
      const found = await find(id);
      if (!found) return false;
      await recordChange(by, { action: 'dead-letter.discard', ...recordOf(viewOf(id, found.fields)) });
      // Of any version: its users were owners as long as it was there.
      const held = readAllocation(found.fields);
      const couponId = held?.couponId;
      const owners = held && !('undecodable' in held) ? ownersOf(held) : [];
      const keys = couponId === undefined ? found.keys : { ...keysOf(couponId), ...found.keys };
      const server = serverFor(keys);
      if (!(await discard(redis, { keys, id: found.id, owners }))) return false;
      await confirm?.(keys, server);
      // A cached refusal would say "sold out" for another second.
      if (couponId !== undefined) await redis.publish(changesChannel(redis), String(couponId));
      return true;
    },
  };
}

/** What the audit trail says of a letter: how many users it holds, and not who they are. */
function recordOf({ id, entryId, reason, entry, allocation }: DeadLetterView) {
  const { couponId = null, firstSequence = null, users = [] } = entry ?? allocation ?? {};
  return { couponId, from: { id, entryId, reason, firstSequence, users: users.length }, to: null };
}

/** Replays what earlier workers could not read and this release can, of a partition. */
export async function replayReadable(letters: Pick<DeadLetters, 'list' | 'replay'>, partition: number): Promise<void> {
  for await (const { id, reason, entry } of letters.list(partition)) {
    if (reason === UNKNOWN_VERSION && entry) await letters.replay(id);
  }
}

function viewOf(id: string, fields: readonly string[]): DeadLetterView {
  const entry = readEntry(entryFields(fields));
  const allocation = 'reason' in entry ? readAllocation(entryFields(fields)) : null;
  const added = (name: string) => fields[fields.indexOf(name) + 1] ?? '';
  return {
    id,
    entryId: added('entry'),
    reason: added('reason'),
    entry: 'reason' in entry ? null : entry,
    ...(allocation && !('undecodable' in allocation) && { allocation }),
  };
}

function entryFields(fields: readonly string[]): string[] {
  return fields.filter((_, i) => !ADDED.has(fields[i - (i % 2)] ?? ''));
}
