// One run of a load suite, whatever the tool: target, tool, load, verification; it fails when any of them does.
import { mkdirSync, rmSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { startChild } from '../../tools/stack/child-process.ts';
import type { Cleanup } from '../../tools/stack/cleanup.ts';
import { say } from '../../tools/progress.ts';
import { withBenchError } from '../bench-error.ts';
import { runCommand } from '../command.ts';
import { earlierOf, type Figures, readRun, writeRun } from '../runs/run-report.ts';
import { metricsUrls, startWatching } from '../runs/watch.ts';
import { writeReports } from '../runs/write-reports.ts';
import { describeHost, wasBusy } from '../testbed/machine.ts';
import { readLoadRecord } from '../verification/load-record.ts';
import { type Verdict, verdictLines, verify } from '../verify.ts';
import { startPrivateTarget } from './private-target.ts';
import { givenTarget, type Target } from './target.ts';

export interface Suite {
  /** As in the folder of its reports: `k6`. */
  readonly name: string;
  /** What is run, as in the folder of its report: `mixed-rush`. */
  readonly run: string;
  /** Whether it issues coupons; else there is nothing to verify. */
  readonly issues: boolean;
  /** @throws BenchError when the tool is missing and cannot be installed */
  findTool(): Promise<string>;
  /** What was set for the run, for its report. */
  readonly settings: Readonly<Record<string, string | undefined>>;
  /** What the tool measured; null when it has not come to an end. */
  figuresOf(folder: string): Figures | null;
  /** Says that the tool, and not the system, was the bound of a run; null where it was not. */
  boundOf?(folder: string): string | null;
  command(target: Target, folder: string): { args: string[]; environment: Record<string, string | undefined> };
}

const root = resolve(import.meta.dirname, '../..');

/**
 * Runs a suite as a command.
 *
 * @param usage what `--help` prints
 * @param read makes the suite of the arguments and the environment; throws BenchError for what it does not know
 */
export function runSuite(
  usage: string,
  read: (args: readonly string[], environment: NodeJS.ProcessEnv) => Suite,
): Promise<never> {
  return runCommand(usage, (args, cleanup) => run(read(args, process.env), cleanup));
}

async function run(suite: Suite, cleanup: Cleanup): Promise<boolean> {
  // A given target is checked first: else a tool is installed for minutes, and only then the target is found to be down.
  const given = await givenTarget(process.env, suite.issues);
  const program = await suite.findTool();
  const target = given ?? (await withBenchError(() => startPrivateTarget(cleanup)));
  const folder = resolve(root, 'reports', suite.name, suite.run);
  const earlier = earlierOf(readRun(folder));
  const host = await describeHost();
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { args, environment } = suite.command(target, folder);
  const watching = startWatching(metricsUrls(target));
  const child = await startChild({
    program,
    args,
    stdio: ['ignore', 'inherit', 'inherit'],
    folder: root,
    environment: { ...target.environment, ...environment },
  });
  cleanup.add(() => child.stop());
  const ended = await child.ended;
  say('');
  const promises = suite.issues ? await verifyRun(target, folder) : null;
  const passed = ended === 'code 0' && (promises === null || promises.faults.length === 0);
  const bound = passed ? (suite.boundOf?.(folder) ?? null) : null;
  writeRun(folder, {
    tool: suite.name,
    run: suite.run,
    settings: definedIn(suite.settings),
    host,
    passed,
    undecided: bound ?? (wasBusy(host) ? 'the machine was busy with other work' : null),
    figures: suite.figuresOf(folder),
    watched: await watching.stop(),
    promises,
    earlier,
  });
  say(`  report     ${relative(root, writeReports())}, with ${relative(root, folder)}/report.html by ${suite.name}`);
  const verdict = bound === null ? 'passed' : `everything held, and speed is not decided: ${bound}`;
  say(`  ${suite.name} ${suite.run}: ${passed ? verdict : `FAILED (${suite.name} ended with ${ended})`}`);
  return passed;
}

async function verifyRun(target: Target, folder: string): Promise<Verdict> {
  const record = readLoadRecord(folder);
  const verdict = await verify({ environment: target.environment, couponId: record.couponId, record });
  for (const line of verdictLines(verdict)) say(line);
  return verdict;
}

function definedIn(settings: Suite['settings']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) => (value ? [[name, value] as const] : [])),
  );
}
