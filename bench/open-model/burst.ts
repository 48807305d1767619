// burst.ts -- The opening second: nothing but new connections, some of them while the API stands still.

import { readFileSync } from 'node:fs';
import { readDroppedConnections } from '../../src/telemetry/process-metrics.ts';
import { say } from '../../tools/progress.ts';
import { freePort } from '../../tools/stack/free-port.ts';
import { FailedRun } from '../bench-error.ts';
import { markdownTable, number, type Table } from '../report/tables.ts';
import { ask, drained, makeCoupon } from '../testbed/coupons.ts';
import type { Service } from '../testbed/own-process.ts';
import { median } from '../testbed/statistics.ts';
import type { Testbed } from '../testbed/testbed.ts';
import { type OpenResult, runBurst } from './generator.ts';

const CALLERS_WANTED = 20_000;
/** Of the files that a process may open: an API refuses connections near its limit. */
const FILES_SHARE = 0.8;
const WINDOW_MS = 500;
/** How long the API stands still in the middle. */
const FROZEN_MS = 300;
const FROZEN_AT_MS = 100;
const PATH = '/v2/issue-async';

export interface BurstOptions {
  readonly rounds: number;
}

interface Way {
  readonly title: string;
  readonly port: number;
  readonly services: readonly Service[];
}

/**
 * Sends bursts to one API, and to two on one port.
 *
 * @throws FailedRun when a caller got no answer, or a failure
 */
export async function burst(testbed: Testbed, { rounds }: BurstOptions): Promise<Table> {
  const callers = Math.min(CALLERS_WANTED, Math.floor(filesMax() * FILES_SHARE));
  say(`  ${callers} callers within ${WINDOW_MS} ms`);
  const sharedPort = await freePort();
  const pair = [
    await testbed.start('pair-1', 'src/server.ts', { sharedPort }),
    await testbed.start('pair-2', 'src/server.ts', { sharedPort }),
  ];
  const ways: readonly Way[] = [
    { title: 'one API', port: Number(new URL(testbed.api.url).port), services: [testbed.api] },
    { title: 'two APIs on one port', port: sharedPort, services: pair },
  ];
  const table: string[][] = [['', 'answered', 'p50 ms', 'p99 ms', 'longest ms', 'overflows']];
  let run = 0;
  for (const { title, port, services } of ways) {
    for (const after of ['close', 'keep'] as const) {
      for (const isFrozen of [false, true]) {
        const found: (OpenResult & { readonly overflows: number })[] = [];
        for (let round = 0; round < rounds; round += 1) {
          const couponId = await makeCoupon(testbed, null);
          await ask(`http://127.0.0.1:${port}${PATH}`, couponId, 'opener');
          const before = readDroppedConnections();
          const frozen = isFrozen ? freeze(services) : undefined;
          run = (run + 1) % 800;
          const result = await runBurst({ port, path: PATH, couponId, run }, WINDOW_MS, callers, after);
          await frozen;
          if (result.ok !== callers) throw new FailedRun(`${title}: ${JSON.stringify({ ...result, stalls: [] })}`);
          await drained(testbed, services);
          found.push({ ...result, overflows: readDroppedConnections() - before });
        }
        const middle = (of: (each: (typeof found)[number]) => number) => median(found.map(of)) ?? Number.NaN;
        table.push([
          `${title}, ${after === 'close' ? 'closed after the answer' : 'kept'}${isFrozen ? `, ${FROZEN_MS} ms still` : ''}`,
          number(
            middle(({ ok }) => ok),
            0,
          ),
          number(
            middle(({ p50Ms }) => p50Ms),
            0,
          ),
          number(
            middle(({ p99Ms }) => p99Ms),
            0,
          ),
          number(
            middle(({ maxMs }) => maxMs),
            0,
          ),
          number(
            middle((each) => each.overflows),
            0,
          ),
        ]);
        say(`  ${table.at(-1)?.join('  ')}`);
      }
    }
  }
  say(`\n${markdownTable(table)}`);
  return table;
}

/** Hard limit of open files, to which the processes raise theirs. */
function filesMax(): number {
  const limit = /^Max open files +\d+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return Number(limit ?? CALLERS_WANTED);
}

async function freeze(services: readonly Service[]): Promise<void> {
  await Bun.sleep(FROZEN_AT_MS);
  for (const { pid } of services) process.kill(pid, 'SIGSTOP');
  await Bun.sleep(FROZEN_MS);
  for (const { pid } of services) process.kill(pid, 'SIGCONT');
}
