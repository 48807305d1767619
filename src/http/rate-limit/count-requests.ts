// count-requests.ts -- The typed caller of `count-requests.lua`: one round trip for all pending names of a process.

import type { Redis } from 'ioredis';
import { isCluster } from '../../redis/connection.ts';
import { defineScript } from '../../redis/script.ts';

/** What one process has counted since its last sync. */
export interface Counted {
  readonly kind: 'user' | 'address' | 'idempotency' | 'code';
  /** Number of the window since 1970, by the clock of the process. */
  readonly window: number;
  /** How long Redis keeps the window, in milliseconds: a little longer than it lasts, for clocks that differ. */
  readonly keepMs: number;
  readonly counts: ReadonlyMap<string, number>;
}

/** Hashes of a window on a cluster, which are on all of its nodes: one would be a hot key of one node. */
const GROUPS = 64;

/** Gives the total of all processes for each name. Throws what Redis throws. */
export async function countRequests(redis: Redis, counted: Counted): Promise<ReadonlyMap<string, number>> {
  if (!isCluster(redis)) return countGroup(redis, { ...counted, group: '' });
  const groups = Map.groupBy(counted.counts, ([name]) => `:${hashOf(name) % GROUPS}`);
  const totals = await Promise.all(
    [...groups].map(([group, counts]) => countGroup(redis, { ...counted, group, counts: new Map(counts) })),
  );
  return new Map(totals.flatMap((each) => [...each]));
}

/** The same in every process: djb2. */
function hashOf(name: string): number {
  let hash = 5381;
  for (let i = 0; i < name.length; i++) hash = (hash * 33 + name.charCodeAt(i)) >>> 0;
  return hash;
}

const countGroup = defineScript<Counted & { readonly group: string }, ReadonlyMap<string, number>>({
  source: new URL('./count-requests.lua', import.meta.url),
  keys: ({ kind, window, group }) => [
    `${kind === 'idempotency' ? 'idempotency:all' : `limits:${kind}`}:${window}${group}`,
  ],
  args: ({ keepMs, counts }) => [keepMs, ...[...counts].flat()],
  read: (reply, { counts }) => {
    if (reply.length !== counts.size) reply.malformed();
    return new Map([...counts.keys()].map((name, index) => [name, reply.whole(index)]));
  },
});
