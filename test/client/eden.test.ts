// eden.test.ts -- Every route of the type for Eden, called through Eden before the app: the type says what comes.

import { treaty } from '@elysiajs/eden';
import { expect, test } from 'bun:test';
import type { CouponDraft, Problem } from '../../client/coupon-client.ts';
import type { CouponApi } from '../../src/app.ts';
import { fakeApp, OPERATOR_KEY } from '../http/fakes.ts';
import { startFlakyServer } from './flaky-server.ts';

async function withEden<Result>(use: (api: ReturnType<typeof treaty<CouponApi>>) => Promise<Result>): Promise<Result> {
  await using server = await startFlakyServer(fakeApp().app);
  const headers = { authorization: `Bearer ${OPERATOR_KEY}` };
  return await use(treaty<CouponApi>(server.url, { parseDate: false, headers }));
}

test('the three issue routes answer with an issue, and a refusal with its problem', () =>
  withEden(async ({ v1, v2 }) => {
    const wanted = { couponId: 1, userId: 42 };
    const sequences: (number | undefined)[] = [
      (await v1.issue.post(wanted)).data?.sequence,
      (await v1['issue-async'].post(wanted)).data?.sequence,
      (await v2['issue-async'].post(wanted, { headers: { 'idempotency-key': 'a' } })).data?.sequence,
    ];
    expect(sequences).toEqual([37, 37, 37]);
    const { error } = await v2['issue-async'].post({ couponId: 2, userId: 42 });
    const problem: Problem | undefined = error?.value;
    expect(problem).toMatchObject({ code: 'DUPLICATED_COUPON_ISSUE', sequence: 12 });
  }));

test('an issue is read, used and listed', () =>
  withEden(async ({ v1 }) => {
    const status = await v1
      .coupons({ couponId: 1 })
      .issues({ userId: 'issued' })
      .get({ query: { waitMs: 10 } });
    expect(status.data?.status).toBe('ISSUED');
    const used = await v1.coupons({ couponId: 1 }).issues({ userId: 42 }).use.post();
    expect(used.data?.dateUsed).toBe('2026-12-01T00:00:00.000Z');
    const named = await v1.coupons({ couponId: 1 }).issues({ userId: 42 }).use.post({ reference: 'order-7' });
    expect(named.data?.reference).toBe('order-7');
    const mine = v1.coupons({ couponId: 1 }).issues({ userId: 'used' });
    expect((await mine.use.delete(undefined, { query: { reference: 'order-1' } })).data?.status).toBe('ISSUED');
    expect((await mine.revoke.post({ reason: 'of a test' })).error?.value).toMatchObject({
      code: 'ISSUE_ALREADY_USED',
    });
    const owned = await v1.users({ userId: 'a' }).issues.get({ query: { limit: 2 } });
    expect(owned.data?.issues.map(({ couponId }) => couponId)).toEqual([1, 2]);
  }));

test('coupons are created, listed, read, edited, opened, audited and removed', () =>
  withEden(async ({ v1 }) => {
    const coupon: CouponDraft = {
      title: 'Winter sale',
      totalQuantity: 10,
      discountAmount: 1,
      minAvailableAmount: 1,
      dateIssueStart: '2026-12-01T00:00:00Z',
      dateIssueEnd: '2027-01-01T00:00:00Z',
    };
    const ids = [
      (await v1.coupons.post(coupon)).data?.id,
      (await v1.coupons.get({ query: { after: 4 } })).data?.coupons[0]?.id,
      (await v1.coupons({ couponId: 3 }).get()).data?.id,
      (await v1.coupons({ couponId: 4 }).patch({ paused: true }, { headers: { 'if-match': '"1"' } })).data?.id,
      (await v1.coupons({ couponId: 7 }).open.post()).data?.id,
    ];
    expect(ids).toEqual([26, 5, 3, 4, 7]);
    expect((await v1.coupons({ couponId: 1 }).audit.get()).data?.rows).toBe(36);
    expect(await v1.coupons({ couponId: 2 }).delete()).toMatchObject({ status: 204, error: null });
  }));

test('public facts are read, and dead letters, load and the key by operators', () =>
  withEden(async ({ v1 }) => {
    expect((await v1.drops({ couponId: 1 }).get()).data?.title).toBe('Winter sale');
    expect((await v1['dead-letters'].get()).data?.deadLetters[0]?.users).toBe(2);
    expect(await v1['dead-letters']({ id: '0-1-0' }).replay.post()).toMatchObject({ status: 204, error: null });
    expect(await v1['dead-letters']({ id: '0-1-0' }).delete()).toMatchObject({ status: 204, error: null });
    expect((await v1.load.get()).data?.unpersisted).toBe(2);
    expect((await v1.key.get()).data?.scopes).toEqual(['admin']);
  }));

test('webhooks are made, listed, paused, replayed and removed', () =>
  withEden(async ({ v1 }) => {
    const made = await v1.webhooks.post({ url: 'https://shop.example/', kinds: ['issue.used'] });
    expect(made.data?.secret).toBe('whsec_c2VjcmV0');
    expect((await v1.webhooks.get()).data?.webhooks).toHaveLength(3);
    expect((await v1.webhooks({ webhookId: 1 }).patch({ paused: true })).data?.state).toBe('paused');
    const replayed = await v1.webhooks({ webhookId: 1 }).replay.post({ couponId: 1, after: 0 });
    expect(replayed).toMatchObject({ status: 204, error: null });
    expect((await v1.webhooks({ webhookId: 1 }).deliveries.get()).data?.deliveries).toHaveLength(3);
    expect(await v1.webhooks({ webhookId: 1 }).delete()).toMatchObject({ status: 204, error: null });
  }));
