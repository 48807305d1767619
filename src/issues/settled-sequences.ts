// settled-sequences.ts -- Which sequences of a coupon are settled: below the one that is found here, no further row will appear.
//
// Asked only about a gap, a sequence without a row below one that has a row: rows without a gap are all there can be. What may become a
// row under its own sequence is in the stream or among the dead letters (accepted.ts), or known to Redis alone (restoring.ts). All else
// gets a sequence above all that was there: a new issue from Redis the next one of the state, a new issue from MySQL and one that is
// renumbered one above the highest row. So the end is the lowest of these three, and it is read before the rows that are then answered.
//
// A worker may have an entry in hand that Redis has lost since. The coupon was opened again then, and the entry's sequences have no owner.
// So a gap without an owner is held back until the coupon has been open as it is for `GAP_HOLD_MS`. See docs/protocol.md.

import { sql } from 'drizzle-orm';
import type { Redis } from 'ioredis';
import { readCoupon } from '../coupon/catalog.ts';
import type { Coupon } from '../coupon/coupon.ts';
import { readHighestSequence } from '../coupon/issue-rows.ts';
import { type Database, readFromPrimary } from '../mysql/database.ts';
import { clockOf } from '../redis/connection.ts';
import type { StockKeeper } from '../stock/opening.ts';
import type { RedisStock } from '../stock/redis-stock.ts';
import { readKnownEpoch } from '../stock/restoring.ts';
import { waitingEntries } from '../stream/accepted.ts';
import { type CouponKeys, gapsKey } from '../stream/keys.ts';
import { mergeSpans, sizeOf, type Span, spanOf } from '../stream/spans.ts';

export interface SettledDependencies {
  readonly redisStock: RedisStock;
  readonly database: Database;
  readonly stock: Pick<StockKeeper, 'open'>;
  /** `GAP_HOLD_MS`, but in tests. */
  readonly gapHoldMs?: number;
}

/** All rows below `below` are there; it is the gap itself where that is not certain. */
export interface Settled {
  readonly below: number;
  /** For so long the gap is held back; 0 where time changes nothing. */
  readonly holdMs: number;
}

/** A worker that has an entry in hand tries again within `RETRY_MS_MAX`, at most a minute, and processes offer what they remember for as long. */
export const GAP_HOLD_MS = 60_000;
/** How long it is remembered since when a coupon is open as it is; then it counts from the next look. */
const REMEMBERED_S = 7 * 86_400;

/**
 * How far the rows of a coupon are all that there can be.
 *
 * @param gap a sequence that has no row, below one that has; all below it are settled
 * @throws what Redis or MySQL throw, and Unavailable
 */
export async function findSettled(dependencies: SettledDependencies, couponId: number, gap: number): Promise<Settled> {
  const { redisStock, database, gapHoldMs = GAP_HOLD_MS } = dependencies;
  const keys = redisStock.keysOf(couponId);
  const unsettled: Settled = { below: gap, holdMs: 0 };
  // The home after the highest row: while it is MySQL, what is issued later gets a higher sequence.
  const { highest, coupon } = await readFromPrimary(database, async (session) => ({
    ...(await readHighestSequence(session, couponId)),
    coupon: await readCoupon(session, couponId),
  }));
  // An opening under way may have read the rows before those that we have seen; a later one reads them too.
  if (!coupon || (await redisStock.redis.exists(keys.opening)) > 0) return unsettled;
  const state = await readState(dependencies, coupon);
  if (!state) return unsettled;
  const spans: Span[] = [];
  for await (const { held } of waitingEntries(redisStock.redis, keys, couponId)) {
    if ('undecodable' in held) return unsettled;
    const span = spanOf(held);
    if (span.from <= gap && gap < span.to) return unsettled;
    spans.push(span);
  }
  const below = Math.min(highest + 1, state.next, ...spans.map(({ from }) => (from > gap ? from : highest + 1)));
  if (below <= gap || !(await isAllKnown(database, couponId, state, spans))) return unsettled;
  if (state.name === null || state.owners === state.next - 1) return { below, holdMs: 0 };
  const holdMs = gapHoldMs - (await ageOf(redisStock.redis, keys, state.name));
  return holdMs > 0 ? { below: gap, holdMs } : { below, holdMs: 0 };
}

/** Notes since when a coupon that was just opened is as it is, if it has gaps: whoever reads its issues later need not wait then. */
export async function noteGaps({ redis, keysOf, look }: RedisStock, couponId: number): Promise<void> {
  const seen = await look(couponId);
  if (seen.kind === 'open' && seen.issued < seen.stock.next - 1)
    await ageOf(redis, keysOf(couponId), nameOf(seen.server, seen.epoch));
}

/** What Redis knows of a coupon. */
interface State {
  /** No sequence from here on is settled. */
  readonly next: number;
  readonly owners: number;
  /** Whether each row below `next` has an owner. */
  readonly isUsable: boolean;
  /** The same for as long as Redis loses nothing and the coupon is not opened again; null where no worker can have anything in hand. */
  readonly name: string | null;
}

/** Null: not known now. */
async function readState({ redisStock, stock }: SettledDependencies, coupon: Coupon): Promise<State | null> {
  const { look, serverOfCoupon, epochOf, countOwners } = redisStock;
  const { id, stockHome } = coupon;
  let seen = await look(id);
  if (seen.kind === 'not open' && stockHome === 'redis' && (await stock.open(id)) === 'open') {
    seen = await look(id);
    if (seen.kind === 'not open') return null;
  }
  if (seen.kind === 'open') {
    const { server, epoch, issued: owners } = seen;
    return { next: seen.stock.next, owners, isUsable: true, name: nameOf(server, epoch) };
  }
  const none = { next: Number.MAX_SAFE_INTEGER, owners: 0, isUsable: false };
  // Redis knows more than a MySQL that went back: the reconciler makes it the home again.
  if (stockHome === 'mysql')
    return (await readKnownEpoch(redisStock, id)) > coupon.epoch ? null : { ...none, name: null };
  // Over, and not open: an edit that prolongs it may prove what is left of its state, whose owners then count.
  const owners = (await epochOf(id)) > 0 ? await countOwners(id) : 0;
  return { ...none, owners, name: nameOf(serverOfCoupon(id), coupon.epoch) };
}

function nameOf(server: string, epoch: number): string {
  return `${server} ${epoch}`;
}

/** Whether each owner in Redis is a row or waits to become one. As in an audit these are numbers, which are compared to the last. */
async function isAllKnown(
  database: Database,
  couponId: number,
  { next, owners, isUsable }: State,
  waiting: readonly Span[],
): Promise<boolean> {
  const spans = mergeSpans(waiting, next);
  const ranges = [...spans, { from: next, to: Number.MAX_SAFE_INTEGER }];
  const counted = sql.join(
    ranges.map(({ from, to }) => sql`(sequence >= ${from} AND sequence < ${to})`),
    sql` OR `,
  );
  // In one statement, so that no issue comes between the counter and the rows.
  const [rows] = await readFromPrimary(database, (session) =>
    session.execute(
      sql`SELECT coupons.issued_quantity AS counter, COUNT(coupon_issues.sequence) AS counted
            FROM coupons LEFT JOIN coupon_issues ON coupon_issues.coupon_id = coupons.id AND (${counted})
           WHERE coupons.id = ${couponId}
           GROUP BY coupons.id, coupons.issued_quantity`,
    ),
  );
  const [row] = rows as unknown as { readonly counter: number; readonly counted: number }[];
  if (!row) return false;
  const known = Number(row.counter) - Number(row.counted) + sizeOf(spans);
  return isUsable ? known === owners : known >= owners;
}

/** For how long a coupon has been known to be open under this name, by the clock of Redis. It begins now if it was not known. */
async function ageOf(redis: Redis, keys: CouponKeys, name: string): Promise<number> {
  const key = gapsKey(keys);
  const nowMs = await clockOf(redis, keys.state);
  const known = await redis.get(key);
  if (known?.startsWith(`${name} `)) return nowMs - Number(known.slice(name.length + 1));
  await redis.set(key, `${name} ${nowMs}`, 'EX', REMEMBERED_S);
  return 0;
}
