// delivery-store.ts -- What the worker that delivers reads and writes of webhooks: cursors, results, when to try again.

import { and, between, eq, inArray, type SQL, sql } from 'drizzle-orm';
import { outbox, webhookCursors, webhookDeliveries, webhooks } from '../../drizzle/webhook-tables.ts';
import { type Database, readFromPrimary, type Session, withConnection } from '../mysql/database.ts';
import type { Cursor } from './batch.ts';
import type { EventKind } from './events.ts';
import type { Answer } from './post.ts';
import { kindsOf } from './webhook-store.ts';

/** A webhook as it is delivered to. */
export interface Target {
  readonly id: number;
  readonly url: string;
  readonly secret: string;
  readonly kinds: readonly EventKind[];
  readonly state: 'active' | 'paused' | 'failed' | 'gone';
  readonly failures: number;
  /** Since when all requests failed, in seconds; 0 when the last one did not. */
  readonly failingS: number;
  /** Whether it is active, and not waiting for its next try. */
  readonly isDue: boolean;
}

const targetColumns = {
  id: webhooks.id,
  url: webhooks.url,
  secret: webhooks.secret,
  kinds: webhooks.kinds,
  state: webhooks.state,
  failures: webhooks.failures,
  failingS: sql`COALESCE(TIMESTAMPDIFF(SECOND, date_failing_since, UTC_TIMESTAMP(3)), 0)`.mapWith(Number),
  isDue: sql`state = 'active' AND (date_next_try IS NULL OR date_next_try <= UTC_TIMESTAMP(3))`.mapWith(Boolean),
};

export async function readTargets(database: Database): Promise<readonly Target[]> {
  const rows = await readFromPrimary(database, (session) =>
    session.select(targetColumns).from(webhooks).orderBy(webhooks.id),
  );
  return rows.map((row) => ({ ...row, kinds: kindsOf(row.kinds) }));
}

/** The webhook as it is now, and its cursor of a coupon; null for one that was deleted. */
export function readTarget(database: Database, id: number, couponId: number) {
  return readFromPrimary(database, async (session) => {
    const [row] = await session.select(targetColumns).from(webhooks).where(eq(webhooks.id, id));
    if (!row) return null;
    const [cursor] = await session.select(cursorColumns).from(webhookCursors).where(isCursorOf(id, couponId));
    return { target: { ...row, kinds: kindsOf(row.kinds) }, cursor: cursor ?? null };
  });
}

const cursorColumns = { sequence: webhookCursors.sequence, position: webhookCursors.position };

function isCursorOf(webhookId: number, couponId: number) {
  return and(eq(webhookCursors.couponId, couponId), eq(webhookCursors.webhookId, webhookId));
}

/** The cursors of all webhooks, of coupons from one id to another. */
export function readCursors(database: Database, firstCoupon: number, lastCoupon: number) {
  return readFromPrimary(database, (session) =>
    session
      .select()
      .from(webhookCursors)
      .where(between(webhookCursors.couponId, firstCoupon, lastCoupon)),
  );
}

/** Moves a cursor from what was read; null: there was none. False: it was moved meanwhile, such as by a replay. */
export function moveCursor(
  database: Database,
  webhookId: number,
  couponId: number,
  from: Cursor | null,
  to: Cursor,
): Promise<boolean> {
  return withConnection(database, async (session) => {
    if (from === null) {
      const [inserted] = await session
        .insert(webhookCursors)
        .values({ webhookId, couponId, ...to })
        .onDuplicateKeyUpdate({ set: { webhookId: sql`webhook_id` } });
      return inserted.affectedRows === 1;
    }
    const isAsRead = and(eq(webhookCursors.sequence, from.sequence), eq(webhookCursors.position, from.position));
    const [updated] = await session
      .update(webhookCursors)
      .set(to)
      .where(and(isCursorOf(webhookId, couponId), isAsRead));
    return updated.affectedRows === 1;
  });
}

export interface Result extends Pick<Answer, 'status' | 'error'> {
  readonly webhookId: number;
  readonly couponId: number;
  readonly messageId: string;
  readonly events: number;
  readonly firstEvent: string;
  readonly lastEvent: string;
  readonly durationMs: number;
}

/** Keeps a result for the list of deliveries. */
export async function keepResult(database: Database, result: Result): Promise<void> {
  await withConnection(database, (session) => session.insert(webhookDeliveries).values(result));
}

/** After a success: the webhook is healthy. */
export async function endFailures(database: Database, id: number): Promise<void> {
  const healed = { failures: 0, dateFailingSince: null, dateNextTry: null, lastError: null };
  await update(database, id, healed);
}

/** After a failure: when to try again, or that nothing is tried any more. An operator's pause stays. */
export async function noteFailure(
  database: Database,
  id: number,
  error: string,
  pauseMs: number,
  end: 'failed' | 'gone' | null,
): Promise<void> {
  await update(database, id, {
    failures: sql`failures + 1`,
    lastError: error.slice(0, 200),
    dateFailingSince: sql`COALESCE(date_failing_since, UTC_TIMESTAMP(3))`,
    dateNextTry: sql`UTC_TIMESTAMP(3) + INTERVAL ${Math.round(pauseMs * 1000)} MICROSECOND`,
    ...(end !== null && { state: sql`IF(state = 'active', ${end}, state)` }),
  });
}

async function update(database: Database, id: number, values: Parameters<ReturnType<Session['update']>['set']>[0]) {
  await withConnection(database, (session) => session.update(webhooks).set(values).where(eq(webhooks.id, id)));
}

/** Rows that are removed in one step. */
const REMOVED_MAX = 1000;

/**
 * Removes results, and events of issues, that are older than so many hours; what is recorded once stays.
 *
 * @returns whether there may be more
 */
export async function removeOld(database: Database, hours: number): Promise<boolean> {
  const isOld = sql`date_created < UTC_TIMESTAMP(3) - INTERVAL ${hours} HOUR`;
  const isEvent = and(isOld, sql`once_key IS NULL`);
  const found = [await removeFrom(database, webhookDeliveries, isOld), await removeFrom(database, outbox, isEvent)];
  return found.includes(REMOVED_MAX);
}

/** By coupon, since on Vitess they are in several shards. Returns how many were found. */
async function removeFrom(
  database: Database,
  table: typeof outbox | typeof webhookDeliveries,
  condition: SQL | undefined,
): Promise<number> {
  const rows = await readFromPrimary(database, (session) =>
    session.select({ id: table.id, couponId: table.couponId }).from(table).where(condition).limit(REMOVED_MAX),
  );
  for (const [couponId, mine] of Map.groupBy(rows, (row) => row.couponId)) {
    const ids = mine.map(({ id }) => id);
    const isTheirs = and(eq(table.couponId, couponId), inArray(table.id, ids));
    await withConnection(database, (session) => session.delete(table).where(isTheirs));
  }
  return rows.length;
}
