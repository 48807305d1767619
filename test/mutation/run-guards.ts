// run-guards.ts -- Runs chosen tests in a copy of the source, with or without planted changes, in a process of its own.

import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { runCommand } from '../../tools/stack/run-command.ts';
import type { Change } from './bugs.ts';

/** How one test ended, by its name without that of its group. */
export interface GuardResult {
  readonly test: string;
  readonly passed: boolean;
}

export interface GuardRun {
  readonly results: readonly GuardResult[];
  /** The output of the run, to find out why. */
  readonly output: string;
}

/** What tests and processes need. An API builds its pages, and those hold the client. */
const copied = [
  'src',
  'client',
  'web',
  'workers',
  'drizzle',
  'tools',
  'test',
  'deploy',
  'package.json',
  'tsconfig.json',
  'bunfig.toml',
];

const root = resolve(import.meta.dirname, '../..');

/** With a bug a test waits less for what will never come. Without one it is as patient as ever. */
const shorterWait: Change = { file: 'test/eventually.ts', from: 'WAIT_MS_MAX = 15_000', to: 'WAIT_MS_MAX = 2_500' };

/** Makes a changed copy of the source, and removes it after use. */
export async function withChangedCopy<Result>(
  changes: readonly Change[],
  use: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'coupon-planted-'));
  try {
    for (const name of copied) cpSync(join(root, name), join(folder, name), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    for (const change of changes) apply(change, folder);
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Runs tests on a changed copy.
 *
 * @param guards files and names of tests, without those of their groups
 * @throws Error when a change does not apply: its text must be in its file exactly once
 */
export async function runGuards(
  guards: readonly (readonly [file: string, test: string])[],
  changes: readonly Change[],
): Promise<GuardRun> {
  return withChangedCopy(changes.length > 0 ? [shorterWait, ...changes] : [], async (folder) => {
    const report = join(folder, 'report.xml');
    const names = guards.map(([, test]) => `${escaped(test)}$`).join('|');
    const files = [...new Set(guards.map(([file]) => `./${file}`))];
    const args = ['test', '--timeout=30000', '-t', names, '--reporter=junit', `--reporter-outfile=${report}`, ...files];
    const { output } = await runCommand(process.execPath, args, { folder });
    return { results: existsSync(report) ? resultsIn(readFileSync(report, 'utf8')) : [], output };
  });
}

function apply({ file, from, to }: Change, folder: string): void {
  const path = join(folder, file);
  const parts = readFileSync(path, 'utf8').split(from);
  if (parts.length !== 2)
    throw new Error(`a planted bug does not apply: ${file} has ${parts.length - 1} times ${from}`);
  writeFileSync(path, parts.join(to));
}

/** The text as a part of a regular expression. */
function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** The tests that ran, from a report in the format of JUnit; those that were left out are marked as skipped there. */
function resultsIn(report: string): GuardResult[] {
  return [...report.matchAll(/<testcase name="([^"]*)"[^>]*?(?:\/>|>(.*?)<\/testcase>)/gs)].flatMap(
    ([, name = '', inside = '']) =>
      inside.includes('<skipped') ? [] : [{ test: unescaped(name), passed: !/<(failure|error)\b/.test(inside) }],
  );
}

function unescaped(text: string): string {
  const signs: Record<string, string> = { lt: '<', gt: '>', quot: '"', apos: "'", '#39': "'", amp: '&' };
  return text.replaceAll(/&([a-z]+|#39);/g, (whole, name: string) => signs[name] ?? whole);
}
