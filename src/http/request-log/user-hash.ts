// user-hash.ts -- A user id as a log may hold it: a keyed hash, by which only those find a line who know both the user and the secret.

import { createHmac } from 'node:crypto';

/** 128 bits of HMAC-SHA-256. Without the secret, no list of ids helps to find whose it is. */
export function hashUser(secret: string, userId: string): string {
  return createHmac('sha256', secret).update(userId).digest('base64url').slice(0, 22);
}
