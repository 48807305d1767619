// audit.ts -- The promises of one coupon, counted: what Redis says was issued against what MySQL has, to the last sequence.
//
// It may run under full load. Read in this order it is exact: first how far Redis has issued, then all that was accepted, in the
// order of accepted.ts. Everything issued before the first reading must then be in it; what is in two places is counted once.
// So what it says was so at some instant while it read, and what was so all the while it says. It counts: were as many issues
// nowhere as Redis does not know, it would see neither. A state that was dropped meanwhile, as when a dead letter is discarded, says
// nothing of what is there now; the coupon then counts as not open.

import { type Static, Type } from '@sinclair/typebox';
import { sql } from 'drizzle-orm';
import { readCoupon } from '../coupon/catalog.ts';
import { CouponId } from '../coupon/ids.ts';
import { type Database, type Session, readFromPrimary } from '../mysql/database.ts';
import type { RedisStock } from '../stock/redis-stock.ts';
import { lostKey } from '../stream/keys.ts';
import { waitingEntries } from '../stream/accepted.ts';
import { mergeSpans, sizeOf, type Span, spanOf } from '../stream/spans.ts';

export const count = (description: string) => Type.Integer({ minimum: 0, description });
export const countOrNull = (description: string) => Type.Union([count(description), Type.Null()], { description });

/** One coupon, counted. The last six numbers are verdicts, the others plain counts of what is there. */
export const AuditAnswer = Type.Object(
  {
    couponId: CouponId,
    stockHome: Type.Union([Type.Literal('mysql'), Type.Literal('redis')], {
      description: 'the store that holds the stock',
    }),
    totalQuantity: countOrNull('the total of the coupon; null for no limit'),
    archived: Type.Boolean({
      description: 'whether its rows were moved to a file, where they belong to `issuedQuantity`',
    }),
    issuedQuantity: count('the counter beside the rows'),
    rows: count('rows in MySQL'),
    owners: countOrNull('owners in Redis; null while it is not open there'),
    next: countOrNull('the sequence that Redis gives next; null while it is not open there'),
    unpersisted: count('users in the stream, not yet rows'),
    dead: count('users among the dead letters'),
    missing: count('P3: issues that Redis gave and that are nowhere; must be 0'),
    // Redis may issue to their users again.
    unknown: count('P2: issues that Redis does not know of; must be 0'),
    unexpected: count('P1: rows above the total, or not in the counter; must be 0'),
    outsidePeriod: count('P5: rows issued outside the period as it is now; must be 0 unless the period was edited'),
    withheld: count('P4: pieces that are left and that Redis does not give out; must be 0'),
    lost: count(
      'P3: answers of the last 30 days that a failover of Redis broke, counted by the processes that gave them; must be 0',
    ),
  },
  { $id: 'Audit' },
);

export type Audit = Readonly<Static<typeof AuditAnswer>>;

/** What the stores show, but for what Redis withholds. `lost` is not among it: it was counted at the failover. */
export type CouponCounts = Omit<Audit, 'lost' | 'withheld'>;

export interface AuditDependencies {
  readonly redisStock: RedisStock;
  readonly database: Database;
}

/** Counts a coupon, and says what processes have found to be lost. Throws as `auditCoupon`. */
export async function readAudit(dependencies: AuditDependencies, couponId: number): Promise<Audit | null> {
  const counts = await auditCoupon(dependencies, couponId);
  if (!counts) return null;
  const { redis, keysOf } = dependencies.redisStock;
  const lost = Number((await redis.get(lostKey(keysOf(couponId)))) ?? 0);
  return { ...counts, withheld: await countWithheld(dependencies, couponId), lost };
}

/**
 * Pieces that nobody has and that Redis would refuse as sold out. What gives stock out in MySQL compares the counter, which is counted
 * with the rows. An edit is in both stores only a moment later: of a state with another version than the row, nothing is said.
 */
async function countWithheld({ redisStock, database }: AuditDependencies, couponId: number): Promise<number> {
  const seen = await redisStock.look(couponId);
  const coupon = await readFromPrimary(database, (session) => readCoupon(session, couponId));
  if (seen.kind !== 'open' || !coupon || coupon.version !== seen.version || coupon.totalQuantity === null) return 0;
  const { next, until } = seen.stock;
  return Math.max(0, coupon.totalQuantity - seen.issued - Math.max(0, until - next + 1));
}

/** Counts a coupon; null when there is none. Takes as long as reading its rows along the primary key. Throws what the stores throw. */
export async function auditCoupon(
  { redisStock, database }: AuditDependencies,
  couponId: number,
): Promise<CouponCounts | null> {
  const seen = await redisStock.look(couponId);
  const waiting: { readonly isDead: boolean; readonly span: Span }[] = [];
  for await (const { isDead, held } of waitingEntries(redisStock.redis, redisStock.keysOf(couponId), couponId)) {
    if (!('undecodable' in held)) waiting.push({ isDead, span: spanOf(held) });
  }
  const users = (areDead: boolean) =>
    sizeOf(waiting.filter(({ isDead }) => isDead === areDead).map(({ span }) => span));
  const next = seen.kind === 'open' ? seen.stock.next : Number.MAX_SAFE_INTEGER;
  const spans = mergeSpans(
    waiting.map(({ span }) => span),
    next,
  );
  const found = await readFromPrimary(database, async (session) => {
    const coupon = await readCoupon(session, couponId);
    const counted = coupon && (await countRows(session, couponId, next, spans));
    return counted && { coupon, counted };
  });
  if (!found) return null;
  const { coupon, counted } = found;
  const after = await redisStock.look(couponId);
  const open = seen.kind === 'open' && after.kind === 'open' && after.epoch === seen.epoch ? seen : null;
  const accountedFor = counted.below - counted.inSpans + sizeOf(spans);
  const beyond = counted.rows - counted.counter;
  const over = counted.total === null ? 0 : Math.max(0, counted.rows - counted.total);
  return {
    couponId,
    stockHome: coupon.stockHome,
    totalQuantity: coupon.totalQuantity,
    archived: counted.archived,
    issuedQuantity: coupon.issuedQuantity,
    rows: counted.rows,
    owners: open && open.issued,
    next: open && open.stock.next,
    unpersisted: users(false),
    dead: users(true),
    missing: open ? Math.max(0, open.issued - accountedFor) : 0,
    unknown: open ? Math.max(0, accountedFor - open.issued) : 0,
    // Those of an archived coupon may be in the file.
    unexpected: over + (counted.archived ? Math.max(0, beyond) : Math.abs(beyond)),
    outsidePeriod: counted.outsidePeriod,
  };
}

/**
 * Counts rows in one statement with what they are compared with, so that no issue and no edit comes between. A join: Vitess refuses
 * a subquery beside an expression over an aggregate.
 */
async function countRows(session: Session, couponId: number, next: number, spans: readonly Span[]) {
  const inSpans = spans.map(({ from, to }) => sql`(sequence >= ${from} AND sequence < ${to})`);
  const [rows] = await session.execute(
    sql`SELECT COUNT(coupon_issues.sequence) AS amount,
               COALESCE(SUM(sequence < ${next}), 0) AS below,
               COALESCE(SUM(${inSpans.length > 0 ? sql.join(inSpans, sql` OR `) : sql`FALSE`}), 0) AS inSpans,
               COALESCE(SUM(date_issued < date_issue_start OR date_issued >= date_issue_end), 0) AS outsidePeriod,
               coupons.issued_quantity AS counter,
               coupons.date_archived IS NOT NULL AS archived,
               coupons.total_quantity AS total
          FROM coupons LEFT JOIN coupon_issues ON coupon_issues.coupon_id = coupons.id
         WHERE coupons.id = ${couponId}
         GROUP BY coupons.id, coupons.issued_quantity, coupons.total_quantity, coupons.date_archived`,
  );
  const [row] = rows as unknown as Record<string, string | number | null>[];
  // Deleted meanwhile.
  if (!row) return null;
  const total = row['total'] ?? null;
  return {
    rows: Number(row['amount']),
    below: Number(row['below']),
    inSpans: Number(row['inSpans']),
    outsidePeriod: Number(row['outsidePeriod']),
    counter: Number(row['counter']),
    archived: Number(row['archived']) === 1,
    total: total === null ? null : Number(total),
  };
}
