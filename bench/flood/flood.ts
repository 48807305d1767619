// flood.ts -- An honest crowd, alone and beside strangers who ask for coupons that do not exist, interleaved.

import { FailedRun } from '../bench-error.ts';
import type { Table } from '../report/tables.ts';
import { number } from '../report/tables.ts';
import { ask, drained, makeCoupon } from '../testbed/coupons.ts';
import { median } from '../testbed/statistics.ts';
import type { Testbed } from '../testbed/testbed.ts';
import { type LoadResult, runWrk } from '../testbed/wrk.ts';

/** The strangers: so many connections, each with a request a second. */
const STRANGERS = 1500;
const PAUSE_MS = 1000;
/** Ids that no coupon of this bench has. */
const UNKNOWN_IDS = [2 ** 40, 2 ** 50] as const;
/** Seconds that the strangers are there before the crowd is measured, and after it. */
const MARGIN_S = 1;

const endpoints = ['/v1/issue', '/v2/issue-async'] as const;

export interface FloodOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
}

interface Crowd {
  readonly requestsPerS: number;
  readonly p99Ms: number;
}

/** What each round measures, in turn first: what the machine does by itself meanwhile meets all alike. */
const cases = ['alone', 'elsewhere', 'here'] as const;
type Round = Record<(typeof cases)[number], Crowd>;

/**
 * Measures each endpoint in turn: alone, beside strangers who ask a bare server on the same cores, and beside strangers who ask ours.
 * The second shows what of the difference is the generator of the strangers, and no work of ours.
 *
 * @returns a table of medians, of the shares too: each round has its own
 * @throws FailedRun when a request of the crowd was refused, or a stranger got anything but a refusal
 */
export async function flood(testbed: Testbed, { rounds, seconds, connections }: FloodOptions): Promise<Table> {
  const bare = await testbed.start('bare', 'bench/baselines/echo.ts');
  const urls = { elsewhere: bare.url, here: testbed.api.url };
  const table: string[][] = [
    ['', 'alone', 'strangers elsewhere', 'strangers here', 'here of alone', 'here of elsewhere'],
  ];
  for (const path of endpoints) {
    const found: Round[] = [];
    const crowd = () => crowdOf(testbed, path, seconds, connections);
    for (let round = 0; round < rounds; round += 1) {
      const measured: Partial<Round> = {};
      for (let i = 0; i < cases.length; i += 1) {
        const name = cases[(round + i) % cases.length] ?? 'alone';
        measured[name] = name === 'alone' ? await crowd() : await besideStrangers(urls[name], seconds, crowd);
      }
      found.push(measured as Round);
    }
    const middle = (of: (round: Round) => number) => median(found.map(of)) ?? Number.NaN;
    const row = (figure: keyof Crowd) => [
      ...cases.map((name) =>
        number(
          middle((round) => round[name][figure]),
          0,
        ),
      ),
      number(
        middle(({ here, alone }) => here[figure] / alone[figure]),
        2,
      ),
      number(
        middle(({ here, elsewhere }) => here[figure] / elsewhere[figure]),
        2,
      ),
    ];
    table.push([`${path}, requests/s`, ...row('requestsPerS')], [`${path}, p99 ms`, ...row('p99Ms')]);
  }
  return table;
}

/** What a crowd gets while the strangers are there, from a little before it to a little after. */
async function besideStrangers(url: string, seconds: number, crowd: () => Promise<Crowd>): Promise<Crowd> {
  const strangers = runWrk({
    url,
    script: 'flood',
    args: [PAUSE_MS, ...UNKNOWN_IDS],
    connections: STRANGERS,
    seconds: seconds + 2 * MARGIN_S,
  });
  await Bun.sleep(MARGIN_S * 1000);
  const found = await crowd();
  expectRefused(await strangers);
  return found;
}

/** A crowd that issues a new coupon without limit. */
async function crowdOf(testbed: Testbed, path: string, seconds: number, connections: number): Promise<Crowd> {
  const url = testbed.api.url + path;
  const couponId = await makeCoupon(testbed, null);
  await ask(url, couponId, 'opener');
  const result = await runWrk({ url, script: 'issue', args: [couponId, 1, 0], connections, seconds });
  if (result.refused + result.broken + result.timeouts > 0)
    throw new FailedRun(`${path}: the crowd was not served: ${JSON.stringify(result)}`);
  await drained(testbed);
  return { requestsPerS: result.requests / result.seconds, p99Ms: result.p99Ms };
}

function expectRefused(result: LoadResult): void {
  if (result.requests === 0 || result.refused !== result.requests || result.broken > 0)
    throw new FailedRun(`the strangers were not all refused: ${JSON.stringify(result)}`);
}
