// stalls.ts -- What a stall waited for, as far as the kernel says: a process that had work and no core, one that was busy, or a disk.
//
// Every few milliseconds it notes how long the threads of each process have run, waited for a core and waited for a disk. What most of
// a stall is made of is its cause.

import { readdirSync, readFileSync } from 'node:fs';
import type { Testbed } from '../testbed/testbed.ts';
import type { OpenResult } from './generator.ts';

/** How many stalls had which cause. */
export type Causes = ReadonlyMap<string, number>;

const LOOK_MS = 10;

interface Look {
  readonly atMs: number;
  /** By process: µs that its threads ran, and waited for a core. */
  readonly ranUs: readonly number[];
  readonly waitedUs: readonly number[];
  /** By process: whether a thread waits for a disk. */
  readonly waitsForDisk: readonly boolean[];
}

/** Begins to look, until the causes are asked for. */
export function watchStalls({ api, worker, redisPid, mysqlPid }: Testbed) {
  const processes = [
    { name: 'API', pid: api.pid },
    { name: 'worker', pid: worker.pid },
    { name: 'Redis', pid: redisPid },
    { name: 'MySQL', pid: mysqlPid },
  ];
  const looks: Look[] = [];
  const look = () =>
    looks.push({
      atMs: nowMs(),
      ...timesOf(processes.map(({ pid }) => pid)),
      waitsForDisk: processes.map(({ pid }) => isWaitingForDisk(pid)),
    });
  const timer = setInterval(look, LOOK_MS);
  return {
    causesOf({ stalls, startedMs }: Pick<OpenResult, 'stalls' | 'startedMs'>): Causes {
      clearInterval(timer);
      const causes = new Map<string, number>();
      for (const { atMs, lastedMs } of stalls) {
        const cause = causeOf(looks, processes, startedMs + atMs, lastedMs);
        causes.set(cause, (causes.get(cause) ?? 0) + 1);
      }
      return causes;
    },
  };
}

function causeOf(
  looks: readonly Look[],
  processes: readonly { readonly name: string }[],
  fromMs: number,
  lastedMs: number,
) {
  const within = looks.filter(({ atMs }) => atMs >= fromMs - LOOK_MS && atMs <= fromMs + lastedMs + LOOK_MS);
  const [first, last] = [within[0], within.at(-1)];
  if (!first || !last || within.length < 2) return 'no core for the bench itself';
  const candidates = processes.flatMap(({ name }, i) => [
    { cause: `no core for ${name}`, ms: ((last.waitedUs[i] ?? 0) - (first.waitedUs[i] ?? 0)) / 1000 },
    { cause: `${name} busy`, ms: ((last.ranUs[i] ?? 0) - (first.ranUs[i] ?? 0)) / 1000 },
    { cause: `${name} waits for the disk`, ms: within.filter(({ waitsForDisk }) => waitsForDisk[i]).length * LOOK_MS },
  ]);
  const [most] = candidates.toSorted((a, b) => b.ms - a.ms);
  return most && most.ms >= lastedMs / 3 ? most.cause : 'none found';
}

/** The clock of the generator. */
function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function timesOf(pids: readonly number[]): Pick<Look, 'ranUs' | 'waitedUs'> {
  const times = pids.map((pid) => threadsOf(pid, 'schedstat').map((text) => text.split(' ').map(Number)));
  const sumOf = (place: 0 | 1) => times.map((threads) => threads.reduce((sum, ns) => sum + (ns[place] ?? 0) / 1000, 0));
  return { ranUs: sumOf(0), waitedUs: sumOf(1) };
}

function isWaitingForDisk(pid: number): boolean {
  return threadsOf(pid, 'stat').some((text) => text.split(') ')[1]?.startsWith('D'));
}

/** A file of each thread of a process; of one that ended meanwhile, nothing. */
function threadsOf(pid: number, file: 'schedstat' | 'stat'): string[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
    try {
      return [readFileSync(`/proc/${pid}/task/${thread}/${file}`, 'utf8')];
    } catch {
      return [];
    }
  });
}
