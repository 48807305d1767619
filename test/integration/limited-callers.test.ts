// limited-callers.test.ts -- Who asks too often, as a running API tells operators and Prometheus, and nobody else.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { startEntry } from '../started-entry.ts';
import { openStores, type Stores } from '../stores.ts';

let stores: Stores;
beforeAll(async () => {
  stores = await openStores();
});
afterAll(async () => {
  await stores?.close();
});

const ADMIN_API_KEY = 'the key of the operators';

test('an address and a user beyond their limits are named with how many of their requests were refused', async () => {
  const { id } = await stores.coupon();
  const environment = {
    AUTH: 'on',
    ADMIN_API_KEY,
    ADDRESS_REQUESTS_MAX: '6',
    USER_REQUESTS_MAX: '2',
    LIMIT_WINDOW_S: '3600',
    TRUSTED_PROXIES: '127.0.0.1/32',
  };
  const started = startEntry(stores, 'src/server.ts', { environment });
  try {
    const url = await started.url();
    const ask = (path: string, address: string, request: RequestInit = {}) =>
      fetch(url + path, {
        ...request,
        headers: {
          authorization: `Bearer ${ADMIN_API_KEY}`,
          'content-type': 'application/json',
          'x-forwarded-for': address,
        },
      });
    const issue = { method: 'POST', body: JSON.stringify({ couponId: id, userId: 'eager' }) };
    const statuses: number[] = [];
    for (let i = 0; i < 8; i += 1) statuses.push((await ask('/v2/issue-async', '203.0.113.7', issue)).status);
    expect(statuses).toEqual([202, 409, 429, 429, 429, 429, 429, 429]);
    expect((await fetch(`${url}/v1/limited-callers`)).status).toBe(401);
    expect(await (await ask('/v1/limited-callers', '203.0.113.8')).json()).toEqual({
      limitedCallers: [
        { kind: 'user', name: 'eager', refused: 4 },
        { kind: 'address', name: '203.0.113.7', refused: 2 },
      ],
    });
    const metrics = await (await ask('/metrics', '203.0.113.8')).text();
    expect(metrics).toContain('coupon_limited_requests_total{kind="user"} 4\n');
    expect(metrics).toContain('coupon_limited_requests_total{kind="address"} 2\n');
    // A log line never says who.
    expect(started.logOf()).not.toMatch(/eager|203\.0\.113\.7/);
  } finally {
    started.child.kill('SIGTERM');
    await started.child.exited;
  }
});
