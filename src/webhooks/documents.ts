// documents.ts -- What the routes of webhooks take and answer.

import { type Static, Type } from '@sinclair/typebox';
import { CouponId } from '../coupon/ids.ts';
import { eventKinds } from './events.ts';

const Id = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'id of a webhook' });
/** The parameter of routes of one webhook. */
export const ofWebhook = { webhookId: { schema: Id, example: 1 } };
const count = (description: string) => Type.Integer({ minimum: 0, description });
const textOrNull = (description: string) => Type.Union([Type.String(), Type.Null()], { description });

const Kind = Type.Union(
  eventKinds.map((kind) => Type.Literal(kind)),
  { description: `one of ${eventKinds.join(', ')}` },
);
const Kinds = Type.Array(Kind, {
  minItems: 1,
  maxItems: eventKinds.length,
  uniqueItems: true,
  description: `the events that it receives: one or more of ${eventKinds.join(', ')}`,
});

const webhookMembers = {
  id: Id,
  url: Type.String({ description: 'where events are sent to' }),
  kinds: Kinds,
  state: Type.String({
    enum: ['active', 'paused', 'failed', 'gone'],
    description:
      '`paused`: by an operator. `failed`: stopped after failing for WEBHOOK_FAILING_H_MAX. `gone`: it answered 410. Each until it is resumed.',
  }),
  failures: count('requests that failed since the last one that succeeded'),
  dateFailingSince: textOrNull('since when every request failed; null when the last one succeeded'),
  dateNextTry: textOrNull('when a failed request is sent again'),
  lastError: textOrNull('why the last request failed'),
  dateCreated: Type.String({ description: 'when it was made, in UTC' }),
};
export const WebhookAnswer = Type.Object(webhookMembers, { $id: 'Webhook' });
export const CreatedWebhook = Type.Object(
  {
    ...webhookMembers,
    secret: Type.String({ description: 'the secret that requests are signed with: shown only here' }),
  },
  { $id: 'CreatedWebhook' },
);
export const WebhookList = Type.Object(
  { webhooks: Type.Array(WebhookAnswer, { description: 'in order of id' }) },
  { $id: 'WebhookList' },
);

export const WebhookDraftRequest = Type.Object(
  {
    url: Type.String({ minLength: 1, maxLength: 2048, description: 'an absolute URL with https, of a public address' }),
    kinds: Kinds,
  },
  { $id: 'WebhookDraft', additionalProperties: false },
);
export const WebhookChanges = Type.Object(
  { paused: Type.Boolean({ description: 'true pauses it, false resumes it, also after it was stopped' }) },
  { $id: 'WebhookChanges', additionalProperties: false },
);
export const WebhookReplay = Type.Object(
  {
    couponId: CouponId,
    after: Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'a sequence: events of issues above it are delivered again; 0: of all issues',
    }),
  },
  { $id: 'WebhookReplay', additionalProperties: false },
);

export const DeliveryAnswer = Type.Object({
  id: Type.Integer({ minimum: 1, description: 'id of the delivery' }),
  date: Type.String({ description: 'when the request ended, in UTC' }),
  couponId: CouponId,
  messageId: Type.String({ description: 'the `webhook-id` of the request' }),
  events: count('how many events it carried'),
  firstEvent: Type.String({ description: 'id of the first of them' }),
  lastEvent: Type.String({ description: 'id of the last of them' }),
  status: Type.Union([Type.Integer(), Type.Null()], { description: 'the HTTP status; null without an answer' }),
  error: textOrNull('why it failed; null for a success'),
  durationMs: count('how long it took, in milliseconds'),
});
export const DeliveryPage = Type.Object(
  {
    deliveries: Type.Array(DeliveryAnswer, { description: 'the newest first' }),
    next: Type.Union([Type.Integer(), Type.Null()], { description: '`after` of the next page; null on the last' }),
  },
  { $id: 'DeliveryPage' },
);

/** A webhook that works. */
export const example: Static<typeof WebhookAnswer> = {
  id: 1,
  url: 'https://shop.example/webhooks/coupons',
  kinds: ['issue.created', 'issue.used'],
  state: 'active',
  failures: 0,
  dateFailingSince: null,
  dateNextTry: null,
  lastError: null,
  dateCreated: '2026-11-22T08:30:00.000Z',
};
