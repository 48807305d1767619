// scale.ts -- `bun run bench --scale`: 1, 2 and 4 API processes on one port at several rates, a cost model fitted to their CPU, and what
// larger rates take by it.

import { say } from '../../tools/progress.ts';
import { freePort } from '../../tools/stack/free-port.ts';
import { FailedRun } from '../bench-error.ts';
import { type OpenResult, runAtRate } from '../open-model/generator.ts';
import { number, type Table } from '../report/tables.ts';
import { ask, drained, makeCoupon } from '../testbed/coupons.ts';
import { brokenPromises } from '../testbed/exactness.ts';
import { countsBy, growthOf, scrape, totalOf } from '../testbed/exposition.ts';
import type { Service } from '../testbed/own-process.ts';
import { cpuUsOf } from '../testbed/process-cost.ts';
import { median } from '../testbed/statistics.ts';
import type { Testbed } from '../testbed/testbed.ts';
import { runWrk } from '../testbed/wrk.ts';
import {
  type CostModel,
  type Cores,
  fitCostModel,
  type Kind,
  kinds,
  mostOfOneCoupon,
  type OperatingPoint,
  type Point,
  predict,
  sizeFor,
} from './cost-model.ts';

const PROCESSES = [1, 2, 4] as const;
/** The model is fitted to the points of so many processes, and checked against those of more. */
const FITTED_PROCESSES_MAX = 2;
/** Of what one process carries in a closed loop; the last load is that loop. */
const SHARES = [0.25, 0.5, 0.75] as const;
const LOADS = ['sold out', 'accepted'] as const;
const IDLE_S = 5;
/** Share of a core that a process of a large installation is meant to use. */
const UTILISATION = 0.6;
const RATES = [100_000, 1_000_000] as const;
/** How old what `/metrics` answers may be. */
const METRICS_AGE_MS_MAX = 1000;

export interface ScaleOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
}

/** API processes that share a port. */
interface Group {
  readonly url: string;
  readonly services: readonly Service[];
}

/** @throws FailedRun when an answer or a promise was wrong */
export async function scale(testbed: Testbed, options: ScaleOptions): Promise<readonly Table[]> {
  const groups: Group[] = [];
  for (const processes of PROCESSES) groups.push(await startGroup(testbed, processes));
  const idle = await idleCores(testbed, groups[0]);
  const carried = await carriedByOne(testbed, groups[0], options);
  const found = new Map<string, Point[]>();
  for (let round = 0; round < options.rounds; round += 1) {
    for (const load of LOADS) {
      for (const share of [...SHARES, null]) {
        for (const group of groups) {
          const ratePerS = share === null ? null : share * carried[load];
          const point = await measure(testbed, group, load, ratePerS, options, round);
          const name = `${load} ${share ?? 'closed'} ${group.services.length}`;
          found.set(name, [...(found.get(name) ?? []), point]);
          say(`  ${round + 1}/${options.rounds}  ${titleOf(point)}, ${number(point.requests)}/s`);
        }
      }
    }
  }
  for (const { services } of groups) for (const service of services) await service.stop();
  return report([...found.values()].map(middleOf), idle);
}

async function startGroup(testbed: Testbed, processes: number): Promise<Group> {
  const sharedPort = await freePort();
  const start = (i: number) => testbed.start(`api-${processes}-${i}`, 'src/server.ts', { sharedPort });
  const services = await Promise.all(Array.from({ length: processes }, (_, i) => start(i)));
  return { url: `http://127.0.0.1:${sharedPort}/v2/issue-async`, services };
}

function cpuUs({ worker, redisPid, mysqlPid }: Testbed, { services }: Group): Cores {
  const API = services.reduce((sum, { pid }) => sum + cpuUsOf(pid), 0);
  return { API, Redis: cpuUsOf(redisPid), worker: cpuUsOf(worker.pid), MySQL: cpuUsOf(mysqlPid) };
}

function coresBetween(before: Cores, after: Cores, seconds: number): Record<Kind, number> {
  const cores = kinds.map((kind) => [kind, (after[kind] - before[kind]) / 1e6 / seconds]);
  return Object.fromEntries(cores) as Record<Kind, number>;
}

/** Beside one API process; all other processes of the run are idle too, and take what they always take. */
async function idleCores(testbed: Testbed, group: Group | undefined): Promise<Cores> {
  if (!group) throw new Error('there is no group');
  const before = cpuUs(testbed, group);
  await Bun.sleep(IDLE_S * 1000);
  return coresBetween(before, cpuUs(testbed, group), IDLE_S);
}

async function carriedByOne(
  testbed: Testbed,
  group: Group | undefined,
  options: ScaleOptions,
): Promise<Readonly<Record<Point['load'], number>>> {
  if (!group) throw new Error('there is no group');
  const carried = { 'sold out': 0, accepted: 0 };
  // The first run of each warms up.
  for (const load of [...LOADS, ...LOADS])
    carried[load] = (await measure(testbed, group, load, null, options, 0)).requests;
  return carried;
}

/** @param ratePerS null: as fast as the connections go */
async function measure(
  testbed: Testbed,
  group: Group,
  load: Point['load'],
  ratePerS: number | null,
  { seconds, connections }: ScaleOptions,
  round: number,
): Promise<Point> {
  const { url, services } = group;
  const couponId = await makeCoupon(testbed, load === 'accepted' ? null : 1);
  // Opens its stock; of a coupon that is sold out then, each process learns it.
  await ask(url, couponId, 'opener');
  if (load === 'sold out') await runWrk({ url, script: 'issue', args: [couponId, 1, 0], connections, seconds: 1 });
  await drained(testbed, services);
  await Bun.sleep(METRICS_AGE_MS_MAX);
  const before = { cpu: cpuUs(testbed, group), counts: await countsOf(testbed, services) };
  const sent = await send({ url, couponId, ratePerS, seconds, connections, round });
  await drained(testbed, services);
  const cores = coresBetween(before.cpu, cpuUs(testbed, group), sent.seconds);
  await Bun.sleep(METRICS_AGE_MS_MAX);
  const after = await countsOf(testbed, services);
  const outcomes = growthOf(before.counts.outcomes, after.outcomes);
  const wanted = load === 'accepted' ? 'issued' : 'sold out';
  const answers = outcomes[wanted] ?? 0;
  if (answers === 0 || Object.keys(outcomes).length > 1)
    throw new FailedRun(`only "${wanted}" was expected: ${JSON.stringify(outcomes)}`);
  const broken = await brokenPromises(testbed, { first: couponId, count: 1 }, load === 'accepted' ? answers + 1 : 1);
  if (broken.length > 0) throw new FailedRun(broken.join('; '));
  const perS = (count: number) => count / sent.seconds;
  return {
    processes: services.length,
    load,
    requests: perS(answers),
    batches: perS(after.batches - before.counts.batches),
    transactions: perS(after.transactions - before.counts.transactions),
    cores,
  };
}

interface Sending {
  readonly url: string;
  readonly couponId: number;
  readonly ratePerS: number | null;
  readonly seconds: number;
  readonly connections: number;
  readonly round: number;
}

async function send({ url, couponId, ratePerS, seconds, connections, round }: Sending): Promise<{ seconds: number }> {
  if (ratePerS === null) return runWrk({ url, script: 'issue', args: [couponId, 1, 0], connections, seconds });
  const { port, pathname: path } = new URL(url);
  const result: OpenResult = await runAtRate(
    { port: Number(port), path, couponId, run: round },
    seconds,
    ratePerS,
    connections,
  );
  if (result.broken + result.failed > 0) throw new FailedRun(`${result.broken + result.failed} requests failed`);
  return { seconds: Math.max(seconds, result.seconds) };
}

async function countsOf(testbed: Testbed, services: readonly Service[]) {
  const [worker, ...apis] = await Promise.all(
    [testbed.worker, ...services].map(({ metricsUrl }) => scrape(metricsUrl)),
  );
  const outcomes = new Map<string, number>();
  for (const each of apis) {
    for (const [outcome, count] of countsBy(each, 'coupon_issue_requests_total', 'outcome'))
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count);
  }
  return {
    outcomes,
    batches: apis.reduce((sum, each) => sum + totalOf(each, 'coupon_batch_users_count'), 0),
    transactions: totalOf(worker ?? [], 'coupon_ledger_transaction_rows_count'),
  };
}

function middleOf(points: readonly Point[]): Point {
  const [first] = points;
  if (!first) throw new Error('there are points');
  const middle = (of: (point: Point) => number) => median(points.map(of)) ?? Number.NaN;
  const cores = Object.fromEntries(kinds.map((kind) => [kind, middle((point) => point.cores[kind])]));
  return {
    ...first,
    requests: middle((point) => point.requests),
    batches: middle((point) => point.batches),
    transactions: middle((point) => point.transactions),
    cores: cores as Record<Kind, number>,
  };
}

function titleOf({ load, processes }: Point): string {
  return `${load}, ${processes} API ${processes === 1 ? 'process' : 'processes'}`;
}

function report(points: readonly Point[], idle: Cores): readonly Table[] {
  const model = fitCostModel(
    points.filter(({ processes }) => processes <= FITTED_PROCESSES_MAX),
    idle,
  );
  return [pointTable(points, model), modelTable(model), sizingTable(points, model)];
}

/** Each point with its CPU, and how far the model is from it. */
function pointTable(points: readonly Point[], model: CostModel): Table {
  const head = ['', 'requests/s', 'batches/s', 'transactions/s', ...kinds.map((kind) => `${kind}, cores`)];
  const lines = points.map((point) => {
    const { requests, batches, transactions, cores } = point;
    const said = predict(model, point);
    const isHeldOut = point.processes > FITTED_PROCESSES_MAX;
    return [
      titleOf(point),
      ...[requests, batches, transactions].map((each) => number(each)),
      ...kinds.map((kind) => number(cores[kind], 2)),
      `${number((allOf(said) / allOf(cores) - 1) * 100)} %${isHeldOut ? '' : ' (fitted)'}`,
    ];
  });
  return [[...head, 'model, all cores'], ...lines];
}

function allOf(cores: Cores): number {
  return kinds.reduce((total, kind) => total + cores[kind], 0);
}

function modelTable({ idle, soldOut, accepted }: CostModel): Table {
  const us = (seconds: number) => number(seconds * 1e6, 1);
  return [
    ['', ...kinds.map((kind) => kind)],
    ['idle, % of a core', ...kinds.map((kind) => number(idle[kind] * 100, 1))],
    ['a request that finds it sold out, µs', us(soldOut), '', '', ''],
    ['an accepted issue, µs', ...kinds.map((kind) => us(accepted[kind].each))],
    ['a batch, or a transaction, µs', ...kinds.map((kind) => us(accepted[kind].bundle))],
  ];
}

function sizingTable(points: readonly Point[], model: CostModel): Table {
  const fastest = points
    .filter(({ load, processes }) => load === 'accepted' && processes === 1)
    .toSorted((a, b) => b.requests - a.requests)[0];
  if (!fastest) throw new Error('there is no point of one process');
  const operating: OperatingPoint = {
    batchesPerProcess: fastest.batches,
    rowsPerTransaction: fastest.requests / fastest.transactions,
    utilisation: UTILISATION,
  };
  const lines = LOADS.flatMap((load) => RATES.map((rate) => [load, rate] as const));
  const most = mostOfOneCoupon(model, operating);
  return [
    [`at ${UTILISATION * 100} % of each core`, 'API processes', ...kinds.map((kind) => `${kind}, cores`)],
    ...[...lines, ['accepted, the most of one coupon', most] as const].map(([load, rate]) => {
      const { processes, cores } = sizeFor(model, load === 'sold out' ? load : 'accepted', rate, operating);
      return [`${number(rate)}/s ${load}`, number(processes), ...kinds.map((kind) => number(cores[kind], 1))];
    }),
  ];
}
