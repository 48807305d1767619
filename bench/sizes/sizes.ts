// sizes.ts -- How many bytes an owner, an entry that waits and a row take, by the length of user ids: what a drop needs to have room for.

import { sql } from 'drizzle-orm';
import { FailedRun } from '../bench-error.ts';
import type { Table } from '../report/tables.ts';
import { say } from '../../tools/progress.ts';
import { raiseIssued } from '../../src/ledger/ledger.ts';
import { insertIssues } from '../../src/ledger/insert.ts';
import { withConnection, withTransaction } from '../../src/mysql/database.ts';
import { createStockKeeper } from '../../src/stock/opening.ts';
import { createRedisStock, type RedisStock } from '../../src/stock/redis-stock.ts';
import { makeCoupon } from '../testbed/coupons.ts';
import type { Testbed } from '../testbed/testbed.ts';

/** Characters of a user id: a number, a UUID, as long as an earlier release took them, the longest. */
const LENGTHS = [10, 36, 64, 255];
const BATCH = 500;
/** From here on the size an owner is looked at: it falls while the hash fills, and rises each time that it grows. */
const OWNERS_MIN = 50_000;
const OWNERS_MAX = 150_000;
const LOOK_EVERY = 5000;
const ALONE = 20_000;
const ROWS = 100_000;
/** Scatters ids, as those of people are. */
const STRIDE = 618_033_989;
const IDS = 10_000_000_000;

/** Fills coupons by the product's own scripts and statements. The worker is stopped first, so that entries wait. */
export async function sizes(testbed: Testbed): Promise<Table> {
  await testbed.worker.stop();
  const table: string[][] = [
    ['characters of a user id', 'an owner', `waiting, ${BATCH} in an entry`, 'waiting, alone in an entry', 'a row'],
  ];
  for (const length of LENGTHS) {
    const usersOf = (from: number, count: number) => Array.from({ length: count }, (_, i) => userId(from + i, length));
    const { least, most, waiting } = await ownersAndBatches(testbed, usersOf);
    const alone = await singleEntries(testbed, usersOf);
    const row = await rowBytes(testbed, usersOf);
    const cells = [
      `${Math.round(least)} to ${Math.round(most)}`,
      ...[waiting, alone, row].map((one) => one.toFixed(1)),
    ];
    say(`  ${length} characters: ${cells.join(', ')}`);
    table.push([String(length), ...cells]);
  }
  return table;
}

type UsersOf = (from: number, count: number) => string[];

function userId(index: number, length: number): string {
  return String((index * STRIDE) % IDS)
    .padStart(10, '0')
    .padEnd(length, 'x');
}

async function opened(testbed: Testbed): Promise<{ readonly id: number; readonly stock: RedisStock }> {
  const { redis, database, config } = testbed;
  const stock = createRedisStock(redis, { ...config, UNPERSISTED_USERS_MAX: Number.MAX_SAFE_INTEGER });
  const id = await makeCoupon(testbed, null);
  const done = { onOpened: () => undefined, onBlocked: () => undefined };
  await createStockKeeper({ redisStock: stock, database, settings: config, ...done }).open(id);
  return { id, stock };
}

async function take(
  { id, stock }: { readonly id: number; readonly stock: RedisStock },
  users: string[],
): Promise<void> {
  const taken = await stock.take(id, users, 'POST /v2/issue-async');
  if (taken.kind !== 'decided') throw new FailedRun(`an issue was not decided: ${taken.kind}`);
}

async function bytesOf({ redis }: Testbed, key: string): Promise<number> {
  return Number(await redis.call('MEMORY', 'USAGE', key, 'SAMPLES', '0'));
}

async function ownersAndBatches(testbed: Testbed, usersOf: UsersOf) {
  const coupon = await opened(testbed);
  const { owners, stream } = coupon.stock.keysOf(coupon.id);
  const before = await bytesOf(testbed, stream);
  const seen: number[] = [];
  for (let count = 0; count < OWNERS_MAX; ) {
    await take(coupon, usersOf(count, BATCH));
    count += BATCH;
    if (count >= OWNERS_MIN && count % LOOK_EVERY === 0) seen.push((await bytesOf(testbed, owners)) / count);
  }
  const waiting = ((await bytesOf(testbed, stream)) - before) / OWNERS_MAX;
  await testbed.redis.unlink(owners, stream);
  return { least: Math.min(...seen), most: Math.max(...seen), waiting };
}

async function singleEntries(testbed: Testbed, usersOf: UsersOf): Promise<number> {
  const coupon = await opened(testbed);
  const { owners, stream } = coupon.stock.keysOf(coupon.id);
  // Sent together, and an entry each: every write is flushed.
  for (let from = 0; from < ALONE; from += BATCH)
    await Promise.all(usersOf(from, BATCH).map((user) => take(coupon, [user])));
  const bytes = (await bytesOf(testbed, stream)) / ALONE;
  await testbed.redis.unlink(owners, stream);
  return bytes;
}

/** Table and indexes, by what their rows added. */
async function rowBytes(testbed: Testbed, usersOf: UsersOf): Promise<number> {
  const { database } = testbed;
  const couponId = await makeCoupon(testbed, null);
  const before = await tableBytes(testbed);
  for (let count = 0; count < ROWS; count += BATCH) {
    const issues = usersOf(count, BATCH).map((each, i) => {
      return { couponId, epoch: 0, sequence: count + i + 1, userId: each, acceptedMs: Date.now() };
    });
    await withTransaction(database, async (tx) => {
      await insertIssues(tx, issues);
      await raiseIssued(tx, [couponId], issues.length);
    });
  }
  return ((await tableBytes(testbed)) - before) / ROWS;
}

async function tableBytes({ database }: Testbed): Promise<number> {
  return withConnection(database, async (session) => {
    // MySQL keeps figures for a day; MariaDB does not know the setting.
    await session.execute(sql`SET SESSION information_schema_stats_expiry = 0`).catch(() => undefined);
    await session.execute(sql`ANALYZE TABLE coupon_issues`);
    const [rows] = await session.execute(
      sql`SELECT data_length + index_length AS bytes FROM information_schema.tables
           WHERE table_schema = DATABASE() AND table_name = 'coupon_issues'`,
    );
    return Number((rows as unknown as { readonly bytes: number }[])[0]?.bytes);
  });
}
