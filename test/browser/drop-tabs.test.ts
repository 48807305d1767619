// drop-tabs.test.ts -- Many tabs of the page for people in one browser, which allows six connections to a host: each loads, and each press is answered.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { BrowserContext, Page } from 'playwright-core';
import { findBrowser } from '../../tools/test-programs.ts';
import { eventually } from '../eventually.ts';
import { type LiveSystem, OPERATOR_KEY, startLiveSystem } from './live-system.ts';

let system: LiveSystem;

/** How many event streams the pages of a browser have open. */
function streamsOf(context: BrowserContext): Set<unknown> {
  const open = new Set<unknown>();
  const isStream = (url: string) => url.endsWith('/events');
  context.on('request', (request) => void (isStream(request.url()) && open.add(request)));
  context.on('requestfinished', (request) => void open.delete(request));
  context.on('requestfailed', (request) => void open.delete(request));
  return open;
}

/** A page that is not in front: Chromium without a window shows all of them. */
async function setHidden(page: Page, isHidden: boolean): Promise<void> {
  await page.evaluate(`{
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => ${isHidden} });
    document.dispatchEvent(new Event('visibilitychange'));
  }`);
}

describe.skipIf(findBrowser() === undefined)('many tabs of one browser', () => {
  beforeAll(async () => {
    system = await startLiveSystem();
  }, 60_000);
  afterAll(() => system[Symbol.asyncDispose](), 30_000);

  test('nine tabs load and follow the drop with one event stream, and a press in any of them is answered', async () => {
    const { id } = await system.stores.coupon({ title: 'Nine tabs', totalQuantity: 100 });
    const { page, faults } = await system.open();
    const context = page.context();
    const streams = streamsOf(context);
    const pages = [page];
    while (pages.length < 9) pages.push(await context.newPage());
    for (const one of pages) {
      await one.goto(`/drop/${id}`);
      await one.getByRole('button', { name: 'Get the coupon' }).waitFor();
    }
    expect(await system.rush(id, 12)).toBe(12);
    await Promise.all(pages.map((one) => one.getByText('88 of 100 left').waitFor()));
    expect(streams.size).toBe(1);
    await pages[8]?.getByRole('button', { name: 'Get the coupon' }).click();
    await pages[8]?.getByText('You are number 13.').waitFor();
    // The others agree, without a press.
    await Promise.all(pages.slice(0, 8).map((one) => one.getByText('You already have it, with number 13.').waitFor()));
    expect(faults).toEqual([]);
    await context.close();
  }, 120_000);

  test('another tab follows on when the one with the stream is closed or hidden, and hidden ones have none', async () => {
    const { id } = await system.stores.coupon({ title: 'Three tabs', totalQuantity: 100 });
    const { page: first } = await system.open();
    const context = first.context();
    const streams = streamsOf(context);
    await first.goto(`/drop/${id}`);
    await first.getByText('100 of 100 left').waitFor();
    await eventually('the first tab to have the stream', () => streams.size === 1);
    const [second, third] = [await context.newPage(), await context.newPage()];
    for (const one of [second, third]) await one.goto(`/drop/${id}`);
    // Of a page that is closed nothing is heard any more.
    streams.clear();
    await first.close();
    await system.rush(id, 10, 'closed');
    for (const one of [second, third]) await one.getByText('90 of 100 left').waitFor();
    await setHidden(second, true);
    await system.rush(id, 10, 'hidden');
    await third.getByText('80 of 100 left').waitFor();
    await eventually('one stream', () => streams.size === 1);
    await setHidden(third, true);
    await eventually('no stream', () => streams.size === 0);
    // Whoever comes back sees what happened meanwhile.
    await system.rush(id, 10, 'away');
    await setHidden(second, false);
    await second.getByText('70 of 100 left').waitFor();
    await context.close();
  }, 120_000);

  test('a tab of another coupon reads it without a stream of its own', async () => {
    const [one, other] = await Promise.all([
      system.stores.coupon({ title: 'One' }),
      system.stores.coupon({ title: 'Other', totalQuantity: 50 }),
    ]);
    const { page } = await system.open();
    const context = page.context();
    const streams = streamsOf(context);
    await page.goto(`/drop/${one.id}`);
    await eventually('the stream', () => streams.size === 1);
    const second = await context.newPage();
    await second.goto(`/drop/${other.id}`);
    await second.getByText('50 of 50 left').waitFor();
    await system.rush(other.id, 5);
    await second.getByText('45 of 50 left').waitFor();
    expect(streams.size).toBe(1);
    await context.close();
  }, 120_000);

  test('tabs of the console that watch one coupon share a stream', async () => {
    const { id } = await system.stores.coupon({ title: 'Watched', totalQuantity: 100 });
    const { page } = await system.open();
    const context = page.context();
    const streams = streamsOf(context);
    const pages = [page, await context.newPage(), await context.newPage()];
    for (const one of pages) {
      await one.goto('/console');
      await one.getByLabel('API key').fill(OPERATOR_KEY);
      await one.getByRole('button', { name: 'Sign in' }).click();
      await one.getByRole('button', { name: 'Sign out' }).waitFor();
      await one.goto(`/console#/coupons/${id}`);
      await one.getByRole('heading', { name: 'Watched' }).waitFor();
    }
    await eventually('the stream', () => streams.size === 1);
    await system.rush(id, 7);
    await Promise.all(pages.map((one) => one.getByText('93', { exact: true }).first().waitFor()));
    expect(streams.size).toBe(1);
    await context.close();
  }, 120_000);
});
