// compare.ts -- All cases in one run, interleaved: each round has every case once, so that other work on the machine affects all of them
// alike.

import { say } from '../../tools/progress.ts';
import type { Testbed } from '../testbed/testbed.ts';
import { allCases, type Case, type CaseName } from './cases.ts';
import { type CaseResult, type Figures, mediansOf } from './figures.ts';
import { type Round, type RoundOptions, runRound } from './round.ts';

export interface CompareOptions extends RoundOptions {
  readonly rounds: number;
  /** Names of cases; all of them when empty. The echo always takes part, since all are measured against it. */
  readonly only: readonly CaseName[];
}

/** @throws FailedRun that names the case whose answers or rows are wrong */
export async function compare(testbed: Testbed, options: CompareOptions): Promise<readonly CaseResult[]> {
  const all = await allCases(testbed);
  const cases =
    options.only.length === 0 ? all : all.filter(({ name }) => name === 'echo' || options.only.includes(name));
  const rounds = new Map<Case, Round[]>(cases.map((each) => [each, []]));
  // Not counted: compilers and caches warm up, and the tables get their first pages.
  for (const each of cases) await runRound(testbed, each, { ...options, seconds: 1 });
  for (let number = 1; number <= options.rounds; number += 1) {
    for (const [each, done] of rounds) {
      const { echo: near, round } = await besideEcho(testbed, cases, each, options);
      const figures = { ...round.figures, shareOfEcho: round.figures.requestsPerS / near };
      done.push({ ...round, figures });
      say(`  ${number}/${options.rounds}  ${each.title.padEnd(42)} ${lineOf(figures)}`);
    }
  }
  return cases.map((each) => resultOf(each, rounds.get(each) ?? []));
}

/** A round, and the ceiling's throughput right before it: on a shared machine a minute later is another machine. */
async function besideEcho(testbed: Testbed, cases: readonly Case[], each: Case, options: RoundOptions) {
  const echo = cases.find(({ name }) => name === 'echo');
  if (echo === undefined || echo === each) {
    const round = await runRound(testbed, each, options);
    return { echo: round.figures.requestsPerS, round };
  }
  const before = await runRound(testbed, echo, { ...options, seconds: Math.ceil(options.seconds / 2) });
  return { echo: before.figures.requestsPerS, round: await runRound(testbed, each, options) };
}

function resultOf({ name, title, group }: Case, rounds: readonly Round[]): CaseResult {
  const answers: Record<string, number> = {};
  for (const round of rounds) {
    for (const [answer, count] of Object.entries(round.answers)) answers[answer] = (answers[answer] ?? 0) + count;
  }
  const figures = rounds.map((round) => round.figures);
  return { name, title, group, median: mediansOf(figures), rounds: figures, answers };
}

function lineOf({ requestsPerS, shareOfEcho, systemCpuUs }: Figures): string {
  const share = shareOfEcho === null ? '' : `${shareOfEcho.toFixed(2)} of echo`;
  return `${Math.round(requestsPerS).toLocaleString('en').padStart(8)}/s  ${share.padStart(12)}  ${systemCpuUs.toFixed(1)} µs`;
}
