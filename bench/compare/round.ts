// round.ts -- One round: prepare, load, wait until all that was accepted is in MySQL, count, verify.

import { waitUntil } from '../../tools/stack/wait-until.ts';
import { FailedRun } from '../bench-error.ts';
import { backlogOf, drained, persisted, rowsOf } from '../testbed/coupons.ts';
import { brokenPromises } from '../testbed/exactness.ts';
import { bucketsOf, countsBy, type Exposition, growthOf, scrape } from '../testbed/exposition.ts';
import { coreWaitUsOf, cpuUsOf } from '../testbed/process-cost.ts';
import type { Service } from '../testbed/own-process.ts';
import type { Testbed } from '../testbed/testbed.ts';
import { histogramQuantile } from '../testbed/statistics.ts';
import { type LoadResult, runWrk } from '../testbed/wrk.ts';
import type { Case, Prepared } from './cases.ts';
import type { Figures, ProcessName } from './figures.ts';

export interface RoundOptions {
  readonly connections: number;
  readonly seconds: number;
}

export interface Round {
  readonly figures: Figures;
  readonly answers: Readonly<Record<string, number>>;
}

/** A round is begun when the stores have been quiet for so long: MySQL cleans up for a while after many rows. */
const QUIET_MS = 100;
const QUIET_SHARE_MAX = 0.1;
const QUIET_WAIT_MS_MAX = 3000;

/** How old what `/metrics` answers may be. */
const METRICS_AGE_MS_MAX = 1000;

/** @throws FailedRun for an unexpected answer or a broken promise */
export async function runRound(testbed: Testbed, contestant: Case, options: RoundOptions): Promise<Round> {
  const prepared = await contestant.prepare(options.seconds);
  const writer = contestant.later === 'a row a message' ? await startRowWorker(testbed, prepared) : testbed.worker;
  await quiet(testbed);
  // Metrics may be a second old: what was asked before would be counted as of the round.
  await Bun.sleep(METRICS_AGE_MS_MAX);
  const before = await look(testbed, contestant, writer, 0);
  const result = await runLoads(prepared, options);
  const endedMs = performance.now();
  for (const service of [...contestant.services, testbed.api, writer]) service.mustRun();
  const issues = contestant.outcome === 'issued';
  // The backlog is read immediately; rows are counted later, when that disturbs no measurement.
  const behind = issues ? await backlogOf(testbed) : 0;
  const ordinaryRows = contestant.group === 'ordinary' ? await rowsIn(testbed, prepared) : null;
  if (contestant.group === 'system') await persisted(testbed);
  const backlogMs = performance.now() - endedMs;
  const after = await look(testbed, contestant, writer, METRICS_AGE_MS_MAX);
  if (contestant.group === 'system') await drained(testbed, contestant.services);
  if (writer !== testbed.worker) await writer.kill();
  await prepared.finish();
  const answers = answersOf(contestant, before.api, after.api, result);
  await verify(testbed, contestant, prepared, answers, result);
  const rows = issues ? await rowsIn(testbed, prepared) : ordinaryRows;
  const durable = (share: number): number | null => {
    const seconds = histogramQuantile(before.durable, after.durable, share);
    return issues && seconds !== null ? seconds * 1000 : null;
  };
  const coreWaitUs = added(after.coreWaitUs, before.coreWaitUs === null ? null : -before.coreWaitUs);
  const figures = {
    requestsPerS: result.requests / result.seconds,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    shareOfEcho: null,
    ...costOf(before.cpu, after.cpu, result),
    generatorShare: result.cpuUs / 1e6 / result.seconds,
    apiWaitShare: coreWaitUs === null ? null : coreWaitUs / 1e6 / result.seconds,
    rowsPerS: rows === null ? null : (rows - behind - (prepared.coupons?.issuedBefore ?? 0)) / result.seconds,
    durableP50Ms: durable(0.5),
    durableP99Ms: durable(0.99),
    backlogMs: issues ? backlogMs : null,
  };
  return { figures, answers };
}

type SystemProcess = Exclude<ProcessName, 'generator'>;

interface Look {
  readonly cpu: Readonly<Record<SystemProcess, number>>;
  /** Of the processes that answer; null: the kernel does not count it. */
  readonly coreWaitUs: number | null;
  readonly api: Exposition;
  readonly durable: ReadonlyMap<number, number>;
}

/** Sends all loads in parallel, each with its part of the connections. */
async function runLoads({ loads }: Prepared, { connections, seconds }: RoundOptions): Promise<LoadResult> {
  const share = Math.ceil(connections / loads.length);
  const results = await Promise.all(loads.map((load) => runWrk({ ...load, connections: share, seconds })));
  const sum = (pick: (result: LoadResult) => number) => results.reduce((total, result) => total + pick(result), 0);
  const highest = (pick: (result: LoadResult) => number) => Math.max(...results.map(pick));
  return {
    requests: sum((result) => result.requests),
    seconds: highest((result) => result.seconds),
    p50Ms: sum((result) => result.p50Ms) / results.length,
    p99Ms: highest((result) => result.p99Ms),
    maxMs: highest((result) => result.maxMs),
    refused: sum((result) => result.refused),
    broken: sum((result) => result.broken),
    timeouts: sum((result) => result.timeouts),
    cpuUs: sum((result) => result.cpuUs),
  };
}

/** @param pauseMs between the costs, which are of now, and the metrics, which may be of before */
async function look(testbed: Testbed, { group, services }: Case, writer: Service, pauseMs: number): Promise<Look> {
  const cpu = {
    api: services.reduce((sum, { pid }) => sum + cpuUsOf(pid), 0),
    redis: cpuUsOf(testbed.redisPid),
    worker: cpuUsOf(writer.pid),
    mysql: cpuUsOf(testbed.mysqlPid),
  };
  const coreWaitUs = services.reduce<number | null>((sum, { pid }) => added(sum, coreWaitUsOf(pid)), 0);
  await Bun.sleep(pauseMs);
  const [worker, ...apis] = await Promise.all([
    scrape(testbed.worker.metricsUrl),
    // Only ours count their answers.
    ...(group === 'system' ? services : []).map(({ metricsUrl }) => scrape(metricsUrl)),
  ]);
  return {
    cpu,
    coreWaitUs,
    api: apis.flat(),
    durable: bucketsOf(worker, 'coupon_accept_to_durable_seconds'),
  };
}

/** Null as soon as one of the two is. */
function added(sum: number | null, one: number | null): number | null {
  return sum === null || one === null ? null : sum + one;
}

function costOf(before: Look['cpu'], after: Look['cpu'], result: LoadResult): Pick<Figures, 'cpuUs' | 'systemCpuUs'> {
  const each = (name: SystemProcess): number => (after[name] - before[name]) / result.requests;
  const system = { api: each('api'), redis: each('redis'), worker: each('worker'), mysql: each('mysql') };
  return {
    cpuUs: { generator: result.cpuUs / result.requests, ...system },
    systemCpuUs: Object.values(system).reduce((sum, value) => sum + value, 0),
  };
}

async function startRowWorker(testbed: Testbed, { coupons }: Prepared): Promise<Service> {
  const entry = 'bench/baselines/row-per-message.ts';
  return testbed.start('row-per-message', entry, { args: [String(coupons?.first)] });
}

async function quiet({ mysqlPid, redisPid }: Testbed): Promise<void> {
  const used = () => cpuUsOf(mysqlPid) + cpuUsOf(redisPid);
  let before = used();
  const deadlineMs = performance.now() + QUIET_WAIT_MS_MAX;
  const calm = async () => {
    await Bun.sleep(QUIET_MS);
    const now = used();
    const share = (now - before) / (QUIET_MS * 1000);
    before = now;
    // Not quiet by then is no failure: every case meets the same cleanup.
    return share <= QUIET_SHARE_MAX || performance.now() > deadlineMs;
  };
  await waitUntil('the stores to be quiet', calm, { waitMsMax: 2 * QUIET_WAIT_MS_MAX });
}

async function rowsIn(testbed: Testbed, { coupons }: Prepared): Promise<number | null> {
  return coupons === null ? null : rowsOf(testbed, coupons.first, coupons.count);
}

function answersOf(
  contestant: Case,
  before: Exposition,
  after: Exposition,
  result: LoadResult,
): Record<string, number> {
  const failures = { broken: result.broken, timeouts: result.timeouts };
  const counted =
    contestant.outcome === null
      ? { ok: result.requests - result.refused, refused: result.refused }
      : growthOf(outcomesOf(before), outcomesOf(after));
  return Object.fromEntries(Object.entries({ ...counted, ...failures }).filter(([, count]) => count > 0));
}

function outcomesOf(exposition: Exposition): ReadonlyMap<string, number> {
  return countsBy(exposition, 'coupon_issue_requests_total', 'outcome');
}

async function verify(
  testbed: Testbed,
  { name, group, outcome }: Case,
  { coupons }: Prepared,
  answers: Readonly<Record<string, number>>,
  result: LoadResult,
): Promise<void> {
  const expected = outcome ?? 'ok';
  const unexpected = Object.entries(answers).filter(([answer]) => answer !== expected);
  if (unexpected.length > 0) {
    throw new FailedRun(`${name}: only "${expected}" was expected: ${JSON.stringify(Object.fromEntries(unexpected))}`);
  }
  if (result.requests === 0) throw new FailedRun(`${name}: nothing was answered`);
  const refusals = outcome === 'issued' || outcome === null ? 0 : result.requests;
  if (result.refused !== refusals) throw new FailedRun(`${name}: ${result.refused} of ${result.requests} refused`);
  if (group !== 'system' || coupons === null) return;
  // Where everything was refused, nothing may have changed.
  const issued = (answers['issued'] ?? 0) + coupons.issuedBefore;
  const broken = await brokenPromises(testbed, coupons, issued);
  if (broken.length > 0) throw new FailedRun(`${name}: ${broken.join('; ')}`);
}
