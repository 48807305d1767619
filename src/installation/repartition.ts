// repartition.ts -- Changes the number of partitions in both stores; see the command.

import { eq } from 'drizzle-orm';
import type { Redis } from 'ioredis';
import { installation } from '../../drizzle/schema.ts';
import { commandActor, recordIn } from '../auth/audit-trail.ts';
import { type Database, readFromPrimary, withConnection } from '../mysql/database.ts';
import { OperatorError } from '../operator-error.ts';
import { keyPages } from '../redis/scan.ts';
import { streamPages } from '../stream/entries.ts';
import { readAllocation } from '../stream/entry.ts';
import {
  couponKeys,
  INSTALLATION_KEY,
  isLostKey,
  LOST_KEPT_S,
  lostKey,
  partitionKeys,
  partitionOf,
  processesKey,
  waitMarkKey,
} from '../stream/keys.ts';

/**
 * Changes the number. Can be repeated after an interruption: MySQL is changed last.
 *
 * @returns the number before, and how many dead letters moved
 * @throws OperatorError while something accepted is not yet a row; what the stores throw
 */
export async function changePartitions(
  { database, redis }: { readonly database: Database; readonly redis: Redis },
  partitions: number,
): Promise<{ readonly from: number; readonly letters: number }> {
  const [row] = await readFromPrimary(database, (session) => session.select().from(installation));
  if (!row) throw new OperatorError('DATABASE_URL: no process of this installation has run yet; just set PARTITIONS');
  const from = row.partitions;
  const marked = Math.abs(Number(await redis.hget(INSTALLATION_KEY, 'partitions')));
  if (from === partitions && marked === partitions) return { from, letters: 0 };
  const most = Math.max(from, marked, partitions);
  const all = Array.from({ length: most }, (_, partition) => partitionKeys(partition));
  for (const { stream } of all) {
    const waiting = await redis.xlen(stream);
    if (waiting > 0)
      throw new OperatorError(`${stream} has ${waiting} entries that are not rows yet; run a worker until it is empty`);
  }
  const change = { from: { partitions: from }, to: { partitions } };
  await recordIn(database)(commandActor('partitions'), { action: 'partitions.change', couponId: null, ...change });
  // No process or command takes it for a number: none starts before this is done. It would not find the letters that have moved.
  await redis.hset(INSTALLATION_KEY, 'partitions', -(most + 1));
  let letters = 0;
  for (const { dead } of all) letters += await moveLetters(redis, dead, partitions);
  // Groups, counts and states are made again where they belong.
  for (const keys of all) {
    const { stream, unpersisted, withdrawn } = keys;
    await redis.unlink(stream, unpersisted, withdrawn, waitMarkKey(keys), processesKey(keys));
  }
  await dropStates(redis);
  await moveLost(redis, partitions);
  await redis.hset(INSTALLATION_KEY, 'partitions', partitions);
  await withConnection(database, (session) =>
    session.update(installation).set({ partitions }).where(eq(installation.id, row.id)),
  );
  return { from, letters };
}

/** Those that name no coupon stay in partition 0. */
async function moveLetters(redis: Redis, dead: string, partitions: number): Promise<number> {
  let moved = 0;
  for await (const page of streamPages(redis, dead)) {
    for (const { id, fields } of page) {
      const couponId = readAllocation(fields)?.couponId ?? 0;
      const target = partitionKeys(partitionOf(couponId, partitions)).dead;
      if (target === dead) continue;
      // Written first: after an interruption a letter may be in both, and replaying it twice writes its rows once.
      await redis.xadd(target, '*', ...fields);
      await redis.xdel(dead, id);
      moved += 1;
    }
  }
  return moved;
}

/**
 * Drops all that Redis knows of coupons but the stream and the dead letters: each is opened again by its next request. What a failover
 * has lost stays counted.
 */
export async function dropStates(redis: Redis): Promise<void> {
  for await (const keys of keyPages(redis, 'coupon:{*}:*')) {
    // One by one, since they are of several slots.
    await Promise.all(keys.filter((key) => !isLostKey(key)).map((key) => redis.unlink(key)));
  }
}

/** Moves the counts of lost answers to the partitions that their coupons have from now on. */
async function moveLost(redis: Redis, partitions: number): Promise<void> {
  for await (const keys of keyPages(redis, 'coupon:{*}:*')) {
    for (const key of keys.filter(isLostKey)) {
      const target = lostKey(couponKeys(Number(key.split(':').at(-2)), partitions));
      const count = target === key ? null : await redis.get(key);
      if (count === null) continue;
      // Written first: after an interruption the same is written once more.
      await redis.set(target, count, 'EX', LOST_KEPT_S);
      await redis.unlink(key);
    }
  }
}
