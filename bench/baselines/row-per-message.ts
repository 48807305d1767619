// Entry of the ordinary worker: a queue of messages, each written as one row by one statement, ten at a time, then acknowledged.
// Its argument is the coupon whose messages it takes.

import { drizzle } from 'drizzle-orm/mysql2';
import { Elysia } from 'elysia';
import { couponIssues } from '../../drizzle/schema.ts';
import { baselineKeys, openBaselineStores, serveBaseline } from './baseline.ts';

/** Messages written in parallel: as many as there are connections. */
const CONCURRENCY = 10;
const GROUP = 'rows';

const { stream } = baselineKeys(Number(process.argv[2]));
const { redis, database } = await openBaselineStores();
const db = drizzle(database.pools.general);
await redis.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
await serveBaseline(new Elysia());

for (;;) {
  const read = await redis.xreadgroup(
    'GROUP',
    GROUP,
    'worker',
    'COUNT',
    CONCURRENCY,
    'BLOCK',
    500,
    'STREAMS',
    stream,
    '>',
  );
  const messages = ((read as [string, [string, string[]][]][] | null) ?? []).flatMap(([, found]) => found);
  await Promise.all(messages.map(([id, fields]) => write(id, fields)));
}

async function write(id: string, [, couponId, , userId = '', , sequence]: readonly string[]): Promise<void> {
  const now = new Date();
  await db.insert(couponIssues).values({
    couponId: Number(couponId),
    sequence: Number(sequence),
    userId,
    dateIssued: now,
    dateCreated: now,
    dateUpdated: now,
  });
  await redis.xack(stream, GROUP, id);
}
