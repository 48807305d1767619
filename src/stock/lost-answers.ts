// lost-answers.ts -- After a failover each process compares what it answered with what the new server has: what was lost is counted.
//
// The coupon is opened first, so that its owners are all that stream, dead letters, rows and offers know. An answer is lost whose user
// does not have the sequence that it named. Where the sequence may be free, since this process offered too late, the coupon is
// opened once more before.

import type { Config } from '../config/config.ts';
import type { OpenStock } from './decision-scripts.ts';
import type { Owner } from '../coupon/issue-rows.ts';
import { LOST_KEPT_S, lostKey, offerField, offersKey } from '../stream/keys.ts';
import { isOffering } from './offers.ts';
import type { StockKeeper } from './opening.ts';
import { type AnsweredBatch, ownersIn, type RecentAnswers } from './recent-answers.ts';
import type { RedisStock } from './redis-stock.ts';

export interface LostAnswersDependencies {
  readonly redisStock: RedisStock;
  readonly answers: RecentAnswers;
  readonly stock: StockKeeper;
  readonly settings: Pick<Config, 'OFFERING'>;
  /** So many answers about a coupon were lost. */
  readonly onLost: (couponId: number, answers: number) => void;
}

/** Owners in one `look`. */
const OWNERS_PER_LOOK_MAX = 1000;

/** Compares what another server answered than the one that is there now. Throws what the stores throw; the next call goes on. */
export async function findLostAnswers(dependencies: LostAnswersDependencies): Promise<void> {
  const { redisStock, answers } = dependencies;
  const doubts = answers.inDoubt(redisStock.serverOfCoupon);
  const faults: unknown[] = [];
  for (const [couponId, batches] of doubts)
    await compare(dependencies, couponId, batches).catch((fault: unknown) => faults.push(fault));
  if (faults.length > 0) throw faults[0];
}

async function compare(
  dependencies: LostAnswersDependencies,
  couponId: number,
  batches: readonly AnsweredBatch[],
): Promise<void> {
  const { redisStock, answers, stock, settings, onLost } = dependencies;
  const owners = batches.flatMap(ownersIn);
  // There is no such coupon any more: nobody can have it.
  if ((await stock.open(couponId, true)) !== 'open')
    return answers.settle(batches, '', new Set(owners.map(({ userId }) => userId)));
  let found = await missingIn(redisStock, couponId, owners);
  if (found && isOffering(redisStock.redis, settings) && mayBeFree(found)) {
    await redisStock.drop(couponId);
    await stock.open(couponId, true);
    found = await missingIn(redisStock, couponId, owners);
  }
  // Lost again, or another server by now: the next round looks.
  if (!found) return;
  const { seen, missing } = found;
  const lost = new Set(missing.map(({ userId }) => userId));
  // What was only in hand broke no answer.
  const promised = owners.filter(({ isPromised }) => isPromised).map(({ userId }) => userId);
  const broken = lost.intersection(new Set(promised)).size;
  if (broken > 0) {
    // Counted before it is forgotten: where Redis fails in between, the next round counts it once more rather than never.
    const key = lostKey(redisStock.keysOf(couponId));
    await redisStock.redis.incrby(key, broken);
    await redisStock.redis.expire(key, LOST_KEPT_S);
    onLost(couponId, broken);
  }
  answers.settle(batches, seen.server, lost);
}

interface Found {
  readonly seen: OpenStock;
  /** Who does not have what was answered. */
  readonly missing: readonly Owner[];
}

/** Null when the coupon is not open, or did not stay so. */
async function missingIn(redisStock: RedisStock, couponId: number, owners: readonly Owner[]): Promise<Found | null> {
  const missing: Owner[] = [];
  let at = 0;
  for (;;) {
    const page = owners.slice(at, at + OWNERS_PER_LOOK_MAX);
    const seen = await redisStock.look(
      couponId,
      page.map(({ userId }) => userId),
    );
    if (seen.kind === 'not open') return null;
    const absent = page.filter(({ userId, sequence }) => seen.owners.get(userId) !== sequence);
    missing.push(...(await withoutDiscarded(redisStock, couponId, absent)));
    at += OWNERS_PER_LOOK_MAX;
    if (at >= owners.length) return { seen, missing };
  }
}

/** An operator took these back. */
async function withoutDiscarded(
  { redis, keysOf }: RedisStock,
  couponId: number,
  owners: readonly Owner[],
): Promise<readonly Owner[]> {
  if (owners.length === 0) return owners;
  const marks = await redis.hmget(offersKey(keysOf(couponId)), ...owners.map(offerField));
  return owners.filter((_, i) => !marks[i]?.startsWith('-'));
}

/** Whether a sequence that is missing may belong to nobody: it is still to come, or there are some that nobody has. */
function mayBeFree({ seen: { stock, issued }, missing }: Found): boolean {
  const hasGap = stock.next - 1 > issued;
  return missing.some(({ sequence }) => hasGap || sequence >= stock.next);
}
