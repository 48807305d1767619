// run.ts -- One chaos run: a crowd asks without pause, faults come in an order that the seed decides, and in the end the history
// is held against the rows. Between two faults the system must show that it is well again.

import { eq } from 'drizzle-orm';
import { coupons, couponIssues } from '../../drizzle/schema.ts';
import { couponKeys, partitionKeys } from '../../src/stream/keys.ts';
import { TimedOut, waitUntil } from '../../tools/stack/wait-until.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { type Accusation, checkHistory, type HistoryRow, type Verdict } from '../checker.ts';
import type { HistoryFile } from '../judge/history-file.ts';
import type { Cluster } from './cluster.ts';
import { Changers, wrongChanges } from './changers.ts';
import { type Counts, Crowd } from './crowd.ts';
import { type Fault, faultsFor } from './faults.ts';
import { seededRandom } from './seeded-random.ts';
import { auditEvents, eventLine, type EventReport, registerReceivers } from './webhook-events.ts';
import { nameWithdrawn, repeatWithdrawals, startWithdrawals, tracesOfWithdrawn } from './withdrawals.ts';

export interface RunOptions {
  readonly seed: number;
  /** Faults go on until this time has passed; at 0 each comes once. */
  readonly runMs: number;
  readonly callers: number;
  readonly say: (line: string) => void;
  /** Takes what is asked and answered, and the rows in the end. */
  readonly historyFile?: HistoryFile;
  /** Instead of all that the cluster can take. */
  readonly faults?: readonly Fault[];
  /** Whether users withdraw and are erased meanwhile; by default they do. */
  readonly withdraws?: boolean;
  /** Whether issues are not changed meanwhile: an earlier release knows no reference, and does not undo or revoke. */
  readonly changesNone?: boolean;
  /** Whether receivers of webhooks are sent what happens; by default they are. */
  readonly webhooks?: boolean;
}

export interface Report {
  readonly seed: number;
  readonly seconds: number;
  readonly faults: number;
  /** Longest time from the end of a fault until new issues were answered. */
  readonly recoveryMsMax: number;
  readonly coupons: number;
  readonly attempts: number;
  readonly counts: Readonly<Counts>;
  readonly rows: number;
  /** Issues that were used, given back or revoked. */
  readonly changes: number;
  /** Of receivers of webhooks; null where there are none. */
  readonly webhooks: EventReport | null;
  /** Everything that is wrong; the run has failed unless it is empty. */
  readonly accusations: readonly Accusation[];
  readonly otherFaults: readonly string[];
}

/** Answers with a new issue that show that the system is well again after a fault. */
const RECOVERED_OK = 40;
const RECOVERY_MS_MAX = 30_000;
const DRAIN_MS_MAX = 60_000;

/** All processes read the same clock. A millisecond is lost to rounding, at either end. */
const CLOCK_MS_MAX = 2;

export async function runChaos(cluster: Cluster, options: RunOptions): Promise<Report> {
  const { seed, callers, say, historyFile, withdraws = true } = options;
  const startMs = performance.now();
  const ports = cluster.apis.map(({ port }) => port);
  // The crowd has a seed of its own: how often it asks depends on time, and must not change the order of the faults.
  const crowd = new Crowd({ ports, callers, random: seededRandom(seed + 1), historyFile });
  const changers = new Changers(options.changesNone ? [] : ports, crowd, seededRandom(seed + 2));
  const isSent = options.webhooks ?? true;
  if (isSent) await registerReceivers(cluster);
  await crowd.start();
  changers.start();
  const endWithdrawals = withdraws ? startWithdrawals(cluster, crowd, seededRandom(seed + 3)) : async () => undefined;
  let damage = { faults: 0, recoveryMsMax: 0 };
  try {
    damage = await inflictFaults(cluster, crowd, options);
  } finally {
    await endWithdrawals();
    await Promise.all([crowd.stop(), changers.stop()]);
  }
  await crowd.settle(DRAIN_MS_MAX);
  if (cluster.replicatedRedis || cluster.redisFaults) await repeatWithdrawals(cluster, crowd);
  say(`  checking ${crowd.attempts.length} requests`);
  const audited = await auditRun(cluster, crowd, historyFile);
  const webhooks = isSent ? await auditEvents(cluster, crowd, changers, await readRows(cluster)) : null;
  const otherFaults = [
    ...audited.otherFaults,
    ...(await wrongChanges(cluster, changers, crowd.wentBackMs)),
    ...(webhooks?.accusations ?? []).map(({ verdict, evidence }) => `webhooks: ${verdict}: ${evidence}`),
  ];
  return {
    seed,
    seconds: (performance.now() - startMs) / 1000,
    ...damage,
    ...audited,
    otherFaults,
    changes: changers.histories.length,
    webhooks,
    coupons: crowd.coupons.length,
    attempts: crowd.attempts.length,
    counts: crowd.counts,
  };
}

/** Waits until every accepted issue is in MySQL, and checks the answers that the crowd got against the rows. */
export async function auditRun(
  cluster: Cluster,
  crowd: Crowd,
  historyFile?: HistoryFile,
): Promise<Pick<Report, 'rows' | 'accusations' | 'otherFaults'>> {
  // What does not come about is a finding, told beside all others.
  const overdue = [
    await overdueAfter('accepted issues not in MySQL', () => isDrained(cluster)),
    // A MySQL that went back gets its rows again from the reconciler, in its own rounds.
    await overdueAfter('owners in Redis without rows', () => isRestored(cluster)),
    await overdueAfter('issues that were written again not in MySQL', () => isDrained(cluster)),
  ].filter((line) => line !== null);
  const mine = new Set(crowd.coupons.map(({ id }) => id));
  const rows = (await readRows(cluster)).filter(({ couponId }) => mine.has(couponId));
  const named = await nameWithdrawn(cluster.database, crowd, rows);
  historyFile?.rows(named);
  const history = crowd.history(named);
  historyFile?.leaveOut(history.lostIds);
  return {
    rows: rows.length,
    accusations: checkHistory(history, { clockMsMax: CLOCK_MS_MAX }),
    otherFaults: [
      ...overdue,
      ...crowd.wrongAnswers,
      ...cluster.ownFaults().filter((line) => !history.wentBack || !restoringPattern.test(line)),
      ...(await disagreements(cluster, mine, rows)),
      ...(await tracesOfWithdrawn(cluster, crowd, rows)),
    ],
  };
}

/** What a worker rightly reports when MySQL went back, and then restores. */
const restoringPattern = /"unknown":0,"unexpected":0,.*"msg":"P3: Redis and MySQL disagree about a coupon"/;

/** What is to be read at the end of a run, one line each. */
export function reportLines(report: Report): string[] {
  const { counts } = report;
  const verdictCount = (name: Verdict) => report.accusations.filter(({ verdict }) => verdict === name).length;
  return [
    `seed ${report.seed}: ${report.faults} faults in ${report.seconds.toFixed(0)} s, ` +
      `well again after at most ${report.recoveryMsMax.toFixed(0)} ms`,
    `  ${report.attempts} requests on ${report.coupons} coupons: ${counts.ok} issued, ${counts.duplicate} had it, ` +
      `${counts.refused} refused, ${counts.indeterminate} indeterminate ` +
      `(${counts.unavailable} 503, ${counts.unanswered} unanswered, ${counts.timedOut} late, ${counts.cut} cut)`,
    `  ${counts.archived} coupons archived and brought back, ${counts.erased} users erased`,
    `  ${report.rows} rows, ${report.changes} of them changed; lost ${verdictCount('lost')}, twice ${verdictCount('twice')}, over ${verdictCount('over')}, ` +
      `all accusations ${report.accusations.length}, other faults ${report.otherFaults.length}`,
    ...(report.webhooks ? [eventLine(report.webhooks)] : []),
    ...report.accusations
      .slice(0, 20)
      .map(({ verdict, couponId, evidence }) => `  ${verdict}: coupon ${couponId}: ${evidence}`),
    ...report.otherFaults.slice(0, 20).map((fault) => `  ${fault}`),
  ];
}

async function inflictFaults(cluster: Cluster, crowd: Crowd, options: RunOptions) {
  const { seed, runMs, say, faults = faultsFor(cluster, runMs) } = options;
  const random = seededRandom(seed);
  const startMs = performance.now();
  let count = 0;
  let recoveryMsMax = 0;
  await recovery(crowd, 'at the start');
  do {
    for (const fault of random.shuffle<Fault>(faults)) {
      if (runMs > 0 && performance.now() - startMs >= runMs) break;
      const faultMs = performance.now();
      await fault.inflict(cluster, random, crowd);
      const doneMs = performance.now();
      await recovery(crowd, fault.name);
      const recoveryMs = performance.now() - doneMs;
      recoveryMsMax = Math.max(recoveryMsMax, recoveryMs);
      count += 1;
      say(`  ${fault.name}: ${(doneMs - faultMs).toFixed(0)} ms, well again after ${recoveryMs.toFixed(0)} ms`);
    }
  } while (performance.now() - startMs < runMs);
  return { faults: count, recoveryMsMax };
}

/** Waits until new issues are answered again. */
async function recovery(crowd: Crowd, after: string): Promise<void> {
  const { ok } = crowd.counts;
  await waitUntil(`new issues after: ${after}`, () => crowd.counts.ok >= ok + RECOVERED_OK, {
    waitMsMax: RECOVERY_MS_MAX,
  });
}

async function overdueAfter(what: string, isOver: () => Promise<boolean>): Promise<string | null> {
  try {
    await waitUntil(`no ${what}`, isOver, { waitMsMax: DRAIN_MS_MAX });
    return null;
  } catch (error) {
    if (error instanceof TimedOut) return `${what} after ${DRAIN_MS_MAX} ms`;
    throw error;
  }
}

export async function isDrained({ redis, config }: Cluster): Promise<boolean> {
  // The observer's own connection may still be on its way back.
  if (redis.status !== 'ready') return false;
  const streams = Array.from({ length: config.PARTITIONS }, (_, partition) => partitionKeys(partition).stream);
  const lengths = await Promise.all(streams.map((stream) => redis.xlen(stream)));
  return lengths.every((length) => length === 0);
}

/** Whether MySQL counts as many issues of each coupon as Redis has owners of, where Redis has a state. */
async function isRestored({ redis, database, config }: Cluster): Promise<boolean> {
  const counted = await withConnection(database, (session) =>
    session.select({ id: coupons.id, issued: coupons.issuedQuantity }).from(coupons),
  );
  const owners = await Promise.all(
    counted.map(async ({ id }) => {
      const keys = couponKeys(id, config.PARTITIONS);
      return (await redis.exists(keys.state)) === 1 ? redis.hlen(keys.owners) : 0;
    }),
  );
  return counted.every(({ issued }, i) => (owners[i] ?? 0) <= issued);
}

/** Coupon by coupon: Vitess has a bound on the rows of a result. */
export async function readRows({ database }: Cluster): Promise<HistoryRow[]> {
  const { sequence, userId, dateIssued } = couponIssues;
  return withConnection({ ...database, transactionMsMax: DRAIN_MS_MAX }, async (session) => {
    const all: HistoryRow[] = [];
    const ids = await session.select({ couponId: coupons.id }).from(coupons).orderBy(coupons.id);
    for (const { couponId } of ids) {
      const columns = session.select({ sequence, userId, dateIssued }).from(couponIssues);
      const rows = await columns.where(eq(couponIssues.couponId, couponId)).orderBy(sequence);
      for (const row of rows) {
        all.push({ couponId, sequence: row.sequence, userId: row.userId, issuedMs: row.dateIssued.getTime() });
      }
    }
    return all;
  });
}

/** Where the parts of the system contradict one another in the end: counters, owners in Redis, dead letters. */
async function disagreements(
  cluster: Cluster,
  mine: ReadonlySet<number>,
  rows: readonly HistoryRow[],
): Promise<string[]> {
  const { redis, database, config } = cluster;
  const found: string[] = [];
  for (let partition = 0; partition < config.PARTITIONS; partition++) {
    const { dead, unpersisted } = partitionKeys(partition);
    const [letters, waiting] = [await redis.xlen(dead), Number((await redis.get(unpersisted)) ?? 0)];
    if (letters > 0) found.push(`partition ${partition} has ${letters} dead letters`);
    if (waiting !== 0) found.push(`partition ${partition} counts ${waiting} unpersisted users and has none`);
  }
  const rowsOf = Map.groupBy(rows, ({ couponId }) => couponId);
  const all = await withConnection(database, (session) =>
    session.select({ id: coupons.id, issued: coupons.issuedQuantity, home: coupons.stockHome }).from(coupons),
  );
  for (const { id, issued, home } of all) {
    if (!mine.has(id)) continue;
    const own = rowsOf.get(id) ?? [];
    if (issued !== own.length) found.push(`coupon ${id} counts ${issued} issued and has ${own.length} rows`);
    if (home !== 'redis') continue;
    const owners = await redis.hgetall(couponKeys(id, config.PARTITIONS).owners);
    const sequences = new Map(own.map(({ userId, sequence }) => [userId, sequence]));
    const strays = Object.entries(owners).filter(([userId, sequence]) => sequences.get(userId) !== Number(sequence));
    if (strays.length > 0) found.push(`coupon ${id} has ${strays.length} owners in Redis that its rows do not know`);
  }
  return found;
}
