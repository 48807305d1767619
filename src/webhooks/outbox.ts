// outbox.ts -- The outbox: events of coupons that are not new rows, added in the transaction of the change, so that none is lost and
// none is invented.
//
// Ids are given when an event is added, and transactions commit in another order: a reader that remembers the last id it saw would
// skip what commits late. So a worker gives each event that is committed the next position of its coupon, and readers follow these.
// Two events of one issue keep their order, since the second is added under the lock of a row that the first has changed.

import { and, asc, eq, inArray, isNull, sql } from 'drizzle-orm';
import { outbox, webhookCursors } from '../../drizzle/webhook-tables.ts';
import { invariant } from '../invariant.ts';
import { type Database, readFromPrimary, type Session, withConnection, withTransaction } from '../mysql/database.ts';
import type { EventKind } from './events.ts';

export interface OutboxEvent {
  readonly couponId: number;
  readonly kind: Exclude<EventKind, 'issue.created'>;
  /** Of the issue. */
  readonly sequence: number;
  /** More that receivers should know. No user ids: they are read from the row of the issue when the event is sent. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** Records an event in the transaction of its change, once that has changed the row of the issue. Throws what MySQL throws. */
export async function recordEvent(tx: Session, { facts, ...event }: OutboxEvent): Promise<void> {
  await tx.insert(outbox).values({ ...event, ...(facts && { facts: JSON.stringify(facts) }) });
}

/** Stands for a webhook where the last position of a coupon is kept. */
export const LAST_GIVEN = 0;

function isLastGiven(couponId: number) {
  return and(eq(webhookCursors.couponId, couponId), eq(webhookCursors.webhookId, LAST_GIVEN));
}

/** Events that are given a position in one round. */
const ORDERED_MAX = 1000;

/**
 * Gives events that have no position the next ones of their coupons, which rise and may have gaps.
 *
 * @returns whether there may be more
 */
export async function orderEvents(database: Database): Promise<boolean> {
  const found = await readFromPrimary(database, (session) =>
    session
      .select({ id: outbox.id, couponId: outbox.couponId })
      .from(outbox)
      .where(isNull(outbox.position))
      .orderBy(asc(outbox.id))
      .limit(ORDERED_MAX),
  );
  for (const [couponId, events] of Map.groupBy(found, (event) => event.couponId)) {
    const ids = events.map(({ id }) => id);
    await withTransaction(database, async (tx) => {
      // Its lock makes a second worker wait; what that one then finds to have a position keeps it.
      await tx
        .insert(webhookCursors)
        .values({ couponId, webhookId: LAST_GIVEN, sequence: 0, position: ids.length })
        .onDuplicateKeyUpdate({ set: { position: sql`position + ${ids.length}` } });
      const [last] = await tx
        .select({ position: webhookCursors.position })
        .from(webhookCursors)
        .where(isLastGiven(couponId));
      invariant(last, 'the position of a coupon that was just raised is not there');
      // FIELD is the place of an id in the list, from 1.
      const position = sql`${last.position - ids.length} + FIELD(${outbox.id}, ${sql.raw(ids.join())})`;
      await tx
        .update(outbox)
        .set({ position })
        .where(and(eq(outbox.couponId, couponId), inArray(outbox.id, ids), isNull(outbox.position)));
    });
  }
  return found.length === ORDERED_MAX;
}

/** What of a coupon may be an event. */
export interface CouponState {
  readonly id: number;
  readonly totalQuantity: number | null;
  readonly issuedQuantity: number;
  readonly endMs: number;
  readonly isOver: boolean;
}

/** Records which coupons are sold out and which have ended, once for each total and each end. `highest`: the highest sequence of each. */
export async function recordCouponEvents(
  database: Database,
  coupons: readonly CouponState[],
  highest: ReadonlyMap<number, number>,
): Promise<void> {
  const events = coupons.flatMap(({ id: couponId, totalQuantity, issuedQuantity, endMs, isOver }) => {
    const common = { couponId, sequence: highest.get(couponId) ?? 0 };
    const isSoldOut = totalQuantity !== null && issuedQuantity >= totalQuantity;
    const facts = JSON.stringify({ totalQuantity });
    return [
      ...(isSoldOut ? [{ ...common, kind: 'coupon.sold_out', onceKey: `sold_out:${totalQuantity}`, facts }] : []),
      ...(isOver
        ? [{ ...common, kind: 'coupon.ended', onceKey: `ended:${endMs}`, dateCreated: new Date(endMs), facts: null }]
        : []),
    ];
  });
  if (events.length === 0) return;
  const known = await readFromPrimary(database, (session) =>
    session
      .select({ couponId: outbox.couponId, onceKey: outbox.onceKey })
      .from(outbox)
      .where(
        and(inArray(outbox.couponId, [...new Set(events.map(({ couponId }) => couponId))]), sql`once_key IS NOT NULL`),
      ),
  );
  const keys = new Set(known.map(({ couponId, onceKey }) => `${couponId} ${onceKey}`));
  for (const event of events) {
    if (keys.has(`${event.couponId} ${event.onceKey}`)) continue;
    // Another worker may have done it meanwhile.
    await withConnection(database, (session) =>
      session
        .insert(outbox)
        .values(event)
        .onDuplicateKeyUpdate({ set: { kind: sql`kind` } }),
    );
  }
}
