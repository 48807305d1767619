// routes.ts -- The operators' routes of webhooks: made, listed, paused and resumed, deleted, replayed, and their deliveries.

import type { Static } from '@sinclair/typebox';
import { type Authority, operatorOf, operatorsWith } from '../auth/authority.ts';
import { formatInstant } from '../http/instant.ts';
import { cutPage, pageParameters } from '../http/pagination.ts';
import { invalid, problem } from '../http/problem.ts';
import { route } from '../http/route.ts';
import type { Delivery, Webhook, Webhooks } from './webhook-store.ts';
import type { DeliveryAnswer } from './documents.ts';
import {
  ofWebhook,
  WebhookAnswer,
  CreatedWebhook,
  WebhookList,
  WebhookDraftRequest,
  WebhookChanges,
  WebhookReplay,
  DeliveryPage,
  example,
} from './documents.ts';

export interface WebhookRoutesDependencies {
  readonly config: { readonly BODY_BYTES_MAX: number };
  readonly authority: Pick<Authority, 'guard'>;
  readonly webhooks: Webhooks;
}

/** `/v1/webhooks` and what is below it. */
export function webhookRoutes(dependencies: WebhookRoutesDependencies) {
  return [
    createRoute(dependencies),
    listRoute(dependencies),
    editRoute(dependencies),
    deleteRoute(dependencies),
    replayRoute(dependencies),
    deliveriesRoute(dependencies),
  ] as const;
}

function createRoute({ authority, webhooks, config }: WebhookRoutesDependencies) {
  return route(
    'POST',
    '/v1/webhooks',
    {
      operationId: 'createWebhook',
      tag: 'operators',
      summary: 'Register a webhook',
      description: `Future events are sent to its URL, signed as the Standard Webhooks specification defines. Only this answer contains the
secret. The URL must have no credentials, and a public address unless WEBHOOK_PRIVATE is on.`,
      access: operatorsWith(authority, 'admin'),
      body: {
        schema: WebhookDraftRequest,
        bytesMax: config.BODY_BYTES_MAX,
        examples: {
          issues: { summary: 'Issues and their use', value: { url: example.url, kinds: [...example.kinds] } },
        },
      },
      answers: {
        201: {
          description: 'Registered.',
          schema: CreatedWebhook,
          example: { ...example, secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' },
        },
      },
      problems: ['WEBHOOK_LIMIT_REACHED', 'FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ request, body }) => {
      const created = await webhooks.create(body, operatorOf(request));
      if (created.kind === 'full') return problem('WEBHOOK_LIMIT_REACHED');
      if (created.kind === 'wrong url') return invalid([{ in: 'body', pointer: '/url', expected: created.expected }]);
      return { body: { ...toAnswer(created.webhook), secret: created.secret } };
    },
  );
}

function listRoute({ authority, webhooks }: WebhookRoutesDependencies) {
  return route(
    'GET',
    '/v1/webhooks',
    {
      operationId: 'listWebhooks',
      tag: 'operators',
      summary: 'List webhooks',
      description: 'All webhooks, without their secrets.',
      access: operatorsWith(authority, 'admin'),
      answers: { 200: { description: 'The webhooks.', schema: WebhookList, example: { webhooks: [example] } } },
      problems: ['FAIL_COUPON_ISSUE_REQUEST'],
    },
    async () => ({ body: { webhooks: (await webhooks.list()).map(toAnswer) } }),
  );
}

function editRoute({ authority, webhooks, config }: WebhookRoutesDependencies) {
  return route(
    'PATCH',
    '/v1/webhooks/:webhookId',
    {
      operationId: 'editWebhook',
      tag: 'operators',
      summary: 'Pause or resume a webhook',
      description:
        'No events are lost: after it is resumed, all events since the pause are delivered, unless they are older than WEBHOOK_DAYS.',
      access: operatorsWith(authority, 'admin'),
      params: ofWebhook,
      body: {
        schema: WebhookChanges,
        bytesMax: config.BODY_BYTES_MAX,
        examples: {
          pause: { summary: 'Pause', value: { paused: true } },
          resume: { summary: 'Go on', value: { paused: false } },
        },
      },
      answers: { 200: { description: 'The webhook as it is now.', schema: WebhookAnswer, example } },
      problems: ['WEBHOOK_NOT_EXIST', 'FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ request, params, body }) => {
      const changed = await webhooks.setPaused(params.webhookId, body.paused, operatorOf(request));
      return changed ? { body: toAnswer(changed) } : problem('WEBHOOK_NOT_EXIST');
    },
  );
}

function deleteRoute({ authority, webhooks }: WebhookRoutesDependencies) {
  return route(
    'DELETE',
    '/v1/webhooks/:webhookId',
    {
      operationId: 'deleteWebhook',
      tag: 'operators',
      summary: 'Delete a webhook',
      description: 'Nothing more is sent to it. A request in progress may still arrive.',
      access: operatorsWith(authority, 'admin'),
      params: ofWebhook,
      answers: { 204: { description: 'Deleted.' } },
      problems: ['WEBHOOK_NOT_EXIST', 'FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ request, params }) =>
      (await webhooks.remove(params.webhookId, operatorOf(request))) ? {} : problem('WEBHOOK_NOT_EXIST'),
  );
}

function replayRoute({ authority, webhooks, config }: WebhookRoutesDependencies) {
  return route(
    'POST',
    '/v1/webhooks/:webhookId/replay',
    {
      operationId: 'replayWebhook',
      tag: 'operators',
      summary: 'Deliver events of a coupon again',
      description: `Events of issues above a sequence are sent again, with the same ids. Events of use are kept for WEBHOOK_DAYS.
Events that were not yet sent are not skipped.`,
      access: operatorsWith(authority, 'admin'),
      params: ofWebhook,
      body: {
        schema: WebhookReplay,
        bytesMax: config.BODY_BYTES_MAX,
        examples: { after: { summary: 'From issue 101 on', value: { couponId: 1, after: 100 } } },
      },
      answers: { 204: { description: 'They are sent in the next round.' } },
      problems: ['WEBHOOK_NOT_EXIST', 'FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ request, params, body }) =>
      (await webhooks.replay(params.webhookId, body, operatorOf(request))) ? {} : problem('WEBHOOK_NOT_EXIST'),
  );
}

function deliveriesRoute({ authority, webhooks }: WebhookRoutesDependencies) {
  const delivery = { id: 7, date: '2026-12-01T01:00:01.000Z', couponId: 1, messageId: 'msg_Qn2xZ3c8YQm0VdS1rJb6Pw' };
  return route(
    'GET',
    '/v1/webhooks/:webhookId/deliveries',
    {
      operationId: 'listDeliveries',
      tag: 'operators',
      summary: 'List deliveries of a webhook',
      description: 'Requests with their results, newest first, kept for WEBHOOK_DAYS.',
      access: operatorsWith(authority, 'admin'),
      params: ofWebhook,
      query: {
        ...pageParameters,
        after: {
          schema: {
            ...pageParameters.after.schema,
            description: 'id of a delivery: only older ones are listed; 0: from the newest',
          },
          example: 0,
        },
      },
      answers: {
        200: {
          description: 'A page.',
          schema: DeliveryPage,
          example: {
            deliveries: [
              {
                ...delivery,
                events: 2,
                firstEvent: '1:issue:36',
                lastEvent: '1:issue:37',
                status: 204,
                error: null,
                durationMs: 31,
              },
            ],
            next: null,
          },
        },
      },
      problems: ['WEBHOOK_NOT_EXIST', 'FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ params, query }) => {
      const found = await webhooks.deliveries(params.webhookId, { ...query, limit: query.limit + 1 });
      if (!found) return problem('WEBHOOK_NOT_EXIST');
      const { items, next } = cutPage(found, query, ({ id }) => id);
      return { body: { deliveries: items.map(toDelivery), next } };
    },
  );
}

function toAnswer({ failingSinceMs, nextTryMs, createdMs, kinds, ...webhook }: Webhook): Static<typeof WebhookAnswer> {
  return {
    ...webhook,
    kinds: [...kinds],
    dateFailingSince: failingSinceMs === null ? null : formatInstant(failingSinceMs),
    dateNextTry: nextTryMs === null ? null : formatInstant(nextTryMs),
    dateCreated: formatInstant(createdMs),
  };
}

function toDelivery({ atMs, ...delivery }: Delivery): Static<typeof DeliveryAnswer> {
  return { ...delivery, date: formatInstant(atMs) };
}
