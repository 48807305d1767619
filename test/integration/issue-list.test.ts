// issue-list.test.ts -- A coupon for a list: many users in one request on real stores, and `bun run issue-list` with files as people make them.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp } from '../../src/app.ts';
import { createAuthMetrics } from '../../src/auth/metrics.ts';
import { Unavailable } from '../../src/coupon/outcome.ts';
import { createPipeline } from '../../src/issuing/pipeline.ts';
import type { RefusalCache } from '../../src/issuing/refusal-cache.ts';
import { issueToList, type ListedResult } from '../../src/operations/issue-list.ts';
import { serve } from '../../src/runtime/serve.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { openAccess } from '../../src/wiring/access.ts';
import { pages, ready } from '../http/fakes.ts';
import { brokenPromises } from '../promises.ts';
import { runEntry } from '../started-entry.ts';
import { openStores, type Settings, type Stores, type TestApi } from '../stores.ts';

const KEY = 'a-key-for-lists-of-users';
const folder = mkdtempSync(join(tmpdir(), 'issue-list-'));
const undo: (() => Promise<unknown> | void)[] = [() => rmSync(folder, { recursive: true })];
let stores: Stores;
let api: TestApi;
let url = '';

beforeAll(async () => {
  stores = await openStores();
  undo.push(stores.close);
  api = await stores.createApi();
  url = await serveApi({});
});
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

/** Serves the API, or another one, with these settings. */
async function serveApi(settings: Settings, parts = api): Promise<string> {
  const log = createLog('api', 'silent');
  const config = stores.configWith({ ADMIN_API_KEY: KEY, AUTH: 'off', ...settings });
  const { redis, database } = stores;
  const access = await openAccess({ config, database, redis, log, metrics: createAuthMetrics() });
  const app = createApp({ ...parts, ...access, pages, config, readiness: async () => ready, log });
  const server = await serve(app.fetch, { host: '127.0.0.1', port: 0, onError: () => undefined });
  undo.push(
    () => server.stop(),
    () => access.stop(),
  );
  return server.url;
}

interface UserOutcome {
  readonly userId: string;
  readonly status?: string;
  readonly code?: string;
  readonly sequence?: number;
}

async function issueMany(couponId: number, users: readonly string[], headers = {}, at = url) {
  const answer = await fetch(`${at}/v1/coupons/${couponId}/issues`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, ...headers },
    body: JSON.stringify({ users }),
  });
  const { outcomes = [] } = (await answer.json()) as { outcomes?: readonly UserOutcome[] };
  return { status: answer.status, outcomes };
}

const ignore = () => undefined;
const people = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `user-${from + i}`);

test('many users in one request get what each would have got alone, in order', async () => {
  const { id } = await stores.coupon({ totalQuantity: 1200 });
  await api.issuance.issue('synchronous', id, 'user-3');
  const [first, second] = await Promise.all([
    issueMany(id, [...people(999), 'user-7']),
    issueMany(id, people(1000, 500)),
  ]);
  expect(first.outcomes.map(({ userId }) => userId)).toEqual([...people(999), 'user-7']);
  expect(first.outcomes[3]).toEqual({ userId: 'user-3', code: 'DUPLICATED_COUPON_ISSUE', sequence: 1 });
  const [seventh] = first.outcomes.filter(({ userId }) => userId === 'user-7');
  expect(first.outcomes.at(-1)).toEqual({
    userId: 'user-7',
    code: 'DUPLICATED_COUPON_ISSUE',
    sequence: seventh?.sequence ?? 0,
  });
  const all = [...first.outcomes, ...second.outcomes];
  const countOf = (code: string | undefined) => all.filter((each) => each.code === code).length;
  // One of the 1,200 is the user of before.
  expect([countOf(undefined), countOf('INVALID_COUPON_ISSUE_QUANTITY') > 0]).toEqual([1199, true]);
  await using worker = await stores.startWorker();
  await worker.drained();
  const answers = all.map(({ userId, code, sequence = 0 }) => {
    const kind = code === undefined ? 'issued' : code === 'DUPLICATED_COUPON_ISSUE' ? 'already issued' : 'sold out';
    return { userId, outcome: kind === 'sold out' ? ({ kind } as const) : ({ kind, sequence } as const) };
  });
  const opener = { userId: 'user-3', outcome: { kind: 'issued', sequence: 1 } } as const;
  expect(await brokenPromises(stores, id, [opener, ...answers])).toEqual([]);
});

test('a batch that fails is unknown for its users alone', async () => {
  const { id } = await stores.coupon({ totalQuantity: null });
  const flaky = await stores.createApi();
  const take = flaky.issuers.scripted.issue;
  let batches = 0;
  const scripted = {
    issue: async (couponId: number, users: readonly string[]) => {
      const outcomes = await take(couponId, users);
      batches += 1;
      if (batches === 2) throw new Unavailable('dependency', 'the reply was lost');
      return outcomes;
    },
  };
  const issuance = createPipeline({
    issuers: { ...flaky.issuers, scripted },
    refusals: { refuse: () => null, note: ignore, invalidations: 0 } as unknown as RefusalCache,
    bounds: { usersPerBatchMax: 10, batchesInFlightMax: 1, waitingMax: 100 },
    observer: { batch: ignore, refusedByCache: ignore, requested: ignore, failed: ignore },
  });
  const at = await serveApi({}, { ...flaky, issuance });
  // The first goes straight through, and ten by ten the others follow.
  const { status, outcomes } = await issueMany(id, people(31), {}, at);
  const codes = outcomes.map(({ code = 'ACCEPTED' }) => code);
  expect({ status, codes: [0, 1, 10, 11, 30].map((i) => codes[i]) }).toEqual({
    status: 200,
    codes: ['ACCEPTED', 'FAIL_COUPON_ISSUE_REQUEST', 'FAIL_COUPON_ISSUE_REQUEST', 'ACCEPTED', 'ACCEPTED'],
  });
  expect(codes.filter((code) => code !== 'ACCEPTED')).toHaveLength(10);
  // Asked again they have it, which shows what became of it.
  const again = await issueMany(id, people(10, 1));
  expect(new Set(again.outcomes.map(({ code }) => code))).toEqual(new Set(['DUPLICATED_COUPON_ISSUE']));
});

test('the same request under the same idempotency key has the same sequences again', async () => {
  const { id } = await stores.coupon({ totalQuantity: null });
  const key = { 'idempotency-key': 'list-1' };
  const first = await issueMany(id, people(50), key);
  const again = await issueMany(id, people(50), key);
  expect(again.outcomes).toEqual(first.outcomes.map((outcome) => ({ ...outcome, replayed: true })) as never);
  const other = await issueMany((await stores.coupon()).id, ['user-1'], key);
  expect(other.outcomes).toEqual([{ userId: 'user-1', code: 'IDEMPOTENCY_KEY_REUSED' }]);
});

test('limits count users: each of them, and all of an address', async () => {
  const { id } = await stores.coupon({ totalQuantity: null });
  const at = await serveApi({ USER_REQUESTS_MAX: 2, ADDRESS_REQUESTS_MAX: 12, LIMIT_WINDOW_S: 3600 });
  const { outcomes } = await issueMany(id, ['a', 'b', 'a', 'a'], {}, at);
  expect(outcomes.map(({ code = 'ACCEPTED' }) => code)).toEqual([
    'ACCEPTED',
    'ACCEPTED',
    'DUPLICATED_COUPON_ISSUE',
    'TOO_MANY_REQUESTS',
  ]);
  expect((await issueMany(id, people(9), {}, at)).status).toBe(429);
  expect((await issueMany(id, people(7), {}, at)).status).toBe(200);
  expect((await issueMany(id, people(1), {}, at)).status).toBe(429);
  expect(await stores.redis.hlen(stores.keys(id).owners)).toBe(9);
});

/** Runs the command for a file with this text. */
async function run(couponId: number, name: string, text: string | Uint8Array, ...more: string[]) {
  const list = join(folder, name);
  writeFileSync(list, text);
  const args = ['--coupon', String(couponId), list, '--url', url, ...more];
  const ended = await runEntry({}, 'src/commands/issue-list.ts', args, { environment: { ADMIN_API_KEY: KEY } });
  const report = () => readFileSync(`${list}.coupon-${couponId}.csv`, 'utf8');
  return { ...ended, report };
}

test('the command gives to a file as people make it, with a report', async () => {
  const { id } = await stores.coupon({ totalQuantity: 5 });
  const text = '\uFEFFname,userId\r\nKim,kim\r\n\r\n"Lee","lee"\r\nPark, auth0|park \r\nKim,kim';
  const { code, out, report } = await run(id, 'people.csv', text);
  expect({ code, out }).toMatchObject({
    code: 0,
    out: expect.stringMatching(/3 {2}ACCEPTED\n +1 {2}DUPLICATED_COUPON_ISSUE/) as unknown,
  });
  const lines =
    'line,userId,result,sequence\n2,kim,ACCEPTED,1\n4,lee,ACCEPTED,2\n5,auth0|park,ACCEPTED,3\n6,kim,DUPLICATED_COUPON_ISSUE,1\n';
  expect(report()).toBe(lines);
  // Done is done.
  expect((await run(id, 'people.csv', text)).report()).toBe(lines);
});

test('a file with lines that name no user is refused before anybody is issued', async () => {
  const { id } = await stores.coupon();
  const { code, err } = await run(id, 'wrong.csv', 'kim\nb c\nlee\n"{"\n,x\n');
  expect({ code, err }).toMatchObject({
    code: 1,
    err: expect.stringContaining('lines without a user id: 2, 4, 5. Nobody') as unknown,
  });
  expect((await run(id, 'empty.csv', '\n\nuserId\n')).err).toContain('contains no users');
  expect(await stores.redis.hlen(stores.keys(id).owners)).toBe(0);
  expect((await run(id, 'none.csv', 'kim', '--key-file', join(folder, 'no-such-file'))).err).toContain('(ENOENT)');
  const usage = await runEntry({}, 'src/commands/issue-list.ts', ['--coupon', 'x', 'a.csv']);
  expect(usage).toMatchObject({ code: 2, err: expect.stringContaining('--coupon must be') as unknown });
});

test('a coupon that is not open ends the run, and one that is not there, and it goes on from there', async () => {
  const { id } = await stores.coupon({ startMs: Date.now() + 3_600_000, endMs: Date.now() + 7_200_000 });
  const early = await run(id, 'early.csv', 'kim\nlee\n');
  expect(early).toMatchObject({
    code: 1,
    err: expect.stringContaining('has not started. 0 of 2 users are done') as unknown,
  });
  await stores.edit(id, { dateIssueStart: new Date(Date.now() - 1000) });
  await Bun.sleep(1500);
  const open = await run(id, 'early.csv', 'kim\nlee\n');
  expect([open.code, open.report()]).toEqual([0, 'line,userId,result,sequence\n1,kim,ACCEPTED,1\n2,lee,ACCEPTED,2\n']);
  expect((await run(id + 1_000_000, 'early.csv', 'kim\n')).err).toContain('COUPON_NOT_EXIST');
}, 30_000);

test('an interrupted run goes on where its report ends, and no user is left out', async () => {
  const listPath = join(folder, 'interrupted.csv');
  const reportPath = join(folder, 'interrupted.report');
  writeFileSync(listPath, people(2500).join('\n'));
  const owners = new Map<string, number>();
  const give = (users: readonly string[]): ListedResult[] =>
    users.map((user) => {
      const known = owners.get(user);
      if (known === undefined) owners.set(user, owners.size + 1);
      return {
        result: known === undefined ? 'ACCEPTED' : 'DUPLICATED_COUPON_ISSUE',
        sequence: owners.get(user) ?? 0,
        stop: null,
      };
    });
  let requests = 0;
  const dying = async (users: readonly string[]) => {
    const results = give(users);
    requests += 1;
    if (requests === 2) throw new Error('killed before the report');
    return results;
  };
  const options = { listPath, reportPath, say: ignore };
  await expect(issueToList({ ...options, send: dying })).rejects.toThrow('killed');
  // Killed within a line.
  appendFileSync(reportPath, '1001,user-10');
  const counts = await issueToList({ ...options, send: async (users) => give(users) });
  expect([...counts]).toEqual([
    ['ACCEPTED', 1500],
    ['DUPLICATED_COUPON_ISSUE', 1000],
  ]);
  const [, ...lines] = readFileSync(reportPath, 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => line.split(',').slice(0, 2).join())).toEqual(
    people(2500).map((user, i) => `${i + 1},${user}`),
  );
  writeFileSync(listPath, people(2500).toReversed().join('\n'));
  await expect(issueToList({ ...options, send: async (users) => give(users) })).rejects.toThrow(
    'the report of another file',
  );
});
