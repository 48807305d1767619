// replay.ts -- The caller of replay.lua: puts a dead letter back into the stream.

import { defineScript } from '../../redis/script.ts';
import type { PartitionKeys } from '../keys.ts';

export interface ReplayInput {
  readonly keys: PartitionKeys;
  /** Id in the dead stream. */
  readonly id: string;
  readonly users: number;
  /** Names and values of the entry in turn. */
  readonly fields: readonly string[];
}

/** The id it has in the stream now, or null when it was no longer among the dead. */
export type ReplayReply = string | null;

export const replay = defineScript<ReplayInput, ReplayReply>({
  source: new URL('./replay.lua', import.meta.url),
  keys: ({ keys }) => [keys.stream, keys.unpersisted, keys.dead],
  args: ({ id, users, fields }) => [id, users, ...fields],
  read: (reply) => (reply.verdict('replayed', 'gone') === 'gone' ? null : reply.text(1)),
});
