// scripted.ts -- The issuer behind `POST /v2/issue-async`: one Lua script decides, and the coupon is opened when it must be.

import type { Endpoint } from '../coupon/accepted-by.ts';
import { type Outcome, Unavailable } from '../coupon/outcome.ts';
import type { StockKeeper } from '../stock/opening.ts';
import type { AnsweredBatch, RecentAnswers } from '../stock/recent-answers.ts';
import type { RedisStock } from '../stock/redis-stock.ts';
import type { Issuer } from './issuer.ts';

/** What Redis decided. `accepted` says what to write for the winners, if there are any. */
export interface Taken {
  readonly outcomes: readonly Outcome[];
  readonly accepted: { readonly epoch: number; readonly acceptedMs: number } | null;
}

/** Takes stock in Redis for users who asked an endpoint, after opening the coupon if need be. Throws as `Issuer.issue` does. */
export type Take = (couponId: number, users: readonly string[], endpoint: Endpoint) => Promise<Taken>;

/** A coupon that is not open right after it was opened, again and again, is being lost: give up, and let the caller retry. */
const OPENINGS_MAX = 3;

/** @param isPromised whether what it returns is answered as it is, and not only once there are rows */
export function createTake(
  redisStock: RedisStock,
  stock: StockKeeper,
  answers: RecentAnswers | null = null,
  isPromised = true,
): Take {
  return async (couponId, users, endpoint) => {
    for (let openings = 0; openings <= OPENINGS_MAX; openings++) {
      const reply = await redisStock.take(couponId, users, endpoint);
      switch (reply.kind) {
        case 'decided':
          await keepPromise(redisStock, answers, { ...reply, couponId, users, isPromised });
          return { outcomes: reply.outcomes, accepted: { epoch: reply.epoch, acceptedMs: reply.acceptedMs } };
        case 'refused':
          return { outcomes: users.map(() => reply.refusal), accepted: null };
        case 'overloaded':
          throw new Unavailable('overloaded', 'too many accepted issues wait for MySQL');
        case 'not open': {
          const opened = await stock.open(couponId);
          if (opened !== 'open') return { outcomes: users.map(() => opened), accepted: null };
        }
      }
    }
    throw new Unavailable('dependency', 'the state of a coupon does not stay in Redis');
  };
}

/**
 * Waits until replicas have what a batch names, and remembers it. A sequence that was issued before is promised once more: whoever
 * issued it may not have waited. Null when there is nothing to wait for.
 *
 * @throws as `Confirm`
 */
export function keepPromise(
  { confirm, keysOf }: RedisStock,
  answers: RecentAnswers | null,
  batch: AnsweredBatch & { readonly outcomes: readonly Outcome[] },
): Promise<void> | null {
  if (!batch.outcomes.some((outcome) => 'sequence' in outcome)) return null;
  if (confirm) return confirm(keysOf(batch.couponId), batch.server).then(() => answers?.add(batch));
  answers?.add(batch);
  return null;
}

export function createScripted(takeStock: Take): Issuer {
  return { issue: async (couponId, users) => (await takeStock(couponId, users, 'POST /v2/issue-async')).outcomes };
}
