// timeline.ts -- One drop from its first issue on: when its issues were accepted and written, and how many callers were refused and why.
//
// Nothing is recorded for the issues: they are rows with their instants, and sequences are given in order, so some hundred rows that are evenly
// spaced in sequence are the curve of the drop. Each is found by the primary key, however many there are. A rush has more of them than a quiet
// hour. Refusals are no rows: see refusal-counts.ts.

import { and, eq, inArray, max } from 'drizzle-orm';
import { couponIssues } from '../../../drizzle/schema.ts';
import { readCoupon } from '../../coupon/catalog.ts';
import { type Database, readFromPrimary } from '../../mysql/database.ts';
import type { RedisStock } from '../../stock/redis-stock.ts';
import { refusalsKey, refusedKey } from '../../stream/keys.ts';
import { type RefusalKind, refusalKinds, SECONDS_MAX } from './refusal-counts.ts';

/** Rows that are read of one coupon. */
const POINTS_MAX = 500;

export interface TimelineDependencies {
  readonly database: Database;
  readonly redisStock: Pick<RedisStock, 'redis' | 'keysOf'>;
}

export interface Timeline {
  /** In order of sequence; from the first row to the last. */
  readonly issues: readonly { readonly issuedMs: number; readonly sequence: number; readonly persistedMs: number }[];
  readonly refusals: Readonly<Record<RefusalKind, number>>;
  /** By second, the oldest first. */
  readonly refused: readonly { readonly atMs: number; readonly count: number }[];
  /** Whether no second was dropped. */
  readonly isComplete: boolean;
}

/** Null when there is no such coupon. Throws what Redis or MySQL throw. */
export async function readTimeline(
  { database, redisStock: { redis, keysOf } }: TimelineDependencies,
  couponId: number,
): Promise<Timeline | null> {
  const keys = keysOf(couponId);
  const [issues, totals, entries] = await Promise.all([
    readPoints(database, couponId),
    redis.hgetall(refusalsKey(keys)),
    redis.xrange(refusedKey(keys), '-', '+'),
  ]);
  if (issues === null) return null;
  const seconds = new Map<number, number>();
  for (const [id, fields] of entries) {
    const atMs = Math.floor(Number(id.split('-')[0]) / 1000) * 1000;
    seconds.set(atMs, (seconds.get(atMs) ?? 0) + Number(fields[1]));
  }
  const refusals = refusalKinds.map((kind) => [kind, Number(totals[kind] ?? 0)] as const);
  return {
    issues,
    refusals: Object.fromEntries(refusals) as Timeline['refusals'],
    refused: [...seconds].map(([atMs, count]) => ({ atMs, count })),
    isComplete: entries.length < SECONDS_MAX,
  };
}

async function readPoints(database: Database, couponId: number): Promise<Timeline['issues'] | null> {
  return readFromPrimary(database, async (session) => {
    if (!(await readCoupon(session, couponId))) return null;
    const ofCoupon = eq(couponIssues.couponId, couponId);
    const [highest] = await session
      .select({ sequence: max(couponIssues.sequence) })
      .from(couponIssues)
      .where(ofCoupon);
    const wanted = evenly(Number(highest?.sequence ?? 0));
    if (wanted.length === 0) return [];
    const rows = await session
      .select({
        sequence: couponIssues.sequence,
        dateIssued: couponIssues.dateIssued,
        dateCreated: couponIssues.dateCreated,
      })
      .from(couponIssues)
      .where(and(ofCoupon, inArray(couponIssues.sequence, wanted)))
      .orderBy(couponIssues.sequence);
    return rows.map(({ sequence, dateIssued, dateCreated }) => ({
      issuedMs: dateIssued.getTime(),
      sequence,
      // The clocks of Redis and MySQL may differ by some milliseconds.
      persistedMs: Math.max(0, dateCreated.getTime() - dateIssued.getTime()),
    }));
  });
}

/** At most `POINTS_MAX` numbers from 1 to `highest`, both included. A sequence that nobody has is a point less. */
function evenly(highest: number): readonly number[] {
  const points = Math.min(highest, POINTS_MAX);
  return Array.from({ length: points }, (_, i) =>
    points === 1 ? 1 : 1 + Math.round((i * (highest - 1)) / (points - 1)),
  );
}
