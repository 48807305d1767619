// profile.ts -- Where the time of a process went: its CPU profile as a short table, own time by function.

import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Table } from './tables.ts';

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
}

/** The parts of a `.cpuprofile` that are read here: a node for each sample, and the microseconds since the one before. */
export interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Functions named; what is beyond them takes little. */
const FUNCTIONS_MAX = 25;
/** A gap longer than this is a pause between two samples, in which the process slept. */
const GAP_US_MAX = 20_000;

/** The newest profile of a process, as a table; null when there is none. */
export function profileTable(folder: string, name: string): Table | null {
  const file = globSync('*.cpuprofile', { cwd: join(folder, name) })
    .toSorted()
    .at(-1);
  if (file === undefined) return null;
  const parsed: unknown = JSON.parse(readFileSync(join(folder, name, file), 'utf8'));
  return ownTimes(parsed as Profile);
}

/** Own time by function, the longest first, as a share of all that was sampled. */
export function ownTimes({ nodes, samples, timeDeltas }: Profile): Table {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const spent = new Map<string, number>();
  let total = 0;
  for (const [i, id] of samples.entries()) {
    const name = names.get(id) ?? '(unknown)';
    const us = Math.min(timeDeltas[i] ?? 0, GAP_US_MAX);
    if (name.startsWith('(idle)')) continue;
    total += us;
    spent.set(name, (spent.get(name) ?? 0) + us);
  }
  const rows = [...spent].sort(([, a], [, b]) => b - a).slice(0, FUNCTIONS_MAX);
  return [['function', 'share'], ...rows.map(([name, us]) => [name, `${((100 * us) / total).toFixed(1)}%`])];
}

function nameOf({ functionName, url, lineNumber }: ProfileNode['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  return url === '' ? name : `${name} ${basename(url)}:${lineNumber + 1}`;
}
