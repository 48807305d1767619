// uploading.test.ts -- Uploads and uses of codes over HTTP, on a process of its own: broken connections, kill -9, wrong codes.

import { afterAll, afterEach, expect, test } from 'bun:test';
import { eq } from 'drizzle-orm';
import { codeImports, importedCodes } from '../../drizzle/schema.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { eventually } from '../eventually.ts';
import { endStarted, startEntry } from '../started-entry.ts';
import { openStores } from '../stores.ts';

const KEY = 'a-key-of-the-operator-of-codes';
const stores = await openStores();
afterEach(endStarted);
afterAll(() => stores.close());

const start = (environment: Readonly<Record<string, string>> = {}) =>
  startEntry(stores, 'src/server.ts', { environment: { AUTH: 'off', ADMIN_API_KEY: KEY, ...environment } });

const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'text/csv' };
const linesOf = (beginning: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${beginning}-${String(i + 1).padStart(6, '0')}\n`).join('');

async function rowsOf(couponId: number) {
  return withConnection(stores.database, async (session) => ({
    imports: await session.$count(codeImports, eq(codeImports.couponId, couponId)),
    rows: await session.$count(importedCodes, eq(importedCodes.couponId, couponId)),
  }));
}

/** An upload whose end is still to come. */
function unfinishedUpload(url: string, couponId: number, text: string) {
  const stop = new AbortController();
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text));
    },
  });
  const path = `${url}/v1/coupons/${couponId}/codes/import`;
  const sent = fetch(path, { method: 'POST', headers, body, signal: stop.signal }).catch(() => null);
  return { stop: () => stop.abort(), sent };
}

test('of an upload whose connection breaks nothing stays', async () => {
  const { id } = await stores.coupon({ totalQuantity: 1 });
  const url = await start().url();
  const upload = unfinishedUpload(url, id, linesOf('BROKEN', 5000));
  await eventually('pages to be written', async () => (await rowsOf(id)).rows >= 4000);
  upload.stop();
  await upload.sent;
  await eventually('them to be removed', async () => Bun.deepEquals(await rowsOf(id), { imports: 0, rows: 0 }));
});

test('of an upload whose process is killed nothing is seen, and the next one succeeds', async () => {
  const { id } = await stores.coupon({ totalQuantity: 1 });
  const server = start();
  const url = await server.url();
  const upload = unfinishedUpload(url, id, linesOf('KILLED', 5000));
  await eventually('pages to be written', async () => (await rowsOf(id)).rows >= 4000);
  await endStarted();
  await upload.sent;
  const again = await start().url();
  const path = `${again}/v1/coupons/${id}/codes`;
  expect(await (await fetch(path, { headers })).json()).toMatchObject({ kind: 'NONE', codes: null });
  const sent = await fetch(`${path}/import`, { method: 'POST', headers, body: linesOf('KILLED', 5000) });
  expect(await sent.json()).toMatchObject({ kind: 'IMPORTED', codes: 5000 });
});

test('an issue shows its code once it is a row, and is used by it', async () => {
  const { id } = await stores.coupon();
  const url = await start().url();
  const json = { ...headers, 'content-type': 'application/json' };
  const post = (path: string, body?: unknown) =>
    fetch(`${url}${path}`, {
      method: 'POST',
      headers: json,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  expect((await post(`/v1/coupons/${id}/codes`, { pattern: 'SUMMER-####-####' })).status).toBe(200);
  expect(await (await post('/v2/issue-async', { couponId: id, userId: 'kim' })).json()).toEqual({
    couponId: id,
    userId: 'kim',
    sequence: 1,
    status: 'ACCEPTED',
  });
  const status = async () =>
    (await (await fetch(`${url}/v1/coupons/${id}/issues/kim`)).json()) as { code: string | null };
  expect(await status()).toMatchObject({ status: 'ACCEPTED', sequence: 1, code: null });
  await stores.startWorker();
  await eventually('the row', async () => (await stores.rows(id)).length === 1);
  const { code } = await status();
  expect(code).toMatch(/^SUMMER-[2-9A-Z]{4}-[2-9A-Z]{4}$/);
  const list = await (await fetch(`${url}/v1/users/kim/issues`)).json();
  expect(list).toMatchObject({ issues: [{ couponId: id, code }] });
  const typed = encodeURIComponent(` ${code?.toLowerCase().replaceAll('-', ' ')} `);
  expect(await (await fetch(`${url}/v1/codes/${typed}`, { headers })).json()).toMatchObject({
    code,
    userId: 'kim',
    sequence: 1,
  });
  const uses = await Promise.all(Array.from({ length: 5 }, () => post(`/v1/codes/${typed}/use`)));
  expect(uses.map((answer) => answer.status).toSorted((a, b) => a - b)).toEqual([200, 409, 409, 409, 409]);
  expect(await status()).toMatchObject({ status: 'USED', code });
});

test('wrong codes are limited over all processes, and right ones are not counted', async () => {
  const { id } = await stores.coupon({ totalQuantity: 50 });
  const one = await start({ WRONG_CODES_MAX: '5' }).url();
  const two = await start({ WRONG_CODES_MAX: '5' }).url();
  const path = `${one}/v1/coupons/${id}/codes/import`;
  await fetch(path, { method: 'POST', headers, body: linesOf('RIGHT', 60) });
  for (let i = 1; i <= 20; i += 1) {
    const body = JSON.stringify({ couponId: id, userId: `u${i}` });
    await fetch(`${one}/v1/issue`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  }
  const use = async (url: string, code: string) =>
    (await fetch(`${url}/v1/codes/${code}/use`, { method: 'POST' })).status;
  for (let i = 1; i <= 20; i += 1) expect(await use(one, `RIGHT-${String(i).padStart(6, '0')}`)).toBe(200);
  const wrong: number[] = [];
  for (let i = 0; i < 20; i += 1) wrong.push(await use(i % 2 ? one : two, `WRONG-${i}`));
  expect(wrong.slice(0, 4)).toEqual([404, 404, 404, 404]);
  // One more for each further process; a window may end in between.
  const found = wrong.filter((status) => status === 404).length;
  expect(found).toBeWithin(5, 14);
  // All at the same time, no more than the limit in a window of each process.
  const many = await Promise.all(Array.from({ length: 100 }, (_, i) => use(one, `WRONG-${i}`)));
  expect(many.filter((status) => status === 404).length).toBeLessThanOrEqual(10);
});
