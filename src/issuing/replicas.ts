// replicas.ts -- Waits until replicas have what was decided (REPLICAS_MIN): one WAIT a server for all batches that ask meanwhile.
//
// WAIT counts the replicas that have what its own connection wrote last. So a connection that only waits writes a mark first: a
// replica that has the mark has all that the server wrote before it, for whatever connection. That covers "already issued" too, which
// writes nothing itself. A server that was restarted or promoted since refuses the mark.
//
// The connections that decide never wait, and while a WAIT is under way the batches that ask next gather for one more. So a replica
// that is slow holds up answers, and no decision. On a cluster each node has WAITs of its own, and each partition its mark: a node
// whose slot has moved refuses it, and its replicas say nothing of what the new owner has.

import type { Redis } from 'ioredis';
import type { Config } from '../config/config.ts';
import { Unavailable } from '../coupon/outcome.ts';
import { invariant } from '../invariant.ts';
import {
  askServer,
  isCluster,
  nodeOf,
  type OnFault,
  type RedisSettings,
  serverOf,
  waitingConnection,
} from '../redis/connection.ts';
import { type Confirm, mark } from '../stock/decision-scripts.ts';
import type { PartitionKeys } from '../stream/keys.ts';
import { Combiner } from './combiner.ts';

type ReplicaSettings = Pick<Config, 'REPLICAS_MIN' | 'REDIS_COMMAND_MS_MAX'>;

export interface Replicas {
  /** To be opened before anything is confirmed. */
  readonly connections: readonly Redis[];
  readonly confirm: Confirm;
}

/**
 * WAITs of a server under way at a time: one more than needed, so that a batch waits for no whole one of others; more would gather
 * fewer batches each.
 */
const WAITS_MAX = 2;
const BATCHES_PER_WAIT_MAX = 1000;
const WAITING_BATCHES_MAX = 100_000;

/** Null when nothing is waited for. */
export function createReplicas(config: RedisSettings & ReplicaSettings, onFault: OnFault): Replicas | null {
  if (config.REPLICAS_MIN === 0) return null;
  const { REDIS_COMMAND_MS_MAX: waitMsMax } = config;
  const connections = Array.from({ length: WAITS_MAX }, () => waitingConnection(config, waitMsMax, onFault));
  return { connections, confirm: createConfirm(connections, config) };
}

function createConfirm(connections: readonly Redis[], settings: ReplicaSettings): Confirm {
  /** The servers that each connection waits for. */
  const waits = connections.map((redis) => ({ redis, servers: new Set<string>() }));
  const combiner = new Combiner<string, PartitionKeys, boolean>(
    async (server, batches) => {
      // One that is free: round robin would take one that waits for a slow replica while the other is done.
      const free = waits.filter(({ servers }) => !servers.has(server));
      const [wait] = free.toSorted((a, b) => a.servers.size - b.servers.size);
      invariant(wait, 'a WAIT has a connection');
      wait.servers.add(server);
      return markAndWait(wait.redis, batches, server, settings).finally(() => wait.servers.delete(server));
    },
    { usersPerBatchMax: BATCHES_PER_WAIT_MAX, batchesInFlightMax: WAITS_MAX, waitingMax: WAITING_BATCHES_MAX },
  );
  return async (keys, server) => {
    if (!(await combiner.submit(server, keys))) throw replaced();
  };
}

/** For each batch, whether replicas have it: false where another server has its partition by now. */
async function markAndWait(
  redis: Redis,
  batches: readonly PartitionKeys[],
  server: string,
  { REPLICAS_MIN, REDIS_COMMAND_MS_MAX }: ReplicaSettings,
): Promise<boolean[]> {
  // Of one server a mark in any partition is behind what was written in the others.
  const placeOf = ({ stream }: PartitionKeys) => (isCluster(redis) ? stream : '');
  const places = new Map(batches.map((keys) => [placeOf(keys), keys]));
  const node = await connectionTo(redis, [...places.values()], server);
  // Sent to the node itself: a mark that follows a slot is written by another one.
  const marking = [...places].map(async ([place, keys]) => ((await isMarked(node, keys, server)) ? [place] : []));
  const marked = new Set((await Promise.all(marking)).flat());
  if (marked.size === 0) throw replaced();
  // Only now: a script that Redis does not know yet is sent twice, and would come behind it. Right behind the last reply, so that the
  // connection is still the one that wrote the marks.
  const replicas = await node.wait(REPLICAS_MIN, REDIS_COMMAND_MS_MAX);
  if (replicas < REPLICAS_MIN)
    throw new Unavailable('dependency', `${replicas} replicas of Redis have what it decided, not ${REPLICAS_MIN}`);
  return batches.map((keys) => marked.has(placeOf(keys)));
}

/** The connection to the server that decided, which has one of these partitions at least. */
async function connectionTo(redis: Redis, partitions: readonly PartitionKeys[], server: string): Promise<Redis> {
  const find = () => partitions.find(({ stream }) => serverOf(redis, stream) === server);
  // Promoted behind a connection that stands, it has another name by now; and slots may have moved.
  if (!find()) await Promise.all(partitions.map(({ stream }) => askServer(redis, stream)));
  const found = find();
  if (!found) throw replaced();
  return nodeOf(redis, found.stream);
}

/** Whether the server that decided still has the partition. */
async function isMarked(node: Redis, keys: PartitionKeys, server: string): Promise<boolean> {
  try {
    return (await mark(node, { keys, server })) === 'marked';
  } catch (error) {
    if (error instanceof Error && /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN)\b/.test(error.message)) return false;
    throw error;
  }
}

function replaced(): Unavailable {
  return new Unavailable('dependency', 'another Redis took over before replicas had what was decided');
}
