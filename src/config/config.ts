// config.ts -- The environment as one frozen `Config`. The only reader of the environment; all faults are reported together.

import { isIP } from 'node:net';
import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { OperatorError } from '../operator-error.ts';
import { valueOf } from './environment.ts';
import { allowedValues } from './setting-types.ts';
import { settings } from './settings.ts';

/** What the process runs with. */
export type Config = Readonly<Static<typeof settings>>;

/** What a connection to MySQL needs, and one to Redis. */
export const databaseSettings = [
  'DATABASE_URL',
  'DATABASE_CA',
  'DATABASE_CERT',
  'DATABASE_KEY',
  'MYSQL_QUEUE_MAX',
  'MYSQL_CONNECT_MS_MAX',
  'MYSQL_CONNECTION_S_MAX',
  'TRANSACTION_MS_MAX',
] as const;
export const redisSettings = [
  'REDIS_URL',
  'REDIS_CA',
  'REDIS_CERT',
  'REDIS_KEY',
  'SENTINEL_PASSWORD',
  'KEY_PREFIX',
  'REDIS_CONNECT_MS_MAX',
  'REDIS_COMMAND_MS_MAX',
] as const;

/**
 * Decodes the environment.
 *
 * @param names the settings that the process needs; by default all of them
 * @param environment variables as strings; unknown ones are ignored, an empty one counts as not set
 * @returns the frozen configuration
 * @throws OperatorError naming every variable that is missing or wrong; values are left out, since they may be secret
 */
export function readConfig<Name extends keyof Config = keyof Config>(
  names: readonly Name[] = Object.keys(settings.properties) as Name[],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Pick<Config, Name> {
  const needed = Type.Pick(settings, names);
  const given: Record<string, unknown> = {};
  const unreadable: string[] = [];
  for (const [name, schema] of Object.entries<TSchema>(needed.properties)) {
    const value = valueOf(name, environment, (line) => unreadable.push(line));
    if (value !== undefined) given[name] = schema.type === 'integer' ? toInteger(value) : value;
    else if (schema.default !== undefined) given[name] = schema.default;
  }
  const alone = Object.entries<TSchema>(needed.properties).flatMap(([name, schema]) =>
    faultOf(name, schema, given[name]),
  );
  // One line per setting.
  const faults: string[] = [];
  for (const line of [...unreadable, ...alone, ...crossChecks(given)]) {
    if (!faults.some((earlier) => settingOf(earlier) === settingOf(line))) faults.push(line);
  }
  if (faults.length > 0) throw new OperatorError(faults.join('\n'));
  const decoded: unknown = Value.Decode(needed, given);
  return Object.freeze(decoded as Pick<Config, Name>);
}

/** The setting that a fault is about: each line begins with its name. */
function settingOf(line: string): string | undefined {
  return /^\w+/.exec(line)?.[0].replace(/_FILE$/, '');
}

/** What no schema can say, and what is wrong only in combination. A token whose issuer or audience is not checked may be meant for another system. */
function crossChecks(config: Partial<Config>): string[] {
  const { JWT_SECRET: secret, JWT_JWKS_URL: jwksUrl, JWT_ALGORITHMS: algorithms } = config;
  const faults: string[] = [];
  if (config.DATABASE_URL !== undefined && !URL.canParse(config.DATABASE_URL)) {
    faults.push(`DATABASE_URL is wrong: expected a URL such as mysql://user:password@host:3306/database; ${ENCODE}`);
  }
  if (config.REDIS_URL !== undefined && !isRedisUrl(config.REDIS_URL)) {
    faults.push(`REDIS_URL is wrong: expected a URL such as redis://user:password@host:6379/0; ${ENCODE}`);
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
      faults.push(`${name} is not set: it is required to accept tokens of users`);
    if (!signed && config[name] !== undefined) faults.push(`${name} is set without JWT_SECRET or JWT_JWKS_URL`);
  }
  // One family only: otherwise a public key could be used as a shared secret.
  if (algorithms?.split(',').some((algorithm) => algorithm.startsWith('HS') !== (secret !== undefined))) {
    faults.push(`JWT_ALGORITHMS is wrong: HS256, HS384 and HS512 go with JWT_SECRET, all others with JWT_JWKS_URL`);
  }
  if ((config.CAPTCHA_VERIFY_URL === undefined) !== (config.CAPTCHA_SECRET === undefined)) {
    faults.push('CAPTCHA_VERIFY_URL and CAPTCHA_SECRET are set together, or neither is');
  }
  if (config.TRUSTED_PROXIES?.split(',').some((entry) => !isNetwork(entry))) {
    faults.push('TRUSTED_PROXIES is wrong: expected addresses or networks such as 10.0.0.0/8, separated by commas');
  }
  if (config.REUSE_PORT === 'on' && config.METRICS_PORT === undefined) {
    faults.push(
      'REUSE_PORT is on without METRICS_PORT: /metrics would answer for any of the processes that share the port',
    );
  }
  return faults;
}

/** The rest is said by `redis/url.ts`, when a connection is made. */
function isRedisUrl(url: string): boolean {
  if (/^rediss?[+]/.test(url) && !url.includes('unix:')) return true;
  return URL.canParse(url) && (url.includes('unix:') || /^(\/\d*)?$/.test(new URL(url).pathname));
}

const ENCODE = 'in user and password write # as %23, / as %2F, ? as %3F and @ as %40';

function isNetwork(entry: string): boolean {
  const [address = '', prefix = '0'] = entry.split('/');
  const version = isIP(address);
  return version !== 0 && Number(prefix) <= (version === 4 ? 32 : 128);
}

/** A decimal number as a number; anything else stays text, so that the schema refuses it. `1e3` and `0x10` are text. */
function toInteger(value: string): number | string {
  return /^-?\d{1,16}$/.test(value) ? Number(value) : value;
}

function faultOf(name: string, schema: TSchema, value: unknown): string[] {
  const optional = !settings.required?.some((required) => required === name);
  if (value === undefined) return optional ? [] : [`${name} is not set: ${schema.description}`];
  if (Value.Check(schema, value)) return [];
  return [`${name} is wrong: expected ${allowedValues(schema)} (${schema.description})`];
}
