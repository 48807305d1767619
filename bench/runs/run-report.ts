// run-report.ts -- What a run of a load tool found, in the same form for every tool; kept beside the tool's own page.

import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { reportFolder } from '../report/report.ts';
import type { Host } from '../testbed/machine.ts';
import type { Watched } from './watch.ts';

/** Raised when the shape changes: an older file is then discarded. */
const FORMAT = 1;

/** What the tool itself measured, as its callers saw it. */
export interface Figures {
  readonly requests: number;
  readonly requestsPerS: number;
  /** By name: `p50`, `p95`, `p99`, `max`. */
  readonly latencyMs: Readonly<Record<string, number>>;
  readonly thresholds: readonly { readonly rule: string; readonly held: boolean }[];
}

export interface RunReport {
  readonly format: typeof FORMAT;
  readonly tool: string;
  /** Script and scenario, or class: `mixed-rush`. */
  readonly run: string;
  /** As given in the environment; what is not among them has its default. */
  readonly settings: Readonly<Record<string, string>>;
  readonly host: Host;
  readonly passed: boolean;
  /** Why the figures of speed say nothing of the system; null where they do. */
  readonly undecided: string | null;
  readonly figures: Figures | null;
  readonly watched: Watched;
  /** Null for a run that issues nothing. */
  readonly promises: { readonly account: string; readonly faults: readonly string[] } | null;
  /** The page that the tool made, from the folder of all reports. */
  readonly toolPage: string;
  /** The run before it under the same name, without the one before that. */
  readonly earlier: Earlier | null;
}

export type Earlier = Pick<RunReport, 'host' | 'passed' | 'undecided' | 'figures' | 'settings'>;

const FILE = 'run.json';

/** The run that this folder holds; null when there is none, or one of another format. */
export function readRun(folder: string): RunReport | null {
  const file = join(folder, FILE);
  if (!existsSync(file)) return null;
  try {
    const found = JSON.parse(readFileSync(file, 'utf8')) as RunReport;
    return found.format === FORMAT ? found : null;
  } catch {
    // A file that broke off: as if there were none.
    return null;
  }
}

/** What is kept of it when the next run takes its place. */
export function earlierOf(run: RunReport | null): Earlier | null {
  if (run === null) return null;
  const { host, passed, undecided, figures, settings } = run;
  return { host, passed, undecided, figures, settings };
}

export function writeRun(folder: string, run: Omit<RunReport, 'format' | 'toolPage'>): void {
  const toolPage = relative(reportFolder, join(folder, 'report.html'));
  writeFileSync(join(folder, FILE), `${JSON.stringify({ format: FORMAT, ...run, toolPage }, null, 2)}\n`);
}

/** Every run that is kept, by tool and name. */
export function readRuns(folder = reportFolder): readonly RunReport[] {
  return globSync(`*/*/${FILE}`, { cwd: folder })
    .sort()
    .flatMap((file) => readRun(join(folder, file, '..')) ?? []);
}
