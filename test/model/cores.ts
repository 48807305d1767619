// cores.ts -- The search on several cores: one worker each, and levels that all of them begin and end together.

import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { leaveOut, type Guard } from './guards.ts';
import { type Break, type Found, firstLevel, found, packedSizeOf, createExpand, type SearchOptions } from './search.ts';
import { Level, type Segment, Visited } from './visited.ts';

/** What a worker is told first. */
interface Beginning {
  readonly options: SearchOptions;
  readonly without: readonly Guard[];
  readonly memory: SharedArrayBuffer;
}

/** Then, for each level: its segments, from which all cores take the next one by the shared counter; and some to fill. */
interface Task {
  readonly level: readonly Segment[];
  readonly taken: Int32Array;
  readonly spare: Segment[];
}

interface Done {
  readonly segments: readonly Segment[];
  readonly broken: Break | null;
}

const PROGRESS_MS = 1000;

/**
 * As `search`, on `cores` cores. Of stories of the same length it tells any.
 *
 * @param without the guards to leave out
 * @param onProgress is given the depth and the number of states, every second
 */
export async function searchOnCores(
  options: SearchOptions,
  cores: number,
  without: readonly Guard[] = [],
  onProgress: (depth: number, states: number) => void = () => {},
): Promise<Found> {
  const visited = new Visited(options.statesMax);
  const workers = Array.from({ length: cores }, () => new Worker(new URL(import.meta.url)));
  for (const worker of workers) {
    worker.postMessage({ options, without, memory: visited.memory } satisfies Beginning);
  }
  leaveOut(...without);
  let depth = 0;
  const timer = setInterval(() => onProgress(depth, visited.count), PROGRESS_MS);
  try {
    let level = firstLevel(options.world, visited);
    for (let spare: Segment[] = []; ; depth += 1) {
      const taken = new Int32Array(new SharedArrayBuffer(4));
      const tasks = workers.map((worker, i) => {
        const share = spare.filter((_, s) => s % cores === i);
        return ask(worker, { level, taken, spare: share });
      });
      const done = await Promise.all(tasks);
      const next = done.flatMap(({ segments }) => segments);
      const broken = done.find((each) => each.broken)?.broken ?? null;
      if (broken) return found(options, visited, depth + 1, [...level, ...next], broken);
      if (visited.isOver || next.length === 0) return found(options, visited, depth, [...level, ...next]);
      spare = level;
      level = next;
    }
  } finally {
    clearInterval(timer);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function ask(worker: Worker, task: Task): Promise<Done> {
  return new Promise((resolve, reject) => {
    worker.removeAllListeners();
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.postMessage(task);
  });
}

/** What a worker does. */
function serve(): void {
  let begun: Beginning | null = null;
  let expand: ReturnType<typeof createExpand> | null = null;
  parentPort?.on('message', (data: Beginning | Task) => {
    if ('options' in data) {
      begun = data;
      leaveOut(...data.without);
      expand = createExpand(data.options, new Visited(data.options.statesMax, data.memory));
    } else if (begun && expand) {
      const next = new Level(packedSizeOf(begun.options.world), data.spare);
      let broken: Break | null = null;
      for (let i = Atomics.add(data.taken, 0, 1); i < data.level.length && !broken; i = Atomics.add(data.taken, 0, 1)) {
        const segment = data.level[i];
        if (segment) broken = expand(segment, next);
      }
      parentPort?.postMessage({ segments: next.segments, broken } satisfies Done);
    }
  });
}

if (!isMainThread) serve();
