// drop-browsers.test.ts -- The page for people in browsers as they are: older ones, without storage, without scripts, on slow phones, in frames.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { transform } from '@swc/core';
import { buildPages } from '../../src/runtime/page-files.ts';
import { findBrowser } from '../../tools/test-programs.ts';
import { eventually } from '../eventually.ts';
import { type FakeSite, startFakeSite } from './fake-site.ts';
import { passes } from './page-checks.ts';

/** What browsers of 2021 do not have: the newest of these came to Safari in 2022 to 2024. */
const OLD_BROWSER = `{
  delete AbortSignal.timeout;
  delete AbortSignal.any;
  delete Promise.withResolvers;
  delete Promise.try;
  delete Array.prototype.at;
  delete String.prototype.at;
  delete Array.prototype.findLast;
  delete Array.prototype.toSorted;
  delete Array.prototype.toReversed;
  delete Array.prototype.with;
  delete Object.hasOwn;
  delete Object.groupBy;
  delete URL.canParse;
  delete URLSearchParams.prototype.size;
  delete window.structuredClone;
  delete window.BroadcastChannel;
  delete window.SharedWorker;
  delete window.scheduler;
  delete Navigator.prototype.locks;
  delete Crypto.prototype.randomUUID;
  delete Set.prototype.union;
  if (window.Iterator) delete window.Iterator;
}`;
const denied = (name: string) =>
  `Object.defineProperty(window, '${name}', { get() { throw new DOMException('denied', 'SecurityError'); } });`;
const NO_STORAGE = denied('localStorage') + denied('sessionStorage');
/** Of a phone in the year of these browsers, on a slow mobile network, as Lighthouse has it. */
const SLOW_PHONE = {
  network: { offline: false, latency: 150, downloadThroughput: 1_638_400 / 8, uploadThroughput: 768_000 / 8 },
  cpu: 4,
};

let shop: ReturnType<typeof Bun.serve>;
let site: FakeSite;

describe.skipIf(findBrowser() === undefined)('the page for people in browsers as they are', () => {
  beforeAll(async () => {
    const shapes = '<rect width="16" height="9" fill="#0f5c4d"/><circle cx="11" cy="4" r="2.4" fill="#ffd400"/>';
    const picture = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 9">${shapes}</svg>`;
    shop = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: ({ url }) =>
        url.endsWith('.svg')
          ? new Response(picture, { headers: { 'content-type': 'image/svg+xml' } })
          : new Response(
              `<!doctype html><title>Shop</title><iframe width="420" height="760" src="${new URL(url).searchParams.get('frame')}"></iframe>`,
              {
                headers: { 'content-type': 'text/html' },
              },
            ),
    });
    const origin = `http://127.0.0.1:${shop.port}`;
    site = await startFakeSite(
      {
        FRAME_ANCESTORS: origin,
        DROP_BRAND: 'Nordlicht',
        DROP_LOGO_URL: `${origin}/logo.svg`,
        DROP_PICTURE_URL: `${origin}/picture.svg`,
        DROP_COLOR: '#0f5c4d',
      },
      { title: 'Winter <sale> & "more"' },
    );
  }, 60_000);
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await shop.stop(true);
  }, 60_000);

  test('the script has no syntax that is newer than ES2021', async () => {
    const script = (await buildPages()).find(({ name }) => /^drop-.*\.js$/.test(name));
    const code = new TextDecoder().decode(script?.bytes);
    const as = async (target: 'es2021' | 'es2022') =>
      (await transform(code, { isModule: true, jsc: { target, parser: { syntax: 'ecmascript' } } })).code;
    expect(code.length).toBeGreaterThan(10_000);
    expect(await as('es2021')).toBe(await as('es2022'));
  }, 60_000);

  test.each([
    ['an older browser', OLD_BROWSER],
    ['storage that is denied', NO_STORAGE],
    ['an older browser with storage that is denied', OLD_BROWSER + NO_STORAGE],
  ])(
    '%s gets the coupon',
    async (_, script) => {
      const { page } = await site.open();
      const faults: string[] = [];
      page.on('pageerror', ({ message }) => faults.push(message));
      await page.addInitScript(script);
      await page.goto('/drop/1');
      await page.getByText('963 of 1,000 left').waitFor();
      site.become({ left: 962 });
      await page.getByText('962 of 1,000 left').waitFor();
      await page.getByRole('button', { name: 'Get the coupon' }).click();
      await page.getByText('You are number 37.').waitFor();
      await page.getByRole('combobox').selectOption('ko');
      await page.getByText('37번째로 받았어요.').waitFor();
      site.become({ left: 963 });
      expect(faults).toEqual([]);
      await page.context().close();
    },
    60_000,
  );

  test.each([
    ['en-GB', 'Open until', 'This page needs JavaScript.', 'The page could not start.', 'Reload'],
    ['ko-KR', '받을 수 있어요', '이 페이지는 JavaScript가 필요해요.', '페이지를 시작하지 못했어요.', '새로고침'],
  ] as const)(
    'without its script the page shows the coupon and says how to go on: %s',
    async (language, state, needs, slow, reload) => {
      const context = await site.browser.newContext({
        baseURL: site.url,
        locale: language,
        javaScriptEnabled: false,
        reducedMotion: 'reduce',
      });
      const page = await context.newPage();
      await page.goto('/drop/1');
      expect(await page.title()).toBe('Winter <sale> & "more"');
      await page.getByRole('heading', { name: 'Winter <sale> & "more"' }).waitFor();
      await page.getByText(state).waitFor();
      // Chromium that is told to run no script still draws no <noscript>.
      expect(await page.content()).toContain(needs);
      await context.close();
      // One that does not load, or fails in the first line.
      const { page: broken } = await site.open({ language, phone: true });
      await broken.route('**/pages/*.js', (route) => route.abort());
      await broken.goto('/drop/1');
      expect(await broken.getByText(slow).isVisible()).toBe(false);
      await broken.getByText(slow).waitFor({ timeout: 15_000 });
      await passes(broken, `drop-no-script-${language.slice(0, 2)}390`);
      await broken.unroute('**/pages/*.js');
      await broken.getByRole('link', { name: reload }).click();
      await broken.getByRole('button').and(broken.locator(':enabled')).waitFor();
      await broken.context().close();
    },
    60_000,
  );

  test('an error of its script is said on the page', async () => {
    const { page } = await site.open();
    await page.addInitScript(`{
      const Format = Intl.NumberFormat;
      Intl.NumberFormat = function (language, options) { if (options.currency === 'EUR') throw new Error('planted'); return new Format(language, options); };
    }`);
    await page.goto('/drop/1');
    await page.getByRole('button', { name: 'Get the coupon' }).waitFor();
    site.become({ currency: 'EUR' });
    try {
      await page.getByRole('alert').getByText('Something went wrong on this page.').waitFor();
    } finally {
      site.become({ currency: 'KRW' });
      await page.context().close();
    }
  }, 60_000);

  test('what is shared of the page has a title, a description and the picture of the shop', async () => {
    const html = await (
      await fetch(`${site.url}/drop/1`, { headers: { 'accept-language': 'ko-KR,ko;q=0.9,en;q=0.8' } })
    ).text();
    const content = (name: string) =>
      new RegExp(`<meta (?:name|property)="${name}" content="([^"]*)">`).exec(html)?.[1];
    expect(html).toContain('<html lang="ko">');
    expect(content('og:title')).toBe('Winter &#60;sale&#62; &#38; &#34;more&#34;');
    expect(content('og:description')).toStartWith('5,000원 할인. ');
    expect(content('og:image')).toBe(`http://127.0.0.1:${shop.port}/picture.svg`);
    expect([content('og:site_name'), content('og:locale')]).toEqual(['Nordlicht', 'ko_KR']);
    const unknown = await fetch(`${site.url}/drop/7`);
    expect([unknown.status, (await unknown.text()).includes('noindex')]).toEqual([404, true]);
  });

  test('the page of a shop may frame it, and no other page', async () => {
    const { page } = await site.open();
    await page.goto(`http://127.0.0.1:${shop.port}/?frame=${site.url}/drop/1`);
    const framed = page.frameLocator('iframe');
    await framed.getByRole('button', { name: 'Get the coupon' }).click();
    await framed.getByText('You are number 37.').waitFor();
    await page.goto(`http://localhost:${shop.port}/?frame=${site.url}/drop/1`);
    await page.waitForTimeout(1000);
    expect(await page.frames()[1]?.evaluate('document.body.innerText')).not.toContain('Winter');
    await page.goto(`http://127.0.0.1:${shop.port}/?frame=${site.url}/console`);
    await page.waitForTimeout(1000);
    expect(await page.frames()[1]?.evaluate('document.body.innerText')).not.toContain('Sign in');
    await page.context().close();
  }, 60_000);

  test('a slow phone sees it soon, without a shift, and with few bytes', async () => {
    const figures = [await visit(), await visit()];
    console.log(`on a slow phone: ${JSON.stringify(figures)}`);
    for (const { shift, bytes, blocking } of figures) {
      expect(shift).toBe(0);
      expect(bytes).toBeLessThan(100_000);
      // The first paint waits for the document, its styles and those of the brand, which come together: one round trip more than an empty page.
      expect(blocking).toEqual(['css', 'css']);
    }
    const { page } = await site.open({ phone: true });
    await page.goto('/drop/1');
    await page.getByRole('button', { name: 'Get the coupon' }).waitFor();
    await passes(page, 'drop-brand-phone');
    await page.context().close();
  }, 120_000);

  /** What Lighthouse would measure. */
  async function visit() {
    const { page } = await site.open({ phone: true });
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('Network.enable');
    await cdp.send('Network.emulateNetworkConditions', SLOW_PHONE.network);
    await cdp.send('Emulation.setCPUThrottlingRate', { rate: SLOW_PHONE.cpu });
    const paint = async () => {
      const isPainted = () => page.evaluate(`performance.getEntriesByName('first-contentful-paint').length > 0`);
      await eventually('the first paint', async () => (await isPainted()) === true);
      return Math.round(
        Number(await page.evaluate(`performance.getEntriesByName('first-contentful-paint')[0].startTime`)),
      );
    };
    await page.goto('/');
    const emptyMs = await paint();
    let bytes = 0;
    cdp.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength));
    await page.addInitScript(`{
      window.shift = 0;
      new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => (window.shift += value))).observe({ type: 'layout-shift', buffered: true });
    }`);
    await page.goto('/drop/1');
    await page.getByRole('button', { name: 'Get the coupon' }).and(page.locator(':enabled')).waitFor();
    const paintMs = await paint();
    const shift: unknown = await page.evaluate('window.shift');
    const blocking: unknown = await page.evaluate(
      `performance.getEntriesByType('resource').filter((one) => one.renderBlockingStatus === 'blocking').map(({ name }) => name.split('.').at(-1))`,
    );
    await page.context().close();
    return { emptyMs, paintMs, bytes, shift, blocking };
  }
});
