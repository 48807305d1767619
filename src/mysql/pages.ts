// pages.ts -- Keyset paging: reads a table in pages of bounded size along a key, each page on a connection of its own.

import { type Database, type Session, readFromPrimary } from './database.ts';

/**
 * @param read at most `limit` rows with a key above `after`, in order of the key
 * @param keyOf the key of a row, above 0
 */
export async function* keysetPages<Row>(
  database: Database,
  limit: number,
  keyOf: (row: Row) => number,
  read: (session: Session, after: number, limit: number) => Promise<readonly Row[]>,
): AsyncGenerator<readonly Row[]> {
  let after = 0;
  for (;;) {
    const page = await readFromPrimary(database, (session) => read(session, after, limit));
    yield page;
    const last = page.at(-1);
    if (!last || page.length < limit) return;
    after = keyOf(last);
  }
}
