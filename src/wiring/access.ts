// access.ts -- Wires authentication and rate limits: API keys from the store, tokens, limiters.

import type { Config } from '../config/config.ts';
import type { Redis } from 'ioredis';
import { type Authority, createAuthority, digestOf } from '../auth/authority.ts';
import { KeyRing } from '../auth/api-keys.ts';
import type { createAuthMetrics } from '../auth/metrics.ts';
import { createTokens, JWKS_RENEWAL_MS } from '../auth/tokens.ts';
import { idsOf } from '../http/request-log/request-ids.ts';
import { type Counted, countRequests } from '../http/rate-limit/count-requests.ts';
import { Limiter } from '../http/rate-limit/limiter.ts';
import { validKeys } from '../auth/api-key-store.ts';
import type { Database } from '../mysql/database.ts';
import type { LimitedCallersDependencies } from '../operations/limited-callers.ts';
import { OperatorError } from '../operator-error.ts';
import type { Log } from '../telemetry/log.ts';

export interface Access {
  readonly authority: Authority;
  readonly limiters: { readonly user: Limiter | null; readonly address: Limiter | null };
  readonly limitedCallers: LimitedCallersDependencies['limitedCallers'];
  stop(): void;
}

export interface AccessDependencies {
  readonly config: Config;
  readonly database: Database;
  readonly redis: Redis;
  readonly log: Log;
  readonly metrics: ReturnType<typeof createAuthMetrics>;
}

/**
 * Reads the keys and keeps them up to date.
 *
 * @throws OperatorError when no caller could be authenticated and AUTH is not explicitly off; what MySQL throws
 */
export async function openAccess({ config, database, redis, log, metrics }: AccessDependencies): Promise<Access> {
  const adminKey = config.ADMIN_API_KEY;
  const keys = new KeyRing({
    fixed:
      adminKey === undefined
        ? []
        : [{ keyId: null, name: 'ADMIN_API_KEY', digest: digestOf(adminKey), scopes: ['admin'] }],
    load: () => validKeys(database),
    ageMsMax: config.KEYS_MS_MAX,
    onFault: (error) => log.warn({ error }, 'could not read the API keys; keeping the previous ones'),
  });
  await keys.refresh();
  const tokens = createTokens(config, (error) => log.error({ error }, 'could not read the JWKS of the token issuer'));
  const isOn = config.AUTH === 'on';
  if (isOn && tokens === null && keys.isEmpty()) throw new OperatorError(NO_CREDENTIALS);
  if (!isOn) log.info('AUTH is off: any caller may issue for any user');
  keys.watch();
  await tokens?.prepare();
  // Ahead of their end, so that no caller waits for the issuer.
  const renewal = setInterval(() => void tokens?.prepare(), JWKS_RENEWAL_MS);
  renewal.unref();
  const limiterOf = (kind: 'address' | 'user', requestsMax: number) => {
    const refused = metrics.limited.of(kind);
    return requestsMax === 0 ? null : createLimiter(kind, requestsMax, { config, redis, log }, () => refused.add());
  };
  const limiters = {
    user: limiterOf('user', config.USER_REQUESTS_MAX),
    address: limiterOf('address', config.ADDRESS_REQUESTS_MAX),
  };
  return {
    authority: createAuthority({
      isOn,
      keys,
      tokens,
      retryAfterS: config.RETRY_AFTER_S,
      onRefused: (reason, request) => {
        metrics.unauthenticated.of(reason).add();
        log.warn({ ...idsOf(request), reason }, `a request was refused (401): ${reason}`);
      },
    }),
    limiters,
    limitedCallers: () =>
      (['address', 'user'] as const)
        .flatMap((kind) => (limiters[kind]?.refusedMost(CALLERS_MAX) ?? []).map((each) => ({ kind, ...each })))
        .toSorted((a, b) => b.refused - a.refused),
    stop: () => {
      keys.stop();
      clearInterval(renewal);
    },
  };
}

/** Callers of each kind that an operator is shown. */
const CALLERS_MAX = 20;

const NO_CREDENTIALS = [
  'AUTH: no caller could be authenticated, since there are neither tokens nor keys. Set JWT_JWKS_URL or JWT_SECRET, or ADMIN_API_KEY,',
  'or create a key with `bun run keys create`; or set AUTH=off, which lets any caller issue for any user',
].join(' ');

function createLimiter(
  kind: Counted['kind'],
  requestsMax: number,
  { config, redis, log }: Pick<AccessDependencies, 'config' | 'redis' | 'log'>,
  onRefused: () => void,
): Limiter {
  return new Limiter({
    kind,
    requestsMax,
    windowS: config.LIMIT_WINDOW_S,
    namesMax: config.LIMITED_NAMES_MAX,
    now: Date.now,
    onRefused,
    sync: (counted) => countRequests(redis, counted),
    onFault: (error) => log.warn({ error, kind }, 'rate-limit sync failed; limiting per process'),
  });
}
