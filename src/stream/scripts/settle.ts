// settle.ts -- The caller of settle.lua: the worker's last step for entries, after the commit.

import { defineScript } from '../../redis/script.ts';
import { GROUP, type PartitionKeys } from '../keys.ts';

/** What can never be a row, and why. */
export interface DeadLetter {
  /** Id of the entry it comes from, which is settled at the same time. */
  readonly entryId: string;
  readonly reason: string;
  /** Names and values in turn. */
  readonly fields: readonly string[];
}

/** An entry that is done with, and how many users it holds. */
export interface SettledEntry {
  readonly id: string;
  readonly users: number;
}

interface SettleInput {
  readonly keys: PartitionKeys;
  readonly entries: readonly SettledEntry[];
  readonly deadLetters: readonly DeadLetter[];
}

/** Returns how many entries were still there, and how many users of the partition are still in the stream. */
export const settle = defineScript({
  source: new URL('./settle.lua', import.meta.url),
  keys: ({ keys, deadLetters }: SettleInput) => [
    keys.stream,
    keys.unpersisted,
    ...(deadLetters.length > 0 ? [keys.dead] : []),
  ],
  args: ({ entries, deadLetters }) => [
    GROUP,
    entries.length,
    ...entries.flatMap(({ id, users }) => [id, users]),
    ...deadLetters.flatMap(({ entryId, reason, fields }) => [entryId, reason, fields.length, ...fields]),
  ],
  read: (reply) => {
    reply.verdict('settled');
    return { deleted: reply.whole(1), unpersisted: reply.whole(2) };
  },
});
