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

/**
 * Measures each endpoint in turn.
 *
 * @returns a table of medians
 * @throws FailedRun when a request of the crowd was refused, or a stranger got anything but a refusal
 */
export async function flood(testbed: Testbed, { rounds, seconds, connections }: FloodOptions): Promise<Table> {
  const table: string[][] = [
    ['', 'alone, requests/s', 'beside strangers', 'of alone', 'alone, p99 ms', 'beside strangers', 'of alone'],
  ];
  for (const path of endpoints) {
    const found: { alone: Crowd; beside: Crowd }[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const alone = await crowdOf(testbed, path, seconds, connections);
      const strangers = runWrk({
        url: testbed.api.url,
        script: 'flood',
        args: [PAUSE_MS, ...UNKNOWN_IDS],
        connections: STRANGERS,
        seconds: seconds + 2 * MARGIN_S,
      });
      await Bun.sleep(MARGIN_S * 1000);
      const beside = await crowdOf(testbed, path, seconds, connections);
      expectRefused(await strangers);
      found.push({ alone, beside });
    }
    const of = (pick: (crowd: Crowd) => number, which: 'alone' | 'beside') =>
      median(found.map((each) => pick(each[which]))) ?? Number.NaN;
    const cells = (pick: (crowd: Crowd) => number, digits: number) => {
      const [alone, beside] = [of(pick, 'alone'), of(pick, 'beside')];
      return [number(alone, digits), number(beside, digits), number(beside / alone, 2)];
    };
    table.push([path, ...cells(({ requestsPerS }) => requestsPerS, 0), ...cells(({ p99Ms }) => p99Ms, 0)]);
  }
  return table;
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
