// partition.ts -- The loop of one partition: next messages, drain them, again; a failure of Redis is waited out.

import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { partitionKeys } from '../src/stream/keys.ts';
import { type DrainDependencies, drain } from './drain.ts';
import { Inbox, type InboxSettings } from './inbox.ts';
import { Stopped, retryUntilSuccess } from './retry.ts';

export interface PartitionDependencies extends Omit<DrainDependencies, 'keys' | 'settings'> {
  readonly partition: number;
  /** Has the connection to itself, since it blocks. */
  readonly blocking: Redis;
  readonly settings: DrainDependencies['settings'] & InboxSettings & { readonly GATHER_MS: number };
}

/** Drains until told to stop, and returns after the batch in hand. Throws InvariantViolation when we are at fault. */
export async function drainPartition(dependencies: PartitionDependencies): Promise<void> {
  const { partition, blocking, settings, reports, stop } = dependencies;
  const keys = partitionKeys(partition);
  const inbox = new Inbox({ blocking, keys, settings });
  const retryOptions = {
    pauseMsMax: settings.RETRY_MS_MAX,
    stop,
    isTransient: () => true,
    onFailure: reports.retrying,
  };
  try {
    while (!stop.aborted) {
      const messages = await retryUntilSuccess(() => inbox.next(), retryOptions);
      if (messages.length === 0) continue;
      await drain({ ...dependencies, keys }, messages);
      // An entry that comes alone is written at once; in a rush those of the next milliseconds share a transaction.
      if (!stop.aborted) await pause(settings.GATHER_MS);
    }
  } catch (failure) {
    if (!(failure instanceof Stopped)) throw failure;
  }
}
