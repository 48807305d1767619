// million.ts -- A million requests for a hundred thousand coupons from two thousand connections: exact, or it is a failure.
//
// What the callers heard is kept outside the system, by the generator, and every winner is looked up in MySQL afterwards.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { couponIssues } from '../../drizzle/schema.ts';
import { and, eq, gt } from 'drizzle-orm';
import { withConnection } from '../../src/mysql/database.ts';
import { brokenPromises, drained, makeCoupon } from '../stand/coupons.ts';
import { residentBytesOf } from '../stand/process-cost.ts';
import type { Stand } from '../stand/stand.ts';
import { runWrk } from '../stand/wrk.ts';

const REQUESTS = 1_000_000;
const COUPONS = 100_000;
const CONNECTIONS = 2000;
/** The generator stops by itself; this only bounds a run that hangs. */
const SECONDS_MAX = 300;
const PAGE = 20_000;

export interface Rush {
  readonly requests: number;
  readonly coupons: number;
  readonly connections: number;
  readonly seconds: number;
  readonly requestsPerS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly accepted: number;
  readonly refused: number;
  /** Answers 503, decided for nobody or indeterminate. */
  readonly unavailable: number;
  /** From the last answer until every accepted issue was a row. */
  readonly backlogMs: number;
  readonly apiMemoryMib: number;
  /** What is not exact, as sentences; none when all is well. */
  readonly broken: readonly string[];
}

export async function rush(stand: Stand): Promise<Rush> {
  const couponId = await makeCoupon(stand, COUPONS);
  const file = join(tmpdir(), `coupon-winners-${process.pid}`);
  try {
    const load = {
      url: `${stand.api.url}/v2/issue-async`,
      script: 'million',
      args: [couponId, REQUESTS, file],
    } as const;
    const result = await runWrk(
      { ...load, connections: CONNECTIONS, seconds: SECONDS_MAX },
      () => existsSync(file) && countsPattern.test(readFileSync(file, 'latin1')),
    );
    const endedMs = performance.now();
    stand.api.mustRun();
    await drained(stand);
    const backlogMs = performance.now() - endedMs;
    const { winners, accepted, refused, unavailable, other } = readWinners(readFileSync(file, 'utf8'));
    const broken = [
      ...(await brokenPromises(stand, couponId, 1, accepted)),
      ...missingRows(winners, await rowsBySequence(stand, couponId)),
      ...(accepted === COUPONS ? [] : [`P4: ${accepted} accepted of ${COUPONS}`]),
      ...(other === 0 ? [] : [`${other} answers were none of 202, 409 and 503`]),
      ...(result.broken + result.timeouts === 0 ? [] : [`${result.broken} broken, ${result.timeouts} timeouts`]),
    ];
    return {
      requests: REQUESTS,
      coupons: COUPONS,
      connections: CONNECTIONS,
      seconds: result.seconds,
      requestsPerS: REQUESTS / result.seconds,
      p50Ms: result.p50Ms,
      p99Ms: result.p99Ms,
      accepted,
      refused,
      unavailable,
      backlogMs,
      apiMemoryMib: Math.round(residentBytesOf(stand.api.pid) / 2 ** 20),
      broken,
    };
  } finally {
    rmSync(file, { force: true });
  }
}

/** The last line. */
const countsPattern = /^counts (\d+) (\d+) (\d+) (\d+)\n$/m;

interface Heard {
  /** User → the sequence that was named. */
  readonly winners: ReadonlyMap<string, number>;
  readonly accepted: number;
  readonly refused: number;
  readonly unavailable: number;
  readonly other: number;
}

/** Reads what million.lua wrote. @throws Error when it was not finished: then answers are missing */
export function readWinners(text: string): Heard {
  const counts = countsPattern.exec(text)?.slice(1).map(Number);
  if (counts === undefined) throw new Error('the generator ended before all requests were answered');
  const [accepted = 0, refused = 0, unavailable = 0, other = 0] = counts;
  const lines = [...text.matchAll(/^(\d+) (\d+)$/gm)];
  const winners = new Map(lines.map(([, user = '', sequence]) => [user, Number(sequence)]));
  return { winners, accepted, refused, unavailable, other };
}

/** P2 and P3 for each winner, as sentences: the first few and how many more. */
export function missingRows(
  winners: ReadonlyMap<string, number>,
  rows: ReadonlyMap<string, number>,
): readonly string[] {
  const lost = [...winners].filter(([user, sequence]) => rows.get(user) !== sequence);
  if (lost.length === 0) return [];
  const [first] = lost;
  return [`P3: ${lost.length} winners without their row; the first heard ${first?.[1]}`];
}

async function rowsBySequence({ database }: Stand, couponId: number): Promise<ReadonlyMap<string, number>> {
  const rows = new Map<string, number>();
  for (let last = 0; ; ) {
    const page = await withConnection(database, (session) =>
      session
        .select({ user: couponIssues.userId, sequence: couponIssues.sequence })
        .from(couponIssues)
        .where(and(eq(couponIssues.couponId, couponId), gt(couponIssues.sequence, last)))
        .orderBy(couponIssues.sequence)
        .limit(PAGE),
    );
    for (const { user, sequence } of page) rows.set(user, sequence);
    last = page.at(-1)?.sequence ?? 0;
    if (page.length < PAGE) return rows;
  }
}
