// scripted.ts -- The issuer behind `POST /v2/issue-async`: one Lua script decides, and opens the coupon when it must.

import type { Redis } from 'ioredis';
import { askServer, serverOf } from '../redis/connection.ts';
import type { Issuer } from './issuer.ts';
import { couponKeys } from '../stream/keys.ts';
import { type Outcome, Unavailable } from '../coupon/outcome.ts';
import { take } from '../stock/scripts/take.ts';
import type { StockKeeper } from '../stock/opening.ts';

export interface TakerDependencies {
  /** An issuing connection: it must not resend. */
  readonly redis: Redis;
  readonly stock: StockKeeper;
  readonly settings: { readonly PARTITIONS: number; readonly UNPERSISTED_USERS_MAX: number };
}

/** What Redis decided. `accepted` tells what to write for the winners, if there are any. */
export interface Taken {
  readonly outcomes: readonly Outcome[];
  readonly accepted: { readonly epoch: number; readonly acceptedMs: number } | null;
}

/** Takes stock in Redis for a batch of users, after opening the coupon if need be. Throws as `Issuer.issue` does. */
export type Take = (couponId: number, users: readonly string[]) => Promise<Taken>;

/** A coupon that is opened and at once not open again is being lost over and over: give up, and let the caller try again. */
const OPENINGS_MAX = 3;

export function createTake({ redis, stock, settings }: TakerDependencies): Take {
  const { PARTITIONS, UNPERSISTED_USERS_MAX } = settings;
  return async (couponId, users) => {
    const keys = couponKeys(couponId, PARTITIONS);
    for (let openings = 0; openings <= OPENINGS_MAX; openings++) {
      // The connection asks by itself, once; if that failed, every batch would be refused until the next connection.
      if (serverOf(redis) === '') await askServer(redis);
      const server = serverOf(redis);
      if (server === '') throw new Unavailable('dependency', 'Redis has not told which server it is');
      const reply = await take(redis, { keys, couponId, server, unpersistedUsersMax: UNPERSISTED_USERS_MAX, users });
      switch (reply.kind) {
        case 'decided':
          return { outcomes: reply.outcomes, accepted: { epoch: reply.epoch, acceptedMs: reply.acceptedMs } };
        case 'closed':
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

export function createScripted(takeStock: Take): Issuer {
  return { issue: async (couponId, users) => (await takeStock(couponId, users)).outcomes };
}
