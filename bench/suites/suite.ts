// One run of a load suite, whatever the tool: target, tool, load, verification; it fails when any of them does.
import { mkdirSync, rmSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { startChild } from '../../tools/stack/child-process.ts';
import { type Cleanup, cleanUpOnSignals } from '../../tools/stack/cleanup.ts';
import { say } from '../../tools/progress.ts';
import { OperatorError } from '../../src/operator-error.ts';
import { readLoadRecord, RecordFault } from '../verification/load-record.ts';
import { VerificationFault, verdictLines, verify } from '../verify.ts';
import { startPrivateTarget } from './private-target.ts';
import { SettingFault } from './setting.ts';
import { givenTarget, type Target, TargetFault } from './target.ts';
import { ToolMissing } from './tool.ts';

export interface Suite {
  /** As in the folder of its reports: `k6`. */
  readonly name: string;
  /** What is run, as in the folder of its report: `mixed-rush`. */
  readonly run: string;
  /** Whether it issues coupons; else there is nothing to verify. */
  readonly issues: boolean;
  /** @throws ToolMissing when the tool is neither here nor can be had */
  findTool(): Promise<string>;
  command(target: Target, folder: string): { args: string[]; environment: Record<string, string | undefined> };
}

const root = resolve(import.meta.dirname, '../..');

/**
 * Runs a suite as a command.
 *
 * @param usage what `--help` prints
 * @param read makes the suite of the arguments and the environment; throws SettingFault for what it does not know
 * @returns never: 0 when the tool's thresholds and every promise held, 1 when not, 2 when it could not be run or not be judged
 */
export async function runSuite(
  usage: string,
  read: (args: readonly string[], environment: NodeJS.ProcessEnv) => Suite,
): Promise<never> {
  const args = process.argv.slice(2);
  if (args.includes('--help')) {
    say(usage);
    process.exit(0);
  }
  const cleanup = cleanUpOnSignals({ code: 130, words: 'Stopped.' });
  let code = 2;
  try {
    code = await run(read(args, process.env), cleanup);
  } catch (error) {
    const known = [SettingFault, TargetFault, ToolMissing, RecordFault, VerificationFault, OperatorError];
    console.error(error instanceof Error && known.some((kind) => error instanceof kind) ? error.message : error);
  } finally {
    await cleanup.run();
  }
  process.exit(code);
}

async function run(suite: Suite, cleanup: Cleanup): Promise<number> {
  // A given target is looked at first: to install a tool for minutes and then find nobody at home helps no one.
  const given = await givenTarget(process.env, suite.issues);
  const program = await suite.findTool();
  const target = given ?? (await startOwn(cleanup));
  const folder = resolve(root, 'reports', suite.name, suite.run);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { args, environment } = suite.command(target, folder);
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
  const held = suite.issues ? await verifyRun(target, folder) : true;
  say(`  report     ${relative(root, folder)}/report.html`);
  say(
    ended === 'code 0' && held
      ? `  ${suite.name} ${suite.run}: passed`
      : `  ${suite.name} ${suite.run}: FAILED (${suite.name} ended with ${ended})`,
  );
  return ended === 'code 0' && held ? 0 : 1;
}

/** @throws TargetFault with the words of whatever did not come up: they are for people */
async function startOwn(cleanup: Cleanup): Promise<Target> {
  try {
    return await startPrivateTarget(cleanup);
  } catch (error) {
    throw new TargetFault(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

async function verifyRun(target: Target, folder: string): Promise<boolean> {
  const record = readLoadRecord(folder);
  const verdict = await verify({ environment: target.environment, couponId: record.couponId, record });
  for (const line of verdictLines(verdict)) say(line);
  return verdict.faults.length === 0;
}
