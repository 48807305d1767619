// operator.test.ts -- The console as an operator with many coupons and a drop behind them uses it, in real Chromium and both languages.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { coupons } from '../../drizzle/schema.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { writeEntry } from '../../src/stream/entry.ts';
import { findBrowser } from '../../tools/test-programs.ts';
import { consoleTexts } from '../../web/console/texts.ts';
import { eventually } from '../eventually.ts';
import { type LiveSystem, OPERATOR_KEY, openConsole, startLiveSystem } from './live-system.ts';
import { passes, tabTo } from './page-checks.ts';
import { openPausingProxy } from './pausing-proxy.ts';

// A test that takes too long takes the browser of all others with it.
setDefaultTimeout(180_000);

let system: LiveSystem;

describe.skipIf(findBrowser() === undefined)('the console of an operator', () => {
  beforeAll(async () => {
    system = await startLiveSystem();
  }, 30_000);
  afterAll(() => system[Symbol.asyncDispose](), 30_000);

  test.each(['en', 'ko'] as const)(
    'a server that stands still is not called live within seconds, in %s',
    async (language) => {
      const words = consoleTexts[language];
      const { id } = await system.stores.coupon({ title: `Frozen ${language}`, totalQuantity: 500 });
      await using proxy = await openPausingProxy(system.url);
      const { page } = await openConsole(system, {
        at: proxy.url,
        language: language === 'ko' ? 'ko-KR' : 'en-GB',
        phone: language === 'ko',
      });
      await page.goto(`${proxy.url}/console#/coupons/${id}`);
      await page.getByText(words.live, { exact: true }).waitFor();
      await page.getByText(words.ready, { exact: true }).waitFor();
      // Also while nothing changes.
      await Bun.sleep(4000);
      await page.getByText(words.live, { exact: true }).waitFor();
      proxy.pause();
      // After three seconds, which test/unit/drop-samples.test.ts holds to the millisecond.
      await page.getByText(words.notLive, { exact: true }).waitFor();
      // The lines break: nothing is the newest value.
      await eventually('a gap', async () =>
        (await page.locator('.legend dd').allTextContents()).every((text) => text === '–'),
      );
      await page.locator('.age.old').first().waitFor();
      await passes(page, `watch-frozen-${language}`);
      proxy.resume();
      await page.getByText(words.live, { exact: true }).waitFor();
      await page.context().close();
    },
  );

  test('a drop that is opened long after the console is connecting at first, and not live when nothing comes', async () => {
    await system.stores.coupon({ title: 'Opened late' });
    const { page } = await openConsole(system);
    await page.route(/\/(events|load)$/, () => undefined);
    await eventually(
      'the console to be open for long',
      async () => Number(await page.evaluate('performance.now()')) > 4000,
    );
    await page.evaluate(`window.badges = []; new MutationObserver(() => {
      const badge = document.querySelector('main [role=status]')?.textContent;
      if (badge && window.badges.at(-1) !== badge) window.badges.push(badge);
    }).observe(document.body, { subtree: true, childList: true, characterData: true });`);
    await page.getByRole('link', { name: 'Opened late', exact: true }).click();
    await page.getByText(consoleTexts.en.notLive, { exact: true }).waitFor();
    expect(await page.evaluate('window.badges')).toEqual([consoleTexts.en.connecting, consoleTexts.en.notLive]);
    await page.context().close();
  });

  test('a server that is not ready is called so, with the reason', async () => {
    const { id } = await system.stores.coupon({ title: 'Not ready' });
    const { page } = await openConsole(system);
    const checks = [{ name: 'mysql', ok: false, detail: 'does not answer' }];
    await page.route('**/readyz', (route) =>
      route.fulfill({ status: 503, json: { ready: false, checks, durability: {} } }),
    );
    await page.goto(`/console#/coupons/${id}`);
    await page.getByText('Server not ready: mysql').waitFor();
    await page.context().close();
  });

  test('two hundred coupons: newest first, found by title and id, filtered, sorted, counted, in pages both ways', async () => {
    const made = await makeCoupons(200);
    const { page, faults } = await openConsole(system);
    const titles = () => page.locator('tbody th a').allTextContents();
    await page
      .getByText(/^1–20 of \d{3}$/)
      .first()
      .waitFor();
    expect((await titles()).slice(0, 2)).toEqual(['Many 199', 'Many 198']);
    await page.getByRole('link', { name: 'Next page' }).first().click();
    await page
      .getByText(/^21–40 of/)
      .first()
      .waitFor();
    await eventually('the second page', async () => (await titles())[0] === 'Many 179');
    await page.getByRole('link', { name: 'Previous page' }).first().click();
    await page
      .getByText(/^1–20 of/)
      .first()
      .waitFor();
    const search = page.getByRole('searchbox', { name: 'Search by title or id' });
    await search.fill('many 12');
    await page.getByText('1–11 of 11').waitFor();
    await eventually('what is found', async () => (await titles()).toSorted()[0] === 'Many 12');
    expect(await page.evaluate('document.activeElement.type')).toBe('search');
    await search.fill(String(made[7]));
    await page.getByRole('link', { name: 'Many 7', exact: true }).waitFor();
    // Nothing in it means anything to SQL.
    await search.fill(`%_'\\`);
    await page.getByText('No coupon matches.').waitFor();
    await search.fill('many');
    await page.getByText('1–20 of 200').first().waitFor();
    for (const [state, title] of [
      ['Paused', 'Many 3'],
      ['Not started', 'Many 4'],
      ['Ended', 'Many 5'],
      ['Sold out', 'Many 6'],
    ] as const) {
      await page.getByRole('combobox', { name: 'Status' }).selectOption(state);
      await eventually(`the coupon that is ${state}`, async () => (await titles()).join() === title);
      await page.getByText('1–1 of 1').waitFor();
      await page.locator('tbody').getByText(state).waitFor();
    }
    await page.getByRole('combobox', { name: 'Status' }).selectOption('All states');
    await page.getByText('1–20 of 200').first().waitFor();
    await page.getByRole('combobox', { name: 'Order' }).selectOption('Latest start first');
    await eventually('the latest start', async () => (await titles())[0] === 'Many 4');
    await passes(page, 'coupons-many');
    // Titles are in one line, however long.
    await search.fill('many words');
    await page.getByText('1–1 of 1').waitFor();
    const heights = await page.evaluate(
      `[...document.querySelectorAll('.one-line')].map(({ offsetHeight }) => offsetHeight)`,
    );
    expect(Math.max(...(heights as number[]))).toBeLessThan(40);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('the list fits a phone, in the dark and in Korean', async () => {
    await system.stores.coupon({
      title: '아주 긴 제목의 겨울 세일 쿠폰, 모든 상품에 사용할 수 있는 5,000원 할인',
    });
    const { page, faults } = await openConsole(system, { phone: true, dark: true, language: 'ko-KR' });
    await page.locator('tbody').getByText('발급 중').first().waitFor();
    await passes(page, 'coupons-many-phone-dark-korean');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('a coupon is duplicated for a time to come, and is not announced', async () => {
    const { id } = await system.stores.coupon({ title: 'Once more', totalQuantity: 77, listed: true });
    const { page, faults } = await openConsole(system);
    await page.goto(`/console#/coupons/${id}`);
    await page.getByRole('link', { name: 'Duplicate' }).click();
    await page.getByRole('heading', { name: 'Copy of Once more' }).waitFor();
    expect(await page.title()).toBe('Copy of Once more · Coupon console');
    await page.getByRole('button', { name: 'Create coupon' }).click();
    await page.getByRole('heading', { name: 'Once more', exact: true }).waitFor();
    const copy = await system.stores.couponNow(Number(/\d+$/.exec(page.url())?.[0]));
    expect(copy).toMatchObject({ title: 'Once more', totalQuantity: 77, listed: false });
    expect([copy.id === id, copy.startMs > Date.now()]).toEqual([false, true]);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('the time zone is chosen once, and every instant and every form is in it and says so', async () => {
    const startMs = Date.parse('2027-01-01T00:00:00Z');
    const { id } = await system.stores.coupon({ title: 'In a zone', startMs, endMs: startMs + 3_600_000 });
    const { page, faults } = await openConsole(system, { zone: 'Asia/Seoul' });
    await page.goto(`/console#/coupons/${id}`);
    await page.getByText(/Jan 1, 2027, 09:00 AM GMT\+9/).waitFor();
    await page.getByRole('combobox', { name: 'Time zone' }).selectOption('America/New_York');
    await page.getByText(/Dec 31, 2026, 07:00 PM (EST|GMT-5)/).waitFor();
    await page.reload();
    await page.getByText(/Dec 31, 2026, 07:00 PM (EST|GMT-5)/).waitFor();
    await page.getByRole('link', { name: 'Edit' }).click();
    expect(await page.getByLabel('Starts').inputValue()).toMatch(/^2026-12-31T19:00(:00)?$/);
    await page.getByLabel('Starts').fill('2026-12-31T19:30:00');
    await page.getByRole('button', { name: 'Save changes' }).click();
    await page.getByRole('heading', { name: 'In a zone', exact: true }).waitFor();
    expect(await system.stores.couponNow(id)).toMatchObject({ startMs: startMs + 1_800_000 });
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.each(['en', 'ko'] as const)('a drop that is over is shown whole to who comes later, in %s', async (language) => {
    const words = consoleTexts[language];
    const { id } = await system.stores.coupon({ title: `Over ${language}`, totalQuantity: 300 });
    expect(await system.rush(id, 200, `first-${language}`)).toBe(200);
    await Bun.sleep(1500);
    expect(await system.rush(id, 250, `then-${language}`)).toBe(100);
    expect(await system.rush(id, 5, `first-${language}`)).toBe(0);
    await system.worker.drained();
    await eventually('the counts', async () => (await fetchTimeline(id)).refusals.soldOut === 150);
    expect((await fetchTimeline(id)).refusals.alreadyIssued).toBe(5);
    const { page, faults } = await openConsole(system, {
      dark: language === 'ko',
      language: language === 'ko' ? 'ko-KR' : 'en-GB',
    });
    await page.goto(`/console#/coupons/${id}`);
    const facts = page.getByRole('region', { name: words.dropFacts });
    const figure = async (name: string) =>
      (await facts.locator('div').filter({ hasText: name }).locator('dd').textContent()) ?? '';
    await facts.getByText(words.soldOutAfter).waitFor();
    expect(await figure(words.refusedSoldOut)).toBe('150');
    expect(await figure(words.refusedDuplicate)).toBe('5');
    expect(await figure(words.fieldDiscount)).toBe(language === 'ko' ? '1,000원' : '₩1,000');
    expect(Number(/\d+/.exec(await figure(words.peak))?.[0])).toBeGreaterThanOrEqual(150);
    expect(await figure(words.soldOutAfter)).toMatch(/\d/);
    // The plots have what was before the page: under the pointer stands the value of then.
    const plot = page.locator('.plot').first();
    const box = await plot.locator('.u-over').boundingBox();
    const seen = new Set<string | null>();
    await eventually('the rush under the pointer', async () => {
      for (let part = 0.02; part < 1; part += 0.08) {
        await page.mouse.move((box?.x ?? 0) + (box?.width ?? 0) * part, (box?.y ?? 0) + 40);
        seen.add(await plot.locator('.legend dd').first().textContent());
      }
      return [...seen].some((text) => Number(text?.replace(',', '')) >= 90);
    });
    await plot.locator('time').waitFor();
    await page.getByRole('button', { name: words.wholeDrop }).click();
    await passes(page, `watch-later-${language}`);
    // Dragging zooms, and a button leads back.
    const y = (box?.y ?? 0) + 60;
    await page.mouse.move((box?.x ?? 0) + 20, y);
    await page.mouse.down();
    await page.mouse.move((box?.x ?? 0) + 120, y, { steps: 5 });
    await page.mouse.up();
    const whole = page.getByRole('button', { name: words.wholeDrop });
    await eventually('a zoom', async () => (await whole.getAttribute('aria-pressed')) === 'false');
    await whole.click();
    expect(await whole.getAttribute('aria-pressed')).toBe('true');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.each(['en', 'ko'] as const)('a form names all faults at their fields, in %s', async (language) => {
    const words = consoleTexts[language];
    const { page, faults } = await openConsole(system, { language: language === 'ko' ? 'ko-KR' : 'en-GB' });
    await page.getByRole('link', { name: words.newCoupon }).click();
    await page.getByLabel(words.fieldTotal).fill('0');
    await page.getByLabel(words.fieldDiscount).fill('');
    await page.getByLabel(words.fieldEnd, { exact: true }).fill('2020-01-01T00:00:00');
    await page.getByLabel(words.fieldCurrency).fill('won');
    await page.getByLabel(words.fieldUsableDays, { exact: true }).fill('5000');
    await page.getByRole('button', { name: words.create }).click();
    const texts = async () => (await page.locator('.fault').allTextContents()).filter((text) => text !== '');
    await eventually('all faults', async () => (await texts()).length === 6);
    expect((await texts()).toSorted()).toEqual(
      [
        words.mustGive,
        words.mustTotal,
        words.mustGive,
        words.mustEnd,
        words.mustCurrency,
        words.mustUsableDays,
      ].toSorted(),
    );
    // At the first of them the reader goes on.
    expect(await page.evaluate('document.activeElement.name')).toBe('title');
    await passes(page, `form-faults-${language}`);
    // What only the server knows is said in the same words.
    await page.getByLabel(words.fieldTitle).fill('Faults');
    await page.getByLabel(words.fieldTotal).fill('1');
    await page.getByLabel(words.fieldDiscount).fill('1');
    await page.getByLabel(words.fieldEnd, { exact: true }).fill('2040-01-01T00:00:00');
    await page.getByLabel(words.fieldCurrency).fill('XXQ');
    await page.getByLabel(words.fieldUsableDays, { exact: true }).fill('50');
    await page.getByRole('button', { name: words.create }).click();
    await eventually(
      'those of the server',
      async () => (await texts()).length > 0 && !(await texts()).includes(words.mustEnd),
    );
    expect(await texts()).toContain(words.mustCurrency);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('an edit that meets another keeps what was typed, shows both, and overwrites nothing that was not touched', async () => {
    const { id } = await system.stores.coupon({ title: 'Mine and theirs', totalQuantity: 100 });
    const { page, faults } = await openConsole(system);
    await page.goto(`/console#/coupons/${id}/edit`);
    await page.getByLabel('Title').fill('My title');
    await system.stores.edit(id, { title: 'Their title', totalQuantity: 250 });
    await page.getByRole('button', { name: 'Save changes' }).click();
    await page.getByText('Somebody else has saved this coupon meanwhile.').waitFor();
    // What the other saved is read once the conflict is known.
    await page.getByText('Saved now: Their title').waitFor();
    expect(await page.getByLabel('Title').inputValue()).toBe('My title');
    expect(await page.getByLabel('How many').inputValue()).toBe('250');
    await passes(page, 'edit-conflict');
    await page.getByLabel('Language').selectOption('한국어');
    await page.getByText('현재 저장된 값: Their title').waitFor();
    expect(await page.getByLabel('제목').inputValue()).toBe('My title');
    await passes(page, 'edit-conflict-korean');
    await page.getByRole('button', { name: '변경 사항 저장' }).click();
    await page.getByRole('heading', { name: 'My title', exact: true }).waitFor();
    expect(await system.stores.couponNow(id)).toMatchObject({ title: 'My title', totalQuantity: 250, version: 3 });
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('what changes much is asked about, what cannot be done says why, and cancelling leads back', async () => {
    const { id } = await system.stores.coupon({ title: 'Asked about' });
    await system.stores.edit(id, { issuedQuantity: 1 });
    const { page, faults } = await openConsole(system);
    // A pause.
    await page.getByRole('button', { name: 'Pause: Asked about' }).click();
    await page.getByText('From now on everybody who asks for it is refused').waitFor();
    await passes(page, 'pause-question');
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    expect(await system.stores.couponNow(id)).toMatchObject({ paused: false });
    // Cancel leads to where the reader came from.
    await page.getByRole('searchbox').fill('Asked');
    await page.getByText('1–1 of 1').waitFor();
    await page.getByRole('link', { name: 'Edit: Asked about' }).click();
    await page.getByText('It has issues, so it cannot be deleted.').waitFor();
    await page.getByRole('button', { name: 'Delete coupon' }).click({ force: true });
    expect(await page.getByRole('dialog').count()).toBe(0);
    await page.getByRole('link', { name: 'Cancel' }).click();
    await page.getByText('1–1 of 1').waitFor();
    // A period that is over.
    await page.getByRole('link', { name: 'New coupon' }).click();
    await page.getByLabel('Title').fill('Too late');
    await page.getByLabel('Starts').fill('2020-01-01T00:00:00');
    await page.getByLabel('Ends').fill('2020-01-02T00:00:00');
    await page.getByRole('button', { name: 'Create coupon' }).click();
    await page.getByText('The whole period is in the past').waitFor();
    await passes(page, 'past-question');
    await page.getByRole('dialog').getByRole('button', { name: 'Create coupon' }).click();
    await page.getByRole('heading', { name: 'Too late' }).waitFor();
    // What was said ends with its page.
    await page.getByText('Too late is saved.').waitFor();
    await page.getByRole('link', { name: 'Coupons', exact: true }).click();
    await page.getByRole('heading', { name: 'Coupons' }).waitFor();
    expect(await page.getByText('Too late is saved.').count()).toBe(0);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('after signing in the focus is on the page, and its title says where one is', async () => {
    const { page, faults } = await system.open();
    await page.goto('/console#/users');
    expect(await page.title()).toBe('Coupon console');
    await page.getByLabel('API key').fill(OPERATOR_KEY);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Find a user' }).waitFor();
    expect(await page.evaluate('document.activeElement.id')).toBe('content');
    await eventually('the title', async () => (await page.title()) === 'Find a user · Coupon console');
    await tabTo(page, page.getByRole('textbox', { name: 'User id' }));
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.each(['en', 'ko'] as const)(
    'dead letters show their users and entries, are counted in the menu and replayed together, in %s',
    async (language) => {
      const words = consoleTexts[language];
      const { id } = await system.stores.coupon({ title: `Letters ${language}` });
      const { dead } = system.stores.keys(id);
      const bury = (firstSequence: number, user: string) =>
        system.stores.redis.xadd(
          dead,
          '*',
          ...writeEntry({ couponId: id, epoch: 0, firstSequence, acceptedMs: Date.now(), users: [user] }),
          'entry',
          `${firstSequence}-0`,
          'reason',
          'the coupon was missing',
        );
      await bury(1, `kim-${language}`);
      await bury(2, `lee-${language}`);
      // Of a later release: nobody can do anything about it here, and the menu does not count it.
      const unreadable = await system.stores.redis.xadd(
        dead,
        '*',
        'v',
        '9',
        'entry',
        '9-0',
        'reason',
        'unknown version',
      );
      const { page, faults } = await openConsole(system, {
        phone: language === 'ko',
        language: language === 'ko' ? 'ko-KR' : 'en-GB',
      });
      const menu = page.getByRole('link', { name: words.deadLetters });
      await menu.getByText('2', { exact: true }).waitFor();
      await menu.click();
      const first = page.getByRole('listitem').filter({ hasText: words.letterContent }).first();
      await first.getByText(words.letterContent).click();
      await first.getByText(`kim-${language}`, { exact: true }).waitFor();
      await first.locator('pre').getByText(`kim-${language}`).waitFor();
      await page.getByText(words.whyNoReplay).waitFor();
      await passes(page, `dead-letters-open-${language}`);
      await page.getByRole('button', { name: words.replayAll }).click();
      await page.getByRole('dialog').getByRole('button', { name: words.replayAll }).click();
      await system.worker.drained();
      await eventually('the rows', async () => (await system.stores.rows(id)).length === 2);
      await eventually('the list', async () => (await page.locator('.letter').count()) === 1);
      await page.goto(`/console#/coupons/${id}`);
      await page.getByRole('button', { name: words.auditRun }).click();
      await page.getByText(words.auditWithheld).waitFor();
      await page.getByText(words.auditGood).waitFor();
      await system.stores.redis.xdel(dead, String(unreadable));
      expect(faults).toEqual([]);
      await page.context().close();
    },
  );
});

/** Coupons with titles by number, of which some are in another state. Returns their ids. */
async function makeCoupons(count: number): Promise<readonly number[]> {
  const now = Date.now();
  const special: Readonly<
    Record<number, { title?: string; startMs?: number; endMs?: number; totalQuantity?: number }>
  > = {
    4: { startMs: now + 86_400_000, endMs: now + 2 * 86_400_000 },
    5: { startMs: now - 2000, endMs: now - 1000 },
    6: { totalQuantity: 1 },
    8: {
      title: 'Many words that do not fit into a single line of this table, however wide the page of the operator is',
    },
  };
  const rows = Array.from({ length: count }, (_, i) => {
    const { title, startMs, endMs, totalQuantity } = {
      title: `Many ${i}`,
      startMs: now - 3_600_000,
      endMs: now + 3_600_000,
      totalQuantity: 100,
      ...special[i],
    };
    const amounts = { couponType: 'FIRST_COME_FIRST_SERVED', discountAmount: 1000, minAvailableAmount: 0 } as const;
    const period = { dateIssueStart: new Date(startMs), dateIssueEnd: new Date(endMs) };
    return { ...amounts, ...period, title, totalQuantity, dateCreated: new Date(now), dateUpdated: new Date(now) };
  });
  // In one statement, whose ids follow each other.
  const first = await withConnection(system.stores.database, async (session) => {
    const [{ insertId }] = await session.insert(coupons).values(rows);
    return insertId;
  });
  const ids = rows.map((_, i) => first + i);
  await system.stores.edit(ids[3] ?? 0, { paused: true });
  await system.stores.edit(ids[6] ?? 0, { issuedQuantity: 1 });
  return ids;
}

async function fetchTimeline(id: number): Promise<{ readonly refusals: Record<'soldOut' | 'alreadyIssued', number> }> {
  const headers = { authorization: `Bearer ${OPERATOR_KEY}` };
  const answer = await fetch(`${system.url}/v1/coupons/${id}/timeline`, { headers });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Awaited<ReturnType<typeof fetchTimeline>>;
}
