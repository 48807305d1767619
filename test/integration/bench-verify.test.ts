// The verification against real stores: it waits for the worker, passes what is right, and sees each planted damage.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { randomInt } from 'node:crypto';
import { eq } from 'drizzle-orm';
import { Redis } from 'ioredis';
import { createConnection } from 'mysql2/promise';
import { type Verdict, VerificationFault, verify } from '../../bench/verify.ts';
import type { LoadRecord } from '../../bench/verification/load-record.ts';
import { couponIssues, coupons } from '../../drizzle/schema.ts';
import { readConfig } from '../../src/config.ts';
import { couponKeys } from '../../src/issuance/keys.ts';
import { closeDatabase, type Database, openDatabase, withConnection } from '../../src/mysql/database.ts';
import { applyMigrations } from '../../src/mysql/migrations.ts';

const name = `bench_${randomInt(2 ** 40)}`;
const serverUrl = process.env['TEST_DATABASE_URL'] ?? '';
const databaseUrl = serverUrl.replace(/\/[^/]*$/, `/${name}`);
const redisUrl = process.env['TEST_REDIS_URL'] ?? '';
// So many partitions that the ones used here are nobody else's.
const PARTITIONS = 1024;
const environment = { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, PARTITIONS: String(PARTITIONS) };

let database: Database;
let redis: Redis;
let couponId = PARTITIONS * randomInt(1, 2 ** 30) + randomInt(500, 900);

beforeAll(async () => {
  const server = await createConnection(serverUrl);
  await server.query(`CREATE DATABASE ${name}`);
  await server.end();
  database = openDatabase(readConfig(undefined, environment));
  await applyMigrations(database, 60);
  redis = new Redis(redisUrl);
});

afterAll(async () => {
  await database.pool.query(`DROP DATABASE ${name}`);
  await closeDatabase(database);
  redis.disconnect();
});

const users = ['ann', 'ben', 'cem'];

/** A new coupon of three, given out to three in both stores, as after a run whose worker has finished. */
async function issuedCoupon() {
  couponId += 1;
  const keys = couponKeys(couponId, PARTITIONS);
  const now = new Date();
  await withConnection(database, async (session) => {
    await session.insert(coupons).values({
      id: couponId,
      title: 'three',
      couponType: 'FIRST_COME_FIRST_SERVED',
      totalQuantity: 3,
      issuedQuantity: 3,
      discountAmount: 1,
      minAvailableAmount: 1,
      dateIssueStart: new Date(now.getTime() - 60_000),
      dateIssueEnd: new Date(now.getTime() + 60_000),
      stockHome: 'redis',
      dateCreated: now,
      dateUpdated: now,
    });
    await session.insert(couponIssues).values(
      users.map((userId, at) => ({
        couponId,
        sequence: at + 1,
        userId,
        dateIssued: now,
        dateCreated: now,
        dateUpdated: now,
      })),
    );
  });
  await redis.hset(keys.state, 'next', 4);
  await redis.hset(keys.owners, Object.fromEntries(users.map((userId, at) => [userId, at + 1])));
  return { id: couponId, keys };
}

function recordOf(id: number): LoadRecord {
  const claims = users.map((userId, at) => ({ status: 202 as const, userId, sequence: at + 1 }));
  const counts = { accepted: 3, duplicated: 0, soldOut: 1, indeterminate: 0, unexpected: 0 };
  return { couponId: id, claims, counts, notes: [] };
}

const judged = (id: number, waitMsMax = 100): Promise<Verdict> =>
  verify({ environment, couponId: id, record: recordOf(id), waitMsMax });

test('what is right in both stores passes, and the account says what was looked at', async () => {
  const { id } = await issuedCoupon();
  const { faults, account } = await judged(id);
  expect(faults).toEqual([]);
  expect(account).toContain(`coupon ${id}: 3 rows of 3, each read and compared with Redis; drained after`);
});

test('a row that is missing, and the counter that says otherwise, are seen', async () => {
  const { id } = await issuedCoupon();
  await withConnection(database, (session) =>
    session.delete(couponIssues).where(eq(couponIssues.couponId, id)).limit(1),
  );
  const { faults } = await judged(id);
  expect(faults.some((fault) => fault.startsWith('P1: issued_quantity is 3, but there are 2 rows'))).toBe(true);
  expect(faults.some((fault) => fault.startsWith('P3: 1 answers named what is not a row'))).toBe(true);
});

test('a worker that is still at work is waited for, and one that never comes is seen', async () => {
  const { id, keys } = await issuedCoupon();
  await redis.xadd(keys.stream, '*', 'v', 1, 'c', id);
  await redis.set(keys.unpersisted, 1);
  expect((await judged(id)).faults).toEqual([
    'P3: 1 entries are still in the stream',
    'P3: 1 accepted users are not yet rows',
  ]);
  const waiting = judged(id, 30_000);
  await redis.del(keys.stream, keys.unpersisted);
  expect((await waiting).faults).toEqual([]);
});

test('a dead entry of this coupon is seen, one of another coupon is not', async () => {
  const { id, keys } = await issuedCoupon();
  await redis.xadd(keys.dead, '*', 'entry', '1-0', 'reason', 'no stock left', 'v', 1, 'c', id + PARTITIONS);
  expect((await judged(id)).faults).toEqual([]);
  await redis.xadd(keys.dead, '*', 'entry', '1-0', 'reason', 'no such coupon', 'v', 1, 'c', id);
  expect((await judged(id)).faults).toEqual(['P3: 1 entries are dead, the first for: no such coupon']);
  await redis.xadd(keys.dead, '*', 'entry', '2-0', 'reason', 'unknown version', 'x', 'c');
  expect((await judged(id)).faults).toEqual(['P3: 2 entries are dead, the first for: no such coupon']);
});

test('an owner in Redis whose row never came is seen', async () => {
  const { id, keys } = await issuedCoupon();
  await redis.hset(keys.owners, 'eve', 4);
  await redis.hset(keys.state, 'next', 5);
  expect((await judged(id)).faults).toEqual([
    'P3: 4 owners in Redis, 3 rows',
    'P3: the next sequence in Redis is 5 after 3 rows',
  ]);
});

test('a coupon that is not there cannot be verified', async () => {
  const failure: unknown = await judged(couponId + 1).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(VerificationFault);
  expect(failure).toHaveProperty('message', `verification: there is no coupon ${couponId + 1} in this MySQL`);
});
