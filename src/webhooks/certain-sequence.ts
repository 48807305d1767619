// certain-sequence.ts -- Up to which sequence the rows of a coupon are all there, for a webhook that begins now.
//
// Sequences rise, so all below the highest row were given before it: each is a row, or waits in the stream or among the dead letters,
// or never becomes a row. An entry leaves the stream only once its rows are committed. So the highest row is read first, then what
// waits, and after both the rows themselves: what was not waiting is among them.

import { readHighestSequence } from '../coupon/issue-rows.ts';
import { type Database, readFromPrimary } from '../mysql/database.ts';
import type { RedisStock } from '../stock/redis-stock.ts';
import { UndecodableEntryError, waitingEntries } from '../stream/accepted.ts';

/**
 * `highest`: the highest row that is known of, 0 without any; `certain`: from `after` on, of the next `limit` rows at least, as far as there
 * are so many. Throws what the stores throw.
 */
export type ReadCertainSequence = (couponId: number, after: number, limit: number) => Promise<Reach>;

export interface Reach {
  readonly highest: number;
  readonly certain: number;
}

export function certainSequenceReader(
  { redis, keysOf }: Pick<RedisStock, 'redis' | 'keysOf'>,
  database: Database,
): ReadCertainSequence {
  return async (couponId) => {
    const { highest } = await readFromPrimary(database, (session) => readHighestSequence(session, couponId));
    let certain = highest;
    if (highest === 0) return { highest, certain };
    for await (const { held, place } of waitingEntries(redis, keysOf(couponId), couponId)) {
      if ('undecodable' in held) throw new UndecodableEntryError(couponId, place);
      certain = Math.min(certain, held.firstSequence - 1);
    }
    return { highest, certain };
  };
}
