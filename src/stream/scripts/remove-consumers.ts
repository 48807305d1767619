// remove-consumers.ts -- The caller of remove-consumers.lua: a worker that is gone leaves no consumer behind.

import { defineScript } from '../../redis/script.ts';
import { GROUP, type PartitionKeys } from '../keys.ts';

interface RemoveConsumersInput {
  readonly keys: PartitionKeys;
  /** A living worker asks more often; before Redis 7.2 only reads that find an entry count, and its consumer comes back with the next. */
  readonly idleMs: number;
}

/** Removes the consumers of a stream that have been idle for so long and of which nothing is pending; returns how many. */
export const removeConsumers = defineScript({
  source: new URL('./remove-consumers.lua', import.meta.url),
  keys: ({ keys }: RemoveConsumersInput) => [keys.stream],
  args: ({ idleMs }) => [GROUP, idleMs],
  read: (reply) => {
    reply.verdict('removed');
    return reply.whole(1);
  },
});
