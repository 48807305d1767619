// swagger.test.ts -- The documentation in real Chromium: it says which endpoint to choose, one box takes the header, errors are folded, everything
// is searched, programs are shown in four languages, and it is dark where the system is.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { serve } from '../../src/runtime/serve.ts';
import { findBrowser } from '../../tools/test-programs.ts';
import { eventually } from '../eventually.ts';
import { fakeApp, fakeAuthority } from '../http/fakes.ts';
import { tokensWith } from '../http/tokens.ts';

const screenshots = resolve(import.meta.dirname, '../../reports/screenshots');
/** Swagger UI is a large script, and the machine may be busy. */
const waitMsMax = 60_000;
const faults: string[] = [];
let browser: Browser;
let page: Page;
let server: Awaited<ReturnType<typeof serve>>;

describe.skipIf(findBrowser() === undefined)('the documentation', () => {
  beforeAll(async () => {
    mkdirSync(screenshots, { recursive: true });
    const { app } = fakeApp({ authority: fakeAuthority({ isOn: true, tokens: tokensWith() }) });
    server = await serve(app.fetch, { host: '127.0.0.1', port: 0, onError: () => undefined });
    browser = await chromium.launch({
      executablePath: findBrowser() ?? 'chromium',
      args: ['--no-sandbox', '--disable-gpu'],
    });
    const context = await browser.newContext({ baseURL: server.url, viewport: { width: 1280, height: 900 } });
    context.setDefaultTimeout(waitMsMax);
    page = await context.newPage();
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text());
    });
    await page.goto('/swagger');
    await page.getByText('Which endpoint?').waitFor();
    await operation().locator('.opblock-summary').click();
    await operation().locator('.samples').waitFor();
  }, 3 * waitMsMax);
  afterAll(async () => {
    await browser.close();
    await server.stop();
    expect(faults).toEqual([]);
  }, waitMsMax);

  /** The endpoint that most people use, opened. */
  const operation = () => page.locator('#operations-issuing-issueWithScript');

  test(
    'says at the top which endpoint to choose, with what each costs, and where to go on',
    async () => {
      const table = page.locator('.info table').first();
      expect(await table.locator('tbody tr').count()).toBe(3);
      expect(await table.innerText()).toContain('CPU');
      expect(await page.locator('.info a[href="/console"]').count()).toBe(1);
      await page.screenshot({ path: resolve(screenshots, 'swagger.png'), fullPage: true });
    },
    waitMsMax,
  );

  test(
    'has one box for the one header, and sends it with a call that asks for one',
    async () => {
      await page.locator('.scheme-container button.authorize').click();
      const field = page.locator('.dialog-ux input');
      expect(await field.count()).toBe(1);
      await field.fill('a-token');
      await page.locator('.dialog-ux').getByRole('button', { name: 'Apply credentials' }).click();
      await page.locator('.dialog-ux button.btn-done').click();
      const asked = page.waitForRequest((request) => request.url().endsWith('/v2/issue-async'));
      await operation().locator('.execute').click();
      expect((await asked).headers()['authorization']).toBe('Bearer a-token');
      expect(await operation().getByText('For: user, backend.').count()).toBe(1);
      // The answer to a made-up token is a 401, which the browser reports too.
      await operation().getByText('UNAUTHENTICATED').first().waitFor();
      faults.splice(0, faults.length, ...faults.filter((fault) => !fault.includes('status of 401')));
    },
    waitMsMax,
  );

  test(
    'folds errors into a line with their codes, and opens them',
    async () => {
      const table = operation().locator('.responses-table').last();
      const fold = table.locator('.fold', { hasText: 'DUPLICATED_COUPON_ISSUE' });
      expect(await table.locator('.fold').count()).toBeGreaterThan(8);
      const examples = table.locator('.model-example');
      const before = await examples.count();
      await fold.click();
      expect(await fold.getAttribute('aria-expanded')).toBe('true');
      await examples.nth(before).waitFor();
      await fold.click();
      expect(await examples.count()).toBe(before);
    },
    waitMsMax,
  );

  test(
    'finds operations by words, a path or an error code, and shows all again',
    async () => {
      const field = page.getByRole('searchbox', { name: 'Search the operations' });
      const shown = page.locator('.opblock');
      const all = await shown.count();
      const search = async (text: string, found: string) => {
        await field.fill(text);
        await eventually('fewer operations', async () => (await shown.count()) < all);
        await page.locator(found).waitFor();
        return await shown.count();
      };
      expect(await search('COUPON_TOTAL_BELOW_ISSUED', '[id$="-editCoupon"]')).toBeLessThan(6);
      expect(await search('redlock fence', '#operations-issuing-issueWithLock')).toBe(1);
      expect(await search('/v1/drops', '[id^="operations-users-"]')).toBeLessThan(6);
      await field.fill('');
      await eventually('all operations', async () => (await shown.count()) === all);
    },
    waitMsMax,
  );

  test(
    'shows programs in four languages, for the address of the page',
    async () => {
      const samples = operation().locator('.samples');
      for (const [label, text] of [
        ['curl', "-H 'Authorization: Bearer TOKEN'"],
        ['TypeScript', 'await fetch('],
        ['Java', 'HttpRequest.newBuilder('],
        ['Python', 'urllib.request.Request('],
      ] as const) {
        await samples.getByRole('button', { name: label, exact: true }).click();
        const source = await samples.locator('code').innerText();
        expect(source).toContain(text);
        expect(source).toContain(`${server.url}/v2/issue-async`);
      }
    },
    waitMsMax,
  );

  test(
    'is dark where the system is',
    async () => {
      // The page hears of the change in a task of its own.
      const becomes = (rgb: string) =>
        eventually(rgb, () =>
          page.evaluate(
            `getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g).slice(0, 3).join() === '${rgb}'`,
          ),
        );
      await page.emulateMedia({ colorScheme: 'dark' });
      await becomes('28,32,34');
      await page.screenshot({ path: resolve(screenshots, 'swagger-dark.png') });
      await page.emulateMedia({ colorScheme: 'light' });
      await becomes('0,0,0');
    },
    waitMsMax,
  );
});
