// count-requests.ts -- The typed caller of `count-requests.lua`: one round trip for all pending names of a process.

import { defineScript } from '../../redis/script.ts';

/** What one process has counted since its last sync. */
export interface Counted {
  readonly kind: 'user' | 'address' | 'idempotency';
  /** Number of the window since 1970, by the clock of the process. */
  readonly window: number;
  /** How long Redis keeps the window, in milliseconds: a little longer than it lasts, for clocks that differ. */
  readonly keepMs: number;
  readonly counts: ReadonlyMap<string, number>;
}

/** Gives the total of all processes for each name. Throws what Redis throws. */
export const countRequests = defineScript<Counted, ReadonlyMap<string, number>>({
  source: new URL('./count-requests.lua', import.meta.url),
  keys: ({ kind, window }) => [`${kind === 'idempotency' ? 'idempotency:all' : `limits:${kind}`}:${window}`],
  args: ({ keepMs, counts }) => [keepMs, ...[...counts].flat()],
  read: (reply, { counts }) => {
    if (reply.length !== counts.size) reply.malformed();
    return new Map([...counts.keys()].map((name, index) => [name, reply.whole(index)]));
  },
});
