// strangers.test.ts -- Links and pages of strangers, in real Chromium: neither acts in the name of a visitor who has not agreed.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { findBrowser } from '../../tools/test-programs.ts';
import { eventually } from '../eventually.ts';
import { type LiveSystem, startLiveSystem } from './live-system.ts';
import { passes } from './page-checks.ts';

let system: LiveSystem;

describe.skipIf(findBrowser() === undefined)('links and pages of strangers', () => {
  beforeAll(async () => {
    system = await startLiveSystem();
  }, 30_000);
  afterAll(() => system[Symbol.asyncDispose](), 30_000);

  const english = { get: 'Get the coupon', first: 'You are number 1.', stay: 'Stay kim', goOn: 'Go on as mallory' };
  const korean = {
    get: '쿠폰 받기',
    first: '1번째로 받았어요.',
    stay: 'kim님으로 계속하기',
    goOn: 'mallory님으로 바꾸기',
  };
  test.each([
    ['en-GB', { ...english, asKim: 'Asking as kim', asMallory: 'Asking as mallory' }],
    ['ko-KR', { ...korean, asKim: 'kim님으로 요청해요', asMallory: 'mallory님으로 요청해요' }],
  ] as const)('in %s a link never replaces the user who is there without asking', async (tongue, words) => {
    const { get, first, stay, goOn, asKim, asMallory } = words;
    const { id } = await system.stores.coupon({ title: 'For kim' });
    const { page, faults } = await system.open({ language: tongue, phone: tongue === 'ko-KR' });
    const stored = () => page.evaluate(`[localStorage.getItem('drop-user'), sessionStorage.getItem('drop-token')]`);
    await page.goto(`/drop/${id}#user=kim&token=of-kim`);
    await page.getByRole('button', { name: get }).click();
    await page.getByText(first).waitFor();
    expect(await stored()).toEqual(['kim', 'of-kim']);
    const follow = async (link: string) => {
      await page.goto('/hello');
      await page.goto(`/drop/${id}${link}`);
    };
    // The same user with another token is no other user.
    await follow('#user=kim&token=of-kim-2');
    await page.getByText(asKim).waitFor();
    expect(await page.getByRole('button', { name: stay }).count()).toBe(0);
    await follow('#user=mallory&token=of-mallory');
    await page.getByRole('button', { name: goOn }).waitFor();
    await passes(page, `drop-other-user-${tongue}`);
    expect(await stored()).toEqual(['kim', 'of-kim-2']);
    expect(await page.getByRole('button', { name: get }).count()).toBe(0);
    // Who ignores the question, or says no, is who they were.
    await page.reload();
    await page.getByText(asKim).waitFor();
    await follow('#user=mallory&token=of-mallory');
    await page.getByRole('button', { name: stay }).click();
    await page.getByText(asKim).waitFor();
    expect(await stored()).toEqual(['kim', 'of-kim-2']);
    // Without a token of their own, they do not get that of another.
    await follow('#user=mallory');
    await page.getByRole('button', { name: goOn }).click();
    await page.getByText(asMallory).waitFor();
    await page.getByRole('button', { name: get }).waitFor();
    expect(await stored()).toEqual(['mallory', null]);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('a page of another origin uses nobody’s coupon', async () => {
    const { id } = await system.stores.coupon({ title: 'Mine' });
    expect(await system.rush(id, 1)).toBe(1);
    await eventually('the coupon to be a row', async () => (await system.stores.rows(id)).length === 1);
    const issue = `${system.url}/v1/coupons/${id}/issues/rush-0`;
    const form = `<form method="post" action="${issue}/use"><button>Win a prize</button></form>`;
    using evil = Bun.serve({ port: 0, fetch: () => new Response(form, { headers: { 'content-type': 'text/html' } }) });
    const { page } = await system.open();
    // One on the same machine is another origin too.
    for (const host of ['localhost', '127.0.0.1']) {
      await page.goto(`http://${host}:${evil.port}/`);
      await page.getByRole('button').click();
      await page.getByText('requests from pages of other origins may not change anything').waitFor();
    }
    const status = () => fetch(issue).then((answer) => answer.json());
    expect(await status()).toMatchObject({ status: 'ISSUED' });
    await page.goto(`${system.url}/drop/${id}`);
    expect(await page.evaluate(`fetch('${issue}/use', { method: 'POST' }).then(({ status }) => status)`)).toBe(200);
    expect(await status()).toMatchObject({ status: 'USED' });
    await page.context().close();
  });
});
