// Tells whether a pid still means the same process: a pid alone is given out again, and stopping a stranger is worse than a leak.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

export interface ProcessIdentity {
  pid: number;
  /** When the process began, in a form that only compares; with the boot, since ticks start over with it. */
  began: string;
}

/** Who runs under this pid now; undefined when nobody does. A zombie is nobody: it has ended and only waits to be noticed. */
export function identify(pid: number): ProcessIdentity | undefined {
  const began = existsSync('/proc/self/stat') ? beganOnLinux(pid) : beganElsewhere(pid);
  return began === undefined ? undefined : { pid, began };
}

export function isStillRunning(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.began === identity.began;
}

function beganOnLinux(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The name, in parentheses, may hold anything; the fields after it are plain. See proc(5): state is 3rd, starttime 22nd.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  const startTicks = fields[19];
  if (startTicks === undefined || state === 'Z' || state === 'X') return undefined;
  return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${startTicks}`;
}

function beganElsewhere(pid: number): string | undefined {
  try {
    const began = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return began === '' ? undefined : began;
  } catch {
    // ps exits with 1 when there is no such process.
    return undefined;
  }
}
