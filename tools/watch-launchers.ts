// Notices that the wrapper which started us has ended: npx does not hand a signal down to what it runs, and without it we would
// go on serving for ever behind the back of whoever stopped it.
import { findProcess, isStillRunning, type RunningProcess } from './stack/process-identity.ts';

const lookEveryMs = 500;
// npx, the shell that it starts, and `bun run`.
const launchersMax = 3;

/** Calls `ended`, once, when `bun run` or the npx in front of it has ended. A shell above them may end as it likes (`nohup`). */
export function watchLaunchers(ended: () => void): void {
  const launchers = findLaunchers();
  const timer = setInterval(() => {
    if (launchers.every(isStillRunning)) return;
    clearInterval(timer);
    ended();
  }, lookEveryMs);
  timer.unref();
}

function findLaunchers(): RunningProcess[] {
  // Both wrappers name the script that they run; without the name, somebody started this very file.
  if (process.env['npm_lifecycle_event'] === undefined) return [];
  const ancestors = ancestorsOf(process.ppid);
  const npx = process.env['npm_config_user_agent']?.startsWith('npm/') === true ? ancestors.findIndex(isNpx) : -1;
  return ancestors.slice(0, npx === -1 ? 1 : npx + 1);
}

function ancestorsOf(pid: number): RunningProcess[] {
  const found: RunningProcess[] = [];
  for (
    let next = findProcess(pid);
    next !== undefined && found.length < launchersMax;
    next = findProcess(next.parentPid)
  ) {
    found.push(next);
  }
  return found;
}

function isNpx({ name }: RunningProcess): boolean {
  return /(^|\/)(npm|npx|node)\b/.test(name);
}
