// many.ts -- What it saves to send many users in a request: coupons a second and CPU a coupon, beside one user in each.

import { randomBytes } from 'node:crypto';
import { FailedRun } from '../bench-error.ts';
import { number, type Table } from '../report/tables.ts';
import { ask, drained, makeCoupon, rowsOf } from '../testbed/coupons.ts';
import { cpuUsOf } from '../testbed/process-cost.ts';
import { median } from '../testbed/statistics.ts';
import type { Testbed } from '../testbed/testbed.ts';
import { type Load, runWrk } from '../testbed/wrk.ts';

/** Users in a request; 1: at `POST /v2/issue-async`, as a user asks. */
const sizes = [1, 10, 100, 1000] as const;
/** Requests under way are so few at least. */
const CONNECTIONS_MIN = 4;

export interface ManyOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
}

interface Found {
  readonly couponsPerS: number;
  readonly p50Ms: number;
  readonly apiUs: number;
  readonly redisUs: number;
  readonly workerUs: number;
  readonly mysqlUs: number;
}

/**
 * Measures each size in each round, with as many users under way as one connection each would have.
 *
 * @returns a table of medians; CPU is that of a coupon until it is a row
 * @throws FailedRun when a request failed, or there are not as many rows as users were sent
 */
export async function many(testbed: Testbed, { rounds, seconds, connections }: ManyOptions): Promise<Table> {
  const key = randomBytes(16).toString('hex');
  await testbed.restartApi({ ADMIN_API_KEY: key });
  const found = new Map<number, Found[]>(sizes.map((users) => [users, []]));
  // Not counted: compilers warm up.
  for (const users of sizes) await measure(testbed, { users, key, seconds: 1, connections });
  for (let round = 0; round < rounds; round += 1)
    for (const [users, each] of found) each.push(await measure(testbed, { users, key, seconds, connections }));
  const head = ['users a request', 'coupons/s', 'p50 ms', 'API µs', 'Redis µs', 'worker µs', 'MySQL µs', 'all µs'];
  return [head, ...[...found].map(([users, each]) => rowOf(users, each))];
}

function rowOf(users: number, found: readonly Found[]): string[] {
  const middle = (of: (each: Found) => number) => median(found.map(of)) ?? Number.NaN;
  const all = ({ apiUs, redisUs, workerUs, mysqlUs }: Found) => apiUs + redisUs + workerUs + mysqlUs;
  const cpu = [
    ({ apiUs }: Found) => apiUs,
    ({ redisUs }: Found) => redisUs,
    ({ workerUs }: Found) => workerUs,
    ({ mysqlUs }: Found) => mysqlUs,
    all,
  ].map((of) => number(middle(of), 1));
  const name = users === 1 ? '1, at `POST /v2/issue-async`' : number(users, 0);
  return [
    name,
    number(
      middle(({ couponsPerS }) => couponsPerS),
      0,
    ),
    number(
      middle(({ p50Ms }) => p50Ms),
      1,
    ),
    ...cpu,
  ];
}

interface Round {
  readonly users: number;
  readonly key: string;
  readonly seconds: number;
  readonly connections: number;
}

async function measure(testbed: Testbed, { users, key, seconds, connections }: Round): Promise<Found> {
  const { api, worker, redisPid, mysqlPid } = testbed;
  const couponId = await makeCoupon(testbed, null);
  await ask(`${api.url}/v2/issue-async`, couponId, 'opener');
  const load: Pick<Load, 'url' | 'script' | 'args'> =
    users === 1
      ? { url: `${api.url}/v2/issue-async`, script: 'issue', args: [couponId, 1, 0] }
      : { url: `${api.url}/v1/coupons/${couponId}/issues`, script: 'many', args: [users, key] };
  const look = () => [api.pid, redisPid, worker.pid, mysqlPid].map(cpuUsOf);
  const before = look();
  const under = Math.max(CONNECTIONS_MIN, Math.round(connections / users));
  const result = await runWrk({ ...load, connections: under, seconds });
  await drained(testbed);
  const after = look();
  const rows = (await rowsOf(testbed, couponId, 1)) - 1;
  const failed = result.refused + result.broken + result.timeouts;
  // Requests that were under way when wrk stopped were carried out too.
  if (failed > 0 || rows < result.requests * users || rows > (result.requests + under) * users)
    throw new FailedRun(`${users} users a request: ${rows} rows, and ${JSON.stringify(result)}`);
  const [apiUs = 0, redisUs = 0, workerUs = 0, mysqlUs = 0] = after.map((us, i) => (us - (before[i] ?? 0)) / rows);
  const couponsPerS = (result.requests * users) / result.seconds;
  return { couponsPerS, p50Ms: result.p50Ms, apiUs, redisUs, workerUs, mysqlUs };
}
