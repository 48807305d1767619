// resident-memory.ts -- How much memory a process really holds, as the system counts it.

import { readFileSync } from 'node:fs';

/** In MB. Throws when there is no such process. */
export function residentMb(pid: number): number {
  const resident = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(resident) / 1024;
}
