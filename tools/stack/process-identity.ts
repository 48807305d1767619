// Tells whether a pid still means the same process: a pid alone is given out again, and stopping a stranger is worse than a leak.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

export interface ProcessIdentity {
  pid: number;
  /** When the process began, in a form that only compares; with the boot, since ticks start over with it. */
  began: string;
}

export interface RunningProcess extends ProcessIdentity {
  parentPid: number;
  /** Of the program, perhaps cut off or with a path in front. */
  name: string;
}

/** Who runs under this pid now; undefined when nobody does. A zombie is nobody: it has ended and only waits to be noticed. */
export function findProcess(pid: number): RunningProcess | undefined {
  return existsSync('/proc/self/stat') ? findOnLinux(pid) : findElsewhere(pid);
}

/** What to remember of a process in order to know it again. */
export function identify(pid: number): ProcessIdentity | undefined {
  const found = findProcess(pid);
  return found && { pid, began: found.began };
}

export function isStillRunning(identity: ProcessIdentity): boolean {
  return findProcess(identity.pid)?.began === identity.began;
}

function findOnLinux(pid: number): RunningProcess | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The name, in parentheses, may hold anything; the fields after it are plain. See proc(5): state is 3rd, parent 4th, start 22nd.
  const [state, parentPid, ...others] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const startTicks = others[17];
  if (startTicks === undefined || state === 'Z' || state === 'X') return undefined;
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
  return { pid, began: `${boot} ${startTicks}`, parentPid: Number(parentPid), name };
}

function findElsewhere(pid: number): RunningProcess | undefined {
  let line: string;
  try {
    line = execFileSync('ps', ['-o', 'ppid=,lstart=,comm=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { LC_ALL: 'C' },
    });
  } catch {
    // ps exits with 1 when there is no such process.
    return undefined;
  }
  // Such as `501 Sun Nov 22 21:16:01 2026 /bin/sh`.
  const match = /^\s*(\d+)\s+(\S+\s+\S+\s+\S+\s+\S+\s+\d+)\s+(.*?)\s*$/.exec(line);
  return match === null ? undefined : { pid, began: match[2] ?? '', parentPid: Number(match[1]), name: match[3] ?? '' };
}
