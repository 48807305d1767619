// archiving.ts -- What an operator does to a coupon that is over, while the crowd goes on: archived and brought back, by commands that are killed.

import { join } from 'node:path';
import { rmSync } from 'node:fs';
import { and, eq, gt, inArray } from 'drizzle-orm';
import { couponIssues, coupons } from '../../drizzle/schema.ts';
import { readCoupon } from '../../src/coupon/catalog.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { closeCoupon } from '../../src/stock/closing.ts';
import { createRedisStock } from '../../src/stock/redis-stock.ts';
import { tempFolder } from '../../tools/leftovers.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import type { Cluster } from './cluster.ts';
import type { Crowd } from './crowd.ts';
import type { Fault } from './faults.ts';
import { runOperatorCommand } from './operator-command.ts';
import type { SeededRandom } from './seeded-random.ts';

/** Since the end: what was asked before it is answered by then. */
const OVER_MS = 2000;
const CLOSED_MS_MAX = 20_000;
/** Until one with issues is over: the crowd has one at a time that ends within seconds. */
const ENDED_MS_MAX = 30_000;
/** Runs of one command, of which all but the last may be killed. */
const RUNS_MAX = 4;
/** Long enough for a command to start, and to be anywhere in its work. */
const KILL_MS_MAX = 1500;

export const archiving: Fault = {
  name: 'archive a coupon that is over and bring it back, by commands that are killed',
  async inflict(cluster, random, crowd) {
    const ended: number[] = [];
    const isAnyOver = async () => {
      ended.push(...(await endedWithRows(cluster, crowd)));
      return ended.length > 0;
    };
    // Without one nothing would be tried, and nobody would notice.
    await waitUntil('a coupon with issues that is over', isAnyOver, { waitMsMax: ENDED_MS_MAX, pauseMs: 200 });
    await archiveAndRestore(cluster, random, random.pick(ended));
    crowd.counts.archived += 1;
  },
};

async function endedWithRows({ database }: Cluster, crowd: Crowd): Promise<number[]> {
  const ids = crowd.coupons.filter(({ endMs }) => endMs < Date.now() - OVER_MS).map(({ id }) => id);
  const found = await withConnection(database, (session) =>
    session
      .select({ id: coupons.id })
      .from(coupons)
      .where(and(inArray(coupons.id, ids), gt(coupons.issuedQuantity, 0))),
  );
  return found.map(({ id }) => id);
}

async function archiveAndRestore(cluster: Cluster, random: SeededRandom, id: number): Promise<void> {
  await waitUntil(`coupon ${id} to be closed`, () => isClosed(cluster, id), { waitMsMax: CLOSED_MS_MAX });
  const folder = tempFolder('coupon-archiving-');
  try {
    const file = join(folder, `${id}.csv`);
    const before = await rowsOf(cluster, id);
    const isMoved = async () => (await isArchived(cluster, id)) && (await rowsOf(cluster, id)).length === 0;
    await runUntil(isMoved, ['--coupon', String(id), '--file', file], cluster, random);
    await runUntil(async () => !(await isArchived(cluster, id)), ['--restore', file], cluster, random);
    const after = await rowsOf(cluster, id);
    const isSame = before.every((row, i) => Bun.deepEquals(row, after[i]) || isErased(row, after[i]));
    if (before.length !== after.length || !isSame) throw new Error(`coupon ${id} came back with other rows`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

type IssueRow = typeof couponIssues.$inferSelect;

/** Whether a row is of a user who withdrew since, and otherwise the same. */
function isErased(before: IssueRow, after: IssueRow | undefined): boolean {
  if (!after?.userId.startsWith('erased-')) return false;
  return Bun.deepEquals({ ...after, userId: before.userId, dateUpdated: before.dateUpdated }, before);
}

/** As a worker does, but a day earlier. */
async function isClosed({ redis, database, config }: Cluster, id: number): Promise<boolean> {
  const coupon = await withConnection(database, (session) => readCoupon(session, id));
  if (coupon?.stockHome === 'mysql') return true;
  const dependencies = { redisStock: createRedisStock(redis, config), database, settings: { CLOSE_AFTER_MS: 0 } };
  return closeCoupon(dependencies, id, coupon?.epoch ?? 0);
}

async function runUntil(
  isDone: () => Promise<boolean>,
  args: readonly string[],
  cluster: Cluster,
  random: SeededRandom,
): Promise<void> {
  for (let run = 1; run <= RUNS_MAX && !(await isDone()); run += 1) {
    const killAfterMs = run < RUNS_MAX ? random.between(0, KILL_MS_MAX) : null;
    const { code, said } = await runOperatorCommand(cluster, ['archive', ...args], killAfterMs);
    if (code === 1) throw new Error(`archive ${args.join(' ')}: ${said}`);
  }
  if (!(await isDone())) throw new Error(`archive ${args.join(' ')} was not done after ${RUNS_MAX} runs`);
}

async function isArchived({ database }: Cluster, id: number): Promise<boolean> {
  const coupon = await withConnection(database, (session) => readCoupon(session, id));
  return coupon?.archivedMs !== null;
}

function rowsOf({ database }: Cluster, id: number) {
  return withConnection(database, (session) =>
    session.select().from(couponIssues).where(eq(couponIssues.couponId, id)).orderBy(couponIssues.sequence),
  );
}
