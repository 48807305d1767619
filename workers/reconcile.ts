// reconcile.ts -- Compares every coupon in Redis with MySQL, round after round, and repairs what it may: settings that lag behind,
// a state that does not know all owners, issues that MySQL lost, entries that only a later release could read, a coupon that is
// long over, stocks of coupons that are gone, consumers of workers that are gone.
//
// One worker at a time does it, under a lease in Redis; a second one would do no harm, and the same work twice. On a cluster a node
// that fails, or a partition, is left out of the round, and the work of the others goes on.

import { setTimeout as pause } from 'node:timers/promises';
import { and, eq, gt, inArray, sql } from 'drizzle-orm';
import type { Redis } from 'ioredis';
import { coupons } from '../drizzle/schema.ts';
import type { Config } from '../src/config/config.ts';
import { type Coupon, lastSequence } from '../src/coupon/coupon.ts';
import { type Owner, ownerPages } from '../src/coupon/issue-rows.ts';
import { auditCoupon, type CouponCounts } from '../src/operations/audit.ts';
import { createDeadLetters, replayReadable } from '../src/operations/dead-letters.ts';
import { ownersOf, waitingEntries } from '../src/stream/accepted.ts';
import { countWaiting, type WaitingUsers } from '../src/stream/entries.ts';
import { closeCoupon } from '../src/stock/closing.ts';
import { partitionOf, type PartitionKeys } from '../src/stream/keys.ts';
import { removeConsumers } from '../src/stream/scripts/remove-consumers.ts';
import { settle } from '../src/stream/scripts/settle.ts';
import { moveHomeBack, restoreLost } from '../src/stock/restoring.ts';
import { holdOrphan } from '../src/operations/orphans.ts';
import { forgetRequestsOf } from '../src/issuing/idempotency.ts';
import type { OpenStock } from '../src/stock/decision-scripts.ts';
import type { RedisStock } from '../src/stock/redis-stock.ts';
import { type Database, readFromPrimary } from '../src/mysql/database.ts';
import { keysetPages } from '../src/mysql/pages.ts';
import { askServer, isCluster, primariesOf } from '../src/redis/connection.ts';
import { createRoundParts } from './round-parts.ts';
import { overMs, forgetErasureKeys } from './erasure-keys.ts';

export interface ReconcileObserver {
  /** A coupon whose numbers do not add up, counted to the last sequence. */
  drift(audit: CouponCounts): void;
  repaired(couponId: number): void;
  closed(couponId: number): void;
  /** MySQL went back: Redis is the home of the coupon again, or so many issues that MySQL lost are on their way to it. */
  restored(couponId: number, issues: number): void;
  /** Redis has a state of a coupon that MySQL does not have: it is stopped, or removed since nothing was issued from it. */
  unknownCoupon(couponId: number, left: 'removed' | 'held' | 'gone'): void;
  /** A round is over. `missing` and `unknown` are sums over all coupons, `consumers` those that were removed. */
  round(sums: Readonly<Record<'coupons' | 'missing' | 'unknown' | 'consumers', number>>): void;
}

export interface ReconcileDependencies {
  readonly redisStock: RedisStock;
  readonly database: Database;
  readonly settings: Pick<
    Config,
    'OPENING_PAGE' | 'CLOSE_AFTER_MS' | 'RECONCILE_MS' | 'WORKER_NAME' | 'CLAIM_IDLE_MS' | 'BLOCK_MS'
  >;
  /** Brings the settings of a coupon in Redis up to the version in MySQL. */
  readonly repair: (couponId: number) => Promise<'in step' | 'repaired' | 'not open'>;
  /** Makes sure that a coupon has a usable state, also past its end. Throws as `StockKeeper.open`. */
  readonly open: (couponId: number) => Promise<unknown>;
  readonly observer: ReconcileObserver;
  /** A round failed, or a part of it; the next one starts over. */
  readonly onFault: (fault: unknown) => void;
  readonly stop: AbortSignal;
}

/** The lease under which one worker reconciles. */
export const LEASE_KEY = 'reconciler';

/** Coupons in one read. */
const PAGE = 500;

interface OpenCoupon extends Pick<Coupon, 'id' | 'epoch' | 'version' | 'totalQuantity' | 'issuedQuantity'> {
  /** Since its end, by MySQL's clock. */
  readonly overMs: number;
}

/** Reconciles every `RECONCILE_MS` until stopped. */
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
  const { redisStock, observer, onFault, stop } = dependencies;
  const { redis, partitions } = redisStock;
  if (!(await takeLease(dependencies))) return false;
  const parts = createRoundParts(redis, onFault);
  // A server may have been promoted behind a standing connection: its states would then look like those of another server.
  await Promise.all(primariesOf(redis).map((node) => parts.ofNode(node, () => askServer(node))));
  const waiting: (WaitingUsers | null)[] = [];
  const sums = { coupons: 0, missing: 0, unknown: 0, consumers: 0 };
  for (const [partition, keys] of partitions.entries()) {
    const counted = await parts.ofPartition(keys, () => tidyPartition(dependencies, keys, partition));
    waiting.push(counted && counted.users);
    sums.consumers += counted?.consumers ?? 0;
  }
  await forgetErasureKeys(dependencies);
  for (const node of primariesOf(redis)) await parts.ofNode(node, () => restoreHomes(dependencies, node));
  await openWaiting(dependencies, waiting);
  for await (const page of openCoupons(dependencies)) {
    for (const coupon of page) {
      if (stop.aborted) return true;
      const around = waiting[partitionOf(coupon.id, partitions.length)];
      if (!around) continue;
      const keys = redisStock.keysOf(coupon.id);
      const audit = await parts.ofPartition(keys, () => reconcileCoupon(dependencies, coupon, around));
      sums.coupons += 1;
      sums.missing += audit?.missing ?? 0;
      sums.unknown += audit?.unknown ?? 0;
    }
  }
  observer.round(sums);
  return true;
}

async function takeLease({ redisStock: { redis }, settings, onFault }: ReconcileDependencies): Promise<boolean> {
  try {
    return (await redis.set(LEASE_KEY, settings.WORKER_NAME, 'PX', settings.RECONCILE_MS, 'NX')) !== null;
  } catch (fault) {
    if (!isCluster(redis)) throw fault;
    // The node that has the lease is gone: better twice than never.
    onFault(fault);
    return true;
  }
}

/** Replays what only a later release could read, and counts what waits. */
async function tidyPartition(
  { redisStock, settings }: ReconcileDependencies,
  keys: PartitionKeys,
  partition: number,
): Promise<{ readonly users: WaitingUsers; readonly consumers: number }> {
  const { redis } = redisStock;
  await replayReadable(createDeadLetters(redisStock), partition);
  const users = await countWaiting(redis, keys);
  // Settles nothing, but resets the count of an empty stream: one beyond its bound, left by a stream that was lost, would
  // refuse every request, so that no other settling would ever correct it.
  await settle(redis, { keys, entries: [], deadLetters: [] });
  const idleMs = settings.CLAIM_IDLE_MS + settings.BLOCK_MS;
  return { users, consumers: await removeConsumers(redis, { keys, idleMs }) };
}

function openCoupons({ database }: ReconcileDependencies): AsyncGenerator<readonly OpenCoupon[]> {
  const keyOf = ({ id }: OpenCoupon) => id;
  return keysetPages(database, PAGE, keyOf, (session, after, limit) =>
    session
      .select({
        id: coupons.id,
        epoch: coupons.epoch,
        version: coupons.version,
        totalQuantity: coupons.totalQuantity,
        issuedQuantity: coupons.issuedQuantity,
        overMs: overMs.mapWith(Number),
      })
      .from(coupons)
      .where(sql`${eq(coupons.stockHome, 'redis')} AND ${gt(coupons.id, after)}`)
      .orderBy(coupons.id)
      .limit(limit),
  );
}

/** Coupons with a state on a server whose home MySQL says is elsewhere, or that it does not know. */
async function restoreHomes(dependencies: ReconcileDependencies, node: Redis): Promise<void> {
  const { redisStock, database, observer, stop } = dependencies;
  for await (const ids of redisStock.couponIds('state', [node])) {
    if (ids.length === 0) continue;
    if (stop.aborted) return;
    const rows = await readFromPrimary(database, (session) =>
      session.select({ id: coupons.id, epoch: coupons.epoch }).from(coupons).where(inArray(coupons.id, ids)),
    );
    const epochs = new Map(rows.map(({ id, epoch }) => [id, epoch]));
    const removed = new Set<number>();
    for (const id of ids) {
      const epoch = epochs.get(id);
      if (epoch === undefined) {
        const left = await holdOrphan(redisStock, id);
        if (left === 'removed') removed.add(id);
        observer.unknownCoupon(id, left);
      } else if ((await redisStock.epochOf(id)) > epoch && (await moveHomeBack(dependencies, id)))
        observer.restored(id, 0);
    }
    if (removed.size > 0) await forgetRequestsOf(redisStock.redis, removed);
  }
}

/** Coupons of which something waits although their home is MySQL, where it would be issued again: MySQL went back, or Redis lost the state. */
async function openWaiting(
  { database, open, observer, onFault, stop }: ReconcileDependencies,
  waiting: readonly (WaitingUsers | null)[],
): Promise<void> {
  const known = waiting.filter((users) => users !== null);
  const ids = [...new Set(known.flatMap(({ unpersisted, dead }) => [...unpersisted.keys(), ...dead.keys()]))];
  for (let i = 0; i < ids.length && !stop.aborted; i += PAGE) {
    const inMysql = and(inArray(coupons.id, ids.slice(i, i + PAGE)), eq(coupons.stockHome, 'mysql'));
    const found = await readFromPrimary(database, (session) =>
      session.select({ id: coupons.id }).from(coupons).where(inMysql),
    );
    for (const { id } of found) {
      const opened = await open(id).catch(onFault);
      if (opened === 'open') observer.restored(id, 0);
    }
  }
}

/** Whether the settings in Redis are of another version, or still have the lower total of an edit that was never committed. */
function lagsBehind(seen: OpenStock, coupon: OpenCoupon): boolean {
  const until = lastSequence(seen.stock.next, seen.issued, coupon.totalQuantity);
  return seen.version !== coupon.version || seen.stock.until !== until;
}

/** One coupon; returns its audit if its numbers do not add up. */
async function reconcileCoupon(
  dependencies: ReconcileDependencies,
  coupon: OpenCoupon,
  around: WaitingUsers,
): Promise<CouponCounts | null> {
  const { redisStock, settings, observer } = dependencies;
  const waiting = (around.unpersisted.get(coupon.id) ?? 0) + (around.dead.get(coupon.id) ?? 0);
  const isOver = coupon.overMs >= settings.CLOSE_AFTER_MS && waiting === 0;
  const seen = await redisStock.look(coupon.id);
  if (isOver || seen.kind === 'not open') {
    if ((await redisStock.countOwners(coupon.id)) > coupon.issuedQuantity + waiting) {
      // MySQL lost some of them, and what Redis knows of them is all that is left. Perhaps nobody asks for this coupon again.
      await dependencies.open(coupon.id);
      const restored = await restoreLost(dependencies, coupon.id);
      if (restored > 0) observer.restored(coupon.id, restored);
    } else if (isOver && (await closeCoupon(dependencies, coupon.id, coupon.epoch))) observer.closed(coupon.id);
    return null;
  }
  if (lagsBehind(seen, coupon) && (await dependencies.repair(coupon.id)) === 'repaired') observer.repaired(coupon.id);
  if (seen.issued === coupon.issuedQuantity + waiting) return null;
  // Perhaps only because it is issued while we read; the audit is exact all the same.
  const counted = await auditCoupon(dependencies, coupon.id);
  if (!counted || counted.missing + counted.unknown + counted.unexpected === 0) return null;
  const isUnknown = counted.unknown > 0 && (await lacksOwners(dependencies, coupon.id, seen.epoch));
  const audit = isUnknown ? counted : { ...counted, unknown: 0 };
  if (audit.missing + audit.unknown + audit.unexpected === 0) return null;
  observer.drift(audit);
  if (audit.missing > 0) observer.restored(coupon.id, await restoreLost(dependencies, coupon.id));
  // Owners that Redis does not know would get the coupon again: without a state the next request opens it from what is true.
  if (isUnknown) await redisStock.drop(coupon.id);
  return audit;
}

/**
 * Whether Redis, in the state of an epoch, would issue again to a user who was accepted. Numbers do not show it: a user may have a row and a dead letter under
 * two sequences, and a state that was dropped for that would be rebuilt and dropped in every round. What was accepted is read
 * first and looked up afterwards, so that whatever is accepted meanwhile is known.
 */
async function lacksOwners(
  { redisStock, database }: ReconcileDependencies,
  couponId: number,
  epoch: number,
): Promise<boolean> {
  const lacks = async (owners: readonly Owner[], areRows: boolean) => {
    const seen = await redisStock.look(
      couponId,
      owners.map(({ userId }) => userId),
    );
    if (seen.kind === 'not open' || seen.epoch !== epoch) return false;
    // A row is final, so that Redis must have its sequence; of an entry the user is enough.
    return owners.some(({ userId, sequence }) => {
      const known = seen.owners.get(userId);
      return areRows ? known !== sequence : known === undefined;
    });
  };
  for await (const { held } of waitingEntries(redisStock.redis, redisStock.keysOf(couponId), couponId)) {
    if (!('undecodable' in held) && (await lacks(ownersOf(held), false))) return true;
  }
  for await (const rows of ownerPages(database, couponId, PAGE)) if (await lacks(rows, true)) return true;
  return false;
}
