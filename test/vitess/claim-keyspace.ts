// claim-keyspace.ts -- A keyspace of Vitess, where none is created by a statement, for one test file at a time.
//
// A migration of a sharded keyspace takes a minute. So tables that are as the migrations left them are emptied, and stay.

import { createHash, randomUUID } from 'node:crypto';
import { createPool, type Pool, type RowDataPacket } from 'mysql2/promise';
import { eventually } from '../eventually.ts';
import { connectForMarks } from '../redis-database.ts';

/** A file that was killed leaves its mark behind for so long. */
const MARK_S = 600;

/** What migrations wrote into them stays. */
const KEPT = new Set(['__drizzle_migrations', 'migration_progress']);

export interface Keyspace {
  readonly name: string;
  readonly release: () => Promise<void>;
}

export interface KeyspacesOptions {
  readonly names: readonly string[];
  readonly urlOf: (name: string) => string;
  /** All files mark in this Redis which keyspaces they have. */
  readonly redisUrl: string;
  /** Null where there are to be no tables. */
  readonly migrate: ((url: string) => Promise<void>) | null;
}

/** Takes one of the keyspaces that nobody has, with empty tables. Waits, with a bound, while all are taken. */
export async function claimKeyspace({ names, urlOf, redisUrl, migrate }: KeyspacesOptions): Promise<Keyspace> {
  const marks = await connectForMarks(redisUrl);
  // Two servers may have keyspaces of the same name.
  const markOf = (name: string) => `test:keyspace:${new URL(urlOf(name)).host}:${name}`;
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
  const migrated = `${markOf(name)}:migrated`;
  await usingShards(name, urlOf, async (keyspace, shards) => {
    const isMigrated = migrate && (await marks.get(migrated)) === (await schemaOf(shards));
    if (isMigrated && (await emptyTables(shards))) return;
    await marks.del(migrated);
    await dropTables(keyspace, shards);
    if (!migrate) return;
    await migrate(urlOf(name));
    await marks.set(migrated, await schemaOf(shards));
  });
  return {
    name,
    async release() {
      await marks.del(markOf(name));
      marks.disconnect();
    },
  };
}

async function usingShards(
  keyspace: string,
  urlOf: (name: string) => string,
  work: (keyspace: Pool, shards: readonly Pool[]) => Promise<void>,
): Promise<void> {
  const pools = [createPool(urlOf(keyspace))];
  try {
    const names = await namesOf(pools[0], `SHOW VITESS_SHARDS LIKE '${keyspace}/%'`);
    const shards = names.map(([shard = '']) => createPool(urlOf(shard.replace('/', ':'))));
    pools.push(...shards);
    if (pools[0]) await work(pools[0], shards);
  } finally {
    for (const pool of pools) await pool.end();
  }
}

async function namesOf(pool: Pool | undefined, query: string): Promise<string[][]> {
  const [rows] = (await pool?.query<RowDataPacket[]>(query)) ?? [[]];
  return rows.map((row) => Object.values(row).map(String));
}

/** All tables of all shards, and which migrations they have had. */
async function schemaOf(shards: readonly Pool[]): Promise<string> {
  const found: string[] = [];
  for (const shard of shards) {
    for (const [name = ''] of await namesOf(shard, 'SHOW FULL TABLES')) {
      found.push(...(await namesOf(shard, `SHOW CREATE TABLE \`${name}\``)).flat());
      if (KEPT.has(name)) found.push(...(await namesOf(shard, `SELECT * FROM \`${name}\``)).flat());
    }
  }
  const text = found.join('\n').replaceAll(/ AUTO_INCREMENT=\d+/g, '');
  return createHash('sha256').update(text).digest('hex');
}

/** False: there are more rows than one transaction deletes. */
async function emptyTables(shards: readonly Pool[]): Promise<boolean> {
  try {
    for (const shard of shards) {
      for (const [name = '', type] of await namesOf(shard, 'SHOW FULL TABLES')) {
        if (type !== 'VIEW' && !KEPT.has(name)) await shard.query(`DELETE FROM \`${name}\``);
      }
    }
    return true;
  } catch {
    return false;
  }
}

async function dropTables(keyspace: Pool, shards: readonly Pool[]): Promise<void> {
  const tables = await namesOf(keyspace, 'SHOW FULL TABLES');
  for (const [name, type] of tables) {
    // vtgate looks a view that is dropped up in all keyspaces.
    if (type === 'VIEW') for (const shard of shards) await shard.query(`DROP VIEW \`${name}\``);
  }
  for (const [name, type] of tables) if (type !== 'VIEW') await keyspace.query(`DROP TABLE \`${name}\``);
}
