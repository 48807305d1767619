// backlog.ts -- How far MySQL is behind Redis, read from Redis without changing anything.

import type { Redis } from 'ioredis';
import { clockOf } from '../redis/connection.ts';
import { UNKNOWN_VERSION } from './entry.ts';
import type { PartitionKeys } from './keys.ts';

/** What waits in one partition. */
export interface PartitionBacklog {
  readonly partition: number;
  /** Users accepted and not yet rows. */
  readonly unpersistedUsers: number;
  /** Age of the oldest entry by the clock of Redis; 0 without one. */
  readonly oldestMs: number;
  /** Entries among the dead letters that need an operator: those of a later release, as far as they are looked at, do not. */
  readonly deadEntries: number;
}

export interface Backlog {
  /** By the clock of Redis; of a cluster, by the one that differs most from the clock of this process. */
  readonly nowMs: number;
  /** One for each partition, in order. */
  readonly partitions: readonly PartitionBacklog[];
}

/** Each holds up to a whole batch of users, and this is read every second. */
const DEAD_LOOKED_AT_MAX = 100;

/** Reads every partition at about the same instant: all commands go out together. Throws what ioredis throws. */
export async function readBacklog(redis: Redis, partitions: readonly PartitionKeys[]): Promise<Backlog> {
  // Awaited together: of two that fail in an outage, the second would otherwise be an unhandled rejection.
  const found = await Promise.all(partitions.map((keys) => readPartition(redis, keys)));
  const nowMs = Date.now();
  const skewOf = (clockMs: number) => Math.abs(clockMs - nowMs);
  return {
    nowMs: found.reduce((worst, { clockMs }) => (skewOf(clockMs) > skewOf(worst) ? clockMs : worst), nowMs),
    partitions: found.map(({ bornMs, clockMs, ...rest }, partition) => {
      return { partition, ...rest, oldestMs: bornMs === null ? 0 : Math.max(0, clockMs - bornMs) };
    }),
  };
}

async function readPartition(redis: Redis, { unpersisted, stream, dead }: PartitionKeys) {
  const [clockMs, users, [oldest], deadEntries] = await Promise.all([
    // The servers of a cluster have a clock each.
    clockOf(redis, stream),
    redis.get(unpersisted),
    redis.xrange(stream, '-', '+', 'COUNT', 1),
    countDead(redis, dead),
  ]);
  // The first half of an id is the clock of Redis when the entry was added.
  const bornMs = oldest ? Number.parseInt(oldest[0], 10) : null;
  return { clockMs, unpersistedUsers: Number(users ?? 0), bornMs, deadEntries };
}

async function countDead(redis: Redis, dead: string): Promise<number> {
  const count = await redis.xlen(dead);
  if (count === 0) return 0;
  const looked = await redis.xrange(dead, '-', '+', 'COUNT', DEAD_LOOKED_AT_MAX);
  const isOfLaterRelease = (fields: readonly string[]) => fields[fields.indexOf('reason') + 1] === UNKNOWN_VERSION;
  return Math.max(0, count - looked.filter(([, fields]) => isOfLaterRelease(fields)).length);
}
