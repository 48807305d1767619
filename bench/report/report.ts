// report.ts -- What all runs have found, in one file: a run replaces its own part and leaves the others, each with its machine.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Alone } from '../compare/alone.ts';
import type { CaseResult } from '../compare/figures.ts';
import type { Curve } from '../growth/growth.ts';
import type { Rush } from '../rush/million.ts';
import type { Machine } from '../testbed/machine.ts';

/** Raised when the shape changes: an older file is then discarded. */
const FORMAT = 3;

/** A part, with where and when it was taken. */
export interface Taken<Findings> {
  readonly machine: Machine;
  readonly findings: Findings;
}

export interface Comparison {
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
  readonly cases: readonly CaseResult[];
}

export interface Report {
  readonly format: typeof FORMAT;
  readonly compare?: Taken<Comparison>;
  readonly alone?: Taken<Alone>;
  readonly growth?: Taken<readonly Curve[]>;
  readonly million?: Taken<Rush>;
}

/** Where reports are. */
export const reportFolder = resolve(import.meta.dirname, '../../reports');

/** The report so far; an empty one when there is none. */
export function readReport(folder = reportFolder): Report {
  const reportFile = join(folder, 'bench.json');
  if (!existsSync(reportFile)) return { format: FORMAT };
  const found: unknown = JSON.parse(readFileSync(reportFile, 'utf8'));
  return isReport(found) ? found : { format: FORMAT };
}

export function writeReport(report: Report): void {
  mkdirSync(reportFolder, { recursive: true });
  writeFileSync(join(reportFolder, 'bench.json'), `${JSON.stringify(report, null, 2)}\n`);
}

function isReport(value: unknown): value is Report {
  return typeof value === 'object' && value !== null && 'format' in value && value.format === FORMAT;
}
