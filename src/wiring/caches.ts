// caches.ts -- Wires what answers without a store: refusals, coupons by any id, and how all processes hear of edits.

import type { Redis } from 'ioredis';
import type { Config } from '../config/config.ts';
import { readCoupons } from '../coupon/catalog.ts';
import { refusal } from '../coupon/outcome.ts';
import { countRequests } from '../http/rate-limit/count-requests.ts';
import { Limiter } from '../http/rate-limit/limiter.ts';
import { CouponReader, type ReadingPool } from '../issuing/coupon-reader.ts';
import type { Issuer } from '../issuing/issuer.ts';
import { RefusalCache } from '../issuing/refusal-cache.ts';
import { withStoreErrors } from '../issuing/store-errors.ts';
import { type Database, readFromPrimary, throughPool } from '../mysql/database.ts';
import type { Snapshots } from '../stock/snapshot.ts';
import { changesChannel } from '../stream/keys.ts';
import type { Log } from '../telemetry/log.ts';

/** Tells all processes of coupons that are new or changed: what they have cached of these is invalid. */
export function createChanges(
  redis: Redis,
  caches: readonly Pick<RefusalCache, 'invalidate' | 'invalidateAll'>[],
  onFault: (fault: unknown) => void,
) {
  const invalidate = (couponId: number) => {
    for (const cache of caches) cache.invalidate(couponId);
  };
  return {
    async announce(couponId: number) {
      invalidate(couponId);
      await redis.publish(changesChannel(redis), String(couponId)).catch(onFault);
    },
    async listen(subscriber: Redis) {
      subscriber.on('message', (_, couponId) => invalidate(Number(couponId)));
      // Messages sent while the connection was down are gone.
      subscriber.on('ready', () => {
        for (const cache of caches) cache.invalidateAll();
      });
      await subscriber.subscribe(changesChannel(subscriber));
    },
  };
}

/** Refusals that are certain without asking an issuer. */
export function knownRefusals(refusals: RefusalCache, reader: CouponReader, { CLOCK_SKEW_MS_MAX: skewMsMax }: Config) {
  return async (couponId: number, userId: string) =>
    // While MySQL does not respond, the issuer finds out whether it needs it.
    refusals.refuse(couponId, userId) ?? reader.refusalOf(couponId, skewMsMax).catch(() => null);
}

export function createCouponReader(
  { database, settings }: { readonly database: Database; readonly settings: Config },
  onFault: (fault: unknown) => void,
): CouponReader {
  const find = (pool: ReadingPool, ids: readonly number[]) =>
    readFromPrimary(throughPool(database, pool), (session) => readCoupons(session, ids));
  // A failure is reported once for all public callers who waited; an issuer reports its own.
  const reported = withStoreErrors({ find }, onFault);
  return new CouponReader((pool, ids) => (pool === 'public' ? reported : { find }).find(pool, ids), settings);
}

/** Coupons that are taken to exist since MySQL did not answer. */
const PRESUMED_MAX = 10_000;

/**
 * Issues of what exists: a script for each of a flood of unknown ids costs Redis and this process far more than a share of one query.
 * While MySQL does not respond, the issuer finds out whether it needs it.
 */
export function ofExisting(issuer: Issuer, reader: CouponReader): Issuer {
  const presumed = new Set<number>();
  const presume = (couponId: number) => {
    if (presumed.size >= PRESUMED_MAX) presumed.clear();
    presumed.add(couponId);
    return true;
  };
  return {
    async issue(couponId, users) {
      const found = presumed.has(couponId) || reader.exists(couponId, 'general');
      const exists = found === true || (await Promise.resolve(found).catch(() => presume(couponId)));
      return exists ? issuer.issue(couponId, users) : users.map(() => refusal['not exist']);
    },
  };
}

export function createRefusalCache(config: Config, { read }: Snapshots, log: Log): RefusalCache {
  const bounds = {
    ageMsMax: config.SIGN_MS_MAX,
    entriesMax: config.SIGNS_MAX,
    ownersMax: config.SIGN_OWNERS_MAX,
    skewMsMax: config.CLOCK_SKEW_MS_MAX,
  };
  return new RefusalCache(read, bounds, (error) => log.warn({ error }, 'could not cache a refusal'));
}

/** Counts the idempotency keys of all callers together. */
export function createKeyLimiter(config: Config, redis: Redis, onFault: (fault: unknown) => void): Limiter {
  return new Limiter({
    kind: 'idempotency',
    requestsMax: config.IDEMPOTENCY_KEYS_MAX,
    windowS: config.IDEMPOTENCY_KEY_S,
    namesMax: 1,
    now: Date.now,
    sync: (counted) => countRequests(redis, counted),
    onFault,
  });
}

/** Count wrong codes: of each API key, and of each user or address. */
export function createCodeLimiters(config: Config, redis: Redis, onFault: (fault: unknown) => void) {
  const limiterOf = (requestsMax: number) =>
    new Limiter({
      kind: 'code',
      requestsMax,
      windowS: 60,
      namesMax: config.LIMITED_NAMES_MAX,
      now: Date.now,
      sync: (counted) => countRequests(redis, counted),
      onFault,
    });
  return { key: limiterOf(config.WRONG_CODES_PER_KEY_MAX), user: limiterOf(config.WRONG_CODES_MAX) };
}
