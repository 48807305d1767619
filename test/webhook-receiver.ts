// webhook-receiver.ts -- A receiver of webhooks that a test steers: it verifies every request, and keeps what it was sent.

import { Webhook } from 'standardwebhooks';
import type { WebhookEvent } from '../src/webhooks/events.ts';

export interface Receiver extends AsyncDisposable {
  readonly url: string;
  /** Every event of every request that was answered 2xx, in order, with those that were sent again. */
  readonly events: WebhookEvent[];
  /** The `webhook-id` of every request, also of those that were refused. */
  readonly requests: string[];
  /** Requests whose signature is wrong. */
  readonly forged: string[];
  /** How many requests were under way at the same time, at most. */
  readonly together: number;
  /** Gives the secret that the webhook was made with. */
  trust(secret: string): void;
  /** What is answered from now on; by default 204. */
  answer(how: () => Response | Promise<Response>): void;
}

export function startReceiver(port = 0): Receiver {
  const events: WebhookEvent[] = [];
  const requests: string[] = [];
  const forged: string[] = [];
  let webhook: Webhook | null = null;
  let how: () => Response | Promise<Response> = () => new Response(null, { status: 204 });
  const load = { now: 0, most: 0 };
  const server = Bun.serve({
    port,
    hostname: '127.0.0.1',
    async fetch(request) {
      load.now += 1;
      load.most = Math.max(load.most, load.now);
      const id = request.headers.get('webhook-id') ?? '';
      requests.push(id);
      const body = await request.text();
      try {
        webhook?.verify(body, Object.fromEntries(request.headers));
      } catch {
        forged.push(id);
      }
      const answer = await how();
      load.now -= 1;
      const message = JSON.parse(body) as { readonly data: { readonly events: readonly WebhookEvent[] } };
      if (answer.ok) events.push(...message.data.events);
      return answer;
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/hooks?of=test`,
    events,
    requests,
    forged,
    get together() {
      return load.most;
    },
    trust: (secret) => {
      webhook = new Webhook(secret);
    },
    answer: (next) => {
      how = next;
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}
