// issuer-keys.test.ts -- The public keys of the tokens' issuer are there before a token is, and operators see why callers are turned away.

import { afterAll, expect, spyOn, test } from 'bun:test';
import { exportJWK, generateKeyPair } from 'jose';
import { createAuthMetrics } from '../../src/auth/metrics.ts';
import { JWKS_RENEWAL_MS } from '../../src/auth/tokens.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { openAccess } from '../../src/wiring/access.ts';
import { eventually } from '../eventually.ts';
import { AUDIENCE, ISSUER, sign } from '../http/tokens.ts';
import { startEntry } from '../started-entry.ts';
import { openStores } from '../stores.ts';

const ADMIN_API_KEY = 'an-operators-key-of-this-test';
const stores = await openStores();
const { publicKey, privateKey } = await generateKeyPair('ES256');
const keys = [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' }];
let asked = 0;
let isDown = false;
const issuer = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: () => {
    asked += 1;
    return isDown ? new Response(null, { status: 500 }) : Response.json({ keys });
  },
});
const settings = {
  AUTH: 'on',
  ADMIN_API_KEY,
  JWT_ISSUER: ISSUER,
  JWT_AUDIENCE: AUDIENCE,
  JWT_JWKS_URL: issuer.url.href,
};
const undo: (() => unknown)[] = [() => issuer.stop(true), () => stores.close()];
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

async function startServer() {
  const server = startEntry(stores, 'src/server.ts', { environment: { ...settings, METRICS_PORT: '0' } });
  undo.push(async () => {
    server.child.kill('SIGKILL');
    await server.child.exited;
  });
  const url = await server.url();
  const metricsUrl = /"metricsUrl":"([^"]+)"/.exec(server.logOf())?.[1] ?? '';
  const issue = (couponId: number, token?: string) =>
    fetch(`${url}/v2/issue-async`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify({ couponId, userId: 'u1' }),
    });
  return { url, metricsUrl, issue, logOf: server.logOf };
}

const tokenOf = (claims = {}) => sign({ claims, header: { alg: 'ES256', kid: 'k1' }, key: privateKey });

test('are fetched at the start and when a coupon is opened, and tokens are good though the issuer is then down', async () => {
  const { id } = await stores.coupon();
  const before = asked;
  const { url, issue } = await startServer();
  expect(asked - before).toBe(1);
  const headers = { authorization: `Bearer ${ADMIN_API_KEY}` };
  expect((await fetch(`${url}/v1/coupons/${id}/open`, { method: 'POST', headers })).status).toBe(200);
  expect(asked - before).toBe(2);
  isDown = true;
  expect((await issue(id, await tokenOf())).status).toBe(202);
  isDown = false;
  expect(asked - before).toBe(2);
});

test('are fetched again before they are too old, whoever asks meanwhile', async () => {
  const timers = spyOn(globalThis, 'setInterval');
  const api = await stores.createApi(settings);
  const access = await openAccess({
    config: stores.configWith(settings),
    database: stores.database,
    redis: api.redis,
    log: createLog('api', 'silent'),
    metrics: createAuthMetrics(),
  });
  const renewals = timers.mock.calls.filter(([, ms]) => ms === JWKS_RENEWAL_MS);
  timers.mockRestore();
  undo.push(access.stop);
  expect(renewals).toHaveLength(1);
  const before = asked;
  for (const [renew] of renewals) (renew as () => void)();
  await eventually('the issuer to be asked', () => asked === before + 1);
});

test('the reason of every 401 is in a metric and in the log, and no token is', async () => {
  const { id } = await stores.coupon();
  const { issue, metricsUrl, logOf } = await startServer();
  const [expired, foreign] = [await tokenOf({ exp: 1 }), await tokenOf({ aud: 'another' })];
  const tokens = { 'none sent': undefined, malformed: 'no-token-at-all', expired, audience: foreign };
  for (const token of Object.values(tokens)) expect((await issue(id, token)).status).toBe(401);
  const text = await (await fetch(`${metricsUrl}/metrics`)).text();
  for (const [reason, token] of Object.entries(tokens)) {
    expect(text).toContain(`coupon_unauthenticated_requests_total{reason="${reason}"} 1\n`);
    await eventually(`a line about ${reason}`, () => logOf().includes(`a request was refused (401): ${reason}"`));
    if (token !== undefined) expect(logOf()).not.toContain(token);
  }
});
