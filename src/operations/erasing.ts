// erasing.ts -- Erases a user: wherever a coupon has their id, a pseudonym takes its place. Sequences and counts stay as they are.
//
// Coupon by coupon, in an order in which at every instant the id, or the key with the pseudonym, shows that the user has it:
//   1. under its row lock the coupon gets a key, the row the pseudonym, and the audit trail an entry, in one transaction. The pseudonym is
//      noted too: a worker that writes an entry of the user, from the stream or in hand, finds it under the same lock (ledger.ts);
//   2. dead letters are replaced;
//   3. Redis gets key and pseudonym in one script. An opening reads the key after all owners, so that no state has the pseudonym alone.
// Entries that wait are left to the workers. What the user is issued meanwhile, or an opening swaps in that had read the id before, is found
// by the next pass. Before the last one, which finds nothing, openings under way lose their lease. It can be repeated after any interruption.

import { setTimeout as pause } from 'node:timers/promises';
import { and, eq, sql } from 'drizzle-orm';
import type { Redis } from 'ioredis';
import { apiKeys, couponIssues, coupons, erasedUsers } from '../../drizzle/schema.ts';
import { type Actor, record, recordIn } from '../auth/audit-trail.ts';
import { lockCoupon } from '../coupon/catalog.ts';
import { newErasureKey, pseudonymOf } from '../coupon/pseudonym.ts';
import { type Database, readFromPrimary, withTransaction } from '../mysql/database.ts';
import { OperatorError } from '../operator-error.ts';
import { keyPages } from '../redis/scan.ts';
import type { RedisStock } from '../stock/redis-stock.ts';
import { lastAdded } from '../stream/accepted.ts';
import { streamPages } from '../stream/entries.ts';
import { readAllocation } from '../stream/entry.ts';
import { changesChannel, idempotencyKey, loadingKey, offersKey, type PartitionKeys } from '../stream/keys.ts';
import { replaceLetter } from '../stream/scripts/letters.ts';

export interface ErasingDependencies {
  readonly redisStock: RedisStock;
  readonly database: Database;
  /** Digests of API keys that MySQL does not have: idempotency keys are noted by them too. */
  readonly keyDigests: readonly string[];
  /** How long entries of the user are waited for to become rows. */
  readonly waitMsMax: number;
}

/** From one pass to the next while entries wait for a worker, at least, and at least as long as a pass takes. */
const WAIT_MS = 100;

/**
 * Erases a user.
 *
 * @returns the coupons from which they were erased; none when nothing of them was there
 * @throws OperatorError when something of the user was still found at the end of the time; what the stores throw. It can be repeated
 */
export async function eraseUser(
  dependencies: ErasingDependencies,
  userId: string,
  by: Actor,
): Promise<ReadonlySet<number>> {
  const erased = new Set<number>();
  let deadlineMs = Number.POSITIVE_INFINITY;
  let isLast = false;
  for (;;) {
    const startedMs = performance.now();
    const { waiting, found } = await findTraces(dependencies, userId);
    const nowMs = performance.now();
    // However long it takes to read everything once.
    if (deadlineMs === Number.POSITIVE_INFINITY) deadlineMs = nowMs + dependencies.waitMsMax;
    const isClean = waiting.size + found.size === 0;
    if (isClean && isLast) break;
    isLast = isClean;
    if (isClean) await interruptOpenings(dependencies.redisStock);
    if (!isClean && nowMs > deadlineMs)
      throw new OperatorError(
        waiting.size > 0
          ? 'entries of the user wait for a worker, which is not running or is behind; run this again once they are rows'
          : 'the user is issued coupons meanwhile; run this again once they cannot ask any more',
      );
    const due = waiting.difference(erased).union(found);
    if (!isClean && due.size === 0) await pause(Math.max(WAIT_MS, nowMs - startedMs));
    for (const couponId of due) {
      await eraseFrom(dependencies, couponId, userId, by);
      erased.add(couponId);
    }
  }
  await eraseTraces(dependencies, userId);
  return erased;
}

/** The coupons of which the user is in the stream; and among the dead letters, the owners, what is offered, and the rows. */
async function findTraces({ redisStock, database }: ErasingDependencies, userId: string) {
  const { redis, partitions } = redisStock;
  const found = new Set<number>();
  const waiting = new Set<number>();
  for (const { stream, dead } of partitions) {
    let added: string;
    // As in accepted.ts: a letter may be replayed, and become a dead letter again.
    do {
      added = await lastAdded(redis, dead);
      for (const key of [stream, dead, stream])
        for await (const { couponId, users } of lettersOf(redisStock, key))
          if (users.includes(userId)) (key === dead ? found : waiting).add(couponId);
    } while ((await lastAdded(redis, dead)) !== added);
  }
  for await (const keys of keyPages(redis, 'coupon:{*}:*:owners')) {
    const known = await Promise.all(keys.map((key) => redis.hget(key, userId)));
    for (const [i, key] of keys.entries()) if (known[i] !== null) found.add(couponOf(key));
  }
  for await (const keys of keyPages(redis, 'coupon:{*}:*:offers')) {
    for (const key of keys) if ((await offeredFields(redis, key, userId)).length > 0) found.add(couponOf(key));
  }
  const rows = await readFromPrimary(database, (session) =>
    session.select({ couponId: couponIssues.couponId }).from(couponIssues).where(eq(couponIssues.userId, userId)),
  );
  for (const { couponId } of rows) found.add(couponId);
  return { waiting, found };
}

/** Of all coupons: an opening may have read the user before a former run, that was interrupted, erased them. */
async function interruptOpenings(redisStock: RedisStock): Promise<void> {
  const { redis } = redisStock;
  for await (const keys of keyPages(redis, 'coupon:{*}:*:opening')) {
    for (const key of keys) {
      const couponId = couponOf(key);
      const token = await redis.get(key);
      await redisStock.interruptOpening(couponId);
      // What it gathered. Not before: an opening with a lease relies on it.
      if (token !== null) await redis.unlink(loadingKey(redisStock.keysOf(couponId), token));
    }
  }
}

/** `coupon:{p}:<id>:…` */
function couponOf(key: string): number {
  return Number(key.split(':').at(-2));
}

/** What is offered of a user. What an operator discarded is left until it ends: without the mark it would be offered again. */
async function offeredFields(redis: Redis, key: string, userId: string): Promise<string[]> {
  const found: string[] = [];
  let cursor = '0';
  do {
    const [next, fields] = await redis.hscan(key, cursor, 'COUNT', 1000);
    // No user id has a space: see offerField.
    for (let i = 0; i < fields.length; i += 2) {
      const [field = '', value = ''] = fields.slice(i, i + 2);
      if (field.startsWith(`${userId} `) && !value.startsWith('-')) found.push(field);
    }
    cursor = next;
  } while (cursor !== '0');
  return found;
}

/** The entries of a stream, of any version, that name a coupon and its users. */
async function* lettersOf({ redis }: RedisStock, key: string) {
  for await (const page of streamPages(redis, key)) {
    for (const { id, fields } of page) {
      const held = readAllocation(fields);
      if (held && !('undecodable' in held)) yield { id, fields, ...held };
    }
  }
}

async function eraseFrom(
  dependencies: ErasingDependencies,
  couponId: number,
  userId: string,
  by: Actor,
): Promise<void> {
  const { redisStock } = dependencies;
  const keys = redisStock.keysOf(couponId);
  const { erasureKey, pseudonym } = await eraseRow(dependencies, couponId, userId, by);
  await replaceLetters(redisStock, keys, couponId, userId, pseudonym);
  const server = redisStock.serverOfCoupon(couponId);
  const offered = await offeredFields(redisStock.redis, offersKey(keys), userId);
  await redisStock.eraseOwner(couponId, { userId, pseudonym, erasureKey, offered });
  await redisStock.confirm?.(keys, server);
  // Refusals that other processes have cached know the user by the id.
  await redisStock.redis.publish(changesChannel(redisStock.redis), String(couponId));
}

/** Step 1. A coupon that MySQL does not have cannot be issued: its pseudonym needs no key that is kept. */
async function eraseRow({ database, redisStock }: ErasingDependencies, couponId: number, userId: string, by: Actor) {
  // A MySQL that went back has no key, and others were erased in Redis by this one.
  const stateKey = (await redisStock.redis.hget(redisStock.keysOf(couponId).state, 'erased')) ?? newErasureKey();
  const changeOf = (pseudonym: string) =>
    ({ action: 'user.erase', couponId, from: null, to: { userId: pseudonym } }) as const;
  const erased = await withTransaction(database, async (tx) => {
    const coupon = await lockCoupon(tx, couponId);
    if (!coupon) return null;
    // Its rows are compared with those of its file, one by one.
    if (coupon.archivedMs !== null)
      throw new OperatorError(`coupon ${couponId} is archived: restore it, run this again, and archive it again`);
    const erasureKey = coupon.erasureKey ?? stateKey;
    const pseudonym = pseudonymOf(erasureKey, userId);
    await tx.update(coupons).set({ erasureKey }).where(eq(coupons.id, couponId));
    await tx
      .update(couponIssues)
      // A reference leads to an order, and so to the person.
      .set({ userId: pseudonym, reference: null, dateUpdated: sql`UTC_TIMESTAMP(3)` })
      .where(and(eq(couponIssues.couponId, couponId), eq(couponIssues.userId, userId)));
    // Also where there is no row: an entry or a letter may still become one.
    await tx.insert(erasedUsers).values({ couponId, pseudonym }).onDuplicateKeyUpdate({ set: { pseudonym } });
    await record(tx, by, changeOf(pseudonym));
    return { erasureKey, pseudonym };
  });
  if (erased) return erased;
  const pseudonym = pseudonymOf(stateKey, userId);
  await recordIn(database)(by, changeOf(pseudonym));
  return { erasureKey: stateKey, pseudonym };
}

/** Step 2. */
async function replaceLetters(
  redisStock: RedisStock,
  keys: PartitionKeys,
  couponId: number,
  userId: string,
  pseudonym: string,
): Promise<void> {
  for await (const { id, fields, users, ...held } of lettersOf(redisStock, keys.dead)) {
    if (held.couponId !== couponId || !users.includes(userId)) continue;
    const named = users.map((user) => (user === userId ? pseudonym : user)).join(',');
    const at = fields.findIndex((name, i) => i % 2 === 0 && name === 'u') + 1;
    await replaceLetter(redisStock.redis, { keys, id, fields: fields.with(at, named) });
  }
}

/** What is noted of a user apart from coupons, and would be forgotten by itself: idempotency keys, and counts of requests. */
async function eraseTraces({ redisStock, database, keyDigests }: ErasingDependencies, userId: string): Promise<void> {
  const { redis } = redisStock;
  const stored = await readFromPrimary(database, (session) => session.select({ digest: apiKeys.digest }).from(apiKeys));
  for (const digest of ['', ...keyDigests, ...stored.map((key) => key.digest)])
    await redis.unlink(idempotencyKey(digest, userId));
  for await (const keys of keyPages(redis, 'limits:user:*'))
    await Promise.all(keys.map((key) => redis.hdel(key, userId)));
}
