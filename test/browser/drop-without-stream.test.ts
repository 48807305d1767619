// drop-without-stream.test.ts -- The page for people where the server has no place for its event stream, or the network is gone: true, and cheap.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { findBrowser } from '../../tools/test-programs.ts';
import { type LiveSystem, startLiveSystem } from './live-system.ts';
import { passes } from './page-checks.ts';

let system: LiveSystem;

describe.skipIf(findBrowser() === undefined)('the page for people without an event stream', () => {
  beforeAll(async () => {
    system = await startLiveSystem({ LISTENERS_MAX: 0 });
  }, 60_000);
  afterAll(() => system[Symbol.asyncDispose](), 30_000);

  test('a drop that sells out is shown so, with few requests', async () => {
    const { id } = await system.stores.coupon({ title: 'Winter sale', totalQuantity: 30, discountAmount: 5000 });
    const { page } = await system.open({ phone: true });
    const asked = { reads: 0, streams: 0 };
    page.on('request', (request) => {
      if (request.url().endsWith('/events')) asked.streams += 1;
      if (request.url().endsWith(`/v1/drops/${id}`)) asked.reads += 1;
    });
    await page.goto(`/drop/${id}`);
    await page.getByText('30 of 30 left').waitFor();
    await system.rush(id, 30);
    await page.getByText('Sold out').waitFor();
    expect(await page.getByRole('button').count()).toBe(0);
    await passes(page, 'drop-sold-out-without-stream');
    const before = { ...asked };
    await Bun.sleep(6000);
    // What is over is looked at once a minute, and the stream is tried again after minutes.
    expect(asked.reads - before.reads).toBeLessThanOrEqual(1);
    expect(asked.streams).toBeLessThanOrEqual(2);
    // One who comes later sees it without a moment of another truth.
    await page.reload({ waitUntil: 'commit' });
    await page.getByText('Sold out').waitFor();
    expect(await page.getByRole('progressbar').count()).toBe(0);
    await page.context().close();
  }, 60_000);

  test('what is left is not shown where it is not known, and the button still asks', async () => {
    const { id } = await system.stores.coupon({ title: 'Winter sale', totalQuantity: 30 });
    const { page } = await system.open();
    await page.route(`**/v1/drops/${id}`, async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, json: { ...((await answer.json()) as object), left: null } });
    });
    await page.goto(`/drop/${id}`);
    await page.getByText('How many30').waitFor();
    expect(await page.getByRole('progressbar').count()).toBe(0);
    await passes(page, 'drop-stock-unknown');
    await page.getByRole('button', { name: 'Get the coupon' }).click();
    await page.getByText('You are number 1.').waitFor();
    await page.context().close();
  }, 60_000);

  test('offline is told as offline, and the press goes on by itself when the network is back', async () => {
    const { id } = await system.stores.coupon({ title: '겨울 세일', totalQuantity: 30, discountAmount: 5000 });
    const { page } = await system.open({ phone: true, language: 'ko-KR' });
    await page.goto(`/drop/${id}`);
    const button = page.getByRole('button', { name: '쿠폰 받기' });
    await button.waitFor();
    await page.context().setOffline(true);
    await page.getByText('인터넷에 연결되어 있지 않아요.').waitFor();
    await passes(page, 'drop-offline-phone-korean');
    await button.click();
    await page.getByRole('button', { name: '요청하고 있어요…' }).waitFor();
    await system.rush(id, 4);
    await page.context().setOffline(false);
    await page.getByText('5번째로 받았어요.').waitFor();
    await page.context().close();
  }, 60_000);
});
