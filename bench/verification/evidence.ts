// What Redis and MySQL say of one coupon, read as a whole after a run: the evidence on which the promises are judged.
import { setTimeout } from 'node:timers/promises';
import { and, asc, eq, gt } from 'drizzle-orm';
import type { Redis } from 'ioredis';
import { couponIssues, coupons } from '../../drizzle/schema.ts';
import { couponKeys } from '../../src/stream/keys.ts';
import { type Database, withConnection } from '../../src/mysql/database.ts';
import { BenchError } from '../bench-error.ts';

/** A row of `coupon_issues`. */
export interface Row {
  readonly sequence: number;
  readonly userId: string;
  readonly issuedMs: number;
}

export interface Evidence {
  readonly couponId: number;
  /** null: without limit */
  readonly total: number | null;
  readonly issuedQuantity: number;
  readonly startMs: number;
  readonly endMs: number;
  /** By sequence. */
  readonly rows: readonly Row[];
  /** null while the stock of the coupon is not in Redis. */
  readonly redis: { readonly next: number; readonly owners: ReadonlyMap<string, number> } | null;
  /** Of the coupon's partition. */
  readonly stream: {
    readonly entries: number;
    readonly unpersisted: number;
    /** How long it took until both were 0, counted from the start of the verification; null when they never were. */
    readonly drainedMs: number | null;
  };
  /** Reasons of the entries of this coupon that can never be rows, and of those that say no coupon. */
  readonly dead: readonly string[];
}

export interface EvidenceOptions {
  readonly redis: Redis;
  readonly database: Database;
  readonly couponId: number;
  readonly partitions: number;
  /** How long the worker may still take to write what was accepted. */
  readonly waitMsMax: number;
}

/** Rows or fields in one read. */
const PAGE = 10_000;

/** Pause between two looks at the stream: how exact `drainedMs` is. */
const LOOK_AGAIN_MS = 10;

/**
 * Waits until the stream of the coupon's partition is drained, at most `waitMsMax`, then reads everything. A stream that never
 * drains is evidence, not an error.
 *
 * @throws BenchError when there is no such coupon, and what Redis and MySQL throw
 */
export async function readEvidence(options: EvidenceOptions): Promise<Evidence> {
  const { redis, database, couponId, partitions } = options;
  const keys = couponKeys(couponId, partitions);
  const stream = await untilDrained(redis, keys, options.waitMsMax);
  const [next, owners, dead] = await Promise.all([
    redis.hget(keys.state, 'next'),
    readOwners(redis, keys.owners),
    readDead(redis, keys.dead, couponId),
  ]);
  const coupon = await readCouponRow(database, couponId);
  return {
    couponId,
    ...coupon,
    rows: await readRows(database, couponId),
    redis: next === null ? null : { next: Number(next), owners },
    stream,
    dead,
  };
}

async function untilDrained(
  redis: Redis,
  keys: { stream: string; unpersisted: string },
  waitMsMax: number,
): Promise<Evidence['stream']> {
  const startMs = performance.now();
  for (;;) {
    const [entries, count] = await Promise.all([redis.xlen(keys.stream), redis.get(keys.unpersisted)]);
    const unpersisted = Number(count ?? 0);
    const tookMs = performance.now() - startMs;
    if (entries === 0 && unpersisted === 0) return { entries, unpersisted, drainedMs: tookMs };
    if (tookMs >= waitMsMax) return { entries, unpersisted, drainedMs: null };
    await setTimeout(LOOK_AGAIN_MS);
  }
}

async function readOwners(redis: Redis, key: string): Promise<ReadonlyMap<string, number>> {
  const owners = new Map<string, number>();
  let cursor = '0';
  do {
    const [next, fields] = await redis.hscan(key, cursor, 'COUNT', PAGE);
    for (let at = 0; at + 1 < fields.length; at += 2) owners.set(fields[at] ?? '', Number(fields[at + 1]));
    cursor = next;
  } while (cursor !== '0');
  return owners;
}

async function readDead(redis: Redis, key: string, couponId: number): Promise<string[]> {
  const reasons: string[] = [];
  let from = '-';
  for (;;) {
    const letters = await redis.xrange(key, from, '+', 'COUNT', PAGE);
    for (const [, fields] of letters) {
      const value = (name: string) => fields[fields.findIndex((field, at) => at % 2 === 0 && field === name) + 1];
      // A dead letter that cannot be decoded may be about this coupon as well.
      const about = fields.some((field, at) => at % 2 === 0 && field === 'c') ? value('c') : undefined;
      if (about === undefined || about === String(couponId)) reasons.push(value('reason') ?? 'without a reason');
    }
    const last = letters.at(-1);
    if (last === undefined || letters.length < PAGE) return reasons;
    from = `(${last[0]}`;
  }
}

async function readCouponRow(database: Database, couponId: number) {
  const [row] = await withConnection(database, (session) =>
    session.select().from(coupons).where(eq(coupons.id, couponId)),
  );
  if (row === undefined) throw new BenchError(`there is no coupon ${couponId} in this MySQL`);
  return {
    total: row.totalQuantity,
    issuedQuantity: row.issuedQuantity,
    startMs: row.dateIssueStart.getTime(),
    endMs: row.dateIssueEnd.getTime(),
  };
}

async function readRows(database: Database, couponId: number): Promise<Row[]> {
  const rows: Row[] = [];
  for (;;) {
    const after = rows.at(-1)?.sequence ?? 0;
    const page = await withConnection(database, (session) =>
      session
        .select({
          sequence: couponIssues.sequence,
          userId: couponIssues.userId,
          dateIssued: couponIssues.dateIssued,
        })
        .from(couponIssues)
        .where(and(eq(couponIssues.couponId, couponId), gt(couponIssues.sequence, after)))
        .orderBy(asc(couponIssues.sequence))
        .limit(PAGE),
    );
    for (const { sequence, userId, dateIssued } of page)
      rows.push({ sequence, userId, issuedMs: dateIssued.getTime() });
    if (page.length < PAGE) return rows;
  }
}
