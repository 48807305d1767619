// webhook-tables.ts -- The tables of webhooks: events to send, the receivers, how far each of them is, and deliveries.

import { sql } from 'drizzle-orm';
import {
  bigint,
  index,
  int,
  mysqlEnum,
  mysqlTable,
  primaryKey,
  text,
  uniqueIndex,
  varchar,
} from 'drizzle-orm/mysql-core';
import { instant } from './columns.ts';

/** Events of coupons that are not new rows, added with the change they report. See src/webhooks/outbox.ts. */
export const outbox = mysqlTable(
  'outbox',
  {
    id: bigint('id', { mode: 'number', unsigned: true }).notNull().autoincrement(),
    couponId: bigint('coupon_id', { mode: 'number', unsigned: true }).notNull(),
    /** The place of the event among those of its coupon, from 1; NULL until a worker has given it. */
    position: bigint('position', { mode: 'number', unsigned: true }),
    kind: varchar('kind', { length: 32 }).notNull(),
    /** Delivered after the row with this sequence: that of the issue, or the highest one when the coupon changed. */
    sequence: bigint('sequence', { mode: 'number', unsigned: true }).notNull(),
    /** Of what is recorded once, such as that a coupon ended at an instant; NULL for what may happen again. */
    onceKey: varchar('once_key', { length: 40 }),
    // JSON, as text, as in the audit trail.
    facts: text('facts'),
    dateCreated: instant('date_created').notNull().default(sql`CURRENT_TIMESTAMP(3)`),
  },
  (table) => [
    primaryKey({ columns: [table.id, table.couponId] }),
    // Serves the reading of a coupon's events in order.
    uniqueIndex('outbox_by_position').on(table.couponId, table.position),
    uniqueIndex('outbox_once').on(table.couponId, table.onceKey),
    // Serves the search for events without a position.
    index('outbox_without_position').on(table.position, table.id),
    // Serves the removing of old ones.
    index('outbox_by_date').on(table.dateCreated),
  ],
);

/** Where events are delivered to. See src/webhooks/webhook-store.ts. */
export const webhooks = mysqlTable('webhooks', {
  id: bigint('id', { mode: 'number', unsigned: true }).primaryKey().autoincrement(),
  url: varchar('url', { length: 2048 }).notNull(),
  /** The worker signs with it, so it is stored as it is. */
  secret: varchar('secret', { length: 100 }).notNull(),
  /** With commas, such as `issue.created,issue.used`. */
  kinds: varchar('kinds', { length: 200 }).notNull(),
  /** `paused` by an operator; `failed` after failing for days, `gone` after an answer 410: until an operator resumes it. */
  state: mysqlEnum('state', ['active', 'paused', 'failed', 'gone']).notNull(),
  /** Requests that failed since the last one that succeeded. */
  failures: int('failures', { unsigned: true }).notNull().default(0),
  dateFailingSince: instant('date_failing_since'),
  dateNextTry: instant('date_next_try'),
  lastError: varchar('last_error', { length: 200 }),
  dateCreated: instant('date_created').notNull().default(sql`CURRENT_TIMESTAMP(3)`),
});

/**
 * How far a webhook has received the events of a coupon: rows up to a sequence, events of the outbox up to a position. With 0 for a
 * webhook: the last position that was given.
 */
export const webhookCursors = mysqlTable(
  'webhook_cursors',
  {
    couponId: bigint('coupon_id', { mode: 'number', unsigned: true }).notNull(),
    webhookId: bigint('webhook_id', { mode: 'number', unsigned: true }).notNull(),
    sequence: bigint('sequence', { mode: 'number', unsigned: true }).notNull(),
    position: bigint('position', { mode: 'number', unsigned: true }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.couponId, table.webhookId] })],
);

/** Requests to webhooks and their results, kept for some days. */
export const webhookDeliveries = mysqlTable(
  'webhook_deliveries',
  {
    id: bigint('id', { mode: 'number', unsigned: true }).notNull().autoincrement(),
    webhookId: bigint('webhook_id', { mode: 'number', unsigned: true }).notNull(),
    couponId: bigint('coupon_id', { mode: 'number', unsigned: true }).notNull(),
    messageId: varchar('message_id', { length: 64 }).notNull(),
    events: int('events', { unsigned: true }).notNull(),
    /** The ids of the first and the last event. */
    firstEvent: varchar('first_event', { length: 64 }).notNull(),
    lastEvent: varchar('last_event', { length: 64 }).notNull(),
    /** The HTTP status; NULL without an answer. */
    status: int('status', { unsigned: true }),
    /** NULL for a success. */
    error: varchar('error', { length: 200 }),
    durationMs: int('duration_ms', { unsigned: true }).notNull(),
    dateCreated: instant('date_created').notNull().default(sql`CURRENT_TIMESTAMP(3)`),
  },
  (table) => [
    primaryKey({ columns: [table.id, table.couponId] }),
    // Serves the list of a webhook, the newest first.
    index('webhook_deliveries_by_webhook').on(table.webhookId, table.id),
    // Serves the removing of old ones.
    index('webhook_deliveries_by_date').on(table.dateCreated),
  ],
);
