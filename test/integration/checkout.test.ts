// checkout.test.ts -- The checkouts of examples/ do what they say, each in its language, before the real API with a key of its own.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createKey } from '../../src/auth/api-key-store.ts';
import { SYSTEM } from '../../src/auth/audit-trail.ts';
import { findProgram } from '../../tools/stack/find-program.ts';
import { freePort } from '../../tools/stack/free-port.ts';
import { mustRun } from '../../tools/stack/run-command.ts';
import { endStarted, startEntry } from '../started-entry.ts';
import { openStores, type Stores, type TestApi } from '../stores.ts';

const examples = resolve(import.meta.dir, '../../examples');
const [python, java, javac] = [findProgram('python3'), findProgram('java'), findProgram('javac')];
const classes = mkdtempSync(join(tmpdir(), 'coupon-checkout-'));
/** Null where the tools are not there. Java starts a dozen times: it is compiled once, and not optimized. */
const languages: Readonly<Record<string, readonly string[] | null>> = {
  TypeScript: [process.execPath, join(examples, 'checkout.ts')],
  Python: python === undefined ? null : [python, join(examples, 'python/checkout.py')],
  Java: java && javac ? [java, '-XX:TieredStopAtLevel=1', '-cp', classes, 'Checkout'] : null,
};

let stores: Stores;
let api: TestApi;
let key: string;
let url: string;
beforeAll(async () => {
  if (languages['Java']) await mustRun(javac ?? '', ['-d', classes, join(examples, 'java/Checkout.java')]);
  stores = await openStores();
  api = await stores.createApi();
  ({ key } = await createKey(stores.database, { name: 'shop', scopes: ['issue'] }));
  url = await startEntry(stores, 'src/server.ts', { environment: { AUTH: 'on' } }).url();
}, 120_000);
afterAll(async () => {
  rmSync(classes, { recursive: true });
  await endStarted();
  await stores?.close();
});

describe.each(Object.entries(languages))('in %s', (_, program) => {
  /** Runs the checkout, and returns what it says. */
  const shop = async (words: readonly string[], at = url) => {
    const child = Bun.spawn([...(program ?? []), ...words], {
      env: { PATH: process.env['PATH'] ?? '', COUPON_KEY: key, COUPON_URL: at },
      stdout: 'pipe',
    });
    return (await child.stdout.text()).trim();
  };

  test.if(program !== null)(
    'an order uses the coupon of its customer once, gives it back, and leaves it to the next',
    async () => {
      const { id } = await stores.coupon();
      const kim = 'auth0|kim/7+';
      await api.issuers.synchronous.issue(id, [kim, 'lee']);
      const coupon = String(id);
      const used = `used coupon ${id} of ${kim}`;
      expect(await shop(['use', 'order-1', coupon, kim])).toBe(used);
      // The process died, and does it again.
      expect(await shop(['use', 'order-1', coupon, kim])).toBe(used);
      expect(await shop(['use', 'order-2', coupon, kim])).toBe('This coupon was used for another order.');
      expect(await shop(['cancel', 'order-1', coupon, kim])).toBe('given back');
      expect(await shop(['use', 'order-2', coupon, kim])).toBe(used);
      // Late, of an order that has nothing to give back any more.
      expect(await shop(['cancel', 'order-1', coupon, kim])).toBe('given back');
      expect(await api.issues.statusOf(id, kim)).toMatchObject({ kind: 'used', reference: 'order-2' });
      expect(await shop(['use', 'order-3', coupon, 'nobody'])).toBe('You do not have this coupon.');
      await api.issues.change(id, 'lee', { kind: 'revoke', reason: 'of a test', by: SYSTEM });
      expect(await shop(['use', 'order-4', coupon, 'lee'])).toBe('This coupon is not valid any more.');
    },
    240_000,
  );

  test.if(program !== null)(
    'an order uses the code that a customer typed, and gives that issue back',
    async () => {
      const { id } = await stores.coupon({ totalQuantity: 1 });
      const code = `CART-${String(id).padStart(6, '0')}`;
      const lines = (async function* () {
        yield [{ line: 1, code }];
      })();
      expect(await api.codes.import(id, lines, SYSTEM)).toMatchObject({ kind: 'imported' });
      await api.issuers.synchronous.issue(id, ['kim']);
      expect(await shop(['use', 'order 5 & more', code])).toBe(`used coupon ${id} of kim`);
      expect(await shop(['use', 'order 5 & more', code])).toBe(`used coupon ${id} of kim`);
      expect(await shop(['use', 'order-6', code])).toBe('This coupon was used for another order.');
      expect(await shop(['cancel', 'order 5 & more', String(id), 'kim'])).toBe('given back');
      expect(await api.issues.statusOf(id, 'kim')).toMatchObject({ kind: 'issued', reference: null });
      expect(await shop(['use', 'order-6', 'no / such code'])).toBe('There is no such code.');
    },
    240_000,
  );

  test.if(program !== null)(
    'without an answer it claims nothing, and a lost answer is found out',
    async () => {
      const { id } = await stores.coupon();
      await api.issuers.synchronous.issue(id, ['kim']);
      const words = ['use', 'order-1', String(id), 'kim'];
      let requests = 0;
      await using losing = losingServer(() => (requests += 1) === 1);
      expect(await shop(words, losing.url)).toBe(`used coupon ${id} of kim`);
      expect(requests).toBe(2);
      expect(await shop(words, `http://127.0.0.1:${await freePort()}`)).toBe('unknown');
    },
    240_000,
  );
});

/** Passes requests on, and breaks the connection in place of an answer where it is to be lost. */
function losingServer(isLost: () => boolean) {
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const body = request.method === 'POST' ? { body: await request.text() } : {};
      const headers = new Headers(request.headers);
      for (const name of ['host', 'content-length', 'connection', 'upgrade', 'http2-settings']) headers.delete(name);
      const answer = await fetch(`${url}${pathname}${search}`, { method: request.method, headers, ...body });
      return isLost()
        ? new Response('<h1>Bad Gateway</h1>', { status: 502 })
        : new Response(await answer.text(), { status: answer.status });
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, [Symbol.asyncDispose]: () => server.stop(true) };
}
