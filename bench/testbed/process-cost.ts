// process-cost.ts -- What a process has cost so far, as Linux counts it: CPU of all its threads, waiting for a core, and memory.

import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** Ticks a second in /proc/PID/stat. The kernel gives them to programs at this rate whatever its own is. */
const TICKS_PER_S = 100;

/** CPU of a process and all its threads since it began, in microseconds, exact to 10,000. Throws when it has ended. */
export function cpuUsOf(pid: number): number {
  return cpuUsIn(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

/** The same from the text of /proc/PID/stat: utime and stime, its 14th and 15th field. */
export function cpuUsIn(stat: string): number {
  // The name, in parentheses, may hold anything, so counting begins behind it, with the third field.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  if (!Number.isFinite(ticks)) throw new Error(`not the stat of a process: ${stat}`);
  return (ticks * 1e6) / TICKS_PER_S;
}

/**
 * How long the threads of a process have been ready to run and waited for a core, in microseconds, all together; null where
 * the kernel does not count it. Threads that have ended are not counted.
 */
export function coreWaitUsOf(pid: number): number | null {
  if (!existsSync(`/proc/${pid}/schedstat`)) return null;
  return readdirSync(`/proc/${pid}/task`).reduce(
    (sum, thread) => sum + threadWaitUs(`/proc/${pid}/task/${thread}/schedstat`),
    0,
  );
}

function threadWaitUs(path: string): number {
  try {
    return coreWaitUsIn(readFileSync(path, 'utf8'));
  } catch (error) {
    // The thread ended since its name was read.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return 0;
    throw error;
  }
}

/** The same of one thread from the text of its schedstat: time run, time waited, times run; in nanoseconds. */
export function coreWaitUsIn(schedstat: string): number {
  const waitNs = /^\d+ (\d+) \d+\s*$/.exec(schedstat)?.[1];
  if (waitNs === undefined) throw new Error(`not the schedstat of a thread: ${schedstat}`);
  return Number(waitNs) / 1000;
}

/** Memory that a process has in RAM, in bytes. */
export function residentBytesOf(pid: number): number {
  return residentBytesIn(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

/** The same from the text of /proc/PID/status. */
export function residentBytesIn(status: string): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kibibytes === undefined) throw new Error('not the status of a process: it has no VmRSS');
  return Number(kibibytes) * 1024;
}
