// pages.test.ts -- The pages and what operators look at, through the surface: policy, caches, and who may see what.

import { expect, test } from 'bun:test';
import { pageRoutes } from '../../src/http/pages.ts';
import { buildPages } from '../../src/page-files.ts';
import { audit, fakeApp, load, OPERATOR_KEY } from './fakes.ts';

const { app } = fakeApp();
const operator = { authorization: `Bearer ${OPERATOR_KEY}` };
const ask = async (path: string, init: RequestInit = {}) => app.fetch(new Request(`http://localhost${path}`, init));

test.each([
  ['/console', 'console.html'],
  ['/drop/1', 'drop.html'],
])('%p is served under a policy that lets nothing in from elsewhere', async (path, name) => {
  const answer = await ask(path);
  expect(await answer.text()).toBe(name);
  const policy = answer.headers.get('content-security-policy') ?? '';
  expect(policy).toStartWith("default-src 'none'; script-src 'self'; style-src 'self';");
  expect(policy).not.toMatch(/unsafe|https?:|\*/);
  expect(answer.headers.get('cache-control')).toBe('no-cache');
});

test('what a page loads is kept for ever, and nothing else is there', async () => {
  const script = await ask('/pages/console-hash.js');
  expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
  expect(script.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  for (const name of ['console.html', 'unknown.exe', 'other.js', '..%2Fpackage.json', 'constructor']) {
    expect((await ask(`/pages/${name}`)).status).toBe(404);
  }
});

test('the pages as built hold nothing inline, and name only what was built with them', async () => {
  const files = await buildPages();
  const names = files.map(({ name }) => name);
  expect(() => pageRoutes(files.filter(({ name }) => name !== 'drop.html'))).toThrow('drop.html');
  for (const { name, bytes } of files.filter((file) => file.name.endsWith('.html'))) {
    const html = new TextDecoder().decode(bytes);
    expect(html).not.toMatch(/<style|style=|<script(?![^>]* src=)| on\w+=/);
    const loaded = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]);
    expect(loaded.length).toBeGreaterThan(2);
    for (const path of loaded) expect(names.map((one) => `/pages/${one}`)).toContain(path ?? name);
  }
});

test('audit, load and dead letters are for operators alone', async () => {
  const routes = ['GET /v1/coupons/1/audit', 'GET /v1/load', 'GET /v1/dead-letters', 'POST /v1/dead-letters/replay'];
  for (const route of [...routes, 'DELETE /v1/dead-letters/0/1-0']) {
    const [method = '', path = ''] = route.split(' ');
    expect((await ask(path, { method })).status).toBe(401);
  }
  expect(await (await ask('/v1/coupons/1/audit', { headers: operator })).json()).toEqual(audit);
  expect((await ask('/v1/coupons/26/audit', { headers: operator })).status).toBe(404);
  expect((await ask('/v1/coupons/x/audit', { headers: operator })).status).toBe(422);
  expect(await (await ask('/v1/load', { headers: operator })).json()).toEqual(load);
});

test('dead letters are listed up to a bound, without the users in them', async () => {
  const answer = await ask('/v1/dead-letters', { headers: operator });
  const { deadLetters, more } = (await answer.json()) as { deadLetters: object[]; more: boolean };
  expect({ count: deadLetters.length, more }).toEqual({ count: 100, more: true });
  expect(deadLetters.slice(0, 2)).toEqual([
    { id: '0/0-0', reason: 'no such coupon', couponId: null, firstSequence: null, users: null, dateAccepted: null },
    {
      id: '0/1-0',
      reason: 'no such coupon',
      couponId: 1,
      firstSequence: 37,
      users: 2,
      dateAccepted: '1970-01-01T00:00:00.000Z',
    },
  ]);
});

test('a dead letter is replayed and discarded, and what cannot be is said', async () => {
  const replay = async (id: string) => {
    const headers = { ...operator, 'content-type': 'application/json' };
    return (await ask('/v1/dead-letters/replay', { method: 'POST', headers, body: JSON.stringify({ id }) })).status;
  };
  expect([await replay('0/1-0'), await replay('0/0-0'), await replay('0/999-0'), await replay('x')]).toEqual([
    204, 409, 404, 422,
  ]);
  const discard = async (id: string) =>
    (await ask(`/v1/dead-letters/${id}`, { method: 'DELETE', headers: operator })).status;
  expect([await discard('0/1-0'), await discard('0/2-0')]).toEqual([204, 404]);
});

test('what people may know of a coupon needs no key, and MySQL is asked at most once a second', async () => {
  let reads = 0;
  const { app: counted } = fakeApp({
    catalog: {
      create: () => Promise.reject(new Error('not here')),
      list: async () => [],
      read: async () => {
        reads += 1;
        return null;
      },
    },
  });
  for (let i = 0; i < 20; i += 1) await counted.fetch(new Request('http://localhost/v1/drops/7'));
  expect(reads).toBeLessThanOrEqual(2);
  expect(await (await ask('/v1/drops/1')).json()).toMatchObject({ couponId: 1, title: 'Winter sale', version: 1 });
  expect([(await ask('/v1/drops/26')).status, (await ask('/v1/drops/0')).status]).toEqual([404, 422]);
});
