// signature.ts -- Secrets and signatures of webhooks, by the Standard Webhooks specification.

import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import type { Message } from './events.ts';

/** A new secret of 256 bits. */
export function createSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`;
}

/** The headers that go with a message now. */
export function signedHeaders({ id, body }: Message, secret: string): Readonly<Record<string, string>> {
  const now = new Date();
  return {
    'content-type': 'application/json',
    'user-agent': 'coupon-issuing',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign(id, now, body),
  };
}
