// test-worker.ts -- The worker of production, in this process, with everything it reports kept for the test.

import type { Redis } from 'ioredis';
import type { Config } from '../src/config/config.ts';
import { partitionKeys } from '../src/stream/keys.ts';
import type { Written } from '../src/ledger/ledger.ts';
import { closeDatabase, openDatabase } from '../src/mysql/database.ts';
import { blockingConnection, connect, issuingConnection } from '../src/redis/connection.ts';
import type { DrainObserver } from '../workers/drain.ts';
import { drainPartition } from '../workers/partition.ts';
import { eventually } from './eventually.ts';

export interface TestWorker extends AsyncDisposable {
  /** What became of each transaction. */
  readonly written: readonly Written[];
  /** Every failure that was taken for one that may pass. */
  readonly retried: readonly unknown[];
  readonly deadLetters: readonly { readonly reason: string; readonly users: number }[];
  /** Waits until no stream holds an entry. Throws when the worker died. */
  drained(): Promise<void>;
  /** Ends it after the batch in hand. Throws when it had died. */
  stop(): Promise<void>;
}

/**
 * Starts a worker over all partitions.
 *
 * @param observer a connection that stands whatever is done to those of the worker
 */
export async function startTestWorker(
  config: Config,
  observer: Redis,
  undo: (() => Promise<unknown>)[],
): Promise<TestWorker> {
  const ignore = () => {};
  const redis = issuingConnection(config, ignore);
  const partitions = Array.from({ length: config.PARTITIONS }, (_, partition) => partition);
  const blocking = partitions.map(() => blockingConnection(config, config.BLOCK_MS, ignore));
  await Promise.all([redis, ...blocking].map(connect));
  const database = openDatabase(config);
  const kept = keepReports();
  const stop = new AbortController();
  const loops = blocking.map((connection, partition) =>
    drainPartition({
      partition,
      blocking: connection,
      redis,
      database,
      settings: config,
      reports: kept.reports,
      stop: stop.signal,
    }),
  );
  let death: Error | null = null;
  const ended = Promise.all(loops).catch((error: unknown) => {
    death = new Error('the worker died', { cause: error });
    stop.abort();
  });
  const end = once(async () => {
    stop.abort();
    await ended;
    for (const connection of [redis, ...blocking]) connection.disconnect();
    await closeDatabase(database);
    if (death) throw death;
  });
  undo.push(end);
  return {
    ...kept,
    async drained() {
      await eventually('the streams to be empty', async () => {
        if (death) throw death;
        return (await countEntries(observer, partitions)) === 0;
      });
    },
    stop: end,
    [Symbol.asyncDispose]: end,
  };
}

function keepReports() {
  const written: Written[] = [];
  const retried: unknown[] = [];
  const deadLetters: { reason: string; users: number }[] = [];
  const reports: DrainObserver = {
    written: (what) => written.push(what),
    retrying: (failure) => retried.push(failure),
    deadLetter: (reason, users) => deadLetters.push({ reason, users }),
    settled: () => {},
  };
  return { written, retried, deadLetters, reports };
}

async function countEntries(redis: Redis, partitions: readonly number[]): Promise<number> {
  const lengths = await Promise.all(partitions.map((partition) => redis.xlen(partitionKeys(partition).stream)));
  return lengths.reduce((sum, length) => sum + length, 0);
}

function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => (running ??= work());
}
