// round-parts.ts -- The parts of a round of reconciling: on a cluster one that fails is left out, and the work of the others goes on.

import type { Redis } from 'ioredis';
import { askServer, isCluster, nodeOf } from '../src/redis/connection.ts';
import type { PartitionKeys } from '../src/stream/keys.ts';

/**
 * Makes what runs the parts of one round. Each returns null for a part that failed, which is reported, or that is left out: of a
 * partition that failed before, or of a node that does not answer. One Redis is no cluster: there each throws what its work throws.
 */
export function createRoundParts(redis: Redis, onFault: (fault: unknown) => void) {
  const leftOut = new Set<Redis | string>();
  const run = async <Result>(part: Redis | string, node: Redis | null, work: () => Promise<Result>) => {
    if (leftOut.has(part) || (node && leftOut.has(node))) return null;
    try {
      return await work();
    } catch (fault) {
      if (!isCluster(redis)) throw fault;
      onFault(fault);
      leftOut.add(part);
      if (node) await askServer(node).catch(() => leftOut.add(node));
      return null;
    }
  };
  return {
    ofNode: <Result>(node: Redis, work: () => Promise<Result>) => run(node, node, work),
    ofPartition: <Result>({ stream }: PartitionKeys, work: () => Promise<Result>) =>
      run(stream, ownerOf(redis, stream), work),
  };
}

/** The connection to the server that has a key; null while a cluster does not say which that is. */
function ownerOf(redis: Redis, key: string): Redis | null {
  try {
    return nodeOf(redis, key);
  } catch {
    return null;
  }
}
