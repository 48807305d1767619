// webhook-store.ts -- Webhooks in MySQL, as operators see and change them: made, listed, paused, resumed, deleted, replayed; each change
// with its row in the audit trail. The secret is shown only when it is made.

import { and, count, desc, eq, getTableColumns, gt, lt, sql } from 'drizzle-orm';
import { outbox, webhookCursors, webhookDeliveries, webhooks } from '../../drizzle/webhook-tables.ts';
import { recorded } from '../auth/api-key-store.ts';
import { type Actor, record } from '../auth/audit-trail.ts';
import type { Page } from '../http/pagination.ts';
import { invariant } from '../invariant.ts';
import { type Database, readFromPrimary, type Session, withConnection } from '../mysql/database.ts';
import type { ReadCertainSequence } from './certain-sequence.ts';
import { type EventKind, eventKinds } from './events.ts';
import { orderEvents } from './outbox.ts';
import { type Progress, progressPages } from './progress.ts';
import { createSecret } from './signature.ts';
import { urlFault } from './target.ts';

/** More would be a load for the worker that delivers. */
const WEBHOOKS_MAX = 50;

export interface WebhookDraft {
  readonly url: string;
  readonly kinds: readonly EventKind[];
}

/** A webhook without its secret. Times are null where there is none. */
export interface Webhook extends WebhookDraft {
  readonly id: number;
  readonly state: 'active' | 'paused' | 'failed' | 'gone';
  readonly failures: number;
  readonly failingSinceMs: number | null;
  readonly nextTryMs: number | null;
  readonly lastError: string | null;
  readonly createdMs: number;
}

/** One request to a webhook, and its result. */
export interface Delivery {
  readonly id: number;
  readonly atMs: number;
  readonly couponId: number;
  readonly messageId: string;
  readonly events: number;
  readonly firstEvent: string;
  readonly lastEvent: string;
  readonly status: number | null;
  readonly error: string | null;
  readonly durationMs: number;
}

/** All throw what the stores throw. */
export interface Webhooks {
  /** It receives what happens from now on. `expected`: what would be a URL that is taken. */
  create(
    draft: WebhookDraft,
    by: Actor,
  ): Promise<
    | { readonly kind: 'created'; readonly webhook: Webhook; readonly secret: string }
    | { readonly kind: 'full' }
    | { readonly kind: 'wrong url'; readonly expected: string }
  >;
  list(): Promise<readonly Webhook[]>;
  /** Pauses or resumes it; null: there is none. What happened meanwhile is delivered then. */
  setPaused(id: number, paused: boolean, by: Actor): Promise<Webhook | null>;
  remove(id: number, by: Actor): Promise<boolean>;
  /** Delivers the events of issues of a coupon above a sequence again. False: there is no such webhook. */
  replay(id: number, from: { readonly couponId: number; readonly after: number }, by: Actor): Promise<boolean>;
  /** At most `limit`, the newest first, with ids below `after`; 0: from the newest. Null: there is no such webhook. */
  deliveries(id: number, page: Page): Promise<readonly Delivery[] | null>;
}

export interface WebhookStoreDependencies {
  readonly database: Database;
  readonly readCertain: ReadCertainSequence;
  readonly settings: { readonly WEBHOOK_PRIVATE: 'on' | 'off' };
}

export function createWebhooks(dependencies: WebhookStoreDependencies): Webhooks {
  const { database, settings } = dependencies;
  return {
    async create({ url, kinds }, by) {
      const expected = urlFault(url, settings.WEBHOOK_PRIVATE === 'on');
      if (expected !== null) return { kind: 'wrong url', expected };
      // Read first: what happens between here and the commit is delivered.
      const cursors = await presentCursors(dependencies);
      const secret = createSecret();
      return recorded(database, async (session) => {
        const [found] = await session.select({ webhooks: count() }).from(webhooks);
        if ((found?.webhooks ?? 0) >= WEBHOOKS_MAX) return { kind: 'full' } as const;
        // Active only once its cursors are there: without them it would receive everything.
        const values = { url, secret, kinds: kinds.join(','), state: 'paused' } as const;
        const [{ insertId }] = await session.insert(webhooks).values(values);
        for (const { couponId, ...cursor } of cursors)
          await session.insert(webhookCursors).values({ webhookId: insertId, couponId, ...cursor });
        await session.update(webhooks).set({ state: 'active' }).where(eq(webhooks.id, insertId));
        await recordChange(session, by, 'webhook.create', insertId, null, { host: new URL(url).host, kinds });
        const webhook = await readWebhook(session, insertId);
        invariant(webhook, 'a webhook that was just made is not there');
        return { kind: 'created', webhook, secret } as const;
      });
    },
    list: () => readFromPrimary(database, listWebhooks),
    setPaused: (id, paused, by) =>
      recorded(database, async (session) => {
        const before = await readWebhook(session, id);
        if (!before || (before.state === 'active') === !paused) return before;
        const state = paused ? 'paused' : 'active';
        const healed = { failures: 0, dateFailingSince: null, dateNextTry: null };
        await session
          .update(webhooks)
          .set({ state, ...(!paused && healed) })
          .where(eq(webhooks.id, id));
        await recordChange(session, by, 'webhook.edit', id, { state: before.state }, { state });
        return readWebhook(session, id);
      }),
    remove: (id, by) => removeWebhook(database, id, by),
    replay: (id, from, by) => replayWebhook(database, id, from, by),
    deliveries: (id, page) =>
      readFromPrimary(database, async (session) =>
        (await readWebhook(session, id)) ? listDeliveries(session, id, page) : null,
      ),
  };
}

/** Where every coupon is now. Of one with issues that are not yet rows, up to where its rows are certain. */
async function presentCursors({
  database,
  readCertain,
}: WebhookStoreDependencies): Promise<readonly Omit<Progress, 'isOpen'>[]> {
  // First what coupons are is recorded and ordered, so that a coupon that ended long ago is no news.
  for await (const _ of progressPages(database));
  while (await orderEvents(database));
  const cursors: Omit<Progress, 'isOpen'>[] = [];
  for await (const page of progressPages(database)) {
    for (const { isOpen, ...progress } of page) {
      if (progress.sequence === 0 && progress.position === 0) continue;
      const { certain } = isOpen
        ? await readCertain(progress.couponId, 0, progress.sequence)
        : { certain: progress.sequence };
      cursors.push({ ...progress, sequence: Math.min(progress.sequence, certain) });
    }
  }
  return cursors;
}

async function removeWebhook(database: Database, id: number, by: Actor): Promise<boolean> {
  const removed = await recorded(database, async (session) => {
    const webhook = await readWebhook(session, id);
    if (!webhook) return false;
    await session.delete(webhooks).where(eq(webhooks.id, id));
    const { kinds } = webhook;
    await recordChange(session, by, 'webhook.delete', id, { host: new URL(webhook.url).host, kinds }, null);
    return true;
  });
  if (!removed) return false;
  const rows = await readFromPrimary(database, (session) =>
    session.select({ couponId: webhookCursors.couponId }).from(webhookCursors).where(eq(webhookCursors.webhookId, id)),
  );
  // One by one: on Vitess they are in several shards.
  for (const { couponId } of rows)
    await withConnection(database, (session) =>
      session
        .delete(webhookCursors)
        .where(and(eq(webhookCursors.couponId, couponId), eq(webhookCursors.webhookId, id))),
    );
  return true;
}

/** Moves the cursor back, never forward. Without one nothing was delivered, so that there is nothing to replay. */
async function replayWebhook(
  database: Database,
  id: number,
  { couponId, after }: { readonly couponId: number; readonly after: number },
  by: Actor,
): Promise<boolean> {
  const first = await readFromPrimary(database, (session) =>
    session
      .select({ position: sql`MIN(${outbox.position})`.mapWith(Number) })
      .from(outbox)
      .where(and(eq(outbox.couponId, couponId), gt(outbox.sequence, after))),
  );
  const position = first[0]?.position ? first[0].position - 1 : Number.MAX_SAFE_INTEGER;
  return recorded(database, async (session) => {
    if (!(await readWebhook(session, id))) return false;
    await recordChange(session, by, 'webhook.replay', id, null, { after }, couponId);
    await session
      .update(webhookCursors)
      .set({ sequence: sql`LEAST(sequence, ${after})`, position: sql`LEAST(position, ${position})` })
      .where(and(eq(webhookCursors.couponId, couponId), eq(webhookCursors.webhookId, id)));
    return true;
  });
}

type WebhookAction = 'webhook.create' | 'webhook.edit' | 'webhook.delete' | 'webhook.replay';
type Facts = Readonly<Record<string, unknown>>;

/** Of the URL the host alone, since the rest may be a secret of the receiver. */
function recordChange(
  session: Session,
  by: Actor,
  action: WebhookAction,
  webhookId: number,
  from: Facts | null,
  to: Facts | null,
  couponId: number | null = null,
): Promise<void> {
  const named = (facts: Facts | null) => facts && { webhookId, ...facts };
  return record(session, by, { action, couponId, from: named(from), to: named(to) });
}

async function readWebhook(session: Session, id: number): Promise<Webhook | null> {
  const [row] = await session.select().from(webhooks).where(eq(webhooks.id, id));
  return row ? toWebhook(row) : null;
}

async function listWebhooks(session: Session): Promise<readonly Webhook[]> {
  return (await session.select().from(webhooks).orderBy(webhooks.id)).map(toWebhook);
}

function toWebhook({ id, url, kinds, state, failures, lastError, ...dates }: typeof webhooks.$inferSelect): Webhook {
  return {
    id,
    url,
    kinds: kindsOf(kinds),
    state,
    failures,
    failingSinceMs: dates.dateFailingSince?.getTime() ?? null,
    nextTryMs: dates.dateNextTry?.getTime() ?? null,
    lastError,
    createdMs: dates.dateCreated.getTime(),
  };
}

/** Kinds that this release does not know are left out. */
export function kindsOf(text: string): readonly EventKind[] {
  const stored = text.split(',');
  return eventKinds.filter((kind) => stored.includes(kind));
}

async function listDeliveries(session: Session, id: number, { after, limit }: Page): Promise<readonly Delivery[]> {
  const { webhookId, dateCreated, ...columns } = getTableColumns(webhookDeliveries);
  const rows = await session
    .select({ ...columns, date: dateCreated })
    .from(webhookDeliveries)
    .where(and(eq(webhookId, id), after > 0 ? lt(columns.id, after) : undefined))
    .orderBy(desc(columns.id))
    .limit(limit);
  return rows.map(({ date, ...delivery }) => ({ ...delivery, atMs: date.getTime() }));
}
