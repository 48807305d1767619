// claim-keyspace.ts -- A keyspace of Vitess, where none is created by a statement, for one test file at a time.

import { randomUUID } from 'node:crypto';
import type { Pool, RowDataPacket } from 'mysql2/promise';
import { eventually } from '../eventually.ts';
import { connectTo } from '../redis-database.ts';

/** A file that was killed leaves its mark behind for so long. */
const MARK_S = 600;

export interface Keyspace {
  readonly name: string;
  readonly release: () => Promise<void>;
}

/** Takes one of the keyspaces that nobody has, and empties it. Waits, with a bound, while all are taken. */
export async function claimKeyspace(
  names: readonly string[],
  poolOf: (name: string) => Pool,
  redisUrl: string,
): Promise<Keyspace> {
  const url = new URL(redisUrl);
  url.pathname = '/0';
  const marks = await connectTo(url.href);
  const markOf = (name: string) => `test:keyspace:${name}`;
  let taken: string | undefined;
  await eventually('a free keyspace', async () => {
    for (const name of names) {
      if ((await marks.set(markOf(name), randomUUID(), 'EX', MARK_S, 'NX')) !== 'OK') continue;
      taken = name;
      return true;
    }
    return false;
  });
  const name = taken ?? '';
  await dropTables(poolOf(name));
  return {
    name,
    async release() {
      await marks.del(markOf(name));
      marks.disconnect();
    },
  };
}

async function dropTables(pool: Pool): Promise<void> {
  try {
    const [rows] = await pool.query<RowDataPacket[]>('SHOW TABLES');
    for (const row of rows) await pool.query(`DROP TABLE \`${String(Object.values(row)[0])}\``);
  } finally {
    await pool.end();
  }
}
