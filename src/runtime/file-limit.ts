// file-limit.ts -- The limit of open files: whether it is high enough for what callers may hold, and what a server does near it.
//
// When descriptors run out, Bun tries again and again to accept, which takes half a core and more, and it has no limit of its own on
// connections. So the limit must lie above all that callers may hold, the proxy in front bounds the rest, and a server that comes near
// it all the same stops accepting until there is room: callers beyond it are refused immediately, and those that it has are answered.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { Config } from '../config/config.ts';
import { poolSizes } from '../mysql/database.ts';

/** From this share of the limit on a server frees files, and below the second one it accepts again. The rest is for the stores. */
const [HIGH, LOW] = [0.9, 0.8];
const LOOK_MS = 250;

/** What to warn of when the limit is too low; null when it is high enough, or not known on this system. */
export function fileLimitFault(config: Config, limits = readLimits()): string | null {
  const limit = limitIn(limits);
  const { LISTENERS_MAX, LISTENERS_OPERATORS_MAX, ISSUE_WAITERS_MAX } = config;
  const pools = Object.values(poolSizes(config)).reduce((sum, size) => sum + size, 0);
  const needed = Math.ceil((LISTENERS_MAX + LISTENERS_OPERATORS_MAX + ISSUE_WAITERS_MAX + pools) / HIGH);
  return limit >= needed
    ? null
    : `this process may open ${limit} files, and needs ${needed}: raise the hard limit (ulimit -Hn), or lower LISTENERS_MAX and ISSUE_WAITERS_MAX`;
}

/** A server that can make room. */
interface FileHolder {
  /** Closes the connections that are between two requests. */
  closeIdle(): void;
  /** Accepts nothing more; what is under way goes on. */
  refuse(): void;
  /** Accepts again, or says that it cannot yet. */
  accept(): boolean;
}

/** Looks after the files of a server until the function that it returns is called. Does nothing where the limit is not known. */
export function guardFiles(holder: FileHolder): () => void {
  const usedShare = createUsedShare();
  let isRefusing = false;
  const look = () => {
    if (isRefusing) {
      isRefusing = usedShare() >= LOW || !holder.accept();
      return;
    }
    if (usedShare() < HIGH) return;
    // Enough where callers only keep their connections. Those on which nothing was ever asked stay.
    holder.closeIdle();
    if (usedShare() < HIGH) return;
    holder.refuse();
    isRefusing = true;
  };
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** Makes the function that says how much of the limit is used: 0 where that is not known, 1 if there is not even one for looking. */
function createUsedShare(): () => number {
  const limit = limitIn(readLimits());
  return () => {
    try {
      // Since Linux 6.2 the size is the number, which costs nothing.
      const open = statSync('/proc/self/fd').size || readdirSync('/proc/self/fd').length;
      return open / limit;
    } catch (error) {
      return error instanceof Error && 'code' in error && error.code === 'EMFILE' ? 1 : 0;
    }
  };
}

function limitIn(limits: string): number {
  return Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
}

/** Empty where there is no such file. */
function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return '';
  }
}
