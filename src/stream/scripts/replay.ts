// replay.ts -- The caller of replay.lua: puts a dead letter back into the stream.

import { defineScript } from '../../redis/script.ts';
import type { PartitionKeys } from '../keys.ts';

interface ReplayInput {
  readonly keys: PartitionKeys;
  /** Id in the dead stream. */
  readonly id: string;
  readonly users: number;
  /** Names and values of the entry in turn. */
  readonly fields: readonly string[];
}

/** Returns the id in the stream, or null when it was no longer among the dead letters. */
export const replay = defineScript({
  source: new URL('./replay.lua', import.meta.url),
  keys: ({ keys }: ReplayInput) => [keys.stream, keys.unpersisted, keys.dead],
  args: ({ id, users, fields }) => [id, users, ...fields],
  read: (reply) => (reply.verdict('replayed', 'gone') === 'gone' ? null : reply.text(1)),
});
