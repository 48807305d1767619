// log-lines.test.ts -- An outage of anything that the API depends on is answered 503 per request, and logged as one line now and then.

import { INSTALLATION_KEY } from '../../src/stream/keys.ts';
import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { installation } from '../../drizzle/schema.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import { eventually } from '../eventually.ts';
import { openStores } from '../stores.ts';
import { openTcpProxy } from '../tcp-proxy.ts';

const ADMIN_API_KEY = 'an-operators-key-of-this-test';
const REQUESTS = 60;

const stores = await openStores();
const folder = mkdtempSync(join(tmpdir(), 'log-lines-'));
const cleanup: (() => unknown)[] = [];
afterAll(async () => {
  for (const step of cleanup.reverse()) await step();
  rmSync(folder, { recursive: true });
  await stores.close();
});

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly leftOut?: number;
  readonly url?: string;
}

/** Starts the API, and gives its address and what it has logged. */
async function startApi(environment: Readonly<Record<string, string>>) {
  // Each is an installation of its own: its Redis has replaced none.
  await withConnection(stores.database, (session) => session.delete(installation));
  await stores.redis.del(INSTALLATION_KEY);
  const child = Bun.spawn([process.execPath, 'src/server.ts'], {
    cwd: resolve(import.meta.dirname, '../..'),
    env: {
      PATH: process.env['PATH'] ?? '',
      DATABASE_URL: stores.config.DATABASE_URL,
      REDIS_URL: stores.config.REDIS_URL,
      // On a cluster it is what tells test files apart.
      KEY_PREFIX: stores.config.KEY_PREFIX ?? '',
      HOST: '127.0.0.1',
      PORT: '0',
      ADMIN_API_KEY,
      // A request that finds a store unreachable is answered soon.
      REDIS_COMMAND_MS_MAX: '500',
      ...environment,
    },
    stdout: 'pipe',
    stderr: 'inherit',
  });
  cleanup.push(async () => {
    child.kill('SIGKILL');
    await child.exited;
  });
  let text = '';
  void (async () => {
    const decoder = new TextDecoder();
    for await (const piece of child.stdout as AsyncIterable<Uint8Array>) text += decoder.decode(piece);
  })();
  const lines = () => text.split('\n').flatMap((line) => (line.endsWith('}') ? [JSON.parse(line) as Line] : []));
  await eventually('the API to listen', () => lines().some(({ msg }) => msg === 'listening'));
  return { url: lines().find(({ url }) => url)?.url ?? '', troubles: () => lines().filter(({ level }) => level >= 40) };
}

type Api = Awaited<ReturnType<typeof startApi>>;

/** Sends the same kind of request again and again; returns the statuses that were answered. */
async function statuses(api: Api, request: (i: number) => [string, RequestInit]): Promise<number[]> {
  const answered = new Set<number>();
  for (let i = 0; i < REQUESTS; i++) {
    const [path, init] = request(i);
    const response = await fetch(new URL(path, api.url), init);
    await response.text();
    answered.add(response.status);
  }
  return [...answered];
}

const admin = { authorization: `Bearer ${ADMIN_API_KEY}`, 'content-type': 'application/json' };
const issueWith =
  (path: string, couponId: number, headers: Record<string, string> = {}) =>
  (i: number) =>
    [
      path,
      { method: 'POST', headers: { ...admin, ...headers }, body: JSON.stringify({ couponId, userId: `u${i}` }) },
    ] satisfies [string, RequestInit];

/** How many lines of each message there are. */
function counts(lines: readonly Line[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { msg } of lines) found[msg] = (found[msg] ?? 0) + 1;
  return found;
}

/** At most so many for one message: the causes differ between the requests under way and those that find no connection. */
const CAUSES_MAX = 4;

async function expectFewLines(api: Api, message: string): Promise<void> {
  for (const [msg, count] of Object.entries(counts(api.troubles())))
    expect([msg, count <= 3 * CAUSES_MAX]).toEqual([msg, true]);
  await eventually(`how many lines were left out: ${message}`, () =>
    api.troubles().some(({ msg, leftOut }) => msg === message && (leftOut ?? 0) > REQUESTS / 4),
  );
}

describe('while Redis is stopped', () => {
  test.each([
    [
      'requests under an Idempotency-Key',
      'store request failed; result unknown to the caller',
      (id: number) => (i: number) => issueWith('/v2/issue-async', id, { 'idempotency-key': `"key-${i}"` })(i),
    ],
    [
      'requests to issue',
      'a batch failed; its results are unknown to the callers',
      (id: number) => issueWith('/v2/issue-async', id),
    ],
    [
      'the list of dead letters',
      'store request failed; result unknown to the caller',
      () => (): [string, RequestInit] => ['/v1/dead-letters', { headers: admin }],
    ],
    [
      'replaying a dead letter',
      'store request failed; result unknown to the caller',
      () => (): [string, RequestInit] => ['/v1/dead-letters/0-1-0/replay', { method: 'POST', headers: admin }],
    ],
    [
      'discarding a dead letter',
      'store request failed; result unknown to the caller',
      () => (): [string, RequestInit] => ['/v1/dead-letters/0-1-0', { method: 'DELETE', headers: admin }],
    ],
  ])('%s are 503 and few lines', async (name, message, requests) => {
    const redis = await startRedisServer({ folder: mkdtempSync(join(folder, 'redis-')) });
    cleanup.push(() => redis.stop());
    const api = await startApi({ REDIS_URL: redis.url, USER_REQUESTS_MAX: '1000', ADDRESS_REQUESTS_MAX: '100000' });
    const { id } = await stores.coupon();
    await redis.stop();
    expect([name, await statuses(api, requests(id))]).toEqual([name, [503]]);
    await expectFewLines(api, message);
  });
});

test('while MySQL is unreachable, requests to issue are 503 and few lines', async () => {
  await using proxy = await openTcpProxy(stores.config.DATABASE_URL);
  const api = await startApi({ DATABASE_URL: proxy.url });
  const { id } = await stores.coupon();
  proxy.cut();
  expect(await statuses(api, issueWith('/v1/issue', id))).toEqual([503]);
  await expectFewLines(api, 'a batch failed; its results are unknown to the callers');
  expect(await statuses(api, (i) => [`/v1/drops/${i + 1}`, {}])).toEqual([503]);
  await expectFewLines(api, 'store request failed; result unknown to the caller');
});

test("while the keys of the tokens' issuer are unreachable, requests with a token are 503 and few lines", async () => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { sub: 'u1', iss: 'https://id.example', aud: 'coupons', exp: Math.floor(Date.now() / 1000) + 600 };
  const token = (i: number) => `${part({ alg: 'RS256', kid: 'k' })}.${part({ ...claims, jti: i })}.${part({})}`;
  const api = await startApi({
    // Nobody listens on this port.
    JWT_JWKS_URL: 'http://127.0.0.1:1/keys',
    JWT_ISSUER: claims.iss,
    JWT_AUDIENCE: claims.aud,
  });
  const { id } = await stores.coupon();
  const answered = await statuses(api, (i) =>
    issueWith('/v2/issue-async', id, { authorization: `Bearer ${token(i)}` })(i),
  );
  expect(answered).toEqual([503]);
  await expectFewLines(api, 'could not read the JWKS of the token issuer');
});
