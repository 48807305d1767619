// webhooks.ts -- Calls of operators about webhooks: where events are sent to, and how that goes.

import { readCreatedWebhook, readDeliveries, readWebhook, readWebhooks } from './answers.ts';
import type { CreatedWebhook, DeliveryPage, Webhook, WebhookDraft, WebhookList, WebhookReplay } from './api-types.ts';
import type { CallOptions, RequestResult, RequestSpec } from './request.ts';

export interface WebhookCalls {
  /** Sent once: when the result is ambiguous, look into the list. The secret is in this answer alone. */
  create(draft: WebhookDraft, options?: CallOptions): Promise<RequestResult<CreatedWebhook>>;
  list(options?: CallOptions): Promise<RequestResult<WebhookList>>;
  pause(webhookId: number, options?: CallOptions): Promise<RequestResult<Webhook>>;
  resume(webhookId: number, options?: CallOptions): Promise<RequestResult<Webhook>>;
  remove(webhookId: number, options?: CallOptions): Promise<RequestResult<'removed'>>;
  /** Events of issues of a coupon above the sequence `after` are sent again. */
  replay(webhookId: number, from: WebhookReplay, options?: CallOptions): Promise<RequestResult<'replayed'>>;
  /** The newest first. */
  deliveries(
    webhookId: number,
    options?: CallOptions & { readonly after?: number; readonly limit?: number },
  ): Promise<RequestResult<DeliveryPage>>;
}

export function webhookCalls(
  send: <Value>(request: RequestSpec<Value>, call?: CallOptions) => Promise<RequestResult<Value>>,
): WebhookCalls {
  const path = (webhookId: number) => `/v1/webhooks/${webhookId}`;
  const setPaused = (webhookId: number, paused: boolean, call?: CallOptions) =>
    send({ method: 'PATCH', path: path(webhookId), body: { paused }, read: readWebhook, isIdempotent: true }, call);
  return {
    create: (body, call) =>
      send({ method: 'POST', path: '/v1/webhooks', body, read: readCreatedWebhook, isIdempotent: false }, call),
    list: (call) => send({ method: 'GET', path: '/v1/webhooks', read: readWebhooks, isIdempotent: true }, call),
    pause: (webhookId, call) => setPaused(webhookId, true, call),
    resume: (webhookId, call) => setPaused(webhookId, false, call),
    remove: (webhookId, call) =>
      send({ method: 'DELETE', path: path(webhookId), read: () => 'removed' as const, isIdempotent: true }, call),
    replay: (webhookId, body, call) =>
      send(
        {
          method: 'POST',
          path: `${path(webhookId)}/replay`,
          body,
          read: () => 'replayed' as const,
          isIdempotent: true,
        },
        call,
      ),
    deliveries: (webhookId, call = {}) => {
      const { after = 0, limit = 20 } = call;
      const query = `?after=${after}&limit=${limit}`;
      return send(
        { method: 'GET', path: `${path(webhookId)}/deliveries${query}`, read: readDeliveries, isIdempotent: true },
        call,
      );
    },
  };
}
