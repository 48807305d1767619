// pages.test.ts -- The console and the page for people, in real Chromium, on the real server with real stores.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { createRequire } from 'node:module';
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { findBrowser } from '../../src/local/browser-program.ts';
import { partitionKeys } from '../../src/issuance/keys.ts';
import { writeEntry } from '../../src/issuance/entry.ts';
import { type LiveSystem, OPERATOR_KEY, type PageOptions, startLiveSystem } from './live-system.ts';

const screenshots = resolve(import.meta.dirname, '../../reports/screenshots');
let system: LiveSystem;

describe.skipIf(findBrowser() === undefined)('pages', () => {
  beforeAll(async () => {
    mkdirSync(screenshots, { recursive: true });
    system = await startLiveSystem();
  }, 30_000);
  afterAll(() => system[Symbol.asyncDispose](), 30_000);

  test.concurrent('a wrong key is refused in words, and the right one opens the console', async () => {
    const { page, faults } = await system.open();
    await page.goto('/console');
    await page.getByLabel('Admin key').fill('not-the-key-of-this-place');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('This key is not accepted.').waitFor();
    await isAccessible(page);
    await shoot(page, 'sign-in');
    await page.getByLabel('Admin key').fill(OPERATOR_KEY);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Coupons' }).waitFor();
    expect(await page.evaluate(() => [localStorage.length, sessionStorage.length])).toEqual([0, 1]);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('an operator makes a coupon, changes it, pauses it and deletes it', async () => {
    const { page, faults } = await signedIn();
    await page.getByRole('link', { name: 'New coupon' }).click();
    await page.getByLabel('Title').fill('Made in the browser');
    await page.getByLabel('How many').fill('250');
    await isAccessible(page);
    await shoot(page, 'new-coupon');
    await page.getByRole('button', { name: 'Create coupon' }).click();
    await page.getByRole('heading', { name: 'Made in the browser' }).waitFor();
    const id = Number(/\d+$/.exec(page.url())?.[0]);
    expect(await system.stores.couponNow(id)).toMatchObject({ title: 'Made in the browser', totalQuantity: 250 });
    await page.getByRole('link', { name: 'Edit' }).click();
    await page.getByLabel('No limit').check();
    await page.getByRole('button', { name: 'Save changes' }).click();
    await page.getByText('issued so far').waitFor();
    await page.getByRole('button', { name: /^Pause/ }).click();
    await page.getByText('Paused', { exact: true }).waitFor();
    expect(await system.stores.couponNow(id)).toMatchObject({ totalQuantity: null, paused: true, version: 3 });
    await page.getByRole('link', { name: 'Edit' }).click();
    await page.getByRole('button', { name: 'Delete coupon' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete coupon' }).click();
    await page.getByRole('heading', { name: 'Coupons' }).waitFor();
    await expect(system.stores.couponNow(id)).rejects.toThrow();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('what the API finds wrong stands beside its field, and a change by somebody else is never lost', async () => {
    const { id } = await system.stores.coupon({ title: 'Two hands' });
    const { page, faults } = await signedIn();
    await page.goto(`/console#/coupons/${id}/edit`);
    await page.getByLabel('Ends').fill('2020-01-01T00:00:00');
    await page.getByRole('button', { name: 'Save changes' }).click();
    await page.getByText(/Expected: the first instant at which it is no longer issued/).waitFor();
    await system.stores.edit(id, { title: 'The other hand' });
    await page.getByLabel('Ends').fill('2040-01-01T00:00:00');
    await page.getByRole('button', { name: 'Save changes' }).click();
    await page.getByRole('heading', { name: 'Edit The other hand' }).waitFor();
    expect(await system.stores.couponNow(id)).toMatchObject({ title: 'The other hand', version: 2 });
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('a drop is watched live until nothing is left, and its audit is clean', async () => {
    const { id } = await system.stores.coupon({ title: 'Winter sale: 5,000 off', totalQuantity: 2000 });
    const { page, faults } = await signedIn();
    await page.goto(`/console#/coupons/${id}`);
    await page.getByText('Live', { exact: true }).waitFor();
    let issued = 0;
    for (const users of [400, 900, 2300]) {
      const got = await system.rush(id, users);
      issued += got;
      const left = (2000 - issued).toLocaleString('en');
      await page.getByLabel('Stock left').first().getByText(left, { exact: true }).waitFor();
    }
    await page.getByText('Sold out').waitFor();
    await system.worker.drained();
    await page.getByRole('button', { name: 'Count now' }).click();
    await page.getByText('Every promise is kept.').waitFor();
    expect(await page.locator('.counts dd').allTextContents()).toEqual([
      '2,000',
      '2,000',
      '0',
      '0',
      '0',
      '0',
      '0',
      '0',
    ]);
    for (const plot of ['Stock left', 'Backlog']) {
      await page.locator('.plot').filter({ hasText: plot }).getByText('0', { exact: true }).waitFor();
    }
    await isAccessible(page);
    await shoot(page, 'watch');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('a dead letter is replayed, and one that cannot be read is discarded after a question', async () => {
    const { id } = await system.stores.coupon({ title: 'Came back' });
    const { dead } = partitionKeys(0);
    const entry = writeEntry({ couponId: id, epoch: 0, firstSequence: 1, acceptedMs: Date.now(), users: ['lost'] });
    await system.stores.redis.xadd(dead, '*', ...entry, 'entry', '1-0', 'reason', 'the coupon was missing');
    await system.stores.redis.xadd(dead, '*', 'v', '9', 'entry', '2-0', 'reason', 'unknown version');
    const { page, faults } = await signedIn();
    await page.getByRole('link', { name: 'Dead letters' }).click();
    const lost = page.getByRole('listitem').filter({ hasText: 'the coupon was missing' });
    await lost.waitFor();
    await isAccessible(page);
    await shoot(page, 'dead-letters');
    await lost.getByRole('button', { name: /^Replay/ }).click();
    await page.getByText('It is in the stream again.').waitFor();
    await system.worker.drained();
    expect(await system.stores.rows(id)).toMatchObject([{ sequence: 1, userId: 'lost' }]);
    const unreadable = page.getByRole('listitem').filter({ hasText: 'unknown version' });
    await unreadable.getByRole('button', { name: /^Discard/ }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    expect(await system.stores.redis.xlen(dead)).toBe(1);
    await unreadable.getByRole('button', { name: /^Discard/ }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Discard' }).click();
    await page.getByText('There are none.').waitFor();
    expect(await system.stores.redis.xlen(dead)).toBe(0);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('on a phone, in the dark, in Korean, the console is whole', async () => {
    await system.stores.coupon({ title: '겨울 세일 5,000원 할인', totalQuantity: 1000 });
    const { page, faults } = await signedIn({ phone: true, dark: true, language: 'ko-KR' });
    await page.getByRole('heading', { name: '쿠폰' }).waitFor();
    await page.getByText('발급 중').first().waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    expect(await page.evaluate('document.documentElement.lang')).toBe('ko');
    await isAccessible(page);
    await shoot(page, 'coupons-phone-dark-korean');
    await page.getByLabel('언어').selectOption('English');
    await page.getByRole('heading', { name: 'Coupons' }).waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('the page for people counts down by the clock of the server, and issues at its start', async () => {
    const { id } = await system.stores.coupon({
      title: 'Winter sale',
      discountAmount: 5000,
      minAvailableAmount: 20_000,
      startMs: Date.now() + 3_600_000,
    });
    const { page, faults } = await system.open();
    // A clock that is wrong by a day changes nothing.
    await page.addInitScript('{ const now = Date.now; Date.now = () => now() - 86_400_000 }');
    await page.goto(`/drop/${id}`);
    await page.getByRole('button', { name: 'Not yet open' }).waitFor();
    await page.getByRole('timer').waitFor();
    await shoot(page, 'drop-before');
    await isAccessible(page);
    // Brought forward while people wait: they see it, and the countdown ends when it should.
    await system.stores.edit(id, { dateIssueStart: new Date(Date.now() + 3000) });
    await page.getByRole('button', { name: 'Get the coupon' }).click();
    await page.getByText('You are number 1.').waitFor();
    await isAccessible(page);
    await shoot(page, 'drop-won');
    await page.reload();
    await page.getByRole('button', { name: 'Get the coupon' }).click();
    await page.getByText('You already have it, with number 1.').waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('who came too late sees it sell out without asking', async () => {
    const { id } = await system.stores.coupon({ title: '겨울 세일', totalQuantity: 30, discountAmount: 5000 });
    const { page, faults } = await system.open({ phone: true, dark: true, language: 'ko-KR' });
    await page.goto(`/drop/${id}`);
    await page.getByText('30장 중 30장 남음').waitFor();
    expect(await system.rush(id, 12)).toBe(12);
    await page.getByText('30장 중 18장 남음').waitFor();
    await shoot(page, 'drop-open-phone-dark-korean');
    expect(await system.rush(id, 40)).toBe(18);
    await page.getByText('모두 소진되었습니다').waitFor();
    expect(await page.getByRole('button').count()).toBe(0);
    await isAccessible(page);
    await shoot(page, 'drop-sold-out-phone-dark-korean');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('an answer that was lost is asked for again, and is never told as a refusal', async () => {
    const { id } = await system.stores.coupon({ title: 'Lost and found' });
    const { page } = await system.open();
    let asked = 0;
    await page.route('**/v2/issue-async', async (route) => {
      asked += 1;
      // The first is decided, and its answer lost on the way; the second meets an overloaded server.
      if (asked === 1) await route.fetch();
      if (asked === 1) await route.abort();
      else if (asked === 2) await route.fulfill({ status: 503, json: { code: 'FAIL_COUPON_ISSUE_REQUEST' } });
      else await route.continue();
    });
    await page.goto(`/drop/${id}`);
    await page.getByRole('button', { name: 'Get the coupon' }).click();
    await page.getByText('with number 1.').waitFor();
    expect(asked).toBe(3);
    await page.context().close();
  });
});

async function signedIn(options: PageOptions = {}) {
  const opened = await system.open(options);
  await opened.page.addInitScript(`sessionStorage.setItem('console-key', '${OPERATOR_KEY}')`);
  await opened.page.goto('/console');
  await opened.page.getByRole('main').waitFor();
  return opened;
}

async function shoot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: resolve(screenshots, `${name}.png`), fullPage: true });
}

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** Nothing that axe knows to be a barrier. It is run beside the page's own policy, which forbids scripts from elsewhere. */
async function isAccessible(page: Page): Promise<void> {
  const source = await Bun.file(axe).text();
  await page.evaluate(source);
  const found: unknown = await page.evaluate(
    `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join()))`,
  );
  expect(found).toEqual([]);
}
