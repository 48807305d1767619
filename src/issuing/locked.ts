// locked.ts -- The issuer behind `POST /v1/issue-async`: Redlock around read, decide in TypeScript, fenced write.
//
// The lock keeps others from deciding in vain; it is not what makes this safe. A process may pause for longer than its lease
// between any two lines, so the write is a script that checks in one step that the lock is still ours and that nothing was
// issued or edited since the read (`put.lua`). See Kleppmann, "How to do distributed locking" (2016), on fencing.

import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { createRedlock, IoredisAdapter, LockAcquisitionError } from 'redlock-universal';
import { decide } from '../coupon/coupon.ts';
import { serverOf } from '../redis/connection.ts';
import type { Issuer } from './issuer.ts';
import { type CouponKeys, couponKeys } from '../stream/keys.ts';
import { type Outcome, Unavailable } from '../coupon/outcome.ts';
import { type LookReply, look } from '../stock/scripts/look.ts';
import { put } from '../stock/scripts/put.ts';
import type { Take } from './scripted.ts';
import type { StockKeeper } from '../stock/opening.ts';

export interface LockedDependencies {
  /** An issuing connection: it must not resend. */
  readonly redis: Redis;
  readonly stock: StockKeeper;
  /** Decides when others, who do not take the lock, issue faster than this one can read and write. */
  readonly take: Take;
  readonly settings: {
    readonly PARTITIONS: number;
    readonly UNPERSISTED_USERS_MAX: number;
    readonly LOCK_LEASE_MS: number;
    readonly LOCK_WAIT_MS_MAX: number;
    readonly LOCKED_TRIES_MAX: number;
  };
  readonly reports?: LockObserver;
}

/** Hears of the lock, for metrics. */
export interface LockObserver {
  waited(result: 'acquired' | 'timeout', seconds: number): void;
  held(seconds: number): void;
}

/** Pause between two tries to get the lock: about as long as its holder needs for a batch. */
const LOCK_RETRY_MS = 5;

export function createLocked(dependencies: LockedDependencies): Issuer {
  const { redis, settings, reports } = dependencies;
  const adapters = [new IoredisAdapter(redis)];
  return {
    async issue(couponId, users) {
      const keys = couponKeys(couponId, settings.PARTITIONS);
      const lock = createRedlock({
        adapters,
        key: keys.lock,
        ttl: settings.LOCK_LEASE_MS,
        // The library counts tries, and one try on a Redis that hangs lasts as long as a command may: we count time.
        retryAttempts: 0,
        retryDelay: 0,
      });
      const startMs = performance.now();
      const acquiring = acquire(lock, redis, settings.LOCK_WAIT_MS_MAX);
      const firstLook = lookNow(redis, keys, users);
      const { handle, tries } = await acquiring;
      const endMs = performance.now();
      reports?.waited(handle ? 'acquired' : 'timeout', (endMs - startMs) / 1000);
      // Others were faster for as long as we may wait. If Redis itself is at fault, the script fails too and says so.
      if (!handle) return (await dependencies.take(couponId, users)).outcomes;
      try {
        // Whoever held the lock before has most likely issued since that look.
        const seen = tries === 1 ? firstLook : lookNow(redis, keys, users);
        return await decideUnderLock(dependencies, keys, couponId, users, handle.value, seen);
      } finally {
        reports?.held((performance.now() - endMs) / 1000);
        // Not waited for: the answer is durable already. If the release fails, the lease runs out.
        lock.release(handle).catch(() => false);
      }
    },
  };
}

/** The lock; or null when others held it for as long as we may wait, or when there is no connection to ask by. */
async function acquire(lock: ReturnType<typeof createRedlock>, redis: Redis, waitMsMax: number) {
  const deadlineMs = performance.now() + waitMsMax;
  for (let tries = 1; ; tries++) {
    try {
      return { handle: await lock.acquire(), tries };
    } catch (error) {
      if (!(error instanceof LockAcquisitionError)) throw error;
    }
    if (redis.status !== 'ready' || performance.now() >= deadlineMs) return { handle: null, tries };
    await pause(LOCK_RETRY_MS);
  }
}

/** What was seen, with the name of the server that was asked. */
interface Seen {
  readonly server: string;
  readonly reply: LookReply;
}

/**
 * Reads the stock. Sent in the same instant as the asking for the lock, it is carried out right behind it, since both take the
 * same connection: so that the lock costs no round trip of its own.
 */
function lookNow(redis: Redis, keys: CouponKeys, users: readonly string[]): Promise<Seen> {
  const server = serverOf(redis);
  const seen = look(redis, { keys, server, users }).then((reply) => ({ server, reply }));
  // Who awaits it hears of its failure; without the lock nobody does.
  seen.catch(() => {});
  return seen;
}

async function decideUnderLock(
  { redis, stock, take, settings }: LockedDependencies,
  keys: CouponKeys,
  couponId: number,
  users: readonly string[],
  token: string,
  firstSeen: Promise<Seen>,
): Promise<readonly Outcome[]> {
  for (let tries = 0; tries < settings.LOCKED_TRIES_MAX; tries++) {
    const { server, reply: seen } = await (tries === 0 ? firstSeen : lookNow(redis, keys, users));
    if (seen.kind === 'not open') {
      const opened = await stock.open(couponId);
      if (opened !== 'open') return users.map(() => opened);
      continue;
    }
    const { outcomes, taken } = decide(seen.stock, seen.owners, users, seen.nowMs);
    if (taken.length === 0) return outcomes;
    const {
      epoch,
      version,
      stock: { next },
    } = seen;
    const unpersistedUsersMax = settings.UNPERSISTED_USERS_MAX;
    const written = await put(redis, {
      keys,
      couponId,
      token,
      unpersistedUsersMax,
      server,
      epoch,
      version,
      next,
      taken,
    });
    if (written === 'written') return outcomes;
    if (written === 'overloaded') throw new Unavailable('overloaded', 'too many accepted issues wait for MySQL');
    if (written === 'lost') break;
  }
  // The lock ran out, or `scripted` was faster every time: the script needs neither lock nor luck.
  return (await take(couponId, users)).outcomes;
}
