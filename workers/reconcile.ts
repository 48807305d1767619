// reconcile.ts -- Compares what Redis knows of every open coupon with what MySQL knows, round after round, and mends what it may:
// a copy of a coupon's settings that lags behind, a state that does not know all owners, a coupon that is long over.
//
// One worker at a time does it, under a lease in Redis; a second would find the same and do the same, only for nothing.

import { setTimeout as pause } from 'node:timers/promises';
import { eq, gt, sql } from 'drizzle-orm';
import type { Redis } from 'ioredis';
import { coupons } from '../drizzle/schema.ts';
import { lastSequence } from '../src/coupon/coupon.ts';
import { type Audit, auditCoupon } from '../src/operations/audit.ts';
import { countWaiting, type WaitingUsers } from '../src/stream/entries.ts';
import { closeCoupon } from '../src/stock/closing.ts';
import { couponKeys, partitionKeys, partitionOf } from '../src/stream/keys.ts';
import { settle } from '../src/stream/scripts/settle.ts';
import { type LookReply, look } from '../src/stock/scripts/look.ts';
import { dropState } from '../src/stock/opening.ts';
import { type Database, withConnection } from '../src/mysql/database.ts';
import { askServer, serverOf } from '../src/redis/connection.ts';

export interface ReconcileObserver {
  /** A coupon whose numbers do not add up; told after they were counted to the last sequence. */
  drift(audit: Audit): void;
  repaired(couponId: number): void;
  closed(couponId: number): void;
  /** A round is over. `missing` and `unknown` are sums over all coupons. */
  round(sums: { readonly coupons: number; readonly missing: number; readonly unknown: number }): void;
}

export interface ReconcileDependencies {
  readonly redis: Redis;
  readonly database: Database;
  readonly settings: {
    readonly PARTITIONS: number;
    readonly CLOSE_AFTER_MS: number;
    readonly RECONCILE_MS: number;
    readonly WORKER_NAME: string;
  };
  /** Brings the copy of a coupon's settings in Redis up to the version in MySQL. */
  readonly repair: (couponId: number) => Promise<'in step' | 'repaired' | 'not open'>;
  readonly reports: ReconcileObserver;
  /** A round failed; the next one starts over. */
  readonly onFault: (fault: unknown) => void;
  readonly stop: AbortSignal;
}

/** The lease under which one worker reconciles. */
const LEASE_KEY = 'reconciler';

/** Coupons read at once. */
const PAGE = 500;

interface OpenCoupon {
  readonly id: number;
  readonly epoch: number;
  readonly version: number;
  readonly totalQuantity: number | null;
  readonly issuedQuantity: number;
  readonly overMs: number;
}

/** Reconciles every `RECONCILE_MS` until told to stop. */
export async function keepReconciled(dependencies: ReconcileDependencies): Promise<void> {
  const { settings, onFault, stop } = dependencies;
  while (!stop.aborted) {
    await reconcile(dependencies).catch(onFault);
    await pause(settings.RECONCILE_MS, undefined, { signal: stop }).catch(() => undefined);
  }
}

/**
 * One round through all coupons whose stock is in Redis.
 *
 * @returns false when another worker has the lease
 * @throws what Redis or MySQL throw; the next round starts over
 */
export async function reconcile(dependencies: ReconcileDependencies): Promise<boolean> {
  const { redis, settings, reports, stop } = dependencies;
  const lease = await redis.set(LEASE_KEY, settings.WORKER_NAME, 'PX', settings.RECONCILE_MS, 'NX');
  if (lease === null) return false;
  // Behind a standing connection it may have been promoted since: its states would then look like those of another server.
  await askServer(redis);
  const waiting: WaitingUsers[] = [];
  for (let p = 0; p < settings.PARTITIONS; p++) {
    const keys = partitionKeys(p);
    waiting.push(await countWaiting(redis, keys));
    // Settles nothing, but ends what an empty stream cannot have unpersisted: a count beyond its bound, left by a stream that
    // was lost, lets nothing in, so that no settling would ever come to put it right.
    await settle(redis, { keys, entries: [], deadLetters: [] });
  }
  const sums = { coupons: 0, missing: 0, unknown: 0 };
  for await (const page of openCoupons(dependencies)) {
    for (const coupon of page) {
      if (stop.aborted) return true;
      const around = waiting[partitionOf(coupon.id, settings.PARTITIONS)];
      const audit = around ? await reconcileCoupon(dependencies, coupon, around) : null;
      sums.coupons += 1;
      sums.missing += audit?.missing ?? 0;
      sums.unknown += audit?.unknown ?? 0;
    }
  }
  reports.round(sums);
  return true;
}

async function* openCoupons({ database }: ReconcileDependencies): AsyncGenerator<readonly OpenCoupon[]> {
  let after = 0;
  for (;;) {
    const page = await withConnection(database, (session) =>
      session
        .select({
          id: coupons.id,
          epoch: coupons.epoch,
          version: coupons.version,
          totalQuantity: coupons.totalQuantity,
          issuedQuantity: coupons.issuedQuantity,
          overMs: sql`TIMESTAMPDIFF(MICROSECOND, ${coupons.dateIssueEnd}, UTC_TIMESTAMP(3)) / 1000`.mapWith(Number),
        })
        .from(coupons)
        .where(sql`${eq(coupons.stockHome, 'redis')} AND ${gt(coupons.id, after)}`)
        .orderBy(coupons.id)
        .limit(PAGE),
    );
    yield page;
    const last = page.at(-1);
    if (!last || page.length < PAGE) return;
    after = last.id;
  }
}

/** Whether the copy in Redis is of another version, or still has the lower total of an edit that never came about. */
function lagsBehind(seen: Extract<LookReply, { readonly kind: 'open' }>, coupon: OpenCoupon): boolean {
  const until = lastSequence(seen.stock.next, seen.issued, coupon.totalQuantity);
  return seen.version !== coupon.version || seen.stock.until !== until;
}

/** One coupon; returns its audit if its numbers did not add up at once. */
async function reconcileCoupon(
  dependencies: ReconcileDependencies,
  coupon: OpenCoupon,
  around: WaitingUsers,
): Promise<Audit | null> {
  const { redis, settings, reports } = dependencies;
  if (coupon.overMs >= settings.CLOSE_AFTER_MS && !around.unpersisted.has(coupon.id)) {
    if (await closeCoupon(dependencies, coupon.id, coupon.epoch)) reports.closed(coupon.id);
    return null;
  }
  const keys = couponKeys(coupon.id, settings.PARTITIONS);
  const seen = await look(redis, { keys, server: serverOf(redis), users: [] });
  // Not open: it is opened, and thereby put right, by the next request.
  if (seen.kind === 'not open') return null;
  if (lagsBehind(seen, coupon) && (await dependencies.repair(coupon.id)) === 'repaired') reports.repaired(coupon.id);
  const waiting = (around.unpersisted.get(coupon.id) ?? 0) + (around.dead.get(coupon.id) ?? 0);
  if (seen.issued === coupon.issuedQuantity + waiting) return null;
  // Perhaps only because it goes on while we read; this way of counting is exact all the same.
  const audit = await auditCoupon(dependencies, coupon.id);
  if (!audit || audit.missing + audit.unknown + audit.unexpected === 0) return null;
  reports.drift(audit);
  // Owners that Redis does not know would get the coupon again: without its state the next request opens it from what is true.
  if (audit.unknown > 0) await dropState(redis, keys);
  return audit;
}
