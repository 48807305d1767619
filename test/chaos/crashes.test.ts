// crashes.test.ts -- An API that dies between two steps of an issue, of a change or of an opening: a caller without an answer retries, and gets
// the one correct answer. The worker is stopped meanwhile, so that the result does not depend on its speed.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { and, eq, isNotNull } from 'drizzle-orm';
import { couponIssues, coupons } from '../../drizzle/schema.ts';
import { outbox } from '../../drizzle/webhook-tables.ts';
import { couponKeys } from '../../src/stream/keys.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { ADMIN_KEY, type Cluster, startCluster } from './cluster.ts';
import type { ApiCrashPoint } from './crash-points.ts';
import { Lane } from './lane.ts';

const WAIT = { waitMsMax: 20_000 };
const ANSWER_MS_MAX = 10_000;

let cluster: Cluster;
let lane: Lane;

beforeAll(async () => {
  cluster = await startCluster({ apis: 1, workers: 1 });
  lane = new Lane(cluster.apis[0]?.port ?? 0, ANSWER_MS_MAX);
});
afterEach(() => expect(cluster.ownFaults()).toEqual([]));
afterAll(async () => {
  lane?.close();
  await cluster?.stop();
});

interface RequestResult {
  readonly point: ApiCrashPoint;
  readonly home: 'mysql' | 'redis';
  /** The request to the dying API. */
  readonly path: '/v1/issue' | '/v1/issue-async' | '/v2/issue-async';
  /** The next one's answer to the same request, and the users with a row before the worker did anything. */
  readonly again: string;
  readonly rows: readonly string[];
}

const results: readonly RequestResult[] = [
  { point: 'after reserving', home: 'redis', path: '/v1/issue', again: '409 #2', rows: ['first'] },
  { point: 'before commit', home: 'redis', path: '/v1/issue', again: '409 #2', rows: ['first'] },
  { point: 'before commit', home: 'mysql', path: '/v1/issue', again: '201 #2', rows: ['first', 'second'] },
  { point: 'after commit', home: 'redis', path: '/v1/issue', again: '409 #2', rows: ['first', 'second'] },
  { point: 'after commit', home: 'mysql', path: '/v1/issue', again: '409 #2', rows: ['first', 'second'] },
  { point: 'after claiming the stock', home: 'mysql', path: '/v2/issue-async', again: '202 #2', rows: ['first'] },
  { point: 'before swapping the stock in', home: 'mysql', path: '/v1/issue-async', again: '202 #2', rows: ['first'] },
];

describe('an API dies', () => {
  test.each(results.map((result) => [result.point, result.home, result] as const))(
    '%s (stock in %s): the connection closes, and a retry returns the true result',
    async (point, home, { path, again, rows }) => {
      const couponId = await createCoupon(3);
      if (home === 'redis') await ask('/v2/issue-async', couponId, 'first');
      else await ask('/v1/issue', couponId, 'first');
      await rowsBecome(couponId, ['first']);
      await withWorkerStopped(async () => {
        await dieAt(point, () => ask(path, couponId, 'second'));
        expect(await askUntilKnown(path, couponId, 'second')).toBe(again);
        expect(await rowsOf(couponId)).toEqual([...rows]);
      });
      // The dead API holds nothing back: the rest of the stock is there, through each endpoint, and no more than that.
      expect(await askUntilKnown('/v1/issue', couponId, 'third')).toBe('201 #3');
      for (const other of ['/v1/issue', '/v1/issue-async', '/v2/issue-async'] as const) {
        expect(await askUntilKnown(other, couponId, 'second')).toBe('409 #2');
        expect(await askUntilKnown(other, couponId, 'fourth')).toBe('409 INVALID_COUPON_ISSUE_QUANTITY');
      }
      await rowsBecome(couponId, ['first', 'second', 'third']);
      expect(await issuedQuantity(couponId)).toBe(3);
    },
  );
});

/** Whether an issue is used, once the API has died of the request. */
const usesAfter = [
  ['between a change and its event', 0],
  ['before the commit of a change', 0],
  ['after the commit of a change', 1],
] as const satisfies readonly (readonly [ApiCrashPoint, number])[];

test.each([...usesAfter])(
  'an API that dies %s leaves a use with its event or neither, and a retry leads to one of each',
  async (point, uses) => {
    const couponId = await createCoupon(1);
    expect(await askUntilKnown('/v1/issue', couponId, 'user')).toBe('201 #1');
    const path = `/v1/coupons/${couponId}/issues/user/use`;
    const use = async () => {
      const headers = { authorization: `Bearer ${ADMIN_KEY}` };
      const reply = await lane.ask({ method: 'POST', path, headers, body: { reference: 'order-1' } });
      return reply.kind === 'answer' ? String(reply.status) : reply.kind;
    };
    const counts = async () => ({ uses: await usesOf(couponId), events: await eventsOf(couponId) });
    await dieAt(point, use);
    expect(await counts()).toEqual({ uses, events: uses });
    await waitUntil('the use to be answered', async () => (await use()) === '200', WAIT);
    expect(await counts()).toEqual({ uses: 1, events: 1 });
  },
);

function usesOf(couponId: number): Promise<number> {
  const isUsed = and(eq(couponIssues.couponId, couponId), isNotNull(couponIssues.dateUsed));
  return withConnection(cluster.database, (session) => session.$count(couponIssues, isUsed));
}

function eventsOf(couponId: number): Promise<number> {
  const isOfUse = and(eq(outbox.couponId, couponId), eq(outbox.kind, 'issue.used'));
  return withConnection(cluster.database, (session) => session.$count(outbox, isOfUse));
}

/** Restarts the API so that it dies at a point, sends a request, and waits until it has died of it and is replaced. */
async function dieAt(point: ApiCrashPoint, question: () => Promise<string>): Promise<void> {
  const [api] = cluster.apis;
  if (!api) throw new Error('there is no API');
  await api.kill({ entry: 'test/chaos/crashing-api.ts', environment: { CRASH_AT: point } });
  await api.startedTimes(api.starts + 1);
  await api.ready();
  const { starts } = api;
  expect(await question()).toBe('unanswered');
  await api.startedTimes(starts + 1);
  await api.ready();
}

async function withWorkerStopped(scene: () => Promise<void>): Promise<void> {
  const [worker] = cluster.workers;
  worker?.signal('SIGSTOP');
  try {
    await scene();
  } finally {
    worker?.signal('SIGCONT');
  }
}

/** One request; the answer in short: status, and the sequence or else the code. */
async function ask(path: string, couponId: number, userId: string): Promise<string> {
  const reply = await lane.ask({ method: 'POST', path, body: { couponId, userId } });
  if (reply.kind !== 'answer') return reply.kind;
  const { sequence, code } = JSON.parse(reply.body) as { readonly sequence?: number; readonly code?: string };
  return `${reply.status} ${sequence === undefined ? code : `#${sequence}`}`;
}

/** Retries while the result is ambiguous, as a client should. */
async function askUntilKnown(path: string, couponId: number, userId: string): Promise<string> {
  let answer = '';
  const known = async () => {
    answer = await ask(path, couponId, userId);
    return /^[24]/.test(answer);
  };
  await waitUntil(`an answer from ${path}`, known, WAIT);
  return answer;
}

async function createCoupon(totalQuantity: number): Promise<number> {
  const nowMs = Date.now();
  const body = {
    title: 'A coupon for crashes',
    totalQuantity,
    discountAmount: 0,
    minAvailableAmount: 0,
    dateIssueStart: new Date(nowMs - 1000).toISOString(),
    dateIssueEnd: new Date(nowMs + 3_600_000).toISOString(),
  };
  const headers = { authorization: `Bearer ${ADMIN_KEY}` };
  const reply = await lane.ask({ method: 'POST', path: '/v1/coupons', body, headers });
  if (reply.kind !== 'answer' || reply.status !== 201) throw new Error('the coupon was not made');
  return (JSON.parse(reply.body) as { readonly id: number }).id;
}

async function rowsOf(couponId: number): Promise<string[]> {
  const rows = await withConnection(cluster.database, (session) =>
    session
      .select({ userId: couponIssues.userId })
      .from(couponIssues)
      .where(eq(couponIssues.couponId, couponId))
      .orderBy(couponIssues.sequence),
  );
  return rows.map(({ userId }) => userId);
}

async function issuedQuantity(couponId: number): Promise<number | undefined> {
  const [row] = await withConnection(cluster.database, (session) =>
    session.select({ issued: coupons.issuedQuantity }).from(coupons).where(eq(coupons.id, couponId)),
  );
  return row?.issued;
}

/** Waits until nothing waits for the worker any more. */
async function rowsBecome(couponId: number, users: readonly string[]): Promise<void> {
  const { stream } = couponKeys(couponId, cluster.config.PARTITIONS);
  await waitUntil('the stream to be empty', async () => (await cluster.redis.xlen(stream)) === 0, WAIT);
  expect(await rowsOf(couponId)).toEqual([...users]);
}
