// idempotency.ts -- `Idempotency-Key` on the issue endpoints: the same request sent again gets the same answer again.
//
// After draft-ietf-httpapi-idempotency-key-header. A user has a coupon at most once (P2), so no answer is stored: it follows
// from who owns what. All that is stored, for a time, and before anything is decided, is which request a key stands for, and
// whether its first attempt was too late:
//   <request>        pending, or won: if the user has the coupon, this is the request that got it
//   <request> lost   the user had the coupon already when the key was first used: `already issued`, on every retry
//   <request> won    a later attempt under the key got the coupon, whatever the first one noted
// A crash between deciding and noting `lost` leaves the key pending. Then a request that was too late is answered with the issue
// that its user really has: the right coupon, user and sequence, never a second issue.

import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { IssuePipeline } from './pipeline.ts';
import type { IssuerName } from './issuer.ts';
import { type Outcome, Unavailable } from '../coupon/outcome.ts';
import { loseKey } from './scripts/lose-key.ts';
import type { Issues } from '../issues/status.ts';

/** The result of a request under a key. `replayed`: the issue was made by an earlier request under the same key. */
export type KeyedOutcome =
  | { readonly kind: 'decided'; readonly outcome: Outcome; readonly replayed: boolean }
  /** The key stands for another request. Nothing was decided. */
  | { readonly kind: 'other request' };

/** Decides one request under a key. Throws as `IssuePipeline.issue` does. */
export type IssueOnce = (key: string, issuer: IssuerName, couponId: number, userId: string) => Promise<KeyedOutcome>;

export interface IdempotencyDependencies {
  readonly redis: Redis;
  readonly issuance: Pick<IssuePipeline, 'issue'>;
  readonly issues: Pick<Issues, 'statusOf'>;
  readonly settings: { readonly IDEMPOTENCY_KEY_S: number; readonly USE_WAIT_MS: number };
}

export function createIssueOnce(dependencies: IdempotencyDependencies): IssueOnce {
  const { redis, issuance, settings } = dependencies;
  return async (key, issuer, couponId, userId) => {
    // A digest, since a key is the caller's text, of any length that fits a header.
    const name = `idempotency:${createHash('sha256').update(key).digest('base64url')}`;
    const pending = `${issuer} ${couponId} ${userId}`;
    const [lost, won] = [`${pending} lost`, `${pending} won`];
    const noted = await redis.set(name, pending, 'EX', settings.IDEMPOTENCY_KEY_S, 'NX', 'GET');
    if (noted !== null && noted !== pending && noted !== lost && noted !== won) return { kind: 'other request' };
    if (noted === pending || noted === won) {
      const earlier = await earlierAnswer(dependencies, issuer, couponId, userId);
      if (earlier) return earlier;
    }
    const outcome = await issuance.issue(issuer, couponId, userId);
    if (noted === null) {
      if (outcome.kind === 'already issued') await loseKey(redis, { key: name, pending, lost });
    } else if (noted !== lost) {
      // The first attempt may still be under way, and about to note that it was too late.
      if (outcome.kind === 'issued') await redis.set(name, won, 'EX', settings.IDEMPOTENCY_KEY_S);
      if (outcome.kind === 'already issued') {
        const earlier = await earlierAnswer(dependencies, issuer, couponId, userId);
        if (earlier) return earlier;
      }
    }
    return { kind: 'decided', outcome, replayed: false };
  };
}

/** The answer of an earlier attempt, from what the user has; null when that is nothing. */
async function earlierAnswer(
  { issues, settings }: IdempotencyDependencies,
  issuer: IssuerName,
  couponId: number,
  userId: string,
): Promise<KeyedOutcome | null> {
  // The synchronous issuer promises a row: a crash may have left writing it to the worker.
  const needsRow = issuer === 'synchronous';
  const status = await issues.statusOf(couponId, userId, needsRow ? settings.USE_WAIT_MS : 0);
  if (!status || status.kind === 'none') return null;
  if (needsRow && status.kind === 'accepted') throw new Unavailable('dependency', 'an accepted issue is not yet a row');
  return { kind: 'decided', outcome: { kind: 'issued', sequence: status.sequence }, replayed: true };
}
