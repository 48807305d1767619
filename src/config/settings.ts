// settings.ts -- The schema of the environment: every setting with its type, default and reason.
//
// Each bound of the system is a setting here, so that nothing is unbounded, and nothing is bounded by a number that an operator
// cannot see. docs/configuration.md and .env.example are generated from it.

import { hostname } from 'node:os';
import { type TSchema, Type } from '@sinclair/typebox';
import { LogLevel, REQUEST_LOG_MODE } from './log-settings.ts';

const integer = (description: string, [fallback, minimum, maximum]: readonly [number, number, number]) =>
  Type.Integer({ default: fallback, minimum, maximum, description });

interface StringOptions {
  readonly default?: string;
  /** What documents say instead of a default that depends on the machine. */
  readonly defaultName?: string;
  readonly pattern?: string;
  readonly minLength?: number;
}

const string = (description: string, options: StringOptions = {}) => Type.String({ description, ...options });

const optional = (description: string, options?: StringOptions) => Type.Optional(string(description, options));

const flag = (description: string, fallback: 'on' | 'off' = 'off') =>
  Type.Union([Type.Literal('on'), Type.Literal('off')], { default: fallback, description });

/** Algorithms that a token may be signed with. `none` is not among them. */
const ALGORITHM = '(HS|RS|PS|ES)(256|384|512)|EdDSA';
/** Secrets and keys go over TLS, or stay on this machine. */
const HTTPS_OR_LOCAL = '^(https://.+|http://(localhost|127[.]0[.]0[.]1|\\[::1\\])[:/].+)';
const ORIGIN = 'https?://[A-Za-z0-9.:_-]+';

/** Every setting: its type, default and reason, in the order of docs/configuration.md. */
export const settings = Type.Object({
  DATABASE_URL: string(
    'MySQL 8.0.16 or MariaDB 10.11, or newer: `mysql://user:password@host:3306/database`; `?ssl-mode=…` for TLS, `?socketPath=…` for a socket',
    { pattern: '^mysql://.+/.+' },
  ),
  DATABASE_CA: optional('file with the authority (PEM) that signed the certificate of MySQL; sets TLS'),
  DATABASE_CERT: optional('file with the certificate (PEM) that the processes show to MySQL'),
  DATABASE_KEY: optional('file with the key (PEM) of DATABASE_CERT'),
  REDIS_URL: string(
    [
      'Redis 7.0 or newer: `redis://…`, `redis+cluster://user:password@a:6379,b:6379` (some of the nodes),',
      '`redis+sentinel://user:password@a:26379,b:26379/mymaster/0`, each with `rediss` for TLS; `redis+unix:///run/redis.sock?db=0` for a socket',
    ].join(' '),
    {
      pattern: '^(rediss?(\\+cluster|\\+sentinel)?|redis[+]unix|unix)://.+',
    },
  ),
  REDIS_CA: optional('file with the authority (PEM) that signed the certificate of Redis'),
  REDIS_CERT: optional('file with the certificate (PEM) that the processes show to Redis'),
  REDIS_KEY: optional('file with the key (PEM) of REDIS_CERT'),
  SENTINEL_PASSWORD: optional('password of the sentinels, where they have one; that in REDIS_URL is for Redis'),
  KEY_PREFIX: optional('what stands before every key and channel in Redis, so that two installations can share one', {
    pattern: '^[A-Za-z0-9_.:-]{1,64}$',
  }),
  HOST: string(
    'address the API and the worker listen on; `::`: all of IPv6 and IPv4; `localhost`: this machine alone',
    {
      default: '::',
      minLength: 1,
    },
  ),
  KEEP_ALIVE_S: integer(
    'seconds an idle connection is kept, longer than the load balancer in front keeps it; 0: without end; Deno never closes one',
    [75, 0, 255],
  ),
  PORT: integer('port of the API; 0 takes a free one', [3000, 0, 65_535]),
  REUSE_PORT: flag(
    '`on` lets API processes of one Linux machine share PORT, for a core each, METRICS_PORT apart; `off` refuses the second',
  ),
  WORKER_PORT: integer("port of the worker's `/metrics` and `/livez`; 0 takes a free one", [3001, 0, 65_535]),
  METRICS_PORT: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 65_535,
      description:
        "port of the API's `/metrics`, which then is not on PORT; 0 takes a free one; not set: on PORT, with AUTH=on for keys with the scope `read`",
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
  JWT_ISSUER: optional('`iss` of the tokens of users'),
  JWT_AUDIENCE: optional('the audience of the tokens of users: this installation'),
  JWT_AUDIENCE_CLAIM: string(
    'claim that holds the audience: `client_id` in access tokens of Cognito, `azp` in some others',
    {
      default: 'aud',
      pattern: '^[A-Za-z0-9_.:/-]{1,128}$',
    },
  ),
  JWT_JWKS_URL: optional('where the public keys of the issuer are: `https`, or `http` on this machine', {
    pattern: HTTPS_OR_LOCAL,
  }),
  JWT_JWKS_CA: optional('file with the authority (PEM) that signed the certificate of JWT_JWKS_URL'),
  JWT_JWKS_CERT: optional('file with the certificate (PEM) that the API shows to JWT_JWKS_URL'),
  JWT_JWKS_KEY: optional('file with the key (PEM) of JWT_JWKS_CERT'),
  JWT_SECRET: optional('secret shared with the issuer, instead of JWT_JWKS_URL', { minLength: 32 }),
  JWT_SECRET_PREVIOUS: optional('the previous JWT_SECRET: tokens signed with it are still accepted while it is set', {
    minLength: 32,
  }),
  JWT_ALGORITHMS: optional(
    'algorithms a token may be signed with; not set: HS256 with a secret, else RS256,PS256,ES256,EdDSA',
    { pattern: `^(${ALGORITHM})(,(${ALGORITHM}))*$` },
  ),
  JWT_USER_CLAIM: string('claim that holds the id of the user', {
    default: 'sub',
    pattern: '^[A-Za-z0-9_:./-]{1,128}$',
  }),
  JWT_CLOCK_SKEW_S: integer('difference of clocks that `exp` and `nbf` allow for', [5, 0, 300]),
  JWT_CACHE_MS: integer(
    'with JWT_JWKS_URL: how long a verified token is cached; never beyond its `exp`',
    [60_000, 0, 3_600_000],
  ),
  JWT_CACHE_MAX: integer(
    'with JWT_JWKS_URL: verified tokens in the cache, about 200 bytes each; the least recent half may be evicted',
    [100_000, 1, 10_000_000],
  ),

  USER_REQUESTS_MAX: integer('issue requests of a user in a window; beyond it 429; 0: no limit', [0, 0, 1_000_000]),
  ADDRESS_REQUESTS_MAX: integer(
    'requests of an address (IPv6: of a /64) in a window; beyond it 429; 0: no limit, since many users share one',
    [0, 0, 1_000_000],
  ),
  LIMIT_WINDOW_S: integer('length of a window of these limits', [10, 1, 3600]),
  LIMITED_NAMES_MAX: integer(
    'users, and addresses, counted per window by a process; those beyond it are not limited',
    [1_000_000, 1, 10_000_000],
  ),
  TRUSTED_PROXIES: optional(
    'proxies whose `X-Forwarded-For` is trusted: addresses or networks such as 10.0.0.0/8, separated by commas',
    { pattern: '^[0-9a-fA-F:.]+(/[0-9]{1,3})?(,[0-9a-fA-F:.]+(/[0-9]{1,3})?)*$' },
  ),
  CAPTCHA_VERIFY_URL: optional(
    'siteverify address of Turnstile, hCaptcha or reCAPTCHA; set, users must send `X-Captcha-Token` to issue',
    { pattern: HTTPS_OR_LOCAL },
  ),
  CAPTCHA_SECRET: optional('secret of this site at the CAPTCHA service; goes with CAPTCHA_VERIFY_URL'),
  CORS_ORIGINS: optional('allowed CORS origins such as https://shop.example, separated by commas; not set: none', {
    pattern: `^${ORIGIN}(,${ORIGIN})*$`,
  }),
  URL_CHARACTERS_MAX: integer('length of a URL; beyond it 400', [2048, 256, 65_536]),

  LOG_LEVEL: Type.Union(LogLevel.anyOf, { default: 'info', description: 'least severe level that is logged' }),
  REQUEST_LOG: string(
    'requests that have a log line: `off`, `errors` (400 and above, but for 409 and 429), `sampled:0.01` (any share) or `on`',
    { default: 'off', pattern: REQUEST_LOG_MODE },
  ),
  REQUEST_LOG_SECRET: optional(
    'key of the hash under which these lines have a user, for `bun run find-user`; not set: they have none',
    { minLength: 16 },
  ),
  SERVER_TIMING: flag(
    '`on` says in `Server-Timing` how long a request took, how long it waited for its decision, and how long that took',
  ),
  ALLOW_VOLATILE_REDIS: flag(
    '`on` starts on a Redis that loses acknowledged issues in a crash, or evicts them when its memory is full (see durability)',
  ),

  START_WAIT_S: integer(
    'how long API, worker and `bun run migrate` wait for stores that are only starting, and for migrations under way; 0: not at all',
    [60, 0, 3600],
  ),

  PARTITIONS: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 1024,
      description:
        'streams the coupons are spread over; not set: as many as the installation has, and 64 in a new one; changed by `bun run partitions N` alone',
    }),
  ),
  USERS_PER_BATCH_MAX: integer('users in one decision: bounds how long a script or a row lock is held', [500, 1, 1000]),
  BATCHES_IN_FLIGHT_MAX: integer(
    'concurrent decisions of `POST /v2/issue-async` per coupon: 1 makes the largest batches, more helps where Redis is far; the others always have 1',
    [1, 1, 64],
  ),
  WAITING_USERS_MAX: integer('users waiting per coupon and endpoint; beyond it 503', [20_000, 1, 1_000_000]),
  UNPERSISTED_USERS_MAX: integer(
    'accepted users per partition not yet in MySQL; beyond it 503: 13 to 110 bytes of Redis memory each (see scaling)',
    [1_000_000, 1, 100_000_000],
  ),
  BODY_BYTES_MAX: integer('size of a request body; an issue needs about 100', [4096, 64, 1_048_576]),
  RETRY_AFTER_S: integer('`Retry-After` of a 503, at least; spread over three seconds', [1, 1, 3600]),

  IDEMPOTENCY_KEY_S: integer(
    'how long an `Idempotency-Key` is remembered: about 200 bytes of Redis each',
    [3600, 60, 604_800],
  ),
  IDEMPOTENCY_CALLER_KEYS_MAX: integer(
    'keys of a caller that are remembered, for each user it acts for; beyond it 429',
    [100, 1, 10_000],
  ),
  IDEMPOTENCY_KEYS_MAX: integer(
    'keys of all callers that are stored in IDEMPOTENCY_KEY_S: bounds their memory in Redis; beyond it 503 for a new key',
    [2_000_000, 1, 1_000_000_000],
  ),
  ISSUE_WAITERS_MAX: integer(
    'callers waiting for their row; beyond it the current status is returned immediately',
    [10_000, 0, 1_000_000],
  ),
  ISSUE_POLL_MS: integer('pause between two looks for the rows that callers wait for', [50, 5, 10_000]),
  USE_WAIT_MS: integer(
    'wait for the row of an accepted issue that is to be used or replayed; beyond it 503',
    [3000, 0, 30_000],
  ),
  PROGRESS_MS: integer("pause between two samples of a coupon's progress while it has listeners", [1000, 50, 60_000]),
  LISTENERS_MAX: integer("listeners to coupons' progress, but for operators; beyond it 503", [1000, 0, 100_000]),
  LISTENERS_PER_USER_MAX: integer('listeners of a user who shows a token; beyond it 429', [10, 1, 100_000]),
  LISTENERS_PER_ADDRESS_MAX: integer(
    'listeners without a token of an address (IPv6: of a /64); beyond it 429; behind a proxy set TRUSTED_PROXIES',
    [200, 1, 100_000],
  ),
  LISTENERS_OPERATORS_MAX: integer(
    'listeners who show a key with the scope `read` or `admin`; beyond it 503',
    [100, 1, 100_000],
  ),

  SIGN_MS_MAX: integer(
    'age of a cached refusal or public coupon: how long an edit may go unnoticed if its message is lost',
    [1000, 1, 1000],
  ),
  SIGNS_MAX: integer(
    'cached refusals per process, and as many coupons and unknown ids; the least recent half may be evicted',
    [10_000, 1, 1_000_000],
  ),
  SIGN_OWNERS_MAX: integer(
    'owners in all cached sold-out refusals, 2 to 4 bytes each; beyond it a refusal is not cached',
    [1_000_000, 0, 10_000_000],
  ),
  CLOCK_SKEW_MS_MAX: integer(
    'clock difference between API and stores that a cached "not started" allows for',
    [2000, 0, 60_000],
  ),

  LOCK_LEASE_MS: integer('lease of the Redlock lock; fencing makes a longer pause harmless', [5000, 100, 60_000]),
  LOCK_WAIT_MS_MAX: integer('wait for the Redlock lock; beyond it the script decides', [500, 10, 60_000]),
  LOCKED_TRIES_MAX: integer('reads and fenced writes under one lock before the script decides instead', [8, 1, 100]),
  OPENING_LEASE_MS: integer(
    'lease of a process that opens a coupon; renewed with each page it loads',
    [5000, 100, 60_000],
  ),
  OPENING_WAIT_MS_MAX: integer('wait for the opening of a coupon; beyond it 503', [15_000, 100, 300_000]),
  OPENING_PAGE: integer('rows or entries read per step of an opening: bounds its memory', [5000, 1, 10_000]),

  REDIS_COMMAND_MS_MAX: integer(
    'wait for a reply of Redis; beyond it the result is ambiguous; less than the node timeout of a cluster',
    [2000, 10, 60_000],
  ),
  REPLICAS_MIN: integer(
    'replicas of Redis that must have what is answered; with fewer 503, ambiguous; 0: none (see durability)',
    [0, 0, 16],
  ),
  OFFERING: flag(
    'whether processes put back what a Redis that failed over lost of their last answers, before anybody else gets it',
    'on',
  ),
  ANSWERS_MS_MAX: integer(
    'how long a process remembers its answers, in case Redis fails over: longer than replicas lag',
    [10_000, 0, 600_000],
  ),
  ANSWERS_MAX: integer('answers that a process remembers at most, about 50 bytes each', [500_000, 0, 10_000_000]),
  REDIS_CONNECT_MS_MAX: integer('wait for a connection to Redis', [5000, 100, 60_000]),
  MYSQL_CONNECTIONS_MAX: integer(
    'connections to MySQL per process; an API has as many again for `POST /v1/issue`, half as many for users, and 3 for keys and readiness',
    [10, 1, 1000],
  ),
  MYSQL_CONNECTION_S_MAX: integer(
    'age at which a connection to MySQL is replaced, less up to a tenth: so long may one lead to a server that is no longer the primary',
    [1800, 1, 86_400],
  ),
  MYSQL_QUEUE_MAX: integer('requests waiting for a MySQL connection; beyond it 503', [1000, 1, 100_000]),
  MYSQL_CONNECT_MS_MAX: integer('wait for a connection to MySQL', [5000, 100, 60_000]),
  TRANSACTION_MS_MAX: integer('length of a transaction: PlanetScale ends them after 20 s', [10_000, 100, 19_000]),

  WORKER_NAME: string('name of the worker in the consumer group; unique among running workers', {
    default: hostname(),
    defaultName: 'by default the name of the host',
    pattern: '^[A-Za-z0-9_.-]{1,128}$',
  }),
  ROWS_PER_TRANSACTION_MAX: integer('rows the worker writes in one transaction', [5000, 1, 20_000]),
  ENTRIES_PER_READ_MAX: integer('entries the worker reads from a stream in one command', [500, 1, 10_000]),
  BLOCK_MS: integer('how long a read waits for new entries, and so how soon a stop is noticed', [1000, 10, 10_000]),
  GATHER_MS: integer(
    'pause after a transaction, in which entries gather for the next: fewer, larger transactions',
    [50, 0, 1000],
  ),
  CLAIM_IDLE_MS: integer('age from which a worker takes over the entries of another', [10_000, 100, 3_600_000]),
  RECONCILE_MS: integer('pause between two comparisons of Redis with MySQL', [10_000, 100, 3_600_000]),
  CLOSE_AFTER_MS: integer(
    'how long after its end a coupon is closed: its owners are removed from Redis',
    [86_400_000, 60_000, 2_592_000_000],
  ),
  RETRY_MS_MAX: integer('longest pause between two tries of the worker during an outage', [5000, 10, 60_000]),
  SHUTDOWN_MS_MAX: integer('time to finish what is under way on SIGTERM', [25_000, 100, 600_000]),
});

/** What a setting may be, in words. */
export function allowedValues(schema: TSchema): string {
  if (schema.type === 'integer') return `integer ${schema.minimum}-${schema.maximum}`;
  const choices = schema.anyOf as readonly TSchema[] | undefined;
  if (choices) return `one of ${choices.map((choice) => String(choice.const)).join(', ')}`;
  if (schema.pattern) return `string matching ${schema.pattern}`;
  const lengthMin: unknown = schema.minLength ?? 1;
  return lengthMin === 1 ? 'non-empty string' : `string of at least ${String(lengthMin)} characters`;
}
