// console.test.ts -- The console for operators, in real Chromium, on the real server with real stores.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import type { Page } from 'playwright-core';
import { listTrail } from '../../src/auth/audit-trail.ts';
import { couponIssues } from '../../drizzle/schema.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { findBrowser } from '../../tools/test-programs.ts';
import { writeEntry } from '../../src/stream/entry.ts';
import { eventually } from '../eventually.ts';
import { issueTexts } from '../../web/console/users/issue-texts.ts';
import { type LiveSystem, OPERATOR_KEY, openConsole, startLiveSystem } from './live-system.ts';
import { passes, tabTo } from './page-checks.ts';

// A test that takes too long takes the browser of all others with it.
setDefaultTimeout(180_000);

let system: LiveSystem;

describe.skipIf(findBrowser() === undefined)('the console', () => {
  beforeAll(async () => {
    system = await startLiveSystem();
  }, 30_000);
  afterAll(() => system[Symbol.asyncDispose](), 30_000);

  test.concurrent('a wrong key is refused with a message, and the right one opens the console', async () => {
    await system.stores.coupon({ title: 'In the list' });
    const { page, faults } = await system.open();
    await page.goto('/console');
    await page.getByLabel('API key').fill('not-the-key-of-this-place');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('This key is not accepted: it is mistyped, or it was revoked.').waitFor();
    await passes(page, 'sign-in');
    await page.getByLabel('API key').fill(OPERATOR_KEY);
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'In the list', exact: true }).waitFor();
    expect(await page.evaluate(() => [localStorage.length, sessionStorage.length])).toEqual([0, 1]);
    await passes(page, 'coupons');
    expect(faults).toEqual([]);
    // Where there is nothing to be shown, or nobody who answers, the page says so, and how to go on.
    await page.route('**/v1/coupons?*', (route) => route.abort());
    await page.reload();
    await page.getByText('The server does not respond.').waitFor();
    await passes(page, 'coupons-unreachable');
    await page.unroute('**/v1/coupons?*');
    await page.route('**/v1/coupons?*', (route) => route.fulfill({ json: { coupons: [], next: null, total: 0 } }));
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('There are no coupons yet.').waitFor();
    await passes(page, 'coupons-none');
    await page.context().close();
  });

  test.concurrent('a key may do in the console what its scopes say, until it is revoked', async () => {
    const { id } = await system.stores.coupon({ title: 'Looked at' });
    const [read, issue, admin] = await Promise.all([makeKey('read'), makeKey('issue'), makeKey('admin,read')]);
    const { page, faults } = await system.open({ at: system.guardedUrl });
    await page.goto('/console');
    await signIn(page, issue.key);
    await page.getByText('This key may not look at coupons.').waitFor();
    await signIn(page, read.key);
    await page.getByText('Read only').waitFor();
    await page.getByRole('link', { name: 'Looked at' }).waitFor();
    expect(await page.getByRole('button').allTextContents()).toEqual(['Sign out']);
    expect(await page.getByRole('link').allTextContents()).not.toContain('Dead letters');
    await passes(page, 'coupons-read-only');
    for (const place of ['new', 'dead-letters', `coupons/${id}/edit`]) {
      await page.goto(`/console#/${place}`);
      await page.getByText('Your key may look, and change nothing.').waitFor();
    }
    await passes(page, 'read-only');
    await page.goto(`/console#/coupons/${id}`);
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Run the check' }).click();
    await page.getByText('Every promise is kept.').waitFor();
    expect(await page.getByRole('button').allTextContents()).toEqual([
      'Sign out',
      'Whole drop',
      'Last 5 min',
      'Last 1 min',
      'Check now',
      'Run the check',
      'Show the days',
    ]);
    await page.getByRole('button', { name: 'Show the days' }).click();
    await page.getByText('Nothing in these days.').waitFor();
    await runKey('revoke', read.id);
    await page.getByText('Your key is not accepted any more: it was revoked.').waitFor();
    expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
    await passes(page, 'sign-in-after-revoking');
    await signIn(page, read.key);
    await page.getByText('This key is not accepted: it is mistyped, or it was revoked.').waitFor();
    await signIn(page, admin.key);
    // Where it was, and now with what changes things.
    await page.getByRole('button', { name: 'Pause: Looked at' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
    await page.getByText('Looked at is paused.').waitFor();
    expect(await system.stores.couponNow(id)).toMatchObject({ paused: true });
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('the keyboard alone is enough to sign in, create a coupon and confirm its deletion', async () => {
    const { page, faults } = await system.open();
    await page.goto('/console');
    await tabTo(page, page.getByRole('textbox', { name: 'API key' }));
    await page.keyboard.type(OPERATOR_KEY);
    await page.keyboard.press('Enter');
    await tabTo(page, page.getByRole('link', { name: 'New coupon' }));
    await page.keyboard.press('Enter');
    await tabTo(page, page.getByRole('textbox', { name: 'Title' }));
    await page.keyboard.type('Made by hand');
    await tabTo(page, page.getByRole('checkbox', { name: 'No limit' }));
    await page.keyboard.press('Space');
    await tabTo(page, page.getByRole('button', { name: 'Create coupon' }));
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Made by hand' }).waitFor();
    await tabTo(page, page.getByRole('link', { name: 'Edit' }));
    await page.keyboard.press('Enter');
    await passes(page, 'edit-coupon');
    await tabTo(page, page.getByRole('button', { name: 'Delete coupon' }));
    await page.keyboard.press('Enter');
    await passes(page, 'delete-question');
    // The question holds the focus, and Escape is a no that leads back to the button.
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Delete coupon');
    await page.keyboard.press('Enter');
    await tabTo(page, page.getByRole('dialog').getByRole('button', { name: 'Cancel' }));
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Delete coupon');
    await page.keyboard.press('Enter');
    await tabTo(page, page.getByRole('dialog').getByRole('button', { name: 'Delete coupon' }));
    await page.keyboard.press('Enter');
    await page.getByText('Made by hand is deleted.').waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('an operator makes a coupon, changes it, pauses it and deletes it', async () => {
    const { page, faults } = await openConsole(system, { phone: true, width: 360 });
    await page.getByRole('link', { name: 'New coupon' }).click();
    await page.getByLabel('Title').fill('Made in the browser');
    await page.getByLabel('How many').fill('250');
    await passes(page, 'new-coupon-360');
    // On a slow network the button says what it does, and a second press makes no second coupon.
    let asked = 0;
    await page.route('**/v1/coupons', async (route) => {
      if (route.request().method() === 'POST') {
        asked += 1;
        await Bun.sleep(1000);
      }
      await route.continue();
    });
    await page.getByRole('button', { name: 'Create coupon' }).dblclick();
    const busy = page.getByRole('button', { name: 'Saving…' });
    await busy.waitFor();
    expect([await busy.isDisabled(), asked]).toEqual([true, 1]);
    await page.getByRole('heading', { name: 'Made in the browser' }).waitFor();
    const id = Number(/\d+$/.exec(page.url())?.[0]);
    expect(await system.stores.couponNow(id)).toMatchObject({ title: 'Made in the browser', totalQuantity: 250 });
    expect(asked).toBe(1);
    await page.getByRole('link', { name: 'Edit' }).click();
    await page.getByLabel('No limit').check();
    await page.getByRole('button', { name: 'Save changes' }).click();
    await page.getByText('issued so far').waitFor();
    await page.getByRole('button', { name: /^Pause/ }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: /^Resume/ }).waitFor();
    expect(await system.stores.couponNow(id)).toMatchObject({ totalQuantity: null, paused: true, version: 3 });
    await page.getByRole('link', { name: 'Edit' }).click();
    await page.getByRole('button', { name: 'Delete coupon' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete coupon' }).click();
    await page.getByRole('heading', { name: 'Coupons' }).waitFor();
    await expect(system.stores.couponNow(id)).rejects.toThrow();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('a validation fault appears beside its field, and a concurrent edit is never overwritten', async () => {
    const { id } = await system.stores.coupon({ title: 'Two hands' });
    const { page, faults } = await openConsole(system);
    await page.goto(`/console#/coupons/${id}/edit`);
    await page.getByLabel('Ends').fill('2020-01-01T00:00:00');
    await page.getByRole('button', { name: 'Save changes' }).click();
    await page.getByText('Must be after the start.').waitFor();
    await system.stores.edit(id, { title: 'The other hand' });
    await page.getByLabel('Ends').fill('2040-01-01T00:00:00');
    await page.getByRole('button', { name: 'Save changes' }).click();
    await page.getByRole('heading', { name: 'Edit The other hand' }).waitFor();
    expect(await system.stores.couponNow(id)).toMatchObject({ title: 'The other hand', version: 2 });
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('what users of a coupon were promised cannot be edited, and the form says why', async () => {
    const { id } = await system.stores.coupon({ title: 'Promised' });
    await system.stores.edit(id, { issuedQuantity: 1 });
    const { page, faults } = await openConsole(system);
    await page.goto(`/console#/coupons/${id}/edit`);
    const reasons = page.getByText('this is what their users were promised');
    await reasons.first().waitFor();
    expect(await reasons.count()).toBe(7);
    const fixed = ['Discount', 'Minimum order', 'Currency', 'Can be used from', 'Can be used until'];
    for (const label of [...fixed, 'Can be used for days', 'Time zone of these days'])
      expect(await page.getByLabel(label).isEditable()).toBe(false);
    await passes(page, 'edit-issued-coupon');
    const dateIssued = new Date();
    await withConnection(system.stores.database, (session) =>
      session
        .insert(couponIssues)
        .values({ couponId: id, sequence: 1, userId: 'kim', dateIssued, dateUsed: dateIssued }),
    );
    await page.goto(`/console#/coupons/${id}`);
    await page.getByRole('button', { name: 'Show the days' }).click();
    await page.getByRole('cell', { name: '₩1,000' }).waitFor();
    await passes(page, 'days-of-a-coupon');
    await page.goto(`/console#/coupons/${id}/edit`);
    await page.getByLabel('Title').fill('Promised still');
    await page.getByRole('button', { name: 'Save changes' }).click();
    await page.getByRole('heading', { name: 'Promised still', exact: true }).waitFor();
    expect(await system.stores.couponNow(id)).toMatchObject({ title: 'Promised still', discountAmount: 1000 });
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('the issues of a coupon are listed, one user is found, and all are downloaded', async () => {
    const { id } = await system.stores.coupon({ title: 'Listed in order', totalQuantity: null });
    expect(await system.rush(id, 60)).toBe(60);
    await system.worker.drained();
    const { page, faults } = await openConsole(system);
    await page.goto(`/console#/coupons/${id}`);
    await page.getByRole('link', { name: 'Issues', exact: true }).click();
    await page.getByRole('heading', { name: 'Issues of Listed in order' }).waitFor();
    await page.getByRole('rowheader', { name: '50', exact: true }).waitFor();
    expect(await page.getByRole('rowheader').count()).toBe(50);
    await passes(page, 'issues-of-a-coupon');
    await page.getByRole('button', { name: 'Next page' }).click();
    await page.getByRole('rowheader', { name: '60', exact: true }).waitFor();
    expect(await page.getByRole('rowheader').count()).toBe(10);
    await page.getByRole('button', { name: 'Look again' }).waitFor();
    await page.getByLabel('User id').fill('rush-7');
    await page.keyboard.press('Enter');
    await page.getByRole('cell', { name: 'rush-7', exact: true }).waitFor();
    expect(await page.getByRole('rowheader').count()).toBe(1);
    await page.getByLabel('User id').fill('nobody');
    await page.getByRole('button', { name: 'Find a user' }).click();
    await page.getByText('nobody has no issue of this coupon that is a row in MySQL.').waitFor();
    await passes(page, 'issue-of-nobody');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download CSV' }).click(),
    ]);
    expect(download.suggestedFilename()).toBe(`coupon-${id}-issues.csv`);
    await page.getByText('60 issues are in the file.').waitFor();
    const lines = (await Bun.file(await download.path()).text()).trimEnd().split('\n');
    const rows = await system.stores.rows(id);
    expect(lines.slice(1).map((line) => line.split(',').slice(0, 2).join())).toEqual(
      rows.map(({ sequence, userId }) => `${sequence},${userId}`),
    );
    // A file whose connection breaks is none.
    await page.route('**/issues', (route) => route.abort());
    await page.getByRole('button', { name: 'Download CSV' }).click();
    await page.getByText('The file could not be read to its end.').waitFor();
    expect(faults.filter((fault) => !fault.includes('net::ERR_FAILED'))).toEqual([]);
    await page.context().close();
  });

  test.concurrent('the issues of a coupon fit a phone, in the dark and in Korean', async () => {
    const { id } = await system.stores.coupon({ title: '발급 내역 쿠폰' });
    expect(await system.rush(id, 3)).toBe(3);
    await system.worker.drained();
    const { page, faults } = await openConsole(system, { phone: true, width: 360, dark: true, language: 'ko-KR' });
    await page.goto(`/console#/coupons/${id}/issues`);
    await page.getByRole('heading', { name: '발급 내역 쿠폰 발급 내역' }).waitFor();
    await page.getByRole('rowheader').first().waitFor();
    await passes(page, 'issues-of-a-coupon-360-dark-ko');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('a coupon says when it can be used, in the form and to those who have it', async () => {
    const { page, faults } = await openConsole(system, { zone: 'Asia/Seoul' });
    await page.getByRole('link', { name: 'New coupon' }).click();
    await page.getByLabel('Title').fill('For thirty days');
    expect(await page.getByLabel('Time zone of these days').inputValue()).toBe('Asia/Seoul');
    await page.getByLabel('Currency').fill('USD');
    await page.getByLabel('Can be used for days').fill('30');
    await page.getByLabel('Can be used until').fill('2030-01-01T00:00:00');
    await page.getByRole('button', { name: 'Create coupon' }).click();
    // The two exclude each other, and the API says so beside the field.
    await page.getByText('Please correct what is marked.').waitFor();
    await passes(page, 'usable-fields');
    await page.getByLabel('Can be used until').fill('');
    await page.getByRole('button', { name: 'Create coupon' }).click();
    await page.getByRole('heading', { name: 'For thirty days', exact: true }).waitFor();
    const id = Number(/coupons\/(\d+)/.exec(page.url())?.[1]);
    expect(await system.stores.couponNow(id)).toMatchObject({
      currency: 'USD',
      usableDays: 30,
      usableFromMs: null,
      usableUntilMs: null,
      timeZone: 'Asia/Seoul',
    });
    await page.goto(`/console#/coupons/${id}/edit`);
    await page.getByLabel('Can be used for days').fill('');
    await page.getByLabel('Can be used from').fill('2029-12-31T09:00:00');
    await page.getByLabel('Can be used until').fill('2030-01-01T00:00:00');
    await page.getByRole('button', { name: 'Save changes' }).click();
    await page.getByRole('heading', { name: 'For thirty days', exact: true }).waitFor();
    expect(await system.stores.couponNow(id)).toMatchObject({
      usableDays: null,
      usableFromMs: Date.parse('2029-12-31T00:00:00Z'),
      usableUntilMs: Date.parse('2029-12-31T15:00:00Z'),
    });
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent.each(['en', 'ko'] as const)(
    'an operator uses, gives back and revokes an issue by the keyboard alone, in %s',
    async (language) => {
      const words = issueTexts[language];
      const user = `holder-${language}-0`;
      const { id } = await system.stores.coupon({ title: `Held ${language}` });
      expect(await system.rush(id, 1, `holder-${language}`)).toBe(1);
      await eventually('the row', async () => (await system.stores.rows(id)).length === 1);
      const { page, faults } = await openConsole(system);
      await page.goto('/console#/users');
      await page.getByLabel('Language').selectOption(language);
      await page.locator('#user').fill(user);
      await page.keyboard.press('Enter');
      const button = (verb: string) => page.getByRole('button', { name: `${verb}: Held ${language}` });
      const answer = async (verb: string) => {
        await tabTo(page, page.getByRole('dialog').getByRole('button', { name: verb, exact: true }));
        await page.keyboard.press('Enter');
        await page.getByRole('dialog').waitFor({ state: 'detached' });
      };
      await button(words.use).waitFor();
      await tabTo(page, button(words.use));
      await page.keyboard.press('Enter');
      await page.getByLabel(words.reference).fill('order-7');
      await passes(page, `use-issue-${language}`);
      await answer(words.use);
      await page.getByText('order-7').waitFor();
      await passes(page, `used-issue-${language}`);
      await tabTo(page, button(words.undo));
      await page.keyboard.press('Enter');
      await answer(words.undo);
      await button(words.revoke).waitFor();
      await tabTo(page, button(words.revoke));
      await page.keyboard.press('Enter');
      // Not without a reason.
      const revoke = page.getByRole('dialog').getByRole('button', { name: words.revoke, exact: true });
      expect(await revoke.isEnabled()).toBe(false);
      await page.getByLabel(words.revokeReason).fill('taken by a program');
      await passes(page, `revoke-issue-${language}`);
      await answer(words.revoke);
      await page.getByText(words.isRevoked, { exact: true }).first().waitFor();
      expect(await page.getByRole('button', { name: `Held ${language}` }).count()).toBe(0);
      const trail = await listTrail(system.stores.database, { couponId: id, key: null, after: 0, limit: 10 });
      expect(trail.map(({ action }) => action)).toEqual(['issue.revoke', 'issue.undo-use']);
      await page.goto(`/console#/coupons/${id}`);
      await page.getByText('taken by a program').waitFor();
      await passes(page, `history-of-issues-${language}`);
      expect(faults).toEqual([]);
      await page.context().close();
    },
  );

  test.concurrent('what was not touched is not changed, and an hour that exists twice is asked about', async () => {
    // In New York 01:30 exists twice on this day; this is the second, with milliseconds that the input has to keep.
    const startMs = Date.parse('2027-11-07T06:30:00.750Z');
    const endMs = Date.parse('2027-11-09T00:00:00Z');
    const { id } = await system.stores.coupon({ title: 'Autumn', startMs, endMs });
    const { page, faults } = await openConsole(system, { zone: 'America/New_York' });
    const save = () => page.getByRole('button', { name: 'Save changes' }).click();
    await page.goto(`/console#/coupons/${id}/edit`);
    await save();
    await page.getByText('Nothing was changed.').waitFor();
    await page.getByLabel('Title').fill('Autumn sale');
    await save();
    await page.getByRole('heading', { name: 'Autumn sale', exact: true }).waitFor();
    expect(await system.stores.couponNow(id)).toMatchObject({ title: 'Autumn sale', startMs, endMs });
    await page.goto(`/console#/coupons/${id}/edit`);
    await page.getByLabel('Starts').fill('2027-11-07T01:45:00.750');
    await save();
    await page.getByLabel('This time exists twice. Which one?').selectOption('UTC-04:00');
    await passes(page, 'edit-coupon-twice');
    await page.getByLabel('Ends').fill('2028-03-12T02:30:00');
    await save();
    expect(
      await page
        .getByLabel('Ends')
        .evaluate((input) => (input as unknown as { validationMessage: string }).validationMessage),
    ).toBe('This time does not exist: the clocks are put forward.');
    await page.getByLabel('Ends').fill('2027-11-09T00:00:00');
    await save();
    await page.getByRole('heading', { name: 'Autumn sale', exact: true }).waitFor();
    expect(await system.stores.couponNow(id)).toMatchObject({
      startMs: Date.parse('2027-11-07T05:45:00.750Z'),
      endMs: Date.parse('2027-11-09T05:00:00Z'),
    });
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('a coupon of the first to the last instant that the API takes is shown and edited in a zone east of it', async () => {
    const [startMs, endMs] = [0, Date.parse('9999-12-31T23:59:59.999Z')];
    const { id } = await system.stores.coupon({ title: 'Always', startMs, endMs });
    const { page, faults } = await openConsole(system, { zone: 'Asia/Seoul' });
    await page.goto(`/console#/coupons/${id}/edit`);
    expect(await page.getByLabel('Ends').inputValue()).toBe('10000-01-01T08:59:59.999');
    await page.getByLabel('Title').fill('For ever');
    await page.getByRole('button', { name: 'Save changes' }).click();
    await page.getByRole('heading', { name: 'For ever', exact: true }).waitFor();
    expect(await system.stores.couponNow(id)).toMatchObject({ title: 'For ever', startMs, endMs });
    await page.goto(`/console#/coupons/${id}/edit`);
    await page.getByLabel('Ends').fill('10000-01-01T08:00:00.000');
    await page.getByRole('button', { name: 'Save changes' }).click();
    await page.getByRole('heading', { name: 'For ever', exact: true }).waitFor();
    expect(await system.stores.couponNow(id)).toMatchObject({ startMs, endMs: Date.parse('9999-12-31T23:00:00Z') });
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('a watched drop changes its state by the clock, also when it was opened before the start', async () => {
    const { id } = await system.stores.coupon({
      title: 'Soon',
      startMs: Date.now() + 3_600_000,
      endMs: Date.now() + 1e12,
    });
    const { page, faults } = await openConsole(system);
    await page.clock.install();
    let reads = 0;
    page.on('response', (response) => {
      if (new URL(response.url()).pathname === `/v1/coupons/${id}`) reads += 1;
    });
    await page.goto(`/console#/coupons/${id}`);
    await page.getByText('Not started', { exact: true }).waitFor();
    // It is read once more with the first event, which sets the clock again: the server's does not go forward with the page's.
    await page.getByText('Live', { exact: true }).waitFor();
    await eventually('the second reading', () => reads >= 2);
    await page.getByText('Not started', { exact: true }).waitFor();
    // Again, since the answer that sets the clock may have come and not been read.
    await eventually('the state by the clock', async () => {
      await page.clock.fastForward(3_605_000);
      return await page.getByText('Open', { exact: true }).isVisible();
    });
    expect(faults).toEqual([]);
    await page.context().close();
  });

  // Not beside the others, which share its cores.
  test('a drop is watched live under load until nothing is left, and its audit is clean', async () => {
    const [{ id }, { id: goneId }] = await Promise.all([
      system.stores.coupon({ title: 'Winter sale: 5,000 off', totalQuantity: 4000 }),
      system.stores.coupon({ title: 'Gone', totalQuantity: 1 }),
    ]);
    const opened = await Promise.all([
      openConsole(system),
      openConsole(system, { phone: true, dark: true, language: 'ko-KR' }),
      openConsole(system, { dark: true }),
    ]);
    const [{ page }, { page: phone }, { page: dark }] = opened;
    await Promise.all(opened.map((each) => each.page.goto(`/console#/coupons/${id}`)));
    await page.getByText('Live', { exact: true }).waitFor();
    {
      await using _ = system.crowd([id, goneId]);
      // Half of them are gone, so that the plots show what they are for.
      const stock = page.locator('progress.bar');
      await eventually('half of them to be gone', async () => Number(await stock.getAttribute('value')) < 2000);
      expect(await numberIn(page, 'Accepted')).toBeGreaterThan(0);
      expect(await numberIn(page, 'Refused')).toBeGreaterThan(0);
      await Promise.all([passes(page, 'watch'), passes(phone, 'watch-phone-dark-korean'), passes(dark, 'watch-dark')]);
      await page.getByText('Sold out', { exact: true }).waitFor();
    }
    await system.worker.drained();
    await page.getByRole('button', { name: 'Run the check' }).click();
    await page.getByText('Every promise is kept.').waitFor();
    const counts = ['4,000', '4,000', '0', '0', '0', '0', '0', '0', '0', '0'];
    expect(await page.locator('.counts dd').allTextContents()).toEqual(counts);
    for (const plot of ['Stock left', 'Backlog']) {
      await page.locator('.plot').filter({ hasText: plot }).getByText('0', { exact: true }).waitFor();
    }
    await passes(page, 'watch-sold-out');
    for (const { faults } of opened) expect(faults).toEqual([]);
    await Promise.all(opened.map((each) => each.page.context().close()));
  });

  test('before a drop the console shows the preflight and what to do, in both languages', async () => {
    const soon = { title: 'Tomorrow', totalQuantity: 5000, startMs: Date.now() + 86_400_000 };
    const { id } = await system.stores.coupon(soon);
    const { page, faults } = await openConsole(system);
    await page.goto(`/console#/coupons/${id}`);
    // A worker that gets nothing is seen while it waits, which it does most of the time.
    const seeWorker = () =>
      eventually('a worker to be seen', async () => {
        if (await page.getByText('It may not carry this drop: see the warnings.').isVisible()) return true;
        await page.getByRole('button', { name: 'Check now' }).click();
        await page.getByRole('button', { name: 'Check now' }).waitFor();
        return false;
      });
    await seeWorker();
    await page.getByText('5,000 pieces take at most 2 MB in Redis and 2 MB in MySQL.').waitFor();
    // Of each server, where Redis is a cluster.
    const memory = page.getByRole('listitem').filter({ hasText: 'Memory of Redis' }).first();
    await memory.getByText('Set maxmemory of Redis').waitFor();
    const opening = page.getByRole('listitem').filter({ hasText: 'Opening' });
    await opening.getByText('its first request waits').waitFor();
    await passes(page, 'preflight');
    await page.getByRole('button', { name: 'Warm up' }).click();
    await page.getByText('The stock is ready in Redis.').waitFor();
    await page.getByRole('button', { name: 'Check now' }).click();
    await opening.getByText('open in Redis', { exact: true }).waitFor();
    await seeWorker();
    await page.getByLabel('Language').selectOption('한국어');
    await page.getByText('감당하지 못할 수 있습니다. 경고를 확인하세요.').waitFor();
    await page.getByText('Redis에 noeviction과 함께 maxmemory를 설정하세요.').first().waitFor();
    await passes(page, 'preflight-korean');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('a dead letter is replayed, and one that cannot be read is discarded after a question', async () => {
    const { id } = await system.stores.coupon({ title: 'Came back' });
    const { dead } = system.stores.keys(id);
    const entry = writeEntry({ couponId: id, epoch: 0, firstSequence: 1, acceptedMs: Date.now(), users: ['lost'] });
    await system.stores.redis.xadd(dead, '*', ...entry, 'entry', '1-0', 'reason', 'the coupon was missing');
    await system.stores.redis.xadd(dead, '*', 'v', '9', 'entry', '2-0', 'reason', 'unknown version');
    const { page, faults } = await openConsole(system);
    await page.getByRole('link', { name: 'Dead letters' }).click();
    const lost = page.getByRole('listitem').filter({ hasText: 'the coupon was missing' });
    await lost.waitFor();
    await passes(page, 'dead-letters');
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
    await passes(page, 'dead-letters-none');
    expect(await system.stores.redis.xlen(dead)).toBe(0);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('the history of a coupon says who changed what, and grows with each change', async () => {
    const { id, key } = await makeKey('admin,read');
    const { id: couponId } = await system.stores.coupon({ title: 'With a history' });
    const { page, faults } = await system.open({ at: system.guardedUrl });
    await page.goto(`/console#/coupons/${couponId}`);
    await signIn(page, key);
    const history = page.getByRole('region', { name: 'History' });
    await history.getByText('Nothing yet.').waitFor();
    const pause = async () => {
      await page.getByRole('button', { name: 'Pause: With a history' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
    };
    await pause();
    const change = history.getByRole('listitem').first();
    await change.getByText('no → yes').waitFor();
    expect(await change.textContent()).toMatch(/^Changedread and admin.*127\.0\.0\.1Pausedno → yes$/);
    for (let i = 0; i < 5; i += 1) {
      await page.getByRole('button', { name: 'Resume: With a history' }).click();
      await pause();
    }
    await history.getByRole('button', { name: 'Next page' }).click();
    await eventually('the oldest page', async () => (await history.getByRole('listitem').count()) === 1);
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Next page');
    await history.getByRole('button', { name: 'First page' }).click();
    await eventually('the newest page', async () => (await history.getByRole('listitem').count()) === 10);
    await page.getByRole('button', { name: 'Resume: With a history' }).waitFor();
    await page.getByRole('heading', { level: 1 }).waitFor();
    await passes(page, 'history');
    await page.getByLabel('Language').selectOption('한국어');
    await page.getByRole('region', { name: '변경 이력' }).getByText('예 → 아니요').first().waitFor();
    await passes(page, 'history-korean');
    expect(await listTrail(system.stores.database, { after: 0, limit: 99, couponId, key: id })).toHaveLength(11);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('an operator finds what a user has and since when, and looks for one coupon, in both languages', async () => {
    const [{ id }, { id: other }] = await Promise.all([
      system.stores.coupon({ title: 'For somebody' }),
      system.stores.coupon({ title: 'For nobody' }),
    ]);
    const user = 'Kim|42@example.com';
    const issued = await fetch(`${system.url}/v2/issue-async`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ couponId: id, userId: user }),
    });
    expect(issued.status).toBe(202);
    await system.worker.drained();
    const [{ page, faults }, { page: phone, faults: phoneFaults }] = await Promise.all([
      openConsole(system),
      openConsole(system, { phone: true, dark: true, language: 'ko-KR' }),
    ]);
    await page.getByRole('link', { name: 'Find a user' }).click();
    const find = async (userId: string) => {
      await page.getByLabel('User id').fill(userId);
      await page.getByRole('button', { name: 'Find' }).first().click();
    };
    await find('nobody-here');
    await page.getByText('nobody-here has no coupon that is a row in MySQL.').waitFor();
    await find(user);
    await page.getByRole('heading', { name: `For somebody #${id}` }).waitFor();
    const [row] = await system.stores.rows(id);
    const shown = await page.locator('.facts dd').allTextContents();
    const exact = new Date(row?.issuedMs ?? 0).toLocaleString('en-GB', {
      minute: '2-digit',
      second: '2-digit',
      fractionalSecondDigits: 3,
    });
    const [status, number, accepted, by, , used] = shown;
    const found = [status, number, accepted?.includes(exact), by, used];
    expect(found).toEqual(['Issued', '1', true, 'POST /v2/issue-async', 'not used']);
    await page.getByLabel('Coupon id').fill(String(id));
    await page.keyboard.press('Enter');
    await page.getByText(`${user} has number 1 of coupon ${id}.`).waitFor();
    await page.getByLabel('Coupon id').fill(String(other));
    await page.keyboard.press('Enter');
    await page.getByText(`${user} does not have coupon ${other}.`).waitFor();
    await passes(page, 'find-user');
    // The user is in no address, which a browser would keep.
    expect(page.url()).toEndWith('/console#/users');
    await phone.goto('/console#/users');
    await phone.getByLabel('사용자 ID').fill(user);
    await phone.keyboard.press('Enter');
    await phone.getByText('미사용').waitFor();
    await passes(phone, 'find-user-phone-dark-korean');
    expect([faults, phoneFaults]).toEqual([[], []]);
    await Promise.all([page.context().close(), phone.context().close()]);
  });

  test.concurrent('the console is complete on a phone, in dark mode and in Korean', async () => {
    await system.stores.coupon({ title: '겨울 세일 5,000원 할인', totalQuantity: 1000 });
    const { page, faults } = await openConsole(system, { phone: true, dark: true, language: 'ko-KR' });
    await page.getByRole('heading', { name: '쿠폰' }).waitFor();
    await page.locator('tbody').getByText('발급 중').first().waitFor();
    expect(await page.evaluate('document.documentElement.lang')).toBe('ko');
    await passes(page, 'coupons-phone-dark-korean');
    await page.getByLabel('언어').selectOption('English');
    await page.getByRole('heading', { name: 'Coupons' }).waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });
});

async function signIn(page: Page, key: string): Promise<void> {
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Makes a key as an operator does. */
async function makeKey(scope: string): Promise<{ readonly id: string; readonly key: string }> {
  const { out, log } = await runKey('create', '--scope', scope);
  const [, id = ''] = /^Key (\d+),/.exec(log) ?? [];
  return { id, key: out.trim() };
}

async function runKey(...args: readonly string[]) {
  const child = Bun.spawn([process.execPath, 'src/commands/keys.ts', ...args], {
    env: { PATH: process.env.PATH, DATABASE_URL: system.stores.config.DATABASE_URL },
    cwd: `${import.meta.dirname}/../..`,
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [out, log, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  expect({ log, code }).toMatchObject({ code: 0 });
  return { out, log };
}

/** The number that stands beside a line of a plot. */
async function numberIn(page: Page, line: string): Promise<number> {
  const text = await page.locator('.legend div').filter({ hasText: line }).locator('dd').textContent();
  return Number(text?.replaceAll(',', ''));
}
