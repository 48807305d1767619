// socket-backlog.ts -- How many connections may wait to be accepted, by the system that this process runs on.

import { readFileSync } from 'node:fs';

/** `net.core.somaxconn`, which bounds the backlog of every socket; null where the system does not say. */
export function socketBacklog(): number | null {
  try {
    return Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
  } catch {
    return null;
  }
}
