// pages.test.ts -- The pages and what they alone ask for, through the surface: policy, caches, and who may see what.

import { expect, test } from 'bun:test';
import { buildPages } from '../../src/runtime/page-files.ts';
import { fakeApp, load, OPERATOR_KEY } from './fakes.ts';

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
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/unsafe|https?:|\*/);
  expect(answer.headers.get('cache-control')).toBe('no-cache');
});

test('assets of a page are cached as immutable, and no other files are served', async () => {
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
  expect(() => fakeApp({ pages: files.filter(({ name }) => name !== 'drop.html') })).toThrow('drop.html');
  for (const { name, bytes } of files.filter((file) => file.name.endsWith('.html'))) {
    const html = new TextDecoder().decode(bytes);
    expect(html).not.toMatch(/<style|style=|<script(?![^>]* src=)| on\w+=/);
    const loaded = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]);
    expect(loaded.length).toBeGreaterThan(2);
    for (const path of loaded) expect(names.map((one) => `/pages/${one}`)).toContain(path ?? name);
  }
});

test('the load is for operators alone', async () => {
  expect((await ask('/v1/load')).status).toBe(401);
  expect(await (await ask('/v1/load', { headers: operator })).json()).toEqual(load);
});

test('public facts about a coupon need no key', async () => {
  expect(await (await ask('/v1/drops/1')).json()).toMatchObject({ couponId: 1, title: 'Winter sale', version: 1 });
  expect([(await ask('/v1/drops/26')).status, (await ask('/v1/drops/0')).status]).toEqual([404, 422]);
});

test('what is left of a drop may be cached for a second, and is not sent twice within one', async () => {
  const answer = await ask('/v1/drops/1');
  expect(answer.headers.get('cache-control')).toBe('public, max-age=1, stale-while-revalidate=1');
  expect(await answer.json()).toMatchObject({ left: 963 });
  // Tags are of a second, by which pages set their clock: the next second may begin just now.
  const again = async () => {
    const etag = (await ask('/v1/drops/1')).headers.get('etag') ?? '';
    return [
      etag.startsWith('W/"'),
      (await ask('/v1/drops/1', { headers: { 'if-none-match': `"x", ${etag}` } })).status,
    ];
  };
  const tries = [await again(), await again(), await again()];
  expect(tries).toContainEqual([true, 304]);
  const first = answer.headers.get('etag') ?? '';
  await Bun.sleep(1000);
  expect((await ask('/v1/drops/1', { headers: { 'if-none-match': first } })).status).toBe(200);
});

test('a drop is shown without what is left where the stores do not tell', async () => {
  const progress = { listen: async () => null, recent: () => Promise.reject(new Error('no Redis')) };
  const answer = await fakeApp({ progress }).app.fetch(new Request('http://localhost/v1/drops/1'));
  expect([answer.status, await answer.json()]).toMatchObject([200, { couponId: 1, left: null }]);
});
