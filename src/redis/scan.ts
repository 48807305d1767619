// scan.ts -- The keys of this installation in Redis, page by page, on one server or on all nodes of a cluster.

import type { Redis } from 'ioredis';
import { primariesOf } from './connection.ts';

/** What stands before every key of this installation, KEY_PREFIX. The driver adds it to commands, not to patterns, and not to replies. */
export function prefixOf({ options }: Redis): string {
  return options.keyPrefix ?? '';
}

/** The keys that match a pattern, both without the prefix. A key may come twice, also when its slot moves meanwhile. */
export async function* keyPages(
  redis: Redis,
  pattern: string,
  nodes = primariesOf(redis),
): AsyncGenerator<readonly string[]> {
  const prefix = prefixOf(redis);
  for (const node of nodes) {
    let cursor = '0';
    do {
      const [next, keys] = await node.scan(cursor, 'MATCH', `${prefix}${pattern}`, 'COUNT', 1000);
      yield keys.map((key) => key.slice(prefix.length));
      cursor = next;
    } while (cursor !== '0');
  }
}
