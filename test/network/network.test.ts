// network.test.ts -- What networks do between the API, the worker and both stores: a lost reply never turns a winner into a loser,
// and no broken connection is waited for longer than its bound.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { eq } from 'drizzle-orm';
import { couponIssues } from '../../drizzle/schema.ts';
import { couponKeys, partitionOf } from '../../src/stream/keys.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { ADMIN_KEY, type Cluster, startCluster } from '../chaos/cluster.ts';
import { Lane } from '../chaos/lane.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';

interface Proxies {
  readonly apiRedis: FaultProxy;
  readonly apiMysql: FaultProxy;
  readonly workerRedis: FaultProxy;
  readonly workerMysql: FaultProxy;
}

const WAIT = { waitMsMax: 20_000 };
const paths = ['/v1/issue', '/v1/issue-async', '/v2/issue-async'] as const;
type Path = (typeof paths)[number];

let proxies: Proxies;
let cluster: Cluster;
let lane: Lane;

beforeAll(async () => {
  cluster = await startCluster({
    apis: 1,
    workers: 1,
    // An opening takes a dozen round trips, of 50 ms each where all is slow.
    settings: { OPENING_LEASE_MS: 5000, OPENING_WAIT_MS_MAX: 8000 },
    async route(urls) {
      proxies = {
        apiRedis: await proxyTo(urls.redis),
        apiMysql: await proxyTo(urls.mysql),
        workerRedis: await proxyTo(urls.redis),
        workerMysql: await proxyTo(urls.mysql),
      };
      const through = (redis: FaultProxy, mysql: FaultProxy) => ({
        REDIS_URL: atPort(urls.redis, redis.port),
        DATABASE_URL: atPort(urls.mysql, mysql.port),
      });
      return {
        api: through(proxies.apiRedis, proxies.apiMysql),
        worker: through(proxies.workerRedis, proxies.workerMysql),
      };
    },
  });
  lane = new Lane(cluster.apis[0]?.port ?? 0, 10_000);
  // Redis has now seen every script: the reply that is dropped is that of the work, not the one that asks for its text.
  const couponId = await createCoupon(null);
  await openInRedis(couponId);
  for (const path of paths) await issueUntilKnown(path, couponId, `first-${path}`);
});

afterEach(() => {
  for (const proxy of Object.values<FaultProxy>({ ...proxies })) proxy.set({ kind: 'clear' });
  expect(cluster.ownFaults()).toEqual([]);
});

afterAll(async () => {
  lane.close();
  await cluster.stop();
  await Promise.all(Object.values<FaultProxy>({ ...proxies }).map((proxy) => proxy.close()));
});

describe('a reply that is lost between the API and a store', () => {
  const losses: readonly [string, Path, 'redis' | 'mysql', (user: string) => [text: string, occurrence: number]][] = [
    ['the script of /v2', '/v2/issue-async', 'redis', (user) => [user, 1]],
    ['the fenced write of /v1/issue-async', '/v1/issue-async', 'redis', (user) => [user, 2]],
    ['the reservation of /v1/issue', '/v1/issue', 'redis', (user) => [user, 1]],
    // In one packet with the rows, which the commits of the directory and of the checks lack.
    ['the commit of /v1/issue', '/v1/issue', 'mysql', () => ['INSERT INTO coupon_issues', 1]],
  ];
  test.each(losses)('%s leaves the winner a winner', async (_, path, store, trapFor) => {
    const couponId = await createCoupon(1);
    // The stock is in Redis unless MySQL is the one that decides.
    if (store === 'redis') await openInRedis(couponId);
    const winner = `winner-${couponId}`;
    const proxy = store === 'redis' ? proxies.apiRedis : proxies.apiMysql;
    const dropped = proxy.dropReplyTo(...trapFor(winner));
    const first = await issue(path, couponId, winner);
    await dropped;
    expect(first).toMatchObject({ status: 503, code: 'FAIL_COUPON_ISSUE_REQUEST' });
    for (const other of paths) {
      expect(await issueUntilKnown(other, couponId, winner)).toMatchObject({
        code: 'DUPLICATED_COUPON_ISSUE',
        sequence: 1,
      });
      expect(await issueUntilKnown(other, couponId, `late-${couponId}`)).toMatchObject({
        code: 'INVALID_COUPON_ISSUE_QUANTITY',
      });
    }
    await rowsBecome(couponId, [{ userId: winner, sequence: 1 }]);
  });
});

describe('a reply that is lost between the worker and a store', () => {
  test.each(['COMMIT', 'settle'] as const)('%s is done once', async (what) => {
    const couponId = await createCoupon(10);
    const { partition, keys } = placeOf(couponId);
    const dropped =
      what === 'COMMIT'
        ? proxies.workerMysql.dropReplyTo('COMMIT')
        : proxies.workerRedis.dropReplyTo(`issues:{${partition}}:dead`);
    expect(await issueUntilKnown('/v2/issue-async', couponId, 'alice')).toMatchObject({ status: 202, sequence: 1 });
    await dropped;
    await waitUntil('the stream to be empty', async () => (await cluster.redis.xlen(keys.stream)) === 0, WAIT);
    await rowsBecome(couponId, [{ userId: 'alice', sequence: 1 }]);
    expect([await cluster.redis.get(keys.unpersisted), await cluster.redis.xlen(keys.dead)]).toEqual(['0', 0]);
  });
});

describe('connections', () => {
  const pairs = ['apiRedis', 'apiMysql', 'workerRedis', 'workerMysql'] as const;

  test.each(pairs)('half-open (%s): no call waits forever, and new connections take over', async (which) => {
    const couponId = await createCoupon(null);
    await openInRedis(couponId);
    proxies[which].set({ kind: 'half-open' });
    for (const path of paths) await issueUntilKnown(path, couponId, `half-open-${path}`);
    await waitUntil('three rows', async () => (await rowsOf(couponId)).length === 3, WAIT);
  });

  test.each(pairs)('reset (%s): recovers once connections hold', async (which) => {
    const couponId = await createCoupon(null);
    await openInRedis(couponId);
    proxies[which].set({ kind: 'reset' });
    const during = await issue('/v2/issue-async', couponId, 'during');
    // Only Redis is needed to accept.
    expect(during.status).toBe(which === 'apiRedis' ? 503 : 202);
    proxies[which].set({ kind: 'clear' });
    for (const path of paths) await issueUntilKnown(path, couponId, 'during');
    const sequence = (await rowsAfter(couponId, 1))[0]?.sequence;
    expect(await issueUntilKnown('/v2/issue-async', couponId, 'during')).toMatchObject({ sequence });
  });

  test('slow everywhere: every answer arrives and is correct', async () => {
    const couponId = await createCoupon(5);
    for (const which of pairs) proxies[which].set({ kind: 'delay', delayMs: 25 });
    const lanes = paths.flatMap((path, at) => [1, 2, 3].map((n) => ({ path, userId: `slow-${at}-${n}` })));
    const answers = await Promise.all(lanes.map(({ path, userId }) => issueOnOwnLane(path, couponId, userId)));
    expect(answers.filter(({ status }) => status === 201 || status === 202)).toHaveLength(5);
    expect(answers.filter(({ code }) => code === 'INVALID_COUPON_ISSUE_QUANTITY')).toHaveLength(4);
    expect((await rowsAfter(couponId, 5)).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5]);
  });
});

interface Answer {
  readonly status: number;
  readonly sequence?: number;
  readonly code?: string;
}

function proxyTo(url: string): Promise<FaultProxy> {
  return startFaultProxy(Number(new URL(url).port));
}

function atPort(url: string, port: number): string {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href;
}

async function ask(on: Lane, path: string, body: unknown): Promise<Answer & { readonly id?: number }> {
  const headers = { authorization: `Bearer ${ADMIN_KEY}` };
  const reply = await on.ask({ method: 'POST', path, body, headers });
  if (reply.kind !== 'answer') throw new Error(`${path} was ${reply.kind}`);
  return { ...(JSON.parse(reply.body) as object), status: reply.status };
}

function issue(path: Path, couponId: number, userId: string): Promise<Answer> {
  return ask(lane, path, { couponId, userId: userId.replaceAll('/', '-') });
}

async function issueOnOwnLane(path: Path, couponId: number, userId: string): Promise<Answer> {
  const own = new Lane(cluster.apis[0]?.port ?? 0, 10_000);
  const answer = await ask(own, path, { couponId, userId });
  own.close();
  return answer;
}

/** Asks again while the answer is 503, as a client should. */
async function issueUntilKnown(path: Path, couponId: number, userId: string): Promise<Answer> {
  let answer: Answer = { status: 503 };
  const asked = async () => {
    answer = await issue(path, couponId, userId);
    return answer.status !== 503;
  };
  await waitUntil(`an answer from ${path}`, asked, WAIT);
  return answer;
}

/** A connection that the test before has broken may still be made anew. */
async function createCoupon(totalQuantity: number | null): Promise<number> {
  const nowMs = Date.now();
  const draft = {
    title: 'A coupon for bad weather',
    totalQuantity,
    discountAmount: 0,
    minAvailableAmount: 0,
    dateIssueStart: new Date(nowMs - 1000).toISOString(),
    dateIssueEnd: new Date(nowMs + 3_600_000).toISOString(),
  };
  let id: number | undefined;
  const made = async () => {
    ({ id } = await ask(lane, '/v1/coupons', draft));
    return id !== undefined;
  };
  await waitUntil('the coupon to be made', made, WAIT);
  if (id === undefined) throw new Error('the coupon was not made');
  return id;
}

/** Makes Redis the home of the stock, without issuing anything. */
async function openInRedis(couponId: number): Promise<void> {
  await withConnection(cluster.database, (_, connection) =>
    connection.query("UPDATE coupons SET stock_home = 'redis' WHERE id = ?", [couponId]),
  );
  // The status of an issue opens a coupon whose home is Redis.
  const opened = async () => {
    const reply = await lane.ask({ method: 'GET', path: `/v1/coupons/${couponId}/issues/no-owner` });
    return reply.kind === 'answer' && reply.status === 200;
  };
  await waitUntil('the coupon to be open', opened, WAIT);
}

function placeOf(couponId: number) {
  const { PARTITIONS } = cluster.config;
  return { partition: partitionOf(couponId, PARTITIONS), keys: couponKeys(couponId, PARTITIONS) };
}

function rowsOf(couponId: number) {
  return withConnection(cluster.database, (session) =>
    session
      .select({ userId: couponIssues.userId, sequence: couponIssues.sequence })
      .from(couponIssues)
      .where(eq(couponIssues.couponId, couponId))
      .orderBy(couponIssues.sequence),
  );
}

async function rowsAfter(couponId: number, count: number) {
  await waitUntil(`${count} rows`, async () => (await rowsOf(couponId)).length >= count, WAIT);
  return rowsOf(couponId);
}

/** Waits until the stream of the coupon is empty, when no row can come any more. */
async function rowsBecome(couponId: number, expected: readonly { userId: string; sequence: number }[]): Promise<void> {
  const { keys } = placeOf(couponId);
  await waitUntil('the stream to be empty', async () => (await cluster.redis.xlen(keys.stream)) === 0, WAIT);
  expect(await rowsOf(couponId)).toEqual([...expected]);
}
