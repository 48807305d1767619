// resident-memory.ts -- How much memory a process really holds, as the system counts it.

import { readFileSync } from 'node:fs';

/** In MB. Throws when there is no such process. */
export function residentMb(pid: number): number {
  const resident = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(resident) / 1024;
}

/** Noise of a collected heap. A leak of one object a request would be far above it. */
const GROWTH_MAX = 1.1;
const GROWTH_MB_MAX = 16;

/** Whether a level of memory, in MB, is above an earlier one by more than noise. */
export function hasGrown(earlyMb: number, lateMb: number): boolean {
  return lateMb > earlyMb * GROWTH_MAX + GROWTH_MB_MAX;
}
