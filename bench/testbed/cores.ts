// cores.ts -- Keeps the whole run, generator included, on a few cores, so that figures of a large machine and a small one compare.

import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { findProgram } from '../../tools/stack/find-program.ts';
import { mustRun } from '../../tools/stack/run-command.ts';
import { BenchError } from '../bench-error.ts';

/** How long cores are watched to find the idle ones. */
const WATCH_MS = 500;

/**
 * Binds this process, and so every process it starts, to the `count` cores that are least busy now.
 *
 * @param count 0 for all
 * @returns the cores; all of them when the machine has no more
 * @throws BenchError when the machine has more, and processes cannot be bound to fewer
 */
export async function bindToCores(count: number): Promise<readonly number[]> {
  const before = busyTicksIn(readFileSync('/proc/stat', 'utf8'));
  if (count === 0 || before.length <= count) return before.map((_, core) => core);
  if (findProgram('taskset') === undefined) {
    throw new BenchError(
      'taskset not found, and it keeps the run on a few cores: install util-linux, or use --cores 0.',
    );
  }
  await pause(WATCH_MS);
  const cores = leastBusy(before, busyTicksIn(readFileSync('/proc/stat', 'utf8')), count);
  await mustRun('taskset', ['-a', '-c', '-p', cores.join(','), String(process.pid)]);
  return cores;
}

/** The busy ticks of each core since boot, from the text of /proc/stat. */
export function busyTicksIn(stat: string): readonly number[] {
  return [...stat.matchAll(/^cpu\d+ (.*)$/gm)].map(([, fields = '']) => {
    const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] = fields.split(' ').map(Number);
    return user + nice + system + irq + softIrq + steal;
  });
}

/** The `count` cores that did least between two looks, in order. */
export function leastBusy(before: readonly number[], after: readonly number[], count: number): readonly number[] {
  return after
    .map((ticks, core) => ({ core, worked: ticks - (before[core] ?? 0) }))
    .sort((a, b) => a.worked - b.worked || a.core - b.core)
    .slice(0, count)
    .map(({ core }) => core)
    .sort((a, b) => a - b);
}
