// korean.test.ts -- Every page of the console in Korean, wide and on a phone: no English is left over, and no word breaks inside.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Page } from 'playwright-core';
import { writeEntry } from '../../src/stream/entry.ts';
import { findBrowser } from '../../tools/test-programs.ts';
import { eventually } from '../eventually.ts';
import { type LiveSystem, OPERATOR_KEY, openConsole, startLiveSystem } from './live-system.ts';
import { passes } from './page-checks.ts';

let system: LiveSystem;
let couponId = 0;
let webhookId = 0;

async function post(path: string, body: unknown): Promise<unknown> {
  const headers = { authorization: `Bearer ${OPERATOR_KEY}`, 'content-type': 'application/json' };
  const answer = await fetch(system.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  expect(answer.status).toBe(201);
  return await answer.json();
}

/** Texts with two English words in a row, beyond those that are marked as English, and words whose letters are on two lines. */
const findMistakes = `(() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!element.checkVisibility() || element.closest('option, script, pre, code, [lang=en]')) continue;
    if (/[a-z]{2,} [a-z]{2,}/.test(node.data)) found.push('English: ' + node.data);
    for (const { index, 0: word } of node.data.matchAll(/[가-힣]+/g)) {
      const range = new Range();
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      const tops = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)));
      if (tops.size > 1) found.push('broken inside: ' + word);
    }
  }
  return found;
})()`;

async function see(page: Page, path: string, name: string): Promise<void> {
  await page.goto(`/console${path}`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await eventually('everything to be read', async () => (await page.getByText('불러오는 중…').count()) === 0);
  await passes(page, name);
  expect({ name, mistakes: await page.evaluate(findMistakes) }).toEqual({ name, mistakes: [] });
}

describe.skipIf(findBrowser() === undefined)('the console in Korean', () => {
  beforeAll(async () => {
    system = await startLiveSystem({ WEBHOOK_PRIVATE: 'on' });
    const coupon = await system.stores.coupon({ title: '겨울 세일 5,000원 할인 쿠폰', totalQuantity: 300 });
    couponId = coupon.id;
    await system.rush(couponId, 200);
    await system.worker.drained();
    const webhook = await post('/v1/webhooks', { url: 'http://127.0.0.1:9/', kinds: ['issue.created', 'issue.used'] });
    webhookId = (webhook as { id: number }).id;
    const dead = { couponId, epoch: 0, firstSequence: 201, acceptedMs: Date.now(), users: ['kim', 'lee'] };
    await system.stores.redis.xadd(
      system.stores.keys(couponId).dead,
      '*',
      ...writeEntry(dead),
      'entry',
      '1-0',
      'reason',
      'no such coupon',
    );
  }, 60_000);
  afterAll(() => system[Symbol.asyncDispose](), 30_000);

  test.each([
    { name: 'wide', options: {} },
    { name: 'wide-dark', options: { dark: true } },
    { name: 'phone', options: { phone: true } },
    { name: 'phone-dark', options: { phone: true, dark: true } },
  ])(
    '$name',
    async ({ name, options }) => {
      const { page, faults } = await openConsole(system, { ...options, language: 'ko-KR' });
      const places = {
        coupons: '#/coupons',
        new: '#/new',
        watch: `#/coupons/${couponId}`,
        edit: `#/coupons/${couponId}/edit`,
        issues: `#/coupons/${couponId}/issues`,
        duplicate: `#/coupons/${couponId}/duplicate`,
        users: '#/users',
        'dead-letters': '#/dead-letters',
        webhooks: '#/webhooks',
        webhook: `#/webhooks/${webhookId}`,
      };
      for (const [place, path] of Object.entries(places)) await see(page, path, `korean-${place}-${name}`);
      expect(faults).toEqual([]);
      await page.context().close();
      const { page: stranger } = await system.open({ ...options, language: 'ko-KR' });
      await see(stranger, '', `korean-sign-in-${name}`);
      await stranger.context().close();
    },
    180_000,
  );
});
