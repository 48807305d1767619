// backlog.ts -- How far MySQL is behind Redis, read from Redis without changing anything.

import type { Redis } from 'ioredis';
import type { PartitionKeys } from './keys.ts';

/** What waits in one partition. */
export interface PartitionBacklog {
  readonly partition: number;
  /** Users accepted and not yet rows. */
  readonly unpersistedUsers: number;
  /** Age of the oldest entry by the clock of Redis; 0 without one. */
  readonly oldestMs: number;
  /** Entries among the dead letters. */
  readonly deadEntries: number;
}

export interface Backlog {
  /** By the clock of Redis. */
  readonly nowMs: number;
  /** One for each partition, in order. */
  readonly partitions: readonly PartitionBacklog[];
}

/** Reads every partition at about the same instant: all commands go out together. Throws what ioredis throws. */
export async function readBacklog(redis: Redis, partitions: readonly PartitionKeys[]): Promise<Backlog> {
  // Awaited together: of two that fail in an outage, the second would otherwise be an unhandled rejection.
  const [[seconds, microseconds], ...found] = await Promise.all([
    redis.time(),
    ...partitions.map((keys) => readPartition(redis, keys)),
  ]);
  const nowMs = Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
  return {
    nowMs,
    partitions: found.map(({ bornMs, ...rest }, partition) => {
      return { partition, ...rest, oldestMs: bornMs === null ? 0 : Math.max(0, nowMs - bornMs) };
    }),
  };
}

async function readPartition(redis: Redis, { unpersisted, stream, dead }: PartitionKeys) {
  const [users, [oldest], deadEntries] = await Promise.all([
    redis.get(unpersisted),
    redis.xrange(stream, '-', '+', 'COUNT', 1),
    redis.xlen(dead),
  ]);
  // The first half of an id is the clock of Redis when the entry was added.
  return { unpersistedUsers: Number(users ?? 0), bornMs: oldest ? Number.parseInt(oldest[0], 10) : null, deadEntries };
}
