// envelope.test.ts -- Shows what stands around every route: headers, the bound on URLs, other origins, and limits by address.

import { describe, expect, spyOn, test } from 'bun:test';
import type { App, AppDependencies } from '../../src/app.ts';
import { addressReader } from '../../src/http/rate-limit/address.ts';
import { metricsApp } from '../../src/operations/health-routes.ts';
import { Limiter } from '../../src/http/rate-limit/limiter.ts';
import { fakeApp, fakeAuthority, fakeConfig, OPERATOR_KEY } from './fakes.ts';

const at = (path: string, init?: RequestInit) => new Request(`http://localhost${path}`, init);
const configured = (change: Partial<AppDependencies['config']>, rest: Partial<AppDependencies> = {}) =>
  fakeApp({ config: { ...fakeConfig, ...change }, ...rest }).app;

test('every answer has the headers against sniffing, scripts and framing', async () => {
  const { app } = fakeApp();
  const issue = { method: 'POST', headers: { 'content-type': 'application/json' } };
  const requests = [
    // Every way in which issuing ends, and a body that is refused.
    ...Array.from({ length: 12 }, (_, i) => at('/v2/issue-async', { ...issue, body: `{"couponId":${i},"userId":1}` })),
    ...[
      '/hello',
      '/nope',
      '/metrics',
      '/swagger',
      '/swagger/json',
      '/swagger/assets/swagger-ui.css',
      '/v1/coupons',
    ].map((path) => at(path)),
    at(`/${'x'.repeat(3000)}`),
  ];
  let seen = 0;
  for (const request of requests) {
    const { headers } = await app.fetch(request);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    // With that, JSON is never anything else; pages and texts say more.
    if (/^application\/(problem\+)?json$/.test(headers.get('content-type') ?? '')) continue;
    seen += 1;
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none';.*frame-ancestors 'none'/);
  }
  expect(seen).toBeGreaterThan(3);
});

test('shared refusals get no headers of other requests', async () => {
  const app = configured({ CORS_ORIGINS: 'https://shop.example' });
  const issue = (origin?: string) => {
    const headers = { 'content-type': 'application/json', ...(origin && { origin }) };
    return app.fetch(at('/v2/issue-async', { method: 'POST', headers, body: '{"couponId":3,"userId":1}' }));
  };
  expect((await issue('https://shop.example')).headers.get('access-control-allow-origin')).toBe('https://shop.example');
  expect((await issue()).headers.get('access-control-allow-origin')).toBeNull();
  expect((await issue()).headers.get('vary')).toBe('Origin');
});

test('a URL may be as long as the limit, and no longer', async () => {
  const app = configured({ URL_CHARACTERS_MAX: 300 });
  const url = (length: number) => 'http://localhost/hello?'.padEnd(length, 'x');
  expect((await app.fetch(new Request(url(300)))).status).toBe(200);
  const answer = await app.fetch(new Request(url(301)));
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ code: 'MALFORMED_REQUEST' });
});

describe('other origins', () => {
  const preflight = (origin: string, path = '/v2/issue-async') =>
    at(path, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
  const allowed = async (app: App, request: Request) =>
    (await app.fetch(request)).headers.get('access-control-allow-origin');

  test('may call if they are listed exactly', async () => {
    const app = configured({ CORS_ORIGINS: 'https://shop.example,http://localhost:5173' });
    for (const origin of ['https://shop.example', 'http://localhost:5173']) {
      const answer = await app.fetch(preflight(origin));
      expect(answer.status).toBe(204);
      for (const name of ['Authorization', 'Last-Event-ID', 'Traceparent', 'Tracestate'])
        expect(answer.headers.get('access-control-allow-headers')).toContain(name);
      expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
      expect(await allowed(app, at('/hello', { headers: { origin } }))).toBe(origin);
    }
    const strangers = ['https://shop.example.evil.example', 'http://shop.example', 'https://SHOP.example', 'null', '*'];
    for (const origin of strangers) {
      expect(await allowed(app, preflight(origin))).toBeNull();
      expect(await allowed(app, at('/hello', { headers: { origin } }))).toBeNull();
    }
  });

  test('may not call unless they are listed', async () => {
    const { app } = fakeApp();
    expect((await app.fetch(preflight('https://shop.example'))).status).toBe(405);
    const answer = await app.fetch(at('/hello', { headers: { origin: 'https://shop.example' } }));
    expect([answer.headers.get('access-control-allow-origin'), answer.headers.get('vary')]).toEqual([null, null]);
  });
});

describe('what pages of other origins would change', () => {
  const use = (headers: Record<string, string>, path = '/v1/coupons/1/issues/u1/use', method = 'POST') =>
    at(path, { method, headers: { host: 'localhost:3000', ...headers } });
  const forged = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'http://localhost:4000' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site', origin: 'http://localhost:4000' },
    { 'sec-fetch-site': 'cross-site', origin: 'http://localhost:3000' },
  ];
  const own = [
    {},
    { origin: 'http://localhost:3000' },
    { 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'none' },
  ];

  test('may change nothing while AUTH is off, and tools may', async () => {
    const { app } = fakeApp();
    const operator = { authorization: `Bearer ${OPERATOR_KEY}` };
    for (const headers of forged) {
      for (const path of ['/v1/coupons/1/issues/u1/use', '/v2/issue-async', '/v1/coupons/1/open', '/v1/coupons/1']) {
        for (const method of path.endsWith('/1') ? ['PATCH', 'DELETE'] : ['POST']) {
          const answer = await app.fetch(use({ ...operator, ...headers }, path, method));
          expect([path, answer.status, await answer.json()]).toMatchObject([path, 403, { code: 'FORBIDDEN' }]);
        }
      }
      expect((await app.fetch(at('/v1/users/u1/issues', { headers }))).status).toBe(200);
    }
    for (const headers of own) expect((await app.fetch(use(headers))).status).toBe(200);
  });

  test('is let through for listed origins, and where everybody must authenticate', async () => {
    const app = configured({ CORS_ORIGINS: 'https://shop.example' });
    expect((await app.fetch(use({ 'sec-fetch-site': 'cross-site', origin: 'https://shop.example' }))).status).toBe(200);
    expect((await app.fetch(use({ origin: 'https://evil.example' }))).status).toBe(403);
    const { app: guarded } = fakeApp({ authority: fakeAuthority({ isOn: true }) });
    for (const headers of forged) expect((await guarded.fetch(use(headers))).status).toBe(401);
  });
});

describe('addresses', () => {
  const sync = async () => new Map<string, number>();
  const limiter = () =>
    new Limiter({
      kind: 'address',
      requestsMax: 2,
      windowS: 10,
      namesMax: 9,
      sync,
      onFault: () => {},
      now: () => 1_000_000,
    });
  const limited = () => configured({}, { limiters: { user: null, address: limiter() } });
  const statuses = async (app: App, addresses: readonly (string | null)[], path = '/hello') => {
    const answers: number[] = [];
    for (const address of addresses) answers.push((await app.fetch(at(path), () => address)).status);
    return answers;
  };

  test('are limited per window, each by itself, over all routes together', async () => {
    const app = limited();
    expect(await statuses(app, ['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2'])).toEqual([200, 200, 429, 200]);
    expect(await statuses(app, ['192.0.2.1'], '/v1/coupons/1/issues/u1')).toEqual([429]);
    const refused = await app.fetch(at('/hello'), () => '192.0.2.1');
    expect(refused.headers.get('retry-after')).toMatch(/^1[012]$/);
    expect(await refused.json()).toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    expect((await app.fetch(at('/hello'), () => '192.0.2.2')).headers.get('ratelimit-remaining')).toBe('0');
  });

  test('of probes, and unknown ones, are not limited', async () => {
    const app = limited();
    expect(await statuses(app, [null, null, null])).toEqual([200, 200, 200]);
    for (const path of ['/livez', '/readyz', '/metrics']) {
      expect(await statuses(app, ['192.0.2.1', '192.0.2.1', '192.0.2.1'], path)).toEqual([200, 200, 200]);
    }
  });

  test('are neither limited nor read unless that is set', async () => {
    const { app } = fakeApp();
    const peerOf = () => {
      throw new Error('nobody needs it');
    };
    expect((await app.fetch(at('/hello'), peerOf)).status).toBe(200);
  });

  const forwarded = (proxies: string | undefined, peer: string, header?: string) =>
    addressReader(proxies)(peer, at('/hello', { headers: header === undefined ? {} : { 'x-forwarded-for': header } }));

  const plain: readonly [string, string][] = [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ];
  test.each(plain)('%s counts as %s', (peer, expected) => {
    expect(forwarded(undefined, peer, '198.51.100.7')).toBe(expected);
  });

  const chains: readonly [string, string | undefined, string][] = [
    ['10.0.0.9', '198.51.100.7', '198.51.100.7'],
    ['::ffff:10.0.0.9', '198.51.100.7', '198.51.100.7'],
    ['10.0.0.9', '203.0.113.5, 198.51.100.7', '198.51.100.7'],
    ['10.0.0.9', '198.51.100.7, 10.1.1.1', '198.51.100.7'],
    ['10.0.0.9', '203.0.113.5, 198.51.100.7:4711', '198.51.100.7'],
    ['10.0.0.9', '[2001:db8:9:9::1]:443', '2001:db8:9:9::/64'],
    ['10.0.0.9', 'unknown', '10.0.0.9'],
    ['10.0.0.9', '198.51.100.7, garbage, 10.1.1.1', '10.1.1.1'],
    ['10.0.0.9', undefined, '10.0.0.9'],
    ['10.0.0.9', '', '10.0.0.9'],
    ['fd00::5', '198.51.100.7', '198.51.100.7'],
    ['192.0.2.1', '198.51.100.7', '192.0.2.1'],
  ];
  test.each(chains)('with named proxies, %s that forwards for %p counts as %s', (peer, header, expected) => {
    expect(forwarded('10.0.0.0/8,fd00::/8', peer, header)).toBe(expected);
  });
});

describe('metrics', () => {
  test('on a port of their own are not served on the main one', async () => {
    const app = configured({ METRICS_PORT: 9090 });
    expect((await app.fetch(at('/metrics'))).status).toBe(404);
    const metrics = metricsApp({ contentType: 'text/plain', render: async () => 'up 1\n' });
    expect(await (await metrics(at('/metrics'))).text()).toBe('up 1\n');
    expect((await metrics(at('/v1/issue'))).status).toBe(404);
    expect((await metrics(at('/metrics', { method: 'POST' }))).status).toBe(404);
  });

  test('are made seldom, however many ask, and anew for a scraper that comes once a second', async () => {
    let made = 0;
    let nowMs = 1000;
    const metrics = { contentType: 'text/plain', render: async () => `made ${(made += 1)}\n` };
    const { app } = fakeApp({ metrics: { ...metrics, observeRequest: () => undefined } });
    using _ = spyOn(performance, 'now').mockImplementation(() => nowMs);
    for (const ask of [metricsApp(metrics), app.fetch]) {
      const before = made;
      const texts = await Promise.all(Array.from({ length: 100 }, async () => (await ask(at('/metrics'))).text()));
      expect([new Set(texts).size, made - before]).toEqual([1, 1]);
      // Its timer is early by a little now and then.
      nowMs += 950;
      await ask(at('/metrics'));
      expect(made - before).toBe(2);
    }
  });
});
