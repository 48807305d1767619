// large.ts -- Entry of `bun bench/scaling/large.ts`: the endpoints on Redis Cluster and Vitess beside one Redis and one MySQL.

import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startRedisCluster } from '../../test/redis-cluster.ts';
import { findVitess, howToGetVitess, startVitess } from '../../test/vitess/vitess-server.ts';
import { tempFolder } from '../../tools/leftovers.ts';
import { say } from '../../tools/progress.ts';
import type { Cleanup } from '../../tools/stack/cleanup.ts';
import { startMysqlServer } from '../../tools/stack/mysql-server.ts';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import { BenchError, FailedRun } from '../bench-error.ts';
import { runCommand } from '../command.ts';
import { markdownTable, number, type Table } from '../report/tables.ts';
import { bindToCores } from '../testbed/cores.ts';
import { ask, drained, makeCoupon } from '../testbed/coupons.ts';
import { brokenPromises } from '../testbed/exactness.ts';
import { countsBy, growthOf, scrape } from '../testbed/exposition.ts';
import { cpuUsOf } from '../testbed/process-cost.ts';
import { median } from '../testbed/statistics.ts';
import { openTestbed, type Testbed } from '../testbed/testbed.ts';
import { ensureWrk, runWrk } from '../testbed/wrk.ts';

const USAGE = `bun bench/scaling/large.ts [--rounds N] [--seconds N]

Requests a second and CPU of each process for a coupon, on one Redis and one MySQL, and on a Redis Cluster of three masters with Vitess
of two shards above the same kind of MySQL. Rounds alternate (5 of 3 s); everything is on two cores, the generator too. Needs VITESS_BIN
and VITESS_MYSQLD (docs/testing.md). Every round is verified.`;

const CONNECTIONS = 256;
const CORES = 2;
const PATHS = ['/v2/issue-async', '/v1/issue-async', '/v1/issue'] as const;
/** Coupons asked for at a time. */
const COUPONS = [1, 100] as const;
/** How old what `/metrics` answers may be. */
const METRICS_AGE_MS_MAX = 1000;

interface Installation {
  readonly name: string;
  readonly testbed: Testbed;
  /** What is counted, by the name in the table. */
  readonly pids: ReadonlyMap<string, number>;
}

interface Figures {
  readonly requestsPerS: number;
  readonly p99Ms: number;
  /** CPU for a coupon. */
  readonly cpuUs: ReadonlyMap<string, number>;
}

await runCommand(USAGE, async (args, cleanup) => {
  const { rounds, seconds } = readRounds(args);
  await ensureWrk();
  await bindToCores(CORES);
  const installations = [await openSmall(cleanup), await openLarge(cleanup)];
  for (const path of PATHS) {
    for (const coupons of COUPONS) {
      const found = installations.map((): Figures[] => []);
      for (let round = 0; round < rounds; round += 1) {
        for (let turn = 0; turn < installations.length; turn += 1) {
          const chosen = (round + turn) % installations.length;
          const installation = installations[chosen];
          if (installation) found[chosen]?.push(await measure(installation, path, coupons, seconds));
        }
      }
      for (const [i, { name }] of installations.entries()) {
        say(`\n${path}, ${coupons === 1 ? 'a coupon' : `${coupons} coupons`}, ${name}`);
        say(markdownTable(tableOf(found[i] ?? [])));
      }
    }
  }
  return true;
});

function readRounds(args: readonly string[]): { readonly rounds: number; readonly seconds: number } {
  const { values } = parseArgs({
    args: [...args],
    options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '3' } },
  });
  const whole = (name: 'rounds' | 'seconds') => {
    if (/^[1-9]\d?$/.test(values[name])) return Number(values[name]);
    throw new BenchError(`--${name} needs a whole number from 1 to 99`);
  };
  return { rounds: whole('rounds'), seconds: whole('seconds') };
}

function programs() {
  const found = findVitess();
  if (!found) throw new BenchError(howToGetVitess);
  return found;
}

async function openSmall(cleanup: Cleanup): Promise<Installation> {
  const folder = tempFolder('coupon-small-');
  cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
  const redis = await startRedisServer({ folder });
  cleanup.add(() => redis.stop());
  // As much memory as the one below Vitess.
  const settings = { 'innodb-buffer-pool-size': '256M' };
  const mysql = await startMysqlServer({ folder, program: programs().mysqld, settings });
  cleanup.add(() => mysql.stop());
  const stores = { redisUrl: redis.url, databaseUrl: mysql.url, redisPid: redis.pid, mysqlPid: mysql.pid };
  const testbed = await openTestbed({ cleanup, stores });
  return installationOf('one Redis, one MySQL', testbed, { Redis: redis.pid, MySQL: mysql.pid });
}

async function openLarge(cleanup: Cleanup): Promise<Installation> {
  const folder = tempFolder('coupon-large-');
  cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
  const cluster = await startRedisCluster({ folder, masters: 3 });
  cleanup.add(() => cluster.stop());
  const vitess = await startVitess({ programs: programs(), shards: 2 });
  cleanup.add(() => vitess.stop());
  const nodes = Object.fromEntries(cluster.nodes.map(({ server }, i) => [`Redis ${i + 1}`, server.pid]));
  const [redisPid = 0] = Object.values(nodes);
  const stores = { redisUrl: cluster.url, databaseUrl: vitess.url, redisPid, mysqlPid: vitess.mysql.pid };
  const testbed = await openTestbed({ cleanup, stores });
  return installationOf('Redis Cluster, Vitess', testbed, {
    ...nodes,
    Vitess: vitess.vitess.pid,
    MySQL: vitess.mysql.pid,
  });
}

function installationOf(name: string, testbed: Testbed, stores: Readonly<Record<string, number>>): Installation {
  const all = { API: testbed.api.pid, worker: testbed.worker.pid, ...stores };
  return { name, testbed, pids: new Map(Object.entries(all)) };
}

/** @throws FailedRun when anything but a new issue was answered, or a promise was broken */
async function measure(
  { testbed, pids }: Installation,
  path: string,
  count: number,
  seconds: number,
): Promise<Figures> {
  const first = await makeCoupons(testbed, count);
  const url = `${testbed.api.url}${path}`;
  // Opens the stock of each.
  for (let i = 0; i < count; i += 1) await ask(url, first + i, 'opener');
  await drained(testbed);
  await Bun.sleep(METRICS_AGE_MS_MAX);
  const before = { cpu: cpuOf(pids), outcomes: await outcomesOf(testbed) };
  const result = await runWrk({ url, script: 'issue', args: [first, count, 0], connections: CONNECTIONS, seconds });
  await drained(testbed);
  const cpu = cpuOf(pids);
  await Bun.sleep(METRICS_AGE_MS_MAX);
  const answers = Object.entries(growthOf(before.outcomes, await outcomesOf(testbed))).filter(([, each]) => each > 0);
  const issued = Object.fromEntries(answers)['issued'] ?? 0;
  if (issued === 0 || answers.length > 1)
    throw new FailedRun(`${path}: only new issues were expected: ${answers.join('; ')}`);
  const broken = await brokenPromises(testbed, { first, count }, issued + count);
  if (broken.length > 0) throw new FailedRun(`${path}: ${broken.join('; ')}`);
  return {
    requestsPerS: result.requests / result.seconds,
    p99Ms: result.p99Ms,
    cpuUs: new Map([...cpu].map(([name, us]) => [name, (us - (before.cpu.get(name) ?? 0)) / issued])),
  };
}

/** With ids one after the other, as the generator wants them: a sequence of Vitess skips some when its block is used up. */
async function makeCoupons(testbed: Testbed, count: number): Promise<number> {
  let first = await makeCoupon(testbed, null);
  for (let made = 1; made < count; made += 1) {
    const id = await makeCoupon(testbed, null);
    if (id === first + made) continue;
    first = id;
    made = 0;
  }
  return first;
}

function cpuOf(pids: ReadonlyMap<string, number>): Map<string, number> {
  return new Map([...pids].map(([name, pid]) => [name, cpuUsOf(pid)]));
}

async function outcomesOf({ api }: Testbed): Promise<ReadonlyMap<string, number>> {
  return countsBy(await scrape(api.metricsUrl), 'coupon_issue_requests_total', 'outcome');
}

function tableOf(rounds: readonly Figures[]): Table {
  const names = [...(rounds[0]?.cpuUs.keys() ?? [])];
  const middle = (of: (figures: Figures) => number) => median(rounds.map(of)) ?? Number.NaN;
  const ofName = (name: string) => middle(({ cpuUs }) => cpuUs.get(name) ?? Number.NaN);
  const all = middle(({ cpuUs }) => [...cpuUs.values()].reduce((sum, us) => sum + us, 0));
  return [
    ['requests/s', 'p99 ms', ...names.map((name) => `${name} µs`), 'all µs a coupon'],
    [
      number(
        middle((each) => each.requestsPerS),
        0,
      ),
      number(
        middle((each) => each.p99Ms),
        0,
      ),
      ...names.map((name) => number(ofName(name), 1)),
      number(all, 1),
    ],
  ];
}
