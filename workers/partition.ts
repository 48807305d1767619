// partition.ts -- The loop of one partition: read entries, drain them, repeat; a failure of Redis is retried.

import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { RecentAnswers } from '../src/stock/recent-answers.ts';
import type { Entry } from '../src/stream/entry.ts';
import { type DrainDependencies, drain } from './drain.ts';
import { Inbox, type InboxSettings } from './inbox.ts';
import { retryUntilSuccess, Stopped } from './retry.ts';

export interface PartitionDependencies extends Omit<DrainDependencies, 'settings' | 'inHand'> {
  /** Remembers what is in hand, for offering. */
  readonly answers?: RecentAnswers;
  /** Has the connection to itself, since it blocks. */
  readonly blocking: Redis;
  readonly settings: DrainDependencies['settings'] & InboxSettings & { readonly GATHER_MS: number };
}

/** Drains until stopped, and returns after the current batch. Throws InvariantViolation for a bug of ours. */
export async function drainPartition(dependencies: PartitionDependencies): Promise<void> {
  const { keys, blocking, settings, stop, answers } = dependencies;
  const inbox = new Inbox(blocking, keys, settings, dependencies.redisStock.confirm);
  const inHand = ({ couponId, users, firstSequence: first, acceptedMs }: Entry) => {
    const { server } = inbox;
    if (server !== '') answers?.add({ couponId, server, users, outcomes: { first }, acceptedMs, isPromised: false });
  };
  try {
    while (!stop.aborted) {
      const messages = await retryUntilSuccess(dependencies, () => inbox.next());
      if (messages.length === 0) continue;
      await drain({ ...dependencies, inHand }, messages);
      // A single entry is written immediately; in a rush those of the next milliseconds share a transaction.
      if (!stop.aborted) await pause(settings.GATHER_MS);
    }
  } catch (failure) {
    if (!(failure instanceof Stopped)) throw failure;
  }
}
