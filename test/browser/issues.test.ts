// issues.test.ts -- The issues of a coupon in the console, in real Chromium: one is found by its user or its code, used, given back, revoked.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Page } from 'playwright-core';
import type { IssueState } from '../../client/coupon-client.ts';
import { findBrowser } from '../../tools/test-programs.ts';
import { type ConsoleOptions, type LiveSystem, OPERATOR_KEY, openConsole, startLiveSystem } from './live-system.ts';
import { passes, tabTo } from './page-checks.ts';

let system: LiveSystem;
const operator = { authorization: `Bearer ${OPERATOR_KEY}`, 'content-type': 'application/json' };

describe.skipIf(findBrowser() === undefined)('the issues of a coupon in the console', () => {
  beforeAll(async () => {
    system = await startLiveSystem();
  }, 30_000);
  afterAll(() => system[Symbol.asyncDispose](), 30_000);

  test('with the keyboard alone an issue is used, given back and revoked, and the focus is never lost', async () => {
    const id = await couponOf(['kim', 'lee'], { title: 'Changed in the list' });
    const { page, faults } = await openIssues(id);
    await tabTo(page, page.getByRole('button', { name: 'Use: kim' }));
    await page.keyboard.press('Enter');
    await page.getByText('Use number 1 of Changed in the list for kim?').waitFor();
    await tabTo(page, page.getByRole('textbox', { name: 'Reference' }));
    await page.keyboard.type('order-7');
    await passes(page, 'list-use-question');
    await tabTo(page, page.getByRole('dialog').getByRole('button', { name: 'Use', exact: true }));
    await page.keyboard.press('Enter');
    await page.getByText('Number 1 of Changed in the list is used.').waitFor();
    await page.getByRole('cell', { name: /^Used .* order-7$/ }).waitFor();
    expect(await stateOf(id, 'kim')).toMatchObject({ status: 'USED', reference: 'order-7' });
    expect(await focused(page)).toBe('Undo the use: kim');
    await passes(page, 'list-used');
    // A no leads back to the button.
    await page.keyboard.press('Enter');
    await page.getByText('Make number 1 of Changed in the list usable again for kim?').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await focused(page)).toBe('Undo the use: kim');
    await page.keyboard.press('Enter');
    await tabTo(page, page.getByRole('dialog').getByRole('button', { name: 'Undo the use' }));
    await page.keyboard.press('Enter');
    await page.getByText('Number 1 of Changed in the list is no longer used.').waitFor();
    await page.getByRole('button', { name: 'Use: kim' }).waitFor();
    expect(await stateOf(id, 'kim')).toMatchObject({ status: 'ISSUED', reference: null });
    expect(await focused(page)).toBe('Use: kim');
    await tabTo(page, page.getByRole('button', { name: 'Revoke: kim' }));
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog');
    await dialog.getByText('This cannot be undone.').waitFor();
    // Not without a reason.
    expect(await dialog.getByRole('button', { name: 'Revoke' }).isDisabled()).toBe(true);
    await tabTo(page, dialog.getByRole('textbox', { name: 'Why' }));
    await page.keyboard.type('taken by a program');
    await passes(page, 'list-revoke-question');
    await tabTo(page, dialog.getByRole('button', { name: 'Revoke' }));
    await page.keyboard.press('Enter');
    await page.getByText('Number 1 of Changed in the list is revoked.').waitFor();
    await page.getByRole('cell', { name: /^Revoked / }).waitFor();
    expect(await stateOf(id, 'kim')).toMatchObject({ status: 'REVOKED' });
    // Nothing is left to be done with it, and the focus stays at its place.
    expect(await focused(page)).toBe('Actions: kim');
    expect(await page.getByRole('button', { name: /: kim$/ }).count()).toBe(0);
    expect(await page.getByRole('button', { name: /: lee$/ }).count()).toBe(2);
    await passes(page, 'list-revoked');
    expect(faults).toEqual([]);
    await page.context().close();
  }, 180_000);

  test('an issue is found by its code, however it is typed, and one of another coupon is named', async () => {
    const id = await couponOf(['kim', 'lee', 'park'], { title: 'With codes', pattern: 'LIST-####-####' });
    const other = await couponOf(['choi'], { title: 'The other one', pattern: 'OTHER-####-####' });
    const { page, faults } = await openIssues(id);
    const codeOf = async (couponId: number, userId: string) => (await stateOf(couponId, userId)).code ?? '';
    const code = await codeOf(id, 'lee');
    await page.getByText(code).waitFor();
    const user = page.getByRole('textbox', { name: 'User id' });
    await user.fill('kim');
    await user.press('Enter');
    await page.getByRole('cell', { name: /^lee / }).waitFor({ state: 'detached' });
    expect(await page.getByRole('rowheader').allTextContents()).toEqual(['1']);
    const field = page.getByRole('textbox', { name: 'Code' });
    await field.fill(code.toLowerCase().replaceAll('-', ' '));
    await page.getByRole('button', { name: 'Find a code' }).click();
    await page.getByRole('cell', { name: `lee ${code}` }).waitFor();
    expect(await page.getByRole('rowheader').allTextContents()).toEqual(['2']);
    // What was typed for the user no longer says what is shown.
    expect(await user.inputValue()).toBe('');
    await passes(page, 'list-found-code');
    await page.getByRole('button', { name: 'Use: lee' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Use', exact: true }).click();
    await page.getByRole('button', { name: 'Undo the use: lee' }).waitFor();
    expect(await stateOf(id, 'lee')).toMatchObject({ status: 'USED', reference: null });
    await field.fill(await codeOf(other, 'choi'));
    await field.press('Enter');
    await page.getByText('belongs to an issue of another coupon').waitFor();
    await passes(page, 'list-code-of-another');
    await field.fill('LIST-2222-2222');
    await field.press('Enter');
    await page.getByText('No issue has the code LIST-2222-2222.').waitFor();
    await tabTo(page, page.getByRole('button', { name: 'Show all' }));
    await page.keyboard.press('Enter');
    await page.getByRole('rowheader', { name: '3' }).waitFor();
    expect([await focused(page), await field.inputValue()]).toEqual(['Look again', '']);
    await field.fill(await codeOf(other, 'choi'));
    await field.press('Enter');
    await page.getByRole('link', { name: `#${other}` }).click();
    await page.getByRole('heading', { name: 'Issues of The other one' }).waitFor();
    await page.getByRole('cell', { name: /^choi / }).waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  }, 180_000);

  test('what somebody else did meanwhile is said, and shown', async () => {
    const id = await couponOf(['kim'], { title: 'Two hands' });
    const { page, faults } = await openIssues(id);
    await page.getByRole('button', { name: 'Use: kim' }).click();
    await page.getByText('Use number 1 of Two hands for kim?').waitFor();
    await post(`/v1/coupons/${id}/issues/kim/revoke`, { reason: 'by another operator' });
    await page.getByRole('dialog').getByRole('button', { name: 'Use', exact: true }).click();
    await page.getByText(/^That did not work: /).waitFor();
    await page.getByRole('cell', { name: /^Revoked / }).waitFor();
    expect(await stateOf(id, 'kim')).toMatchObject({ status: 'REVOKED', dateUsed: null });
    await page.context().close();
    // Who may only look is offered nothing of it.
    const { page: reader } = await openIssues(await couponOf(['kim'], { title: 'Looked at' }), { scope: 'read' });
    await reader.getByRole('cell', { name: 'kim' }).waitFor();
    expect(await reader.getByRole('button', { name: /: kim$/ }).count()).toBe(0);
    expect(await reader.getByRole('columnheader', { name: 'Actions' }).count()).toBe(0);
    await reader.context().close();
    expect(faults).toEqual([]);
  }, 180_000);

  test('it fits a phone, in the dark and in Korean', async () => {
    const user = 'f:5c1e7a2b-9d3f-4a6e-8b0c-1d2e3f4a5b6c:a-user-with-a-long-id';
    const id = await couponOf([user, 'lee'], { title: '발급 내역', pattern: 'PHONE-####-####' });
    const { page, faults } = await openIssues(id, { phone: true, width: 360, dark: true, language: 'ko-KR' });
    await page.getByRole('button', { name: `사용 처리: ${user}` }).click();
    await page.getByText(`${user}님의 발급 내역 1번을 사용 처리할까요?`).waitFor();
    await page.getByRole('textbox', { name: '참조' }).fill('order-2026-1128-000000000000000000000000007');
    await passes(page, 'list-use-question-360-dark-ko');
    await page.getByRole('dialog').getByRole('button', { name: '사용 처리' }).click();
    await page.getByRole('button', { name: `사용 되돌리기: ${user}` }).waitFor();
    await passes(page, 'list-used-360-dark-ko');
    await page.getByRole('button', { name: '회수: lee' }).click();
    await page.getByRole('textbox', { name: '이유' }).fill('시험');
    await passes(page, 'list-revoke-question-360-dark-ko');
    await page.getByRole('dialog').getByRole('button', { name: '회수' }).click();
    await page.getByText('발급 내역 2번을 회수했습니다.').waitFor();
    await page.getByRole('textbox', { name: '코드' }).fill('PHONE-2222-2222');
    await page.getByRole('button', { name: '코드 찾기' }).click();
    await page.getByText('코드 PHONE-2222-2222로 발급된 쿠폰이 없습니다.').waitFor();
    await passes(page, 'list-no-code-360-dark-ko');
    expect(faults).toEqual([]);
    await page.context().close();
  }, 180_000);
});

function post(path: string, body: unknown): Promise<Response> {
  return fetch(`${system.url}${path}`, { method: 'POST', headers: operator, body: JSON.stringify(body) });
}

/** A coupon that these users have, as rows. */
async function couponOf(users: readonly string[], { title, pattern }: { title: string; pattern?: string }) {
  const { id } = await system.stores.coupon({ title });
  if (pattern !== undefined) expect((await post(`/v1/coupons/${id}/codes`, { pattern })).status).toBe(200);
  for (const userId of users) expect((await post('/v1/issue', { couponId: id, userId })).status).toBe(201);
  return id;
}

async function stateOf(couponId: number, userId: string): Promise<IssueState> {
  const path = `/v1/coupons/${couponId}/issues/${encodeURIComponent(userId)}`;
  return (await (await fetch(`${system.url}${path}`, { headers: operator })).json()) as IssueState;
}

/** What the element with the focus is called. */
async function focused(page: Page): Promise<unknown> {
  return await page.evaluate(`document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent`);
}

async function openIssues(couponId: number, options: ConsoleOptions = {}) {
  const opened = await openConsole(system, { path: `/console#/coupons/${couponId}/issues`, ...options });
  await opened.page.getByRole('rowheader').first().waitFor();
  return opened;
}
