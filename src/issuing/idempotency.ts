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
//
// A key belongs to its caller: the user, and the API key if there is one. It is stored only when the request can succeed: a refusal
// that is known leaves nothing behind. Keys are bounded per caller (`IDEMPOTENCY_CALLER_KEYS_MAX`) and in all (`IDEMPOTENCY_KEYS_MAX`).

import type { Redis } from 'ioredis';
import type { Caller } from '../auth/tokens.ts';
import { keyPages } from '../redis/scan.ts';
import type { Limiter } from '../http/rate-limit/limiter.ts';
import type { RequestNote } from '../http/request-log/request-notes.ts';
import type { IssuePipeline } from './pipeline.ts';
import type { IssuerName } from './issuer.ts';
import { type Outcome, type Refusal, Unavailable } from '../coupon/outcome.ts';
import { type CallersKey, markKey, noteKey } from './scripts/key-scripts.ts';
import type { Issues } from '../issues/status.ts';
import { idempotencyKey, shortDigest } from '../stream/keys.ts';

/** The result of a request under a key. `replayed`: the issue was made by an earlier request under the same key. */
export type KeyedOutcome =
  | { readonly kind: 'decided'; readonly outcome: Outcome; readonly replayed: boolean }
  /** The key stands for another request; or there are too many keys of this caller, or in all. Nothing was decided. */
  | { readonly kind: 'other request' | 'too many of caller' | 'too many' };

/** One request under a key. */
export interface KeyedRequest {
  readonly key: string;
  /** The digest of the caller's API key; undefined for a user. */
  readonly keyDigest?: Caller['keyDigest'];
  readonly issuer: IssuerName;
  readonly couponId: number;
  readonly userId: string;
  /** Of a request that is observed. */
  readonly note?: RequestNote | undefined;
}

/** Decides one request under a key. Throws as `IssuePipeline.issue` does. */
export type IssueOnce = (request: KeyedRequest) => Promise<KeyedOutcome>;

export interface IdempotencyDependencies {
  readonly redis: Redis;
  readonly issuance: Pick<IssuePipeline, 'issue'>;
  readonly issues: Pick<Issues, 'statusOf'>;
  /** A refusal that is certain without asking the issuer, or null. */
  readonly refusalOf: (couponId: number, userId: string) => Promise<Refusal | null>;
  /** Counts the keys of all callers. */
  readonly allKeys: Pick<Limiter, 'take'>;
  readonly settings: {
    readonly IDEMPOTENCY_KEY_S: number;
    readonly IDEMPOTENCY_CALLER_KEYS_MAX: number;
    readonly USE_WAIT_MS: number;
  };
}

export function createIssueOnce(dependencies: IdempotencyDependencies): IssueOnce {
  const { redis, issuance, refusalOf, settings } = dependencies;
  const keepS = settings.IDEMPOTENCY_KEY_S;
  return async (asked) => {
    const { issuer, couponId, userId, note: requestNote } = asked;
    const callersKey = nameOf(asked);
    const pending = `${issuer} ${couponId}`;
    const [lost, won] = [`${pending} lost`, `${pending} won`];
    const refusal = await refusalOf(couponId, userId);
    const noted = await note(dependencies, callersKey, pending, refusal === null);
    if (noted === 'full') return { kind: 'too many of caller' };
    if (noted === 'too many') return { kind: noted };
    if (noted === null && refusal) return { kind: 'decided', outcome: refusal, replayed: false };
    if (noted !== null && noted !== pending && noted !== lost && noted !== won) return { kind: 'other request' };
    if (noted === pending || noted === won) {
      const earlier = await earlierAnswer(dependencies, issuer, couponId, userId);
      if (earlier) return earlier;
    }
    const outcome = await issuance.issue(issuer, couponId, userId, requestNote);
    if (noted === null) {
      if (outcome.kind === 'already issued') await markKey(redis, { ...callersKey, from: pending, to: lost, keepS });
    } else if (noted !== lost) {
      // The first attempt may still be under way, and about to note that it was too late.
      if (outcome.kind === 'issued') await markKey(redis, { ...callersKey, from: '', to: won, keepS });
      if (outcome.kind === 'already issued') {
        const earlier = await earlierAnswer(dependencies, issuer, couponId, userId);
        if (earlier) return earlier;
      }
    }
    return { kind: 'decided', outcome, replayed: false };
  };
}

/** Digests, since keys are texts of callers, of any length that fits a header. */
function nameOf({ key, keyDigest = '', userId }: KeyedRequest): CallersKey {
  return { caller: idempotencyKey(keyDigest, userId), field: shortDigest(key) };
}

/**
 * What the key is noted as; null when it is new, and noted now.
 *
 * @param mayStore false only looks
 */
async function note(
  { redis, allKeys, settings }: IdempotencyDependencies,
  callersKey: CallersKey,
  request: string,
  mayStore: boolean,
): Promise<string | null> {
  const keysMax = mayStore ? settings.IDEMPOTENCY_CALLER_KEYS_MAX : 0;
  const reply = await noteKey(redis, { ...callersKey, request, keepS: settings.IDEMPOTENCY_KEY_S, keysMax });
  if (reply.verdict === 'known') return reply.request;
  if (reply.verdict === 'full') return 'full';
  if (reply.verdict === 'unknown' || !allKeys.take('all').isRefused) return null;
  await redis.hdel(callersKey.caller, callersKey.field);
  return 'too many';
}

/** Forgets which keys stand for requests of some coupons. Reads all keys of all callers, so it is for what is rare. Throws what Redis throws. */
export async function forgetRequestsOf(redis: Redis, couponIds: ReadonlySet<number>): Promise<number> {
  let forgotten = 0;
  for await (const callers of keyPages(redis, 'idempotency:*')) {
    for (const caller of callers) {
      const noted = Object.entries(await redis.hgetall(caller));
      // When it is due, the issuer, the coupon.
      const fields = noted.filter(([, text]) => couponIds.has(Number(text.split(' ')[2]))).map(([field]) => field);
      if (fields.length > 0) forgotten += await redis.hdel(caller, ...fields);
    }
  }
  return forgotten;
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
  if (!status || !('sequence' in status)) return null;
  if (needsRow && status.kind === 'accepted') throw new Unavailable('dependency', 'an accepted issue is not yet a row');
  return { kind: 'decided', outcome: { kind: 'issued', sequence: status.sequence }, replayed: true };
}
