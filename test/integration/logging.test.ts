// logging.test.ts -- What operators want logged is in effect in every process within seconds, and ends by itself.

import { afterAll, expect, test } from 'bun:test';
import { noteOf, keepNote } from '../../src/http/request-log/request-notes.ts';
import { eventually } from '../eventually.ts';
import { needsOneRedis } from '../other-stores.ts';
import { startEntry } from '../started-entry.ts';
import { openStores } from '../stores.ts';
import { openTcpProxy } from '../tcp-proxy.ts';

const stores = await openStores();
afterAll(() => stores.close());

const configured = { logLevel: 'silent', requestLog: 'off', untilMs: null } as const;

test('a change is in effect here immediately, elsewhere soon, and ends when its time is over or it is taken back', async () => {
  await using here = await stores.createApi();
  await using elsewhere = await stores.createApi();
  expect(await here.logging.change({ requestLog: 'on' }, 60_000)).toBe(true);
  expect([here.requests.isOn, here.logging.current().requestLog]).toEqual([true, 'on']);
  await eventually('the other process to follow', () => elsewhere.requests.isOn);
  expect(elsewhere.logging.current()).toEqual(here.logging.current());
  // The second change keeps the first.
  await elsewhere.logging.change({ logLevel: 'error' }, 60_000);
  await eventually('the level', () => here.logging.current().logLevel === 'error');
  expect(here.requests.isOn).toBe(true);
  await here.logging.change({}, 0);
  expect([here.logging.current(), here.requests.isOn]).toEqual([configured, false]);
  await eventually('the end everywhere', () => !elsewhere.requests.isOn);
  await here.logging.change({ requestLog: 'errors' }, 100);
  expect(here.requests.isOn).toBe(true);
  await eventually('the end by time', () => !here.requests.isOn);
  expect(here.logging.current()).toEqual(configured);
});

const cannotCut = needsOneRedis('cuts the one connection to Redis');
test.skipIf(cannotCut)('while Redis does not answer, this process alone has it, and hands it on later', async () => {
  await using proxy = await openTcpProxy(stores.config.REDIS_URL);
  await using here = await stores.createApi({ REDIS_URL: proxy.url });
  await using elsewhere = await stores.createApi();
  proxy.cut();
  expect(await here.logging.change({ requestLog: 'on' }, 60_000)).toBe(false);
  expect([here.requests.isOn, elsewhere.requests.isOn]).toEqual([true, false]);
  proxy.restore();
  await eventually('the other process to follow', () => elsewhere.requests.isOn);
  await elsewhere.logging.change({}, 0);
});

test('a running API and a worker log by the key of an operator what they are told, without a restart', async () => {
  const key = 'an-operators-key-of-this-test';
  const secret = 'a secret of this test';
  const api = startEntry(stores, 'src/server.ts', { environment: { ADMIN_API_KEY: key, REQUEST_LOG_SECRET: secret } });
  const worker = startEntry(stores, 'workers/worker.ts', { environment: { RECONCILE_MS: '500' } });
  try {
    const url = await api.url();
    await eventually('the worker to drain', () => worker.logOf().includes('"draining"'));
    const json = { 'content-type': 'application/json' };
    const headers = { ...json, authorization: `Bearer ${key}` };
    const { id } = await stores.coupon();
    const issue = (userId: string) =>
      fetch(`${url}/v2/issue-async`, { method: 'POST', headers: json, body: JSON.stringify({ couponId: id, userId }) });
    await issue('before');
    const body = JSON.stringify({ logLevel: 'debug', requestLog: 'on', minutes: 5 });
    expect((await fetch(`${url}/v1/logging`, { method: 'PATCH', headers, body })).status).toBe(200);
    const answer = await issue('kim');
    const find = Bun.spawnSync([process.execPath, 'src/commands/find-user.ts', 'kim'], {
      cwd: `${import.meta.dir}/../..`,
      env: { REQUEST_LOG_SECRET: secret },
    });
    const hash = find.stdout.toString().trim();
    await eventually('the line of the request', () => api.logOf().includes(`"user":"${hash}"`));
    const lines = api
      .logOf()
      .split('\n')
      .filter((line) => line.includes('"msg":"request"'));
    const line = lines.find((each) => each.includes(hash)) ?? '{}';
    expect(JSON.parse(line)).toMatchObject({
      requestId: answer.headers.get('x-request-id'),
      endpoint: 'POST /v2/issue-async',
      couponId: id,
      status: 202,
      batchUsers: 1,
    });
    expect(lines.filter((each) => each.includes('issue-async'))).toHaveLength(1);
    expect(api.logOf()).toContain('"by":"ADMIN_API_KEY"');
    await eventually('the worker to log at the new level', () => worker.logOf().includes('"msg":"reconciled"'));
  } finally {
    for (const { child } of [api, worker]) {
      child.kill('SIGTERM');
      await child.exited;
    }
  }
}, 60_000);

test('a request that is observed learns of its batch', async () => {
  await using api = await stores.createApi();
  const { id } = await stores.coupon();
  const requests = Array.from({ length: 3 }, () => new Request('http://localhost/'));
  for (const request of requests) keepNote(request, {});
  await Promise.all(requests.map((request, i) => api.issuance.issue('scripted', id, `u${i}`, noteOf(request))));
  const notes = requests.map((request) => noteOf(request));
  // The first goes straight through, and the others wait for the next.
  expect(notes.map((note) => note?.batchUsers)).toEqual([1, 2, 2]);
  for (const note of notes) {
    expect(note?.decisionMs).toBeGreaterThan(0);
    expect(note?.waitMs).toBeGreaterThanOrEqual(0);
  }
});

test('find-user says how it is called, and what it lacks', () => {
  const run = (args: readonly string[], env = {}) => {
    const { exitCode, stderr, stdout } = Bun.spawnSync([process.execPath, 'src/commands/find-user.ts', ...args], {
      cwd: `${import.meta.dir}/../..`,
      env: { PATH: process.env['PATH'] ?? '', ...env },
    });
    return [exitCode, stderr.toString() + stdout.toString()] as const;
  };
  const set = { REQUEST_LOG_SECRET: 'a secret of this test' };
  expect(run(['--help'])).toEqual([0, expect.stringContaining('usage: bun run find-user USER')]);
  expect(run([], set)).toEqual([2, expect.stringContaining('exactly one user is needed')]);
  expect(run(['a', 'b'], set)).toEqual([2, expect.stringContaining('exactly one user is needed')]);
  expect(run(['no user'], set)).toEqual([2, expect.stringContaining('this is not a valid user id')]);
  expect(run(['kim'])).toEqual([1, expect.stringContaining('REQUEST_LOG_SECRET is not set')]);
  expect(run(['kim'], set)).toEqual([0, expect.stringMatching(/^[\w-]{22}\n$/)]);
});
