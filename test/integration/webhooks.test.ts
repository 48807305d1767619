// webhooks.test.ts -- Webhooks on real stores, to a real receiver: every event at least once, in order of each coupon, and none invented.

import { afterAll, beforeEach, expect, test } from 'bun:test';
import { and, eq, sql } from 'drizzle-orm';
import { couponIssues } from '../../drizzle/schema.ts';
import { outbox, webhookCursors, webhookDeliveries, webhooks } from '../../drizzle/webhook-tables.ts';
import { listTrail, SYSTEM } from '../../src/auth/audit-trail.ts';
import { RollbackError, withConnection, withTransaction } from '../../src/mysql/database.ts';
import { type EventKind, eventKinds, type WebhookEvent } from '../../src/webhooks/events.ts';
import { orderEvents, recordEvent } from '../../src/webhooks/outbox.ts';
import { removeOld } from '../../src/webhooks/delivery-store.ts';
import { eventually } from '../eventually.ts';
import { openStores, type Settings } from '../stores.ts';
import { startTestDelivering } from '../test-delivering.ts';
import { startReceiver } from '../webhook-receiver.ts';

const USE = { kind: 'use', reference: null } as const;

const stores = await openStores({
  settings: { WEBHOOK_PRIVATE: 'on', WEBHOOK_POLL_MS: 20, WEBHOOK_MS_MAX: 1000, WEBHOOK_RETRY_S_MAX: 1 },
});
const api = await stores.createApi();
afterAll(() => stores.close());
beforeEach(async () => {
  for (const { id } of await api.webhooks.list()) await api.webhooks.remove(id, SYSTEM);
});

const names = (count: number, prefix = 'user') => Array.from({ length: count }, (_, i) => `${prefix}-${i}`);

async function issue(couponId: number, users: readonly string[], issuer: 'scripted' | 'synchronous' = 'scripted') {
  const outcomes = await Promise.all(users.map((user) => api.issuance.issue(issuer, couponId, user)));
  expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['issued']));
}

async function createWebhook(url: string, kinds: readonly EventKind[] = eventKinds) {
  const created = await api.webhooks.create({ url, kinds }, SYSTEM);
  if (created.kind !== 'created') throw new Error(`the webhook of a test is not created: ${created.kind}`);
  return { ...created.webhook, secret: created.secret };
}

const startDelivering = (settings: Settings = {}) => startTestDelivering(stores, settings);

/** Up to which sequence of a coupon a webhook was told; null before anything. */
async function cursorOf(webhookId: number, couponId: number): Promise<number | null> {
  const [cursor] = await withConnection(stores.database, (session) =>
    session
      .select({ sequence: webhookCursors.sequence })
      .from(webhookCursors)
      .where(and(eq(webhookCursors.webhookId, webhookId), eq(webhookCursors.couponId, couponId))),
  );
  return cursor?.sequence ?? null;
}

const ofCoupon = (events: readonly WebhookEvent[], couponId: number) =>
  events.filter(({ data }) => data.couponId === couponId);
const brief = (events: readonly WebhookEvent[]) => events.map(({ type, data }) => [type, data.sequence ?? null]);

test('every event arrives, signed, in order, an issue before its use, and none that did not happen', async () => {
  await using receiver = startReceiver();
  const { id } = await stores.coupon({ totalQuantity: 250 });
  const webhook = await createWebhook(receiver.url);
  receiver.trust(webhook.secret);
  await using worker = await stores.startWorker();
  await using delivering = startDelivering({ WEBHOOK_EVENTS_MAX: 40 });
  const users = names(250);
  await issue(id, users);
  await worker.drained();
  const used = users.filter((_, i) => i % 5 === 0);
  const uses = await Promise.all(used.map((user) => api.issues.change(id, user, USE)));
  expect(new Set(uses.map(({ kind }) => kind))).toEqual(new Set(['done']));
  // A second use is none.
  expect(await api.issues.change(id, 'user-0', USE)).toMatchObject({ kind: 'already used' });
  await eventually('all events', () => ofCoupon(receiver.events, id).length >= 301);
  const events = ofCoupon(receiver.events, id);
  const created = events.filter(({ type }) => type === 'issue.created');
  expect(created.map(({ data }) => data.sequence)).toEqual(users.map((_, i) => i + 1));
  const rows = new Map((await stores.rows(id)).map(({ sequence, userId }) => [sequence, userId]));
  expect(created.map(({ data }) => data.userId)).toEqual(created.map(({ data }) => rows.get(Number(data.sequence))));
  const usedEvents = events.filter(({ type }) => type === 'issue.used');
  expect(usedEvents.map(({ data }) => String(data.userId)).sort()).toEqual([...used].sort());
  for (const event of usedEvents) {
    const before = events.findIndex(
      ({ type, data }) => type === 'issue.created' && data.sequence === event.data.sequence,
    );
    expect(before).toBeLessThan(events.indexOf(event));
  }
  expect(events.filter(({ type }) => type === 'coupon.sold_out')).toMatchObject([
    { data: { couponId: id, totalQuantity: 250 } },
  ]);
  expect(events.findIndex(({ type }) => type === 'coupon.sold_out')).toBeGreaterThan(
    events.indexOf(created.at(-1) as WebhookEvent),
  );
  expect(new Set(events.map((event) => event.id)).size).toBe(events.length);
  expect([receiver.forged, receiver.together, delivering.faults]).toEqual([[], 1, []]);
});

test('a webhook receives what happens after it was made, and of that only what it wants', async () => {
  await using receiver = startReceiver();
  const over = await stores.coupon({ startMs: Date.now() - 7_200_000, endMs: Date.now() - 3_600_000 });
  const { id } = await stores.coupon({ totalQuantity: null });
  await issue(id, ['before', 'used-before'], 'synchronous');
  await api.issues.change(id, 'used-before', USE);
  await createWebhook(receiver.url, ['issue.created', 'coupon.ended']);
  await issue(id, ['after'], 'synchronous');
  await api.issues.change(id, 'before', USE);
  await using _ = startDelivering();
  await eventually('the event', () => receiver.events.length > 0);
  await stores.edit(id, { dateIssueEnd: new Date(Date.now() - 1000) });
  await eventually('the end', () => receiver.events.length > 1);
  expect(brief(receiver.events)).toEqual([
    ['issue.created', 3],
    ['coupon.ended', null],
  ]);
  expect(ofCoupon(receiver.events, over.id)).toEqual([]);
});

test('a row is not sent while one with a lower sequence may still appear', async () => {
  await using receiver = startReceiver();
  const { id } = await stores.coupon({ totalQuantity: null });
  await createWebhook(receiver.url);
  await issue(id, ['waits']);
  await issue(id, ['row'], 'synchronous');
  await api.issues.change(id, 'row', USE);
  await using delivering = startDelivering();
  await eventually('some rounds', () => delivering.seen.length > 2);
  expect(receiver.events).toEqual([]);
  await using _ = await stores.startWorker();
  await eventually('the events', () => receiver.events.length >= 3);
  expect(brief(receiver.events)).toEqual([
    ['issue.created', 1],
    ['issue.created', 2],
    ['issue.used', 2],
  ]);
});

test('what becomes of an issue arrives in order: used, given back, revoked', async () => {
  await using receiver = startReceiver();
  const { id } = await stores.coupon({ totalQuantity: null });
  await createWebhook(receiver.url);
  await issue(id, ['a'], 'synchronous');
  const by = SYSTEM;
  for (const change of [
    USE,
    { kind: 'undo use', reference: null, by },
    { kind: 'revoke', reason: 'a test', by },
  ] as const)
    expect(await api.issues.change(id, 'a', change)).toMatchObject({ kind: 'done' });
  await using _ = startDelivering();
  await eventually('the events', () => receiver.events.length === 4);
  expect(brief(receiver.events)).toEqual([
    ['issue.created', 1],
    ['issue.used', 1],
    ['issue.use_undone', 1],
    ['issue.revoked', 1],
  ]);
});

test('what is left to tell of a coupon whose rows were moved to a file is not held up by rows that never come', async () => {
  await using receiver = startReceiver();
  const { id } = await stores.coupon({ totalQuantity: null });
  const { id: webhookId } = await createWebhook(receiver.url);
  await issue(id, ['a'], 'synchronous');
  {
    await using _ = startDelivering();
    await eventually('the first row', async () => (await cursorOf(webhookId, id)) === 1);
  }
  await issue(id, ['b'], 'synchronous');
  await withTransaction(stores.database, (tx) => recordEvent(tx, { kind: 'coupon.ended', couponId: id, sequence: 2 }));
  await stores.edit(id, { dateArchived: new Date() });
  await withConnection(stores.database, (session) => session.delete(couponIssues).where(eq(couponIssues.couponId, id)));
  await using _ = startDelivering();
  await eventually('the end', () => receiver.events.length > 1);
  expect(brief(receiver.events).map(([kind]) => kind)).toEqual(['issue.created', 'coupon.ended']);
});

test('an event whose transaction commits late is not skipped', async () => {
  await using receiver = startReceiver();
  const { id } = await stores.coupon({ totalQuantity: null });
  await issue(id, ['a', 'b'], 'synchronous');
  await createWebhook(receiver.url, ['issue.used', 'issue.revoked']);
  await using _ = startDelivering();
  const late = withTransaction(stores.database, async (tx) => {
    await recordEvent(tx, { kind: 'issue.revoked', couponId: id, sequence: 1, facts: { reason: 'late' } });
    await api.issues.change(id, 'b', USE);
    await eventually('the event that began later', () => receiver.events.length === 1);
  });
  await late;
  await eventually('the one that committed late', () => receiver.events.length === 2);
  expect(brief(receiver.events)).toEqual([
    ['issue.used', 2],
    ['issue.revoked', 1],
  ]);
  expect(receiver.events[1]?.data).toEqual({ couponId: id, sequence: 1, userId: 'a', reason: 'late' });
});

test('what is rolled back is no event', async () => {
  const { id } = await stores.coupon();
  await issue(id, ['a'], 'synchronous');
  const undone = withTransaction(stores.database, async (tx) => {
    await recordEvent(tx, { kind: 'issue.used', couponId: id, sequence: 1 });
    throw new RollbackError('undone');
  });
  await expect(undone).rejects.toThrow('undone');
  const found = await withConnection(stores.database, (session) =>
    session.select().from(outbox).where(eq(outbox.couponId, id)),
  );
  expect(found).toEqual([]);
});

test('positions rise, whoever gives them at the same time', async () => {
  const { id } = await stores.coupon();
  for (let i = 0; i < 30; i += 1)
    await withTransaction(stores.database, (tx) => recordEvent(tx, { kind: 'issue.used', couponId: id, sequence: 1 }));
  await Promise.allSettled(names(5).map(() => orderEvents(stores.database)));
  while (await orderEvents(stores.database));
  const rows = await withConnection(stores.database, (session) =>
    session
      .select({ id: outbox.id, position: outbox.position })
      .from(outbox)
      .where(eq(outbox.couponId, id))
      .orderBy(outbox.id),
  );
  const positions = rows.map(({ position }) => position ?? 0);
  expect(rows).toHaveLength(30);
  expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b));
  expect(Math.min(...positions)).toBeGreaterThan(0);
});

test('what fails is sent again, before anything that follows it, and the failures end with the first success', async () => {
  await using receiver = startReceiver();
  const { id } = await stores.coupon({ totalQuantity: null });
  const webhook = await createWebhook(receiver.url);
  await issue(id, ['a'], 'synchronous');
  let answers = 0;
  receiver.answer(() => {
    answers += 1;
    return new Response(null, { status: answers <= 2 ? 500 : 204 });
  });
  await using delivering = startDelivering();
  await eventually('a failure', () => delivering.failed.length > 0);
  await issue(id, ['b'], 'synchronous');
  await eventually('a failing webhook', async () => (await api.webhooks.list())[0]?.failures === 2);
  expect((await api.webhooks.list())[0]).toMatchObject({ state: 'active', lastError: 'answered 500' });
  await eventually('both events', () => receiver.events.length === 2);
  expect(brief(receiver.events)).toEqual([
    ['issue.created', 1],
    ['issue.created', 2],
  ]);
  await eventually('a healthy webhook', async () => (await api.webhooks.list())[0]?.failures === 0);
  expect((await api.webhooks.list())[0]).toMatchObject({ lastError: null, failingSinceMs: null, nextTryMs: null });
  const deliveries = await api.webhooks.deliveries(webhook.id, { after: 0, limit: 10 });
  expect(deliveries?.map(({ status, error }) => [status, error]).slice(-2)).toEqual([
    [500, 'answered 500'],
    [500, 'answered 500'],
  ]);
  expect(delivering.failed).toEqual([1, 2].map(() => ({ webhookId: webhook.id, error: 'answered 500', end: null })));
});

test('an answer 410 ends it, until an operator resumes it; then nothing is missing', async () => {
  await using receiver = startReceiver();
  const { id } = await stores.coupon({ totalQuantity: null });
  const webhook = await createWebhook(receiver.url);
  receiver.answer(() => new Response(null, { status: 410 }));
  await using delivering = startDelivering();
  await issue(id, ['a'], 'synchronous');
  await eventually('the end', async () => (await api.webhooks.list())[0]?.state === 'gone');
  await issue(id, ['b'], 'synchronous');
  const rounds = delivering.seen.length;
  await eventually('some rounds', () => delivering.seen.length > rounds + 2);
  expect(receiver.requests).toHaveLength(1);
  expect(delivering.seen.at(-1)).toMatchObject([{ state: 'gone' }]);
  receiver.answer(() => new Response());
  expect(await api.webhooks.setPaused(webhook.id, false, SYSTEM)).toMatchObject({ state: 'active', failures: 0 });
  await eventually('the events', () => receiver.events.length === 2);
  expect(brief(receiver.events)).toEqual([
    ['issue.created', 1],
    ['issue.created', 2],
  ]);
});

test('one that fails for too long is stopped', async () => {
  await using receiver = startReceiver();
  const { id } = await stores.coupon({ totalQuantity: null });
  const webhook = await createWebhook(receiver.url);
  receiver.answer(() => new Response(null, { status: 503 }));
  await issue(id, ['a'], 'synchronous');
  await using delivering = startDelivering({ WEBHOOK_FAILING_H_MAX: 2 });
  await eventually('a failure', () => delivering.failed.length > 0);
  await withConnection(stores.database, (session) =>
    session
      .update(webhooks)
      .set({ dateFailingSince: sql`UTC_TIMESTAMP(3) - INTERVAL 3 HOUR` })
      .where(eq(webhooks.id, webhook.id)),
  );
  await eventually('the end', async () => (await api.webhooks.list())[0]?.state === 'failed');
  expect(delivering.failed.at(-1)).toEqual({ webhookId: webhook.id, error: 'answered 503', end: 'failed' });
});

test('a paused webhook is sent nothing, and everything once it is resumed', async () => {
  await using receiver = startReceiver();
  const { id } = await stores.coupon({ totalQuantity: null });
  const webhook = await createWebhook(receiver.url);
  expect(await api.webhooks.setPaused(webhook.id, true, SYSTEM)).toMatchObject({ state: 'paused' });
  await using delivering = startDelivering();
  await issue(id, ['a', 'b'], 'synchronous');
  await eventually('some rounds', () => delivering.seen.length > 2);
  expect(receiver.requests).toEqual([]);
  await api.webhooks.setPaused(webhook.id, false, SYSTEM);
  await eventually('the events', () => receiver.events.length === 2);
});

test('a replay sends events of issues above a sequence again, with the ids that they had', async () => {
  await using receiver = startReceiver();
  const { id } = await stores.coupon({ totalQuantity: null });
  const webhook = await createWebhook(receiver.url);
  await using _ = startDelivering();
  await issue(id, names(5), 'synchronous');
  await api.issues.change(id, 'user-1', USE);
  await api.issues.change(id, 'user-4', USE);
  await eventually('the events', () => receiver.events.length === 7);
  const first = receiver.events.splice(0);
  expect(await api.webhooks.replay(webhook.id, { couponId: id, after: 3 }, SYSTEM)).toBe(true);
  const usedLast = first.filter(({ data }) => Number(data.sequence) > 3);
  await eventually('them again', () => receiver.events.length >= usedLast.length);
  const again = receiver.events.filter(({ data }) => Number(data.sequence) > 3);
  expect(again).toEqual(usedLast);
  // It moves nothing forward.
  receiver.events.splice(0);
  await api.webhooks.replay(webhook.id, { couponId: id, after: 1000 }, SYSTEM);
  await issue(id, ['next'], 'synchronous');
  await eventually('the next', () => receiver.events.length > 0);
  expect(brief(receiver.events)).toEqual([['issue.created', 6]]);
});

test('of several workers one delivers; when it stops, another one does', async () => {
  await using receiver = startReceiver();
  const { id } = await stores.coupon({ totalQuantity: null });
  const { id: webhookId } = await createWebhook(receiver.url);
  receiver.answer(async () => {
    await Bun.sleep(5);
    return new Response();
  });
  // Many requests, so that two who deliver would meet.
  const first = startDelivering({ WEBHOOK_EVENTS_MAX: 1 });
  await using second = startDelivering({ WEBHOOK_EVENTS_MAX: 1 });
  await issue(id, names(40), 'synchronous');
  await eventually('the events', () => receiver.events.length === 40);
  // What was on its way when the first stops may come again.
  await eventually('nothing to be on its way', async () => (await cursorOf(webhookId, id)) === 40);
  await first[Symbol.asyncDispose]();
  await issue(id, ['next'], 'synchronous');
  await eventually('the next', () => receiver.events.length === 41);
  expect(receiver.events.map(({ data }) => data.sequence)).toEqual(names(41).map((_, i) => i + 1));
  expect([receiver.together, second.faults]).toEqual([1, []]);
});

test('a receiver that never answers holds up neither the other webhooks nor another coupon for longer than its time', async () => {
  await using silent = startReceiver();
  await using receiver = startReceiver();
  const [one, other] = [await stores.coupon({ totalQuantity: null }), await stores.coupon({ totalQuantity: null })];
  const { id: silentId } = await createWebhook(silent.url);
  await createWebhook(receiver.url);
  silent.answer(() => new Promise(() => undefined));
  await issue(one.id, ['a'], 'synchronous');
  await issue(other.id, ['a'], 'synchronous');
  await using delivering = startDelivering({ WEBHOOK_MS_MAX: 300 });
  await eventually('the healthy one to have all', () => receiver.events.length === 2);
  const failed = async () => (await api.webhooks.deliveries(silentId, { after: 0, limit: 10 })) ?? [];
  await eventually('two failures', async () => (await failed()).length >= 2);
  expect(delivering.failed[0]).toMatchObject({ error: 'did not answer in time' });
  // The coupon that failed comes last the next time.
  expect(new Set((await failed()).slice(-2).map(({ couponId }) => couponId))).toEqual(new Set([one.id, other.id]));
});

test('a private address is refused as a URL, and as what a name leads to', async () => {
  const strict = await stores.createApi({ WEBHOOK_PRIVATE: 'off' });
  await using receiver = startReceiver();
  for (const url of [receiver.url, 'https://10.0.0.7/', 'file:///etc/passwd', 'https://a:b@shop.example/']) {
    expect(await strict.webhooks.create({ url, kinds: ['issue.used'] }, SYSTEM)).toMatchObject({ kind: 'wrong url' });
  }
  // Made while it was allowed.
  const { id } = await stores.coupon({ totalQuantity: null });
  await createWebhook(receiver.url);
  await issue(id, ['a'], 'synchronous');
  await using delivering = startDelivering({ WEBHOOK_PRIVATE: 'off' });
  await eventually('a failure', () => delivering.failed.length > 0);
  expect(delivering.failed[0]).toMatchObject({ error: 'the host name resolves to a private address' });
  expect(receiver.requests).toEqual([]);
});

test('there are at most fifty, and each change of one is in the audit trail, without secrets', async () => {
  const url = 'https://shop.example/hooks?token=of-the-shop';
  const made = await Promise.all(names(3).map(() => createWebhook(url, ['issue.used'])));
  const [first] = made;
  if (!first) throw new Error('nothing was made');
  await api.webhooks.setPaused(first.id, true, SYSTEM);
  await api.webhooks.replay(first.id, { couponId: 7, after: 3 }, SYSTEM);
  await api.webhooks.remove(first.id, SYSTEM);
  expect(await api.webhooks.remove(first.id, SYSTEM)).toBe(false);
  const trail = await listTrail(stores.database, { after: 0, limit: 100, couponId: null, key: null });
  const mine = trail.filter(({ from, to }) => (to ?? from)?.['webhookId'] === first.id);
  const webhookId = first.id;
  expect(mine.map(({ action, couponId, from, to }) => ({ action, couponId, from, to }))).toEqual([
    {
      action: 'webhook.delete',
      couponId: null,
      from: { webhookId, host: 'shop.example', kinds: ['issue.used'] },
      to: null,
    },
    { action: 'webhook.replay', couponId: 7, from: null, to: { webhookId, after: 3 } },
    {
      action: 'webhook.edit',
      couponId: null,
      from: { webhookId, state: 'active' },
      to: { webhookId, state: 'paused' },
    },
    {
      action: 'webhook.create',
      couponId: null,
      from: null,
      to: { webhookId, host: 'shop.example', kinds: ['issue.used'] },
    },
  ]);
  expect(JSON.stringify(trail)).not.toMatch(/whsec_|of-the-shop/);
  for (let count = 2; count < 50; count += 1) await createWebhook(url);
  expect(await api.webhooks.create({ url, kinds: ['issue.used'] }, SYSTEM)).toEqual({ kind: 'full' });
});

test('old events and results are removed, and later events still come after those that were sent', async () => {
  await using receiver = startReceiver();
  const { id } = await stores.coupon({ totalQuantity: null });
  await createWebhook(receiver.url, ['issue.used']);
  await issue(id, ['a', 'b'], 'synchronous');
  await using _ = startDelivering();
  await api.issues.change(id, 'a', USE);
  await eventually('the event', () => receiver.events.length === 1);
  await withConnection(stores.database, async (session) => {
    const dateCreated = sql`UTC_TIMESTAMP(3) - INTERVAL 25 HOUR`;
    await session.update(outbox).set({ dateCreated });
    await session.update(webhookDeliveries).set({ dateCreated });
  });
  expect(await removeOld(stores.database, 24)).toBe(false);
  const left = await withConnection(stores.database, async (session) => [
    await session.$count(outbox, eq(outbox.couponId, id)),
    await session.$count(webhookDeliveries),
  ]);
  expect(left).toEqual([0, 0]);
  await api.issues.change(id, 'b', USE);
  await eventually('the next event', () => receiver.events.length === 2);
});
