// locked.ts -- The issuer behind `POST /v1/issue-async`: Redlock around read, decide in TypeScript, fenced write.
//
// The lock keeps other processes from deciding in vain; it is not what makes this safe. A process may pause for longer than its
// lease between any two lines, so the write is a script that checks atomically that the lock is still ours and that nothing was
// issued or edited since the read (`put.lua`). See Kleppmann, "How to do distributed locking" (2016), on fencing.

import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { createRedlock, IoredisAdapter, LockAcquisitionError } from 'redlock-universal';
import type { Config } from '../config/config.ts';
import { decide } from '../coupon/coupon.ts';
import type { Issuer } from './issuer.ts';
import { type Outcome, Unavailable } from '../coupon/outcome.ts';
import type { LookReply } from '../stock/decision-scripts.ts';
import type { RecentAnswers } from '../stock/recent-answers.ts';
import type { RedisStock } from '../stock/redis-stock.ts';
import { keepPromise, type Take } from './scripted.ts';
import type { StockKeeper } from '../stock/opening.ts';

export interface LockedDependencies {
  readonly redisStock: RedisStock;
  readonly stock: StockKeeper;
  /** Decides when issuers that take no lock are faster than this one can read and write. */
  readonly take: Take;
  readonly settings: Pick<Config, 'LOCK_LEASE_MS' | 'LOCK_WAIT_MS_MAX' | 'LOCKED_TRIES_MAX'>;
  readonly answers?: RecentAnswers;
  readonly observer?: LockObserver;
}

/** Observes the lock, for metrics. */
export interface LockObserver {
  waited(result: 'acquired' | 'timeout', seconds: number): void;
  held(seconds: number): void;
}

const ENDPOINT = 'POST /v1/issue-async';

/** Pause between two tries to get the lock: about as long as its holder needs for a batch. */
const LOCK_RETRY_MS = 5;

export function createLocked(dependencies: LockedDependencies): Issuer {
  const { redisStock, settings, observer, answers = null } = dependencies;
  const adapters = [new IoredisAdapter(redisStock.redis)];
  return {
    async issue(couponId, users) {
      const lock = createRedlock({
        adapters,
        key: redisStock.keysOf(couponId).lock,
        ttl: settings.LOCK_LEASE_MS,
        // The library counts tries, and one try on a Redis that hangs lasts as long as a command may: we count time.
        retryAttempts: 0,
        retryDelay: 0,
      });
      const startMs = performance.now();
      const acquiring = acquire(lock, redisStock.redis, settings.LOCK_WAIT_MS_MAX);
      // Sent right behind the request for the lock, on the same connection, so that the lock costs no round trip of its own.
      const firstLook = redisStock.look(couponId, users);
      // Awaited only with the lock; a failure without it must not count as unhandled.
      firstLook.catch(() => {});
      const { handle, tries } = await acquiring;
      const endMs = performance.now();
      observer?.waited(handle ? 'acquired' : 'timeout', (endMs - startMs) / 1000);
      // Others held it for as long as we may wait. If Redis itself is at fault, the script fails too and says so.
      if (!handle) return (await dependencies.take(couponId, users, ENDPOINT)).outcomes;
      let decided: Decided;
      try {
        // The previous holder of the lock has most likely issued since that look.
        const seen = tries === 1 ? firstLook : redisStock.look(couponId, users);
        decided = await issueUnderLock(dependencies, couponId, users, handle.value, seen);
      } finally {
        observer?.held((performance.now() - endMs) / 1000);
        // Not waited for: the answer is durable already. If the release fails, the lease runs out.
        lock.release(handle).catch(() => false);
      }
      const { outcomes, server, acceptedMs } = decided;
      if (server !== null)
        await keepPromise(redisStock, answers, { couponId, server, users, outcomes, acceptedMs, isPromised: true });
      return outcomes;
    },
  };
}

/** `server` is the one whose stock was read and written, `acceptedMs` its clock then; null for outcomes of `take`, and where nothing was decided. */
interface Decided {
  readonly outcomes: readonly Outcome[];
  readonly server: string | null;
  readonly acceptedMs: number;
}

/** The lock; or null when others held it for as long as we may wait, or when there is no connection. */
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

/** Reads, decides and writes until nothing came between the read and the write. */
async function issueUnderLock(
  { redisStock, stock, take, settings }: LockedDependencies,
  couponId: number,
  users: readonly string[],
  token: string,
  firstLook: Promise<LookReply>,
): Promise<Decided> {
  for (let tries = 0; tries < settings.LOCKED_TRIES_MAX; tries++) {
    const seen = await (tries === 0 ? firstLook : redisStock.look(couponId, users));
    if (seen.kind === 'not open') {
      const opened = await stock.open(couponId);
      if (opened !== 'open') return { outcomes: users.map(() => opened), server: null, acceptedMs: 0 };
      continue;
    }
    const { outcomes, taken } = decide(seen.stock, seen.owners, users, seen.nowMs);
    const decided: Decided = { outcomes, server: seen.server, acceptedMs: seen.nowMs };
    if (taken.length === 0) return decided;
    const written = await redisStock.put(couponId, token, seen, taken, ENDPOINT);
    if (written === 'written') return decided;
    if (written === 'overloaded') throw new Unavailable('overloaded', 'too many accepted issues wait for MySQL');
    if (written === 'lost') break;
  }
  // The lease ran out, or `scripted` was faster every time: the script needs no lock.
  return { outcomes: (await take(couponId, users, ENDPOINT)).outcomes, server: null, acceptedMs: 0 };
}
