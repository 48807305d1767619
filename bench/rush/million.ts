// million.ts -- A million requests for a hundred thousand coupons from two thousand connections: exact, or it is a failure.
//
// The answers are recorded outside the system, by the generator, and every winner is looked up in MySQL afterwards.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BenchError } from '../bench-error.ts';
import { type Second, startWatching } from '../runs/watch.ts';
import { drained, makeCoupon } from '../testbed/coupons.ts';
import { brokenByRecord } from '../testbed/exactness.ts';
import { residentBytesOf } from '../testbed/process-cost.ts';
import type { Testbed } from '../testbed/testbed.ts';
import { runWrk } from '../testbed/wrk.ts';
import { type LoadRecord, readClaims } from '../verification/load-record.ts';

const REQUESTS = 1_000_000;
const COUPONS = 100_000;
const CONNECTIONS = 2000;
/** The generator stops by itself; this only bounds a run that hangs. */
const SECONDS_MAX = 300;

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
  /** Answers 503: not decided, or ambiguous. */
  readonly unavailable: number;
  /** From the last answer until every accepted issue was a row. */
  readonly backlogMs: number;
  readonly apiMemoryMib: number;
  /** The run second by second, until every accepted issue was a row. Reports of earlier versions do not have it. */
  readonly overTime?: readonly Second[];
  /** What is not exact, as sentences; empty when everything held. */
  readonly broken: readonly string[];
}

export async function rush(testbed: Testbed): Promise<Rush> {
  const couponId = await makeCoupon(testbed, COUPONS);
  const file = join(tmpdir(), `coupon-winners-${process.pid}`);
  const watching = startWatching([testbed.api.url]);
  try {
    const load = {
      url: `${testbed.api.url}/v2/issue-async`,
      script: 'million',
      args: [couponId, REQUESTS, file],
    } as const;
    const result = await runWrk(
      { ...load, connections: CONNECTIONS, seconds: SECONDS_MAX },
      () => existsSync(file) && countsPattern.test(readFileSync(file, 'latin1')),
    );
    const endedMs = performance.now();
    testbed.api.mustRun();
    await drained(testbed);
    const backlogMs = performance.now() - endedMs;
    const { seconds: overTime } = await watching.stop();
    const record = readRecord(readFileSync(file, 'utf8'), couponId);
    const { accepted, soldOut: refused, indeterminate: unavailable } = record.counts;
    const broken = [
      ...(await brokenByRecord(testbed, record)),
      ...(accepted === COUPONS ? [] : [`P4: ${accepted} accepted of ${COUPONS}`]),
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
      apiMemoryMib: Math.round(residentBytesOf(testbed.api.pid) / 2 ** 20),
      overTime,
      broken,
    };
  } finally {
    await watching.stop();
    rmSync(file, { force: true });
  }
}

/** The last line. */
const countsPattern = /^counts (\d+) (\d+) (\d+) (\d+)\n$/m;

/**
 * Reads what million.lua wrote. All users are different, so that every refusal must be `sold out`.
 *
 * @throws BenchError when it was not finished, so that answers are missing, or when a line cannot be understood
 */
export function readRecord(text: string, couponId: number): LoadRecord {
  const found = countsPattern.exec(text);
  if (found === null) throw new BenchError('the generator ended before all requests were answered');
  const [accepted = 0, soldOut = 0, indeterminate = 0, unexpected = 0] = found.slice(1).map(Number);
  const { claims, notes } = readClaims(text.slice(0, found.index), 'the record of the generator');
  return { couponId, claims, notes, counts: { accepted, duplicated: 0, soldOut, indeterminate, unexpected } };
}
