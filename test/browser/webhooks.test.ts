// webhooks.test.ts -- The webhooks in the console, in real Chromium: made with a secret that is shown once, watched, paused, sent again.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import type { CreatedWebhook, WebhookList } from '../../client/coupon-client.ts';
import { findBrowser } from '../../tools/test-programs.ts';
import { eventually } from '../eventually.ts';
import { startTestDelivering } from '../test-delivering.ts';
import { startReceiver } from '../webhook-receiver.ts';
import { type LiveSystem, OPERATOR_KEY, openConsole, startLiveSystem } from './live-system.ts';
import { passes, tabTo } from './page-checks.ts';

let system: LiveSystem;
const operator = { authorization: `Bearer ${OPERATOR_KEY}` };

describe.skipIf(findBrowser() === undefined)('webhooks in the console', () => {
  beforeAll(async () => {
    system = await startLiveSystem({ WEBHOOK_PRIVATE: 'on', WEBHOOK_POLL_MS: 20, WEBHOOK_RETRY_S_MAX: 1 });
  }, 30_000);
  afterAll(() => system[Symbol.asyncDispose](), 30_000);

  beforeEach(async () => {
    const listed = await fetch(`${system.url}/v1/webhooks`, { headers: operator });
    const { webhooks } = (await listed.json()) as WebhookList;
    for (const { id } of webhooks)
      await fetch(`${system.url}/v1/webhooks/${id}`, { method: 'DELETE', headers: operator });
  });

  test('an operator makes one with the keyboard, sees its secret once, and its deliveries', async () => {
    await using receiver = startReceiver();
    await using _ = startTestDelivering(system.stores);
    const { id: couponId } = await system.stores.coupon({ totalQuantity: null });
    const { page, faults } = await openConsole(system);
    await page.getByRole('link', { name: 'Webhooks' }).click();
    await page.getByText('There are no webhooks yet.').waitFor();
    await passes(page, 'webhooks-none');
    await tabTo(page, page.getByRole('textbox', { name: 'URL' }));
    await page.keyboard.type('https://user:secret@shop.example/');
    await page.keyboard.press('Enter');
    await page.getByText('Expected: a URL without credentials: requests are signed').waitFor();
    await passes(page, 'webhook-refused');
    await page.getByRole('textbox', { name: 'URL' }).fill(receiver.url);
    await tabTo(page, page.getByRole('checkbox', { name: 'Used', exact: true }));
    await page.keyboard.press('Space');
    await tabTo(page, page.getByRole('button', { name: 'Create webhook' }));
    await page.keyboard.press('Enter');
    const secret = (await page.locator('code').textContent()) ?? '';
    expect(secret).toMatch(/^whsec_/);
    receiver.trust(secret);
    await passes(page, 'webhook-secret');
    await page.reload();
    await page.getByRole('heading', { name: receiver.url }).waitFor();
    expect(await page.content()).not.toContain('whsec_');
    await issueAndUse(couponId, 'somebody');
    await eventually('both events', () => receiver.events.length === 2);
    expect(receiver.forged).toEqual([]);
    await tabTo(page, page.getByRole('link', { name: 'Deliveries' }));
    await page.keyboard.press('Enter');
    await page.getByText('Delivered').first().waitFor();
    await passes(page, 'webhook-deliveries');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('an operator sends events again, sees that it fails, pauses, resumes and deletes it', async () => {
    await using receiver = startReceiver();
    await using _ = startTestDelivering(system.stores);
    const { id: couponId } = await system.stores.coupon({ totalQuantity: null });
    const made = await fetch(`${system.url}/v1/webhooks`, {
      method: 'POST',
      headers: { ...operator, 'content-type': 'application/json' },
      body: JSON.stringify({ url: receiver.url, kinds: ['issue.created', 'issue.used'] }),
    });
    const { id } = (await made.json()) as CreatedWebhook;
    await issueAndUse(couponId, 'somebody');
    await eventually('both events', () => receiver.events.length === 2);
    const { page, faults } = await openConsole(system, { path: `/console#/webhooks/${id}` });
    receiver.answer(() => new Response(null, { status: 503 }));
    await page.getByLabel('Coupon id').fill(String(couponId));
    await page.getByRole('button', { name: 'Send again' }).click();
    await page.getByText('They are being sent again.').waitFor();
    await eventually('a failed request', () => receiver.requests.length > 2);
    await page.getByRole('button', { name: 'Refresh' }).click();
    await page.getByText('Failed: answered 503').first().waitFor();
    await page.reload();
    await page.getByText(/Fails since .*: answered 503/).waitFor();
    await passes(page, 'webhook-failing');
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('The webhook is paused.').waitFor();
    receiver.answer(() => new Response());
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByText('The webhook is active. What happened meanwhile is sent now.').waitFor();
    await eventually('the events again', () => receiver.events.length >= 4);
    await page.getByRole('button', { name: 'Delete webhook' }).click();
    await passes(page, 'webhook-delete-question');
    await page.getByRole('dialog').getByRole('button', { name: 'Delete webhook' }).click();
    await page.getByText('There are no webhooks yet.').waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('on a phone, in the dark and in Korean it is complete', async () => {
    const options = { phone: true, dark: true, language: 'ko-KR' } as const;
    const { page, faults } = await openConsole(system, { path: '/console#/webhooks', ...options });
    await page.getByRole('textbox', { name: 'URL' }).fill(`https://shop.example/${'long-'.repeat(40)}`);
    await page.getByRole('button', { name: '웹훅 만들기' }).click();
    await page.getByText('비밀 키는 지금만 표시됩니다.').waitFor();
    await passes(page, 'webhooks-phone-dark-korean');
    await page.getByRole('link', { name: '전달 내역' }).click();
    await page.getByText('아직 보낸 것이 없습니다.').waitFor();
    await passes(page, 'webhook-phone-dark-korean');
    expect(faults).toEqual([]);
    await page.context().close();
  });
});

async function issueAndUse(couponId: number, userId: string): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const issued = await fetch(`${system.url}/v1/issue`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ couponId, userId }),
  });
  expect(issued.status).toBe(201);
  const used = await fetch(`${system.url}/v1/coupons/${couponId}/issues/${userId}/use`, { method: 'POST', headers });
  expect(used.status).toBe(200);
}
