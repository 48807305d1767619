// webhook-receiver.ts -- Receives webhooks: verifies their signature, and handles each event once and in order.
//
//   WEBHOOK_SECRET=whsec_… bun examples/webhook-receiver.ts     listens on PORT, by default 4000; runs on Node and Deno too
//
// A shop keeps what it has handled in its database, in the transaction of what it does: here it is kept in memory.

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

interface Event {
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  readonly data: { readonly couponId: number; readonly sequence?: number; readonly userId?: string | null };
}

const webhook = new Webhook(process.env['WEBHOOK_SECRET'] ?? '');
const handled = new Set<string>();

/** Does what the shop has to do; throwing makes the request be sent again. */
function handle({ type, timestamp, data }: Event): void {
  console.log(`${timestamp} ${type} ${JSON.stringify(data)}`);
}

const server = createServer((request, response) => {
  receive(request).then(
    (status) => response.writeHead(status).end(),
    () => response.writeHead(500).end(),
  );
});

async function receive(request: IncomingMessage): Promise<number> {
  // The signature is of these very bytes: they are verified before anything reads them.
  let body = '';
  for await (const piece of request.setEncoding('utf8')) body += String(piece);
  let message: { readonly data: { readonly events: readonly Event[] } };
  try {
    message = webhook.verify(body, request.headers as Record<string, string>) as typeof message;
  } catch {
    // Not sent by the coupon system, or more than five minutes ago.
    return 401;
  }
  for (const event of message.data.events) {
    // Sent again after an answer that was lost.
    if (handled.has(event.id)) continue;
    handle(event);
    handled.add(event.id);
  }
  return 204;
}

server.listen(Number(process.env['PORT'] ?? 4000), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
