// porcupine.ts -- Builds the judge where Go is at hand, and has it judge a history.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../../tools/stack/find-program.ts';
import { tempFolder } from '../../tools/leftovers.ts';
import { type CommandResult, runCommand } from '../../tools/stack/run-command.ts';

export interface Judgement {
  /** `undecided`: no time was left, or the file cannot be read. `unavailable`: there is no Go, or no module. Neither is a pass. */
  readonly verdict: 'ok' | 'refused' | 'undecided' | 'unavailable';
  /** For people; the last one is the verdict. */
  readonly lines: readonly string[];
}

const OK = 'code 0';
const REFUSED = 'code 1';

/** Where Go is; undefined where it is not. */
export function findGo(): string | undefined {
  return findProgram('go');
}

/**
 * Judges the history in a file. A refused one is drawn beside it.
 *
 * @param boundS seconds for each coupon, after which it is not decided
 */
export async function judgeHistory(path: string, boundS = 30): Promise<Judgement> {
  const go = findGo();
  if (go === undefined) return { verdict: 'unavailable', lines: ['not judged, since there is no Go on the PATH'] };
  built ??= build(go);
  const { ok, output: fault, judge } = await built;
  if (!ok) return { verdict: 'unavailable', lines: [`not judged, since the judge cannot be built: ${fault}`] };
  const { ended, output } = await runCommand(judge, [`-bound=${boundS}s`, path]);
  const verdict = ended === OK ? 'ok' : ended === REFUSED ? 'refused' : 'undecided';
  return { verdict, lines: output.split('\n') };
}

/** Once for each process. */
let built: Promise<CommandResult & { readonly judge: string }> | null = null;

async function build(go: string): Promise<CommandResult & { readonly judge: string }> {
  const folder = tempFolder('coupon-judge-');
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const judge = join(folder, 'judge');
  return { judge, ...(await runCommand(go, ['build', '-o', judge, '.'], { folder: import.meta.dirname })) };
}
