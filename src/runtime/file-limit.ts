// file-limit.ts -- Whether this process may open as many files and connections as its settings allow callers to hold.
//
// When descriptors run out, Bun tries again and again to accept, which takes a good part of a core, and it has no limit of its own on
// connections: the limit of the system must lie above all that callers may hold, and the proxy in front bounds the rest.

import { readFileSync } from 'node:fs';
import type { Config } from '../config/config.ts';
import { poolSizes } from '../mysql/database.ts';

/** For connections that are between two requests, and the files of the process itself. */
const RESERVE = 1000;

/** What to warn of when the limit is too low; null when it is high enough, or not known on this system. */
export function fileLimitFault(config: Config, limits = readLimits()): string | null {
  const limit = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  const { LISTENERS_MAX, LISTENERS_OPERATORS_MAX, ISSUE_WAITERS_MAX } = config;
  const pools = Object.values(poolSizes(config)).reduce((sum, size) => sum + size, 0);
  const needed = LISTENERS_MAX + LISTENERS_OPERATORS_MAX + ISSUE_WAITERS_MAX + pools + RESERVE;
  return limit >= needed
    ? null
    : `this process may open ${limit} files, and needs ${needed}: raise the hard limit (ulimit -Hn), or lower LISTENERS_MAX and ISSUE_WAITERS_MAX`;
}

/** Empty where there is no such file. */
function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return '';
  }
}
