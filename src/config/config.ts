// config.ts -- The environment as one frozen `Config`. The only reader of the environment; every fault is reported at once.
//
// Each bound of the design is a setting here, with its default and its reason, so that nothing in the system is unbounded
// and nothing is bounded by a number that an operator cannot see. The README's table is generated from `settings`.

import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { OperatorError } from '../operator-error.ts';

const whole = (fallback: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ default: fallback, minimum, maximum, description });

interface TextOptions {
  readonly default?: string;
  /** What the default is called in documents, where it differs from machine to machine. */
  readonly defaultName?: string;
  readonly pattern?: string;
  readonly minLength?: number;
}

const text = (description: string, options: TextOptions = {}) => Type.String({ description, ...options });

const flag = (description: string) =>
  Type.Union([Type.Literal('on'), Type.Literal('off')], { default: 'off', description });

/** Signatures that a token may carry. `none` is not among them. */
const ALGORITHM = '(HS|RS|PS|ES)(256|384|512)|EdDSA';
const ORIGIN = 'https?://[A-Za-z0-9.:_-]+';

/** Every setting: its type, default and reason. The order is the README's. */
export const settings = Type.Object({
  DATABASE_URL: text(
    'MySQL 8.0.16 or MariaDB 10.11, or newer: `mysql://user:password@host:3306/database`; TLS with `?ssl=…` or `?sslaccept=strict`',
    {
      pattern: '^mysql://.+/.+',
    },
  ),
  REDIS_URL: text('Redis 7.0 or newer: `redis://…`, or `rediss://…` for TLS', { pattern: '^rediss?://.+' }),
  HOST: text('address the API listens on', { default: '0.0.0.0', minLength: 1 }),
  PORT: whole(3000, 0, 65_535, 'port of the API; 0 takes a free one'),
  REUSE_PORT: flag(
    '`on` lets API processes of one Linux machine share PORT, for a core each, METRICS_PORT apart; `off` refuses the second',
  ),
  WORKER_PORT: whole(3001, 0, 65_535, "port of the worker's `/metrics` and `/livez`; 0 takes a free one"),
  METRICS_PORT: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 65_535,
      description: "port of the API's `/metrics`, which then is not on PORT; 0 takes a free one",
    }),
  ),

  AUTH: Type.Union([Type.Literal('on'), Type.Literal('off')], {
    default: 'on',
    description: '`off` lets everybody issue for any user; operators need a key all the same',
  }),
  ADMIN_API_KEY: Type.Optional(
    text('the first key of an operator, with every scope, sent as `Authorization: Bearer …`; more by `bun run keys`', {
      minLength: 16,
    }),
  ),
  KEYS_MS_MAX: whole(2000, 100, 60_000, 'age of the list of API keys: how long a new or revoked key may go unnoticed'),
  JWT_ISSUER: Type.Optional(text('`iss` of the tokens of users')),
  JWT_AUDIENCE: Type.Optional(text('`aud` of the tokens of users: this installation')),
  JWT_JWKS_URL: Type.Optional(
    text('where the public keys of the issuer are: `https`, or `http` on this machine', {
      pattern: '^(https://.+|http://(localhost|127[.]0[.]0[.]1|\\[::1\\])[:/].+)',
    }),
  ),
  JWT_SECRET: Type.Optional(text('secret shared with the issuer, instead of JWT_JWKS_URL', { minLength: 32 })),
  JWT_SECRET_PREVIOUS: Type.Optional(
    text('the secret before JWT_SECRET: tokens signed with it are taken too, until it is taken away', {
      minLength: 32,
    }),
  ),
  JWT_ALGORITHMS: Type.Optional(
    text('algorithms a token may be signed with; not set: HS256 with a secret, else RS256,PS256,ES256,EdDSA', {
      pattern: `^(${ALGORITHM})(,(${ALGORITHM}))*$`,
    }),
  ),
  JWT_USER_CLAIM: text('claim that holds the id of the user', { default: 'sub', pattern: '^[A-Za-z0-9_:./-]{1,128}$' }),
  JWT_CLOCK_SKEW_S: whole(5, 0, 300, 'difference of clocks that `exp` and `nbf` allow for'),
  JWT_CACHE_MS: whole(
    60_000,
    0,
    3_600_000,
    'with JWT_JWKS_URL: how long a verified token is not verified again; never beyond its `exp`',
  ),
  JWT_CACHE_MAX: whole(
    100_000,
    1,
    10_000_000,
    'with JWT_JWKS_URL: verified tokens remembered, about 200 bytes each; the oldest gives way',
  ),

  USER_REQUESTS_MAX: whole(0, 0, 1_000_000, 'issue requests of a user in a window; beyond it 429; 0: no limit'),
  ADDRESS_REQUESTS_MAX: whole(
    0,
    0,
    1_000_000,
    'requests of an address (IPv6: of a /64) in a window; beyond it 429; 0: no limit, since many users share one',
  ),
  LIMIT_WINDOW_S: whole(10, 1, 3600, 'length of a window of these limits'),
  LIMITED_NAMES_MAX: whole(1_000_000, 1, 10_000_000, 'users, and addresses, counted in a window by a process'),
  TRUSTED_PROXIES: Type.Optional(
    text('proxies whose `X-Forwarded-For` is believed: addresses or networks such as 10.0.0.0/8, with commas', {
      pattern: '^[0-9a-fA-F:.]+(/[0-9]{1,3})?(,[0-9a-fA-F:.]+(/[0-9]{1,3})?)*$',
    }),
  ),
  CORS_ORIGINS: Type.Optional(
    text('origins whose pages may call: such as https://shop.example, with commas; not set: none', {
      pattern: `^${ORIGIN}(,${ORIGIN})*$`,
    }),
  ),
  URL_CHARACTERS_MAX: whole(2048, 256, 65_536, 'length of a URL; beyond it 400'),

  LOG_LEVEL: Type.Union(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((level) => Type.Literal(level)),
    { default: 'info', description: 'least severe level that is logged' },
  ),
  ALLOW_VOLATILE_REDIS: flag('`on` starts on a Redis that loses acknowledged issues in a crash (see durability)'),

  PARTITIONS: whole(4, 1, 1024, 'streams the coupons are spread over; must be the same in API and worker, for ever'),
  USERS_PER_BATCH_MAX: whole(500, 1, 1000, 'users in one decision: bounds how long a script or a row lock is held'),
  BATCHES_IN_FLIGHT_MAX: whole(
    1,
    1,
    64,
    'decisions of `POST /v2/issue-async` under way per coupon: one makes the largest batches; more pay where Redis is far away. The others always have one',
  ),
  WAITING_USERS_MAX: whole(20_000, 1, 1_000_000, 'users waiting per coupon and endpoint; beyond it 503 at once'),
  UNPERSISTED_USERS_MAX: whole(
    1_000_000,
    1,
    100_000_000,
    'accepted users per partition not yet in MySQL; beyond it 503: about 30 bytes of Redis memory each',
  ),
  BODY_BYTES_MAX: whole(4096, 64, 1_048_576, 'size of a request body; an issue needs about 100'),
  RETRY_AFTER_S: whole(1, 1, 3600, '`Retry-After` of a 503'),

  IDEMPOTENCY_KEY_S: whole(3600, 60, 604_800, 'how long an `Idempotency-Key` is remembered: about 150 bytes of Redis'),
  ISSUE_WAITERS_MAX: whole(
    10_000,
    0,
    1_000_000,
    'callers that wait for their row; beyond it they hear the status at once',
  ),
  ISSUE_POLL_MS: whole(50, 5, 10_000, 'pause between two looks for the rows that callers wait for'),
  USE_WAIT_MS: whole(
    3000,
    0,
    30_000,
    'wait for the row of an accepted issue that is to be used or replayed; beyond it 503',
  ),
  PROGRESS_MS: whole(1000, 50, 60_000, "pause between two samples of a coupon's progress, while somebody listens"),
  LISTENERS_MAX: whole(1000, 0, 100_000, "listeners to coupons' progress; beyond it 503"),

  SIGN_MS_MAX: whole(1000, 1, 1000, 'age of a closed sign: how long an edit may go unseen if its message is lost'),
  SIGNS_MAX: whole(10_000, 1, 1_000_000, 'closed signs per process; the oldest gives way'),
  SIGN_OWNERS_MAX: whole(
    1_000_000,
    0,
    10_000_000,
    'owners remembered, 2 to 4 bytes each, by all sold-out signs; above it no sign',
  ),
  CLOCK_SKEW_MS_MAX: whole(
    2000,
    0,
    60_000,
    'difference of clocks between API and stores that a not-started sign allows for',
  ),

  LOCK_LEASE_MS: whole(5000, 100, 60_000, 'lease of the Redlock lock; fencing makes a longer pause harmless'),
  LOCK_WAIT_MS_MAX: whole(500, 10, 60_000, 'wait for the Redlock lock; beyond it the script decides'),
  LOCKED_TRIES_MAX: whole(8, 1, 100, 'reads and fenced writes under one lock before the script decides instead'),
  OPENING_LEASE_MS: whole(5000, 100, 60_000, 'lease of a process that opens a coupon; renewed with each page it loads'),
  OPENING_WAIT_MS_MAX: whole(15_000, 100, 300_000, 'wait for the opening of a coupon; beyond it 503'),
  OPENING_PAGE: whole(5000, 1, 10_000, 'rows or entries read per step of an opening: bounds its memory'),

  REDIS_COMMAND_MS_MAX: whole(2000, 10, 60_000, 'wait for a reply of Redis; beyond it the ending is indeterminate'),
  REDIS_CONNECT_MS_MAX: whole(5000, 100, 60_000, 'wait for a connection to Redis'),
  MYSQL_CONNECTIONS_MAX: whole(
    10,
    1,
    1000,
    'connections to MySQL per process; an API has as many again for `POST /v1/issue`',
  ),
  MYSQL_QUEUE_MAX: whole(1000, 1, 100_000, 'requests waiting for a MySQL connection; beyond it 503'),
  MYSQL_CONNECT_MS_MAX: whole(5000, 100, 60_000, 'wait for a connection to MySQL'),
  TRANSACTION_MS_MAX: whole(10_000, 100, 19_000, 'length of a transaction: PlanetScale ends them after 20 s'),

  WORKER_NAME: text('name of the worker in the consumer group; unique among workers that run at once', {
    default: hostname(),
    defaultName: 'by default the name of the host',
    pattern: '^[A-Za-z0-9_.-]{1,128}$',
  }),
  ROWS_PER_TRANSACTION_MAX: whole(5000, 1, 20_000, 'rows the worker writes in one transaction'),
  ENTRIES_PER_READ_MAX: whole(500, 1, 10_000, 'entries the worker takes from a stream at once'),
  BLOCK_MS: whole(1000, 10, 10_000, 'wait for new entries: also how soon a stop is noticed; never endless'),
  GATHER_MS: whole(
    50,
    0,
    1000,
    'pause after a transaction, in which entries gather for the next: fewer, larger transactions',
  ),
  CLAIM_IDLE_MS: whole(10_000, 100, 3_600_000, 'age from which a worker takes over the entries of another'),
  RECONCILE_MS: whole(10_000, 100, 3_600_000, 'pause between two comparisons of Redis with MySQL'),
  CLOSE_AFTER_MS: whole(
    86_400_000,
    60_000,
    2_592_000_000,
    'how long after its end a coupon is put away: its owners are freed in Redis',
  ),
  RETRY_MS_MAX: whole(5000, 10, 60_000, 'longest pause between two tries of the worker during an outage'),
  SHUTDOWN_MS_MAX: whole(25_000, 100, 600_000, 'time to finish what is under way on SIGTERM'),
});

/** What the process runs with. */
export type Config = Readonly<Static<typeof settings>>;

/**
 * Decodes the environment.
 *
 * @param names the settings that the process needs; all of them unless said otherwise
 * @param environment variables as strings; unknown ones are left alone, an empty one counts as not set
 * @returns the frozen configuration
 * @throws OperatorError naming every variable that is missing or wrong; the values are not repeated, since they may be secret
 */
export function readConfig<Name extends keyof Config = keyof Config>(
  names: readonly Name[] = Object.keys(settings.properties) as Name[],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Pick<Config, Name> {
  const needed = Type.Pick(settings, names);
  const given: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries<TSchema>(needed.properties)) {
    const value = environment[name]?.trim();
    if (value) given[name] = schema.type === 'integer' ? toWhole(value) : value;
    else if (schema.default !== undefined) given[name] = schema.default;
  }
  const alone = Object.entries<TSchema>(needed.properties).flatMap(([name, schema]) =>
    faultOf(name, schema, given[name]),
  );
  const named = new Set(alone.map(settingOf));
  // What is wrong by itself needs no second line.
  const faults = [...alone, ...faultsBetween(given as Partial<Config>).filter((line) => !named.has(settingOf(line)))];
  if (faults.length > 0) throw new OperatorError(faults.join('\n'));
  const decoded: unknown = Value.Decode(needed, given);
  return Object.freeze(decoded as Pick<Config, Name>);
}

/** The setting that a fault is about: each line begins with its name. */
function settingOf(line: string): string | undefined {
  return /^\w+/.exec(line)?.[0];
}

/** What no pattern tells, and what is right by itself and wrong together. A token whose issuer or audience is not checked may be meant for another system. */
function faultsBetween(config: Partial<Config>): string[] {
  const { JWT_SECRET: secret, JWT_JWKS_URL: jwksUrl, JWT_ALGORITHMS: algorithms } = config;
  const faults: string[] = [];
  if (config.DATABASE_URL !== undefined && !URL.canParse(config.DATABASE_URL)) {
    faults.push('DATABASE_URL is wrong: expected a URL such as mysql://user:password@host:3306/database');
  }
  if (config.REDIS_URL !== undefined && !isRedisUrl(config.REDIS_URL)) {
    faults.push('REDIS_URL is wrong: expected a URL such as redis://user:password@host:6379/0');
  }
  if (secret !== undefined && jwksUrl !== undefined) {
    faults.push('JWT_SECRET and JWT_JWKS_URL are both set: tokens are signed in one of the two ways');
  }
  if (secret === undefined && config.JWT_SECRET_PREVIOUS !== undefined) {
    faults.push('JWT_SECRET_PREVIOUS is set without JWT_SECRET');
  }
  const named = ['JWT_ISSUER', 'JWT_AUDIENCE'] as const;
  const signed = secret !== undefined || jwksUrl !== undefined;
  for (const name of named) {
    if (signed && config[name] === undefined)
      faults.push(`${name} is not set: tokens of users are not taken without it`);
    if (!signed && config[name] !== undefined) faults.push(`${name} is set without JWT_SECRET or JWT_JWKS_URL`);
  }
  // One family alone: else a public key, which everybody has, could be taken for a shared secret.
  if (algorithms?.split(',').some((algorithm) => algorithm.startsWith('HS') !== (secret !== undefined))) {
    faults.push(`JWT_ALGORITHMS is wrong: HS256, HS384 and HS512 go with JWT_SECRET, all others with JWT_JWKS_URL`);
  }
  if (config.TRUSTED_PROXIES?.split(',').some((entry) => !isNetwork(entry))) {
    faults.push('TRUSTED_PROXIES is wrong: expected addresses or networks such as 10.0.0.0/8, with commas');
  }
  if (config.REUSE_PORT === 'on' && config.METRICS_PORT === undefined) {
    faults.push(
      'REUSE_PORT is on without METRICS_PORT: /metrics would answer for any of the processes that share the port',
    );
  }
  return faults;
}

/** The driver throws for what is no URL, and takes a path that is no number for database 0. */
function isRedisUrl(url: string): boolean {
  return URL.canParse(url) && /^(\/\d*)?$/.test(new URL(url).pathname);
}

function isNetwork(entry: string): boolean {
  const [address = '', prefix = '0'] = entry.split('/');
  const version = isIP(address);
  return version !== 0 && Number(prefix) <= (version === 4 ? 32 : 128);
}

/** A decimal number as a number; anything else stays text, so that the schema refuses it. `1e3` and `0x10` are text. */
function toWhole(value: string): number | string {
  return /^-?\d{1,16}$/.test(value) ? Number(value) : value;
}

function faultOf(name: string, schema: TSchema, value: unknown): string[] {
  const optional = !settings.required?.some((required) => required === name);
  if (value === undefined) return optional ? [] : [`${name} is not set: ${schema.description}`];
  if (Value.Check(schema, value)) return [];
  return [`${name} is wrong: expected ${allowedValues(schema)} (${schema.description})`];
}

/** What a setting may be, in words. */
export function allowedValues(schema: TSchema): string {
  if (schema.type === 'integer') return `a whole number from ${schema.minimum} to ${schema.maximum}`;
  const choices = schema.anyOf as readonly TSchema[] | undefined;
  if (choices) return `one of ${choices.map((choice) => String(choice.const)).join(', ')}`;
  if (schema.pattern) return `text that matches ${schema.pattern}`;
  return `text of at least ${schema.minLength ?? 1} characters`;
}
