// test-worker.ts -- The worker of production, in this process, with everything that its observer is told kept for the test.

import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Config } from '../src/config/config.ts';
import { createReplicas } from '../src/issuing/replicas.ts';
import { createOffers, keepOffering } from '../src/stock/offers.ts';
import { RecentAnswers } from '../src/stock/recent-answers.ts';
import { createRedisStock } from '../src/stock/redis-stock.ts';
import type { PartitionKeys } from '../src/stream/keys.ts';
import type { Written } from '../src/ledger/ledger.ts';
import { closeDatabase, openDatabase } from '../src/mysql/database.ts';
import { blockingConnection, connect, issuingConnection } from '../src/redis/connection.ts';
import type { DrainObserver } from '../workers/drain.ts';
import { drainPartition } from '../workers/partition.ts';
import { eventually } from './eventually.ts';

export interface TestWorker extends AsyncDisposable {
  /** What became of each transaction. */
  readonly written: readonly Written[];
  /** Every failure that was taken for a transient error. */
  readonly retried: readonly unknown[];
  readonly deadLetters: readonly { readonly reason: string; readonly users: number }[];
  /** Waits until no stream holds an entry. Throws when the worker died. */
  drained(): Promise<void>;
  /** Ends it after the current batch. Throws when it had died. */
  stop(): Promise<void>;
}

/**
 * Starts a worker over all partitions.
 *
 * @param observer a connection that stands whatever is done to those of the worker
 */
export async function startTestWorker(
  config: Config & { readonly PARTITIONS: number },
  observer: Redis,
  undo: (() => Promise<unknown>)[],
): Promise<TestWorker> {
  const ignore = () => {};
  const redis = issuingConnection(config, ignore);
  const blocking = Array.from({ length: config.PARTITIONS }, () => blockingConnection(config, config.BLOCK_MS, ignore));
  const replicas = createReplicas(config, ignore);
  const connections = [redis, ...blocking, ...(replicas?.connections ?? [])];
  await Promise.all(connections.map(connect));
  const database = openDatabase(config);
  const kept = keepObserved();
  const redisStock = createRedisStock(redis, config, replicas?.confirm);
  const answers = new RecentAnswers(config);
  const offers = createOffers({ redisStock, answers, name: randomUUID(), settings: config });
  const stop = new AbortController();
  const loops = redisStock.partitions.map((keys, partition) =>
    drainPartition({
      keys,
      blocking: blocking[partition] ?? redis,
      redisStock,
      database,
      answers,
      settings: config,
      observer: kept.observer,
      stop: stop.signal,
    }),
  );
  let death: Error | null = null;
  const offering = keepOffering(() => offers.offer(), redis, ignore, stop.signal);
  const ended = Promise.all([...loops, offering]).catch((error: unknown) => {
    death = new Error('the worker died', { cause: error });
    stop.abort();
  });
  const end = once(async () => {
    stop.abort();
    await ended;
    for (const connection of connections) connection.disconnect();
    await closeDatabase(database);
    if (death) throw death;
  });
  undo.push(end);
  return {
    ...kept,
    async drained() {
      await eventually('the streams to be empty', async () => {
        if (death) throw death;
        return (await countEntries(observer, redisStock.partitions)) === 0;
      });
    },
    stop: end,
    [Symbol.asyncDispose]: end,
  };
}

function keepObserved() {
  const written: Written[] = [];
  const retried: unknown[] = [];
  const deadLetters: { reason: string; users: number }[] = [];
  const observer: DrainObserver = {
    written: (what) => written.push(what),
    retrying: (failure) => retried.push(failure),
    deadLetter: (reason, users) => deadLetters.push({ reason, users }),
  };
  return { written, retried, deadLetters, observer };
}

async function countEntries(redis: Redis, partitions: readonly PartitionKeys[]): Promise<number> {
  const lengths = await Promise.all(partitions.map(({ stream }) => redis.xlen(stream)));
  return lengths.reduce((sum, length) => sum + length, 0);
}

function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => (running ??= work());
}
