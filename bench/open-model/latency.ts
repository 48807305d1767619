// latency.ts -- Each endpoint at fixed rates in an open model, beside the echo at the same rate: how long callers wait, and what for.

import { say } from '../../tools/progress.ts';
import { FailedRun } from '../bench-error.ts';
import type { Case, CaseName } from '../compare/cases.ts';
import { allCases } from '../compare/cases.ts';
import { markdownTable, number, type Table } from '../report/tables.ts';
import { drained } from '../testbed/coupons.ts';
import { median } from '../testbed/statistics.ts';
import type { Testbed } from '../testbed/testbed.ts';
import { runWrk } from '../testbed/wrk.ts';
import { type OpenResult, runAtRate, type Target } from './generator.ts';
import { type Causes, watchStalls } from './stalls.ts';

export interface LatencyOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
}

const names: readonly CaseName[] = ['scripted', 'locked', 'synchronous', 'scripted sold out'];
/** Of what it carries in a closed loop. */
const SHARES = [0.25, 0.5, 0.75] as const;

interface Found {
  readonly own: OpenResult;
  readonly echo: OpenResult;
  readonly causes: Causes;
}

/**
 * Finds what each endpoint carries, then asks for shares of it, in turn with the echo at the same rate.
 *
 * @returns a line for each endpoint and rate, of medians
 * @throws FailedRun when a request was not answered, or failed
 */
export async function latency(testbed: Testbed, { rounds, seconds, connections }: LatencyOptions): Promise<Table> {
  const cases = await allCases(testbed);
  const caseOf = (name: CaseName): Case => {
    const found = cases.find((each) => each.name === name);
    if (!found) throw new Error(`there is no case ${name}`);
    return found;
  };
  const table: string[][] = [
    [
      '',
      'requests/s',
      'p50 ms',
      'p90',
      'p99',
      'p99.9',
      'longest stall',
      'echo p50',
      'echo p99',
      'p99 of echo',
      'generator µs',
      'stalls above 20 ms',
    ],
  ];
  let run = 0;
  const drive = async (each: Case, ratePerS: number): Promise<OpenResult> => {
    const prepared = await each.prepare(seconds);
    const [load] = prepared.loads;
    if (!load) throw new Error('a case has no load');
    const url = new URL(load.url);
    run = (run + 1) % 800;
    const target: Target = { port: Number(url.port), path: url.pathname, couponId: Number(load.args[0]), run };
    const result = await runAtRate(target, seconds, ratePerS, connections);
    await drained(testbed);
    await prepared.finish();
    const isRight = each.outcome === 'sold out' ? result.ok === 0 : result.refused === 0;
    if (result.broken + result.failed > 0 || !isRight)
      throw new FailedRun(`${each.name}: ${JSON.stringify({ ...result, stalls: [] })}`);
    return result;
  };
  for (const name of names) {
    const own = caseOf(name);
    const carried = await capacityOf(testbed, own, { seconds, connections });
    for (const share of SHARES) {
      const found: Found[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const echo = await drive(caseOf('echo'), carried * share);
        const watched = watchStalls(testbed);
        const result = await drive(own, carried * share);
        found.push({ echo, own: result, causes: watched.causesOf(result) });
        say(
          `  ${round + 1}/${rounds}  ${own.title}, ${Math.round(carried * share)}/s: p99 ${result.p99Ms.toFixed(1)} ms, echo ${echo.p99Ms.toFixed(1)}`,
        );
      }
      table.push(lineOf(`${own.title}, ${share * 100} %`, carried * share, found));
    }
  }
  say(`\n${markdownTable(table)}`);
  return table;
}

async function capacityOf(
  testbed: Testbed,
  { prepare }: Case,
  { seconds, connections }: Omit<LatencyOptions, 'rounds'>,
): Promise<number> {
  const prepared = await prepare(seconds);
  const [load] = prepared.loads;
  if (!load) throw new Error('a case has no load');
  // The first run warms up.
  await runWrk({ ...load, connections, seconds: 1 });
  const other = await prepare(seconds);
  const [second = load] = other.loads;
  const { requests, seconds: took } = await runWrk({ ...second, connections, seconds });
  await drained(testbed);
  await prepared.finish();
  await other.finish();
  return requests / took;
}

function lineOf(title: string, ratePerS: number, found: readonly Found[]): string[] {
  const middle = (of: (each: Found) => number) => median(found.map(of)) ?? Number.NaN;
  const causes = new Map<string, number>();
  for (const each of found)
    for (const [cause, count] of each.causes) causes.set(cause, (causes.get(cause) ?? 0) + count);
  return [
    title,
    number(ratePerS, 0),
    ...(['p50Ms', 'p90Ms', 'p99Ms', 'p999Ms', 'longestStallMs'] as const).map((name) =>
      number(
        middle(({ own }) => own[name]),
        1,
      ),
    ),
    number(
      middle(({ echo }) => echo.p50Ms),
      1,
    ),
    number(
      middle(({ echo }) => echo.p99Ms),
      1,
    ),
    number(
      middle(({ own, echo }) => own.p99Ms / echo.p99Ms),
      1,
    ),
    number(
      middle(({ own }) => own.cpuUs / own.sent),
      1,
    ),
    [...causes].map(([cause, count]) => `${cause} ${count}`).join(', '),
  ];
}
