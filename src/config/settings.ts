// settings.ts -- The schema of the environment: every setting with its type, default and description.
//
// Each bound of the system is a setting here, so that nothing is unbounded, and nothing is bounded by a number that an operator
// cannot see. docs/configuration.md and .env.example are generated from it.

import { Type } from '@sinclair/typebox';
import { LogLevel, REQUEST_LOG_MODE } from './log-settings.ts';
import { integer, string, optional, flag, ALGORITHM, HTTPS_OR_LOCAL, LINK, IMAGE, ORIGIN } from './setting-types.ts';
import { workerSettings } from './worker-settings.ts';

/** Every setting: its type, default and description, in the order of docs/configuration.md. */
export const settings = Type.Object({
  DATABASE_URL: string(
    'MySQL 8.0.16 or MariaDB 10.11, or newer: `mysql://user:password@host:3306/database`; `?ssl-mode=…` for TLS, `?socketPath=…` for a socket',
    { pattern: '^mysql://.+/.+' },
  ),
  DATABASE_CA: optional('file with the CA (PEM) that signed the certificate of MySQL; turns TLS on'),
  DATABASE_CERT: optional('file with the client certificate (PEM) for MySQL'),
  DATABASE_KEY: optional('file with the private key (PEM) of DATABASE_CERT'),
  REDIS_URL: string(
    [
      'Redis 7.0 or newer: `redis://…`, `redis+cluster://user:password@a:6379,b:6379` (some of the nodes),',
      '`redis+sentinel://user:password@a:26379,b:26379/mymaster/0`, each with `rediss` for TLS; `redis+unix:///run/redis.sock?db=0` for a socket',
    ].join(' '),
    {
      pattern: '^(rediss?(\\+cluster|\\+sentinel)?|redis[+]unix|unix)://.+',
    },
  ),
  REDIS_CA: optional('file with the CA (PEM) that signed the certificate of Redis'),
  REDIS_CERT: optional('file with the client certificate (PEM) for Redis'),
  REDIS_KEY: optional('file with the private key (PEM) of REDIS_CERT'),
  SENTINEL_PASSWORD: optional('password of the sentinels, if they have one; the password in REDIS_URL is for Redis'),
  KEY_PREFIX: optional('prefix of every key and channel in Redis, so that two installations can share one Redis', {
    pattern: '^[A-Za-z0-9_.:-]{1,64}$',
  }),
  HOST: string(
    'address the API and the worker listen on; `::`: all IPv6 and IPv4 addresses; `localhost`: only this machine',
    {
      default: '::',
      minLength: 1,
    },
  ),
  KEEP_ALIVE_S: integer(
    'seconds an idle connection stays open: more than the idle timeout of the load balancer; 0: no limit; Deno never closes one',
    [75, 0, 255],
  ),
  PORT: integer('port of the API; 0: any free port', [3000, 0, 65_535]),
  REUSE_PORT: flag(
    '`on` lets several API processes on one Linux machine share PORT, each with its own METRICS_PORT; `off` refuses a second process',
  ),
  WORKER_PORT: integer("port of the worker's `/metrics` and `/livez`; 0: any free port", [3001, 0, 65_535]),
  METRICS_PORT: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 65_535,
      description:
        "separate port of the API's `/metrics`; 0: any free port; not set: on PORT, where AUTH=on requires a key with the scope `read`",
    }),
  ),

  AUTH: flag('`off` lets any caller issue for any user; operator routes still require a key', 'on'),
  ADMIN_API_KEY: optional(
    'operator key with every scope, sent as `Authorization: Bearer …`; create more with `bun run keys`',
    { minLength: 16 },
  ),
  KEYS_MS_MAX: integer(
    'age of the cached list of API keys: delay until a new or revoked key takes effect',
    [2000, 100, 60_000],
  ),
  JWT_ISSUER: optional('`iss` of user tokens'),
  JWT_AUDIENCE: optional('audience of user tokens: this installation'),
  JWT_AUDIENCE_CLAIM: string(
    'claim that holds the audience: `client_id` in access tokens of Cognito, `azp` in some others',
    {
      default: 'aud',
      pattern: '^[A-Za-z0-9_.:/-]{1,128}$',
    },
  ),
  JWT_JWKS_URL: optional('URL of the public keys of the issuer: `https`, or `http` on this machine', {
    pattern: HTTPS_OR_LOCAL,
  }),
  JWT_JWKS_CA: optional('file with the CA (PEM) that signed the certificate of JWT_JWKS_URL'),
  JWT_JWKS_CERT: optional('file with the client certificate (PEM) for JWT_JWKS_URL'),
  JWT_JWKS_KEY: optional('file with the private key (PEM) of JWT_JWKS_CERT'),
  JWT_SECRET: optional('secret shared with the issuer, instead of JWT_JWKS_URL', { minLength: 32 }),
  JWT_SECRET_PREVIOUS: optional('the previous JWT_SECRET: tokens signed with it are still accepted while it is set', {
    minLength: 32,
  }),
  JWT_ALGORITHMS: optional(
    'accepted signature algorithms; not set: HS256 with a secret, otherwise RS256,PS256,ES256,EdDSA',
    { pattern: `^(${ALGORITHM})(,(${ALGORITHM}))*$` },
  ),
  JWT_USER_CLAIM: string('claim that holds the user id', {
    default: 'sub',
    pattern: '^[A-Za-z0-9_:./-]{1,128}$',
  }),
  JWT_CLOCK_SKEW_S: integer('tolerated clock difference for `exp` and `nbf`', [5, 0, 300]),
  JWT_CACHE_MS: integer(
    'with JWT_JWKS_URL: how long a verified token is cached; never beyond its `exp`',
    [60_000, 0, 3_600_000],
  ),
  JWT_CACHE_MAX: integer(
    'with JWT_JWKS_URL: verified tokens in the cache, about 200 bytes each; the least recent half may be evicted',
    [100_000, 1, 10_000_000],
  ),

  USER_REQUESTS_MAX: integer('issue requests per user and window; beyond it 429; 0: no limit', [0, 0, 1_000_000]),
  ADDRESS_REQUESTS_MAX: integer(
    'requests per address (IPv6: per /64) and window; beyond it 429; 0: no limit, since many users may share one address',
    [0, 0, 1_000_000],
  ),
  LIMIT_WINDOW_S: integer('length of the rate limit window in seconds', [10, 1, 3600]),
  LIMITED_NAMES_MAX: integer(
    'users, and addresses, that a process counts per window; further ones are not limited',
    [1_000_000, 1, 10_000_000],
  ),
  WRONG_CODES_MAX: integer(
    'wrong codes per user (or per address with AUTH=off) and minute; beyond it 429',
    [10, 1, 1_000_000],
  ),
  WRONG_CODES_PER_KEY_MAX: integer('wrong codes per API key and minute; beyond it 429', [1000, 1, 1_000_000]),
  TRUSTED_PROXIES: optional(
    'proxies whose `X-Forwarded-For` is trusted: addresses or networks such as 10.0.0.0/8, separated by commas',
    { pattern: '^[0-9a-fA-F:.]+(/[0-9]{1,3})?(,[0-9a-fA-F:.]+(/[0-9]{1,3})?)*$' },
  ),
  CAPTCHA_VERIFY_URL: optional(
    'siteverify URL of Turnstile, hCaptcha or reCAPTCHA; if set, users must send `X-Captcha-Token` to issue',
    { pattern: HTTPS_OR_LOCAL },
  ),
  CAPTCHA_SECRET: optional('secret of this site at the CAPTCHA service; required with CAPTCHA_VERIFY_URL'),
  CORS_ORIGINS: optional('allowed CORS origins such as https://shop.example, separated by commas; not set: none', {
    pattern: `^${ORIGIN}(,${ORIGIN})*$`,
  }),
  FRAME_ANCESTORS: optional(
    'origins whose pages may embed the drop page in a frame, such as https://shop.example, separated by commas; not set: none',
    { pattern: `^${ORIGIN}(,${ORIGIN})*$` },
  ),
  DROP_BRAND: optional('name of the shop on the drop page; 1 to 60 characters', { pattern: '^.{1,60}$' }),
  DROP_LOGO_URL: optional('logo of the shop on the drop page', { pattern: IMAGE }),
  DROP_PICTURE_URL: optional('picture of the drop page and of its link previews; aspect ratio 16:9', {
    pattern: IMAGE,
  }),
  DROP_COLOR: optional(
    'colour of the button on the drop page, such as #e4002b; made darker or lighter if its contrast is too low',
    {
      pattern: '^#[0-9a-fA-F]{6}$',
    },
  ),
  DROP_NEXT_URL: optional('link for winners on the drop page, such as the coupons of the user', { pattern: LINK }),
  DROP_MORE_URL: optional('link on the drop page for users who came too late, such as other offers', { pattern: LINK }),
  URL_CHARACTERS_MAX: integer('maximum length of a URL; beyond it 400', [2048, 256, 65_536]),

  LOG_LEVEL: Type.Union(LogLevel.anyOf, { default: 'info', description: 'least severe level that is logged' }),
  REQUEST_LOG: string(
    'requests that are logged: `off`, `errors` (400 and above, except 409 and 429), `sampled:0.01` (any share) or `on`',
    { default: 'off', pattern: REQUEST_LOG_MODE },
  ),
  REQUEST_LOG_SECRET: optional(
    'key of the hash of the user in these lines, for `bun run find-user`; not set: the lines have no user',
    { minLength: 16 },
  ),
  SERVER_TIMING: flag(
    '`on` sends `Server-Timing`: the total time, the time until the decision began, and the time of the decision',
  ),
  ALLOW_VOLATILE_REDIS: flag(
    '`on` accepts a Redis that loses acknowledged issues in a crash, or evicts them when its memory is full (see durability)',
  ),

  START_WAIT_S: integer(
    'how long API, worker and `bun run migrate` wait for starting stores and running migrations; 0: not at all',
    [60, 0, 3600],
  ),

  PARTITIONS: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 1024,
      description:
        'number of streams; not set: as recorded in the stores, 64 in a new installation; only `bun run partitions N` changes it',
    }),
  ),
  USERS_PER_BATCH_MAX: integer('users in one decision: bounds how long a script or a row lock is held', [500, 1, 1000]),
  BATCHES_IN_FLIGHT_MAX: integer(
    'concurrent decisions of `POST /v2/issue-async` per coupon: 1 gives the largest batches, more helps if Redis is far away; other endpoints always use 1',
    [1, 1, 64],
  ),
  WAITING_USERS_MAX: integer('users waiting per coupon and endpoint; beyond it 503', [20_000, 1, 1_000_000]),
  UNPERSISTED_USERS_MAX: integer(
    'accepted users per partition not yet in MySQL; beyond it 503: 13 to 330 bytes of Redis memory each, by the length of user ids (see scaling)',
    [1_000_000, 1, 100_000_000],
  ),
  BODY_BYTES_MAX: integer('maximum size of a request body; an issue request needs about 100', [4096, 64, 1_048_576]),
  RETRY_AFTER_S: integer('minimum `Retry-After` of a 503; values are spread over three seconds', [1, 1, 3600]),

  IDEMPOTENCY_KEY_S: integer(
    'how long an `Idempotency-Key` is stored: about 200 bytes of Redis each',
    [3600, 60, 604_800],
  ),
  IDEMPOTENCY_CALLER_KEYS_MAX: integer(
    'stored keys per caller, for each user it acts for; beyond it 429',
    [100, 1, 10_000],
  ),
  IDEMPOTENCY_KEYS_MAX: integer(
    'keys that all callers store within IDEMPOTENCY_KEY_S: bounds their memory in Redis; beyond it a new key gets 503',
    [2_000_000, 1, 1_000_000_000],
  ),
  ISSUE_WAITERS_MAX: integer(
    'callers waiting for their row; beyond it the current status is returned immediately',
    [10_000, 0, 1_000_000],
  ),
  ISSUE_POLL_MS: integer('interval of polling for the rows that callers wait for', [50, 5, 10_000]),
  USE_WAIT_MS: integer(
    'how long a use, or a replay by `Idempotency-Key`, waits for the row of an accepted issue; beyond it 503',
    [3000, 0, 30_000],
  ),
  PROGRESS_MS: integer("interval of sampling a coupon's progress while it has listeners", [1000, 50, 60_000]),
  LISTENERS_MAX: integer(
    'event streams of coupon progress, without those of operators; beyond it 503',
    [1000, 0, 100_000],
  ),
  LISTENERS_PER_USER_MAX: integer('event streams per user with a token; beyond it 429', [10, 1, 100_000]),
  LISTENERS_PER_ADDRESS_MAX: integer(
    'event streams without a token per address (IPv6: per /64); beyond it 429; behind a proxy set TRUSTED_PROXIES',
    [200, 1, 100_000],
  ),
  LISTENERS_OPERATORS_MAX: integer(
    'event streams of callers with a key of the scope `read` or `admin`; beyond it 503',
    [100, 1, 100_000],
  ),

  SIGN_MS_MAX: integer(
    'maximum age of a cached refusal or public coupon, and so the delay of an edit whose message is lost',
    [1000, 1, 1000],
  ),
  SIGNS_MAX: integer(
    'cached refusals per process, and the same number of coupons and of unknown ids; the least recent half may be evicted',
    [10_000, 1, 1_000_000],
  ),
  SIGN_OWNERS_MAX: integer(
    'owners in all cached sold-out refusals, 2 to 4 bytes each; a refusal beyond it is not cached',
    [1_000_000, 0, 10_000_000],
  ),
  CLOCK_SKEW_MS_MAX: integer(
    'tolerated clock difference between API and stores for a cached "not started"',
    [2000, 0, 60_000],
  ),

  LOCK_LEASE_MS: integer('lease of the Redlock lock; fencing makes a longer pause harmless', [5000, 100, 60_000]),
  LOCK_WAIT_MS_MAX: integer('maximum wait for the Redlock lock; beyond it the script decides', [500, 10, 60_000]),
  LOCKED_TRIES_MAX: integer('reads and fenced writes under one lock before the script decides instead', [8, 1, 100]),
  OPENING_LEASE_MS: integer(
    'lease of a process that opens a coupon; renewed with each page it loads',
    [5000, 100, 60_000],
  ),
  OPENING_WAIT_MS_MAX: integer('maximum wait for the opening of a coupon; beyond it 503', [15_000, 100, 300_000]),
  OPENING_PAGE: integer('rows or entries read per step of an opening: bounds its memory', [5000, 1, 10_000]),

  REDIS_COMMAND_MS_MAX: integer(
    'maximum wait for a reply of Redis; beyond it the result is ambiguous; must be less than the node timeout of a cluster',
    [2000, 10, 60_000],
  ),
  REPLICAS_MIN: integer(
    'Redis replicas that must have a write before it is answered; with fewer, 503 (ambiguous); 0: none (see durability)',
    [0, 0, 16],
  ),
  OFFERING: flag(
    '`on`: after a failover of Redis, processes restore the recent answers that it lost before it issues again',
    'on',
  ),
  ANSWERS_MS_MAX: integer(
    'how long a process remembers its answers for a failover of Redis: longer than the replication lag',
    [10_000, 0, 600_000],
  ),
  ANSWERS_MAX: integer(
    'maximum number of answers that a process remembers, about 50 bytes each',
    [500_000, 0, 10_000_000],
  ),
  REDIS_CONNECT_MS_MAX: integer('maximum wait for a connection to Redis', [5000, 100, 60_000]),
  MYSQL_CONNECTIONS_MAX: integer(
    [
      'connections to MySQL per process; an API has the same number again for `POST /v1/issue`, half as many for users, and 3 for keys and readiness;',
      'a worker has 2 more for webhooks',
    ].join(' '),
    [10, 1, 1000],
  ),
  MYSQL_CONNECTION_S_MAX: integer(
    'age at which a connection to MySQL is replaced (up to a tenth earlier): the longest time that it can lead to a former primary',
    [1800, 1, 86_400],
  ),
  MYSQL_QUEUE_MAX: integer('requests waiting for a MySQL connection; beyond it 503', [1000, 1, 100_000]),
  MYSQL_CONNECT_MS_MAX: integer('maximum wait for a connection to MySQL', [5000, 100, 60_000]),
  TRANSACTION_MS_MAX: integer(
    'maximum length of a transaction: PlanetScale ends them after 20 s',
    [10_000, 100, 19_000],
  ),

  ...workerSettings,
  SHUTDOWN_MS_MAX: integer('maximum time to finish work in progress on SIGTERM', [25_000, 100, 600_000]),
});
