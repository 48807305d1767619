// verdict.ts -- Promise by promise, whether a rehearsal was exact: what users were answered, beside what the system has.

import type { Crowd, Given } from './crowd.ts';
import { type Json, RehearsalError, type Target } from './target.ts';

export interface Verdict {
  /** What is not a promise is a condition of the verdict: without it the rehearsal decides nothing. */
  readonly isPromise: boolean;
  readonly promise: string;
  readonly holds: boolean;
  readonly detail: string;
}

export interface Rehearsed {
  readonly couponId: number;
  readonly pieces: number;
  readonly startMs: number;
}

/** What the system has, once everything accepted is a row. */
export interface Found {
  readonly audit: Json;
  /** Of each user who was told that they have it: what the system says. */
  readonly statuses: ReadonlyMap<string, Json>;
}

const ROWS_MS_MAX = 60_000;
/** A status that cannot be read is asked for again. */
const READS_MAX = 20;
const PAUSE_MS = 200;
const READERS = 32;
/** Clocks are read to the millisecond, one after the other. */
const CLOCK_MS = 5;

/** @throws RehearsalError when the system cannot be asked, or does not write what it has accepted */
export async function judge(
  target: Target,
  crowd: Pick<Crowd, 'given' | 'others'>,
  rehearsed: Rehearsed,
): Promise<Verdict[]> {
  const audit = await settledAudit(target, rehearsed.couponId);
  const users = [...new Set(issuedOf(crowd.given).map(({ userId }) => userId))];
  const statuses = new Map<string, Json>();
  let next = 0;
  const read = async (): Promise<void> => {
    for (let userId = users[next++]; userId !== undefined; userId = users[next++]) {
      statuses.set(userId, await readStatus(target, rehearsed.couponId, userId));
    }
  };
  await Promise.all(Array.from({ length: READERS }, read));
  return verdictsOf(crowd, { audit, statuses }, rehearsed);
}

async function readStatus(target: Target, couponId: number, userId: string): Promise<Json> {
  for (let reads = 1; ; reads += 1) {
    const { status, body } = await target.send('GET', `/v1/coupons/${couponId}/issues/${userId}`);
    if (status === 200) return body;
    if (reads === READS_MAX) throw new RehearsalError(`The status of an issue cannot be read (${status}).`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** The successes. After an ambiguous answer, *already issued* is how a user hears of theirs. */
function issuedOf(given: readonly Given[]): Given[] {
  const ambiguous = new Set<string>();
  const issued: Given[] = [];
  for (const each of given) {
    if (each.outcome === 'unknown') ambiguous.add(each.userId);
    const isRecovered = each.outcome === 'already issued' && ambiguous.delete(each.userId);
    if (each.outcome === 'issued' || isRecovered) issued.push(each);
  }
  return issued;
}

/** Whether the promises held, of what is known. */
export function verdictsOf(
  { given, others }: Pick<Crowd, 'given' | 'others'>,
  { audit, statuses }: Found,
  { pieces, startMs }: Rehearsed,
): Verdict[] {
  const issued = issuedOf(given);
  const of = (outcome: Given['outcome']) => given.filter((each) => each.outcome === outcome);
  const rows = Number(audit['rows']);
  const zero = (...names: string[]) => names.every((name) => audit[name] === 0);
  const sequences = new Set(issued.map(({ sequence }) => sequence));
  const owners = new Map(issued.map(({ userId, sequence }) => [userId, sequence]));
  const twice = of('already issued');
  const strangers = twice.filter(({ userId, sequence }) => owners.get(userId) !== sequence);
  const lost = issued.filter(({ userId, sequence }) => {
    const status = statuses.get(userId);
    return status?.['status'] !== 'ISSUED' || status['sequence'] !== sequence;
  });
  const soldOut = of('sold out').length;
  const early = of('not open').filter(({ answeredMs }) => answeredMs < startMs + CLOCK_MS).length;
  const tooSoon = issued.filter(({ answeredMs }) => answeredMs < startMs - CLOCK_MS).length;
  const unclear = of('unknown').length + of('other').length;
  const promises = [
    {
      promise: 'P1  never too many',
      holds: issued.length <= pieces && rows <= pieces && zero('unexpected'),
      detail: `${count(rows)} rows for ${count(pieces)} pieces`,
    },
    {
      promise: 'P2  never twice',
      holds: owners.size === issued.length && sequences.size === issued.length && zero('unknown'),
      detail: `${count(owners.size)} users, ${count(sequences.size)} different numbers; ${count(twice.length)} asked again`,
    },
    {
      promise: 'P3  never a broken word',
      holds: lost.length === 0 && strangers.length === 0 && zero('missing', 'lost', 'dead'),
      detail: `${count(issued.length - lost.length)} of ${count(issued.length)} successes are rows with their number`,
    },
    {
      promise: 'P4  never too few',
      holds: (soldOut === 0 || rows === pieces) && zero('withheld'),
      detail: `${count(soldOut)} times sold out, ${count(Math.max(0, pieces - rows))} pieces left`,
    },
    {
      promise: 'P5  never outside the time',
      holds: tooSoon === 0 && zero('outsidePeriod'),
      detail: `${count(early)} requests came early, ${count(tooSoon)} of them got one`,
    },
  ];
  const verdicts = promises.map((each) => ({ isPromise: true, ...each }));
  if (unclear === 0) return verdicts;
  const detail = `${count(unclear)} are not: ${unclearOf(others)}`;
  return [...verdicts, { isPromise: false, promise: 'Every answer is clear', holds: false, detail }];
}

function unclearOf(others: ReadonlyMap<string, number>): string {
  return others.size === 0
    ? 'no answer, or a fault of the system'
    : [...others].map(([code, times]) => `${times} × ${code}`).join(', ');
}

/** The audit, once nothing waits to be a row. */
async function settledAudit(target: Target, couponId: number): Promise<Json> {
  const endMs = performance.now() + ROWS_MS_MAX;
  for (;;) {
    const { status, body } = await target.send('GET', `/v1/coupons/${couponId}/audit`);
    if (status === 200 && body['unpersisted'] === 0) return body;
    if (performance.now() > endMs) {
      throw new RehearsalError(
        status === 200
          ? `After ${ROWS_MS_MAX / 1_000} s ${Number(body['unpersisted'])} accepted issues are not yet rows: does a worker run?`
          : `The promises cannot be counted (${status}): ${String(body['detail'])}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

function count(value: number): string {
  return value.toLocaleString('en');
}
