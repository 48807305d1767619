// drop-states.test.ts -- The page for people in each of its states, in both languages: nothing moves, everything can be read, and it looks as the shop wants.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Page } from 'playwright-core';
import { findBrowser } from '../../tools/test-programs.ts';
import { eventually } from '../eventually.ts';
import { type FakeSite, startFakeSite } from './fake-site.ts';
import { barriersIn, passes } from './page-checks.ts';

const SHOP = 'https://shop.example';
const settings = {
  DROP_BRAND: 'Nordlicht',
  DROP_COLOR: '#ffd400',
  DROP_NEXT_URL: `${SHOP}/my/coupons`,
  DROP_MORE_URL: `${SHOP}/sale`,
};
const terms = { title: 'Winter sale', discountAmount: 10_000, minAvailableAmount: 50_000, currency: 'KRW' };

let site: FakeSite;

/** Keeps how far things were moved, from the first paint on: what Lighthouse calls the cumulative layout shift. */
const watchShifts = `{
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) window.shifts.push([one.value, ...one.sources.map(({ node }) => node?.className ?? node?.data)].join(' '));
  }).observe({ type: 'layout-shift', buffered: true });
}`;

async function tops(page: Page): Promise<number> {
  return await page.evaluate(`document.querySelector('.action').getBoundingClientRect().top + scrollY`);
}

describe.skipIf(findBrowser() === undefined)('the states of the page for people', () => {
  beforeAll(async () => {
    site = await startFakeSite(settings, terms);
  }, 60_000);
  afterAll(() => site[Symbol.asyncDispose](), 60_000);

  test.each([
    { language: 'en-GB', phone: false, dark: false },
    { language: 'ko-KR', phone: true, dark: false },
    { language: 'en-GB', phone: true, dark: true },
    { language: 'ko-KR', phone: true, dark: true, width: 360 },
  ] as const)(
    'nothing moves from the countdown through the opening to the result: %p',
    async (options) => {
      const isKorean = options.language === 'ko-KR';
      site.become({ startMs: Date.now() + 3_600_000, endMs: Date.now() + 7_200_000, left: 1000, paused: false });
      const { page, faults } = await site.open(options);
      await page.addInitScript(watchShifts);
      await page.goto('/drop/1');
      const name = `drop-${options.language.slice(0, 2)}${options.width ?? (options.phone ? 390 : '')}${options.dark ? '-dark' : ''}`;
      await page.getByRole('timer').waitFor();
      await passes(page, `${name}-before`);
      const top = await tops(page);
      site.become({ startMs: Date.now() - 1000 });
      await page
        .getByRole('button', { name: isKorean ? '쿠폰 받기' : 'Get the coupon' })
        .and(page.locator(':enabled'))
        .waitFor();
      expect(await tops(page)).toBe(top);
      site.become({ left: 412 });
      await page.getByText(isKorean ? '1,000장 중 412장 남았어요' : '412 of 1,000 left').waitFor();
      await passes(page, `${name}-open`);
      await page.getByRole('button').click();
      await page.getByText(isKorean ? '37번째로 받았어요.' : 'You are number 37.').waitFor();
      const next = page.getByRole('link', { name: isKorean ? '내 쿠폰 보러 가기' : 'Go to your coupons' });
      expect(await next.getAttribute('href')).toBe(settings.DROP_NEXT_URL);
      expect(await tops(page)).toBe(top);
      await passes(page, `${name}-won`);
      expect(await page.evaluate('window.shifts')).toEqual([]);
      // In the sun: contrast of 7 (AAA).
      expect(await barriersIn(page, `{ runOnly: ['color-contrast-enhanced'] }`)).toEqual([]);
      expect(faults).toEqual([]);
      await page.context().close();
    },
    60_000,
  );

  test.each(['en-GB', 'ko-KR'] as const)(
    'paused, sold out, ended and unknown each say what is and what to do: %s',
    async (language) => {
      const isKorean = language === 'ko-KR';
      site.become({ startMs: Date.now() - 1000, endMs: Date.now() + 7_200_000, left: 5, paused: true });
      const { page, faults } = await site.open({ language, phone: true });
      const name = `drop-${language.slice(0, 2)}390`;
      const see = async (state: string, text: string) => {
        await page.getByText(text).waitFor();
        expect(await page.getByRole('status').textContent()).toContain(text);
        await passes(page, `${name}-${state}`);
        expect(await barriersIn(page, `{ runOnly: ['color-contrast-enhanced'] }`)).toEqual([]);
      };
      await page.goto('/drop/1');
      await see('paused', isKorean ? '잠시 멈췄어요' : 'Paused for a moment');
      site.become({ paused: false, left: 0 });
      await see('sold-out', isKorean ? '모두 소진됐어요' : 'Sold out');
      const more = page.getByRole('link', { name: isKorean ? '다른 혜택 보러 가기' : 'See what else there is' });
      expect(await more.getAttribute('href')).toBe(settings.DROP_MORE_URL);
      site.become({ endMs: Date.now() - 1000, left: 7 });
      await see('ended', isKorean ? '종료됐어요' : 'This is over');
      expect((await page.goto('/drop/2'))?.status()).toBe(404);
      await see('unknown', isKorean ? '링크가 잘렸거나' : 'The link may be cut off');
      await more.waitFor();
      expect(faults).toEqual([]);
      await page.context().close();
    },
    60_000,
  );

  test('when it is issued and when it can be used are two things, with money as people write it', async () => {
    site.become({ startMs: Date.UTC(2026, 0, 5, 1), endMs: Date.UTC(2099, 11, 31, 15), usableDays: 30, left: 5 });
    const { page } = await site.open({ language: 'ko-KR' });
    await page.goto('/drop/1');
    const facts = async () => (await page.locator('.facts > div').allTextContents()).join(' | ');
    await page.getByText('10,000원 할인').waitFor();
    expect(await facts()).toBe(
      '발급 시작2026. 1. 5. 오전 10:00 | 발급 마감2100. 1. 1. 오전 12:00 | 수량1,000장 | 최소 주문 금액50,000원 | 사용 기한받은 날부터 30일',
    );
    site.become({
      currency: 'USD',
      discountAmount: 1000,
      minAvailableAmount: 4950,
      usableDays: null,
      usableUntilMs: Date.UTC(2100, 0, 31),
    });
    await page.getByRole('combobox').selectOption('en');
    await page.getByText('$10 off').waitFor();
    expect(await facts()).toContain('Minimum order$49.50 | Use untilJan 31, 2100, 9:00 AM');
    await page.context().close();
    site.become({ ...terms, usableDays: 30, usableUntilMs: null });
  }, 60_000);

  test('an edit is shown, also when the first answer after it is an old one of a cache', async () => {
    const { page } = await site.open({ language: 'en-GB' });
    await page.goto('/drop/1');
    await page.getByRole('heading', { name: terms.title }).waitFor();
    const old = await (await fetch(`${site.url}/v1/drops/1`)).text();
    let answers = 0;
    await page.route('**/v1/drops/1', (route) => {
      answers += 1;
      return answers <= 2 ? route.fulfill({ body: old, contentType: 'application/json' }) : route.continue();
    });
    site.become({ title: 'Spring sale' });
    await page.getByRole('heading', { name: 'Spring sale' }).waitFor();
    expect(answers).toBe(3);
    await page.context().close();
    site.become(terms);
  }, 60_000);

  test('news do not put the reading of an edit off, and an edit that never comes is not asked for without end', async () => {
    const { page } = await site.open({ language: 'en-GB' });
    await page.clock.install();
    await page.goto('/drop/1');
    await page.getByRole('heading', { name: terms.title }).waitFor();
    const old = await (await fetch(`${site.url}/v1/drops/1`)).text();
    let answers = 0;
    await page.route('**/v1/drops/1', async (route) => {
      await route.fulfill({ body: old, contentType: 'application/json' });
      answers += 1;
    });
    site.become({ title: 'Lost sale', left: 900 });
    await page.getByText('900 of').waitFor();
    const current: unknown = await (await fetch(`${site.url}/v1/drops/1`)).json();
    for (let i = 1; i <= 5; i += 1) {
      await page.clock.runFor(600);
      site.tell({ left: 900 - i });
      await page.getByText(`${900 - i} of`).waitFor();
      await page.clock.runFor(600);
      await eventually('the next reading', () => answers === i);
    }
    for (let i = 0; i < 5; i += 1) {
      await page.clock.runFor(1200);
      site.tell({ left: 800 - i });
      await page.getByText(`${800 - i} of`).waitFor();
    }
    expect({ answers, current }).toMatchObject({ answers: 5, current: { title: 'Lost sale' } });
    await page.context().close();
    site.become({ ...terms, left: 963 });
  }, 60_000);

  test('the start can be put into a calendar', async () => {
    const startMs = Date.UTC(2099, 10, 30, 1);
    site.become({ startMs, endMs: startMs + 3_600_000 });
    const { page } = await site.open({ language: 'ko-KR' });
    await page.goto('/drop/1');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: '캘린더에 시작 시간 추가하기' }).click(),
    ]);
    expect(download.suggestedFilename()).toBe('drop-1.ics');
    const text = await Bun.file(await download.path()).text();
    expect(text).toStartWith('BEGIN:VCALENDAR\r\n');
    expect(text).toContain('\r\nDTSTART:20991130T010000Z\r\nDTEND:20991130T011500Z\r\nSUMMARY:Winter sale\r\n');
    expect(text).toContain(`\r\nURL:${site.url}/drop/1\r\n`);
    expect(text).toContain('TRIGGER:-PT5M');
    await page.context().close();
  }, 60_000);
});
