// events.ts -- What a webhook can be sent: the kinds of events, and the message that carries a batch of them.

import { createHash } from 'node:crypto';
import { formatInstant } from '../http/instant.ts';

/** Every kind. Those of issues but `issue.created`, and those of coupons, are in the outbox; that one is a row of an issue itself. */
export const eventKinds = [
  'issue.created',
  'issue.used',
  'issue.use_undone',
  'issue.revoked',
  'coupon.sold_out',
  'coupon.ended',
] as const;
export type EventKind = (typeof eventKinds)[number];

/** One event, as receivers see it. */
export interface WebhookEvent {
  /** The same whenever it is sent again. */
  readonly id: string;
  readonly type: EventKind;
  readonly timestamp: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** One request: events of one coupon in their order. */
export interface Message {
  /** The same for the same body, so that a receiver knows a request that is sent again. */
  readonly id: string;
  readonly body: string;
}

/** The type of every message: its events have types of their own. */
const MESSAGE_TYPE = 'coupon.events';

/** An event that has happened at an instant. */
export function eventOf(id: string, type: EventKind, atMs: number, data: WebhookEvent['data']): WebhookEvent {
  return { id, type, timestamp: formatInstant(atMs), data };
}

/** The message that carries events of a coupon, at least one. */
export function messageOf(couponId: number, events: readonly WebhookEvent[]): Message {
  const { timestamp } = events.at(-1) ?? { timestamp: formatInstant(0) };
  const body = JSON.stringify({ type: MESSAGE_TYPE, timestamp, data: { couponId, events } });
  return { id: `msg_${createHash('sha256').update(body).digest('base64url').slice(0, 22)}`, body };
}
