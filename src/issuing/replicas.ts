// replicas.ts -- Waits until replicas have what was decided (REPLICAS_MIN): one WAIT for all batches that ask meanwhile.
//
// WAIT counts the replicas that have what its own connection wrote last. So a connection that only waits writes a mark first: a
// replica that has the mark has all that the server wrote before it, for whatever connection. That covers "already issued" too, which
// writes nothing itself. A server that was restarted or promoted since refuses the mark.
//
// The connections that decide never wait, and while a WAIT is under way the batches that ask next gather for one more. So a replica
// that is slow holds up answers, and no decision.

import type { Redis } from 'ioredis';
import type { Config } from '../config/config.ts';
import { Unavailable } from '../coupon/outcome.ts';
import { invariant } from '../invariant.ts';
import { askServer, blockingConnection, type OnFault, type RedisSettings, serverOf } from '../redis/connection.ts';
import { type Confirm, mark } from '../stock/decision-scripts.ts';
import type { PartitionKeys } from '../stream/keys.ts';
import { Combiner } from './combiner.ts';

type ReplicaSettings = Pick<Config, 'REPLICAS_MIN' | 'REDIS_COMMAND_MS_MAX'>;

export interface Replicas {
  /** To be opened before anything is confirmed. */
  readonly connections: readonly Redis[];
  readonly confirm: Confirm;
}

/** WAITs under way at a time: one more than needed, so that a batch waits for no whole one of others; more would gather fewer batches each. */
const WAITS_MAX = 2;
const BATCHES_PER_WAIT_MAX = 1000;
const WAITING_BATCHES_MAX = 100_000;

/** Null when nothing is waited for. */
export function createReplicas(config: RedisSettings & ReplicaSettings, onFault: OnFault): Replicas | null {
  if (config.REPLICAS_MIN === 0) return null;
  const { REDIS_COMMAND_MS_MAX: waitMsMax } = config;
  const connections = Array.from({ length: WAITS_MAX }, () => blockingConnection(config, waitMsMax, onFault));
  return { connections, confirm: createConfirm(connections, config) };
}

function createConfirm(connections: readonly Redis[], settings: ReplicaSettings): Confirm {
  const waits = new Map(connections.map((connection) => [connection, 0]));
  const count = (redis: Redis, by: number) => waits.set(redis, (waits.get(redis) ?? 0) + by);
  // By server: a mark in any partition of it is behind what was written in the others.
  const combiner = new Combiner<string, PartitionKeys, true>(
    async (server, [first, ...rest]) => {
      // One that is free: round robin would take one that waits for a slow replica while the other is done.
      const [redis] = connections.toSorted((a, b) => (waits.get(a) ?? 0) - (waits.get(b) ?? 0));
      invariant(redis && first, 'a WAIT has a connection, and a batch that asks for it');
      count(redis, 1);
      await markAndWait(redis, first, server, settings).finally(() => count(redis, -1));
      return [true, ...rest.map(() => true as const)];
    },
    { usersPerBatchMax: BATCHES_PER_WAIT_MAX, batchesInFlightMax: WAITS_MAX, waitingMax: WAITING_BATCHES_MAX },
  );
  return async (keys, server) => void (await combiner.submit(server, keys));
}

async function markAndWait(
  redis: Redis,
  keys: PartitionKeys,
  server: string,
  { REPLICAS_MIN, REDIS_COMMAND_MS_MAX }: ReplicaSettings,
): Promise<void> {
  // Promoted behind a connection that stands, it has another name by now.
  if (serverOf(redis) !== server) await askServer(redis);
  if (serverOf(redis) !== server || (await mark(redis, { keys, server })) !== 'marked')
    throw new Unavailable('dependency', 'Redis failed over before replicas had what it decided');
  // Only now: a script that Redis does not know yet is sent twice, and would come behind it.
  const replicas = await redis.wait(REPLICAS_MIN, REDIS_COMMAND_MS_MAX);
  if (replicas < REPLICAS_MIN)
    throw new Unavailable('dependency', `${replicas} replicas of Redis have what it decided, not ${REPLICAS_MIN}`);
}
