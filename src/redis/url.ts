// url.ts -- A Redis URL as connection options: only what says where the server is, so that none of our own options is overridden.

import type { RedisOptions } from 'ioredis';
import { OperatorError } from '../operator-error.ts';

/** Where Redis is, and what its TLS needs: texts in PEM. */
export interface RedisAddress {
  readonly REDIS_URL: string;
  readonly REDIS_CA?: string;
  readonly REDIS_CERT?: string;
  readonly REDIS_KEY?: string;
}

const PROTOCOLS = new Set(['redis:', 'rediss:', 'redis+unix:', 'unix:']);
const EXAMPLE = 'redis://user:password@host:6379/0, rediss://… for TLS, or redis+unix:///run/redis.sock';
const ENCODE = 'in user and password write % as %25, # as %23, / as %2F, ? as %3F, @ as %40 and : as %3A';

/**
 * Reads a Redis URL.
 *
 * @throws OperatorError for anything else, also with options: the driver would take them, and some break what we promise
 */
export function readRedisUrl(address: RedisAddress): RedisOptions {
  const { REDIS_URL: url, REDIS_CA: ca, REDIS_CERT: cert, REDIS_KEY: key } = address;
  if (!URL.canParse(url)) throw wrong();
  const { protocol, hostname, port, username, password, pathname, search, searchParams, hash } = new URL(url);
  const isSocket = protocol.endsWith('unix:');
  const options = [...searchParams.keys()].filter((name) => !(isSocket && name === 'db'));
  if (options.length > 0 || hash !== '') {
    // What follows a bare `?` in a password is none, and must not be repeated.
    const named = search.includes('@') ? [] : options.filter((name) => /^[a-z_-]{1,32}$/i.test(name));
    const which = named.length === 0 ? '' : ` (${named.join(', ')})`;
    throw new OperatorError(`REDIS_URL takes no options${which}; settings of their own have them, and ${ENCODE}`);
  }
  const database = isSocket ? (searchParams.get('db') ?? '0') : pathname.slice(1) || '0';
  const isPlace = isSocket ? ['', 'localhost'].includes(hostname) && pathname.length > 1 : hostname !== '';
  if (!PROTOCOLS.has(protocol) || !isPlace || !/^\d{1,5}$/.test(database)) throw wrong();
  const files = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  const isTls = protocol === 'rediss:';
  if (!isTls && Object.keys(files).length > 0)
    throw new OperatorError('REDIS_CA is for TLS; REDIS_URL must be rediss://…');
  return {
    ...(isSocket
      ? { path: decoded(pathname) }
      : { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? 6379 : Number(port) }),
    ...(username !== '' && { username: decoded(username) }),
    ...(password !== '' && { password: decoded(password) }),
    db: Number(database),
    ...(isTls && { tls: { rejectUnauthorized: true, minVersion: 'TLSv1.2', ...files } }),
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw wrong();
  }
}

/** Does not repeat the URL, which holds a password. */
function wrong(): OperatorError {
  return new OperatorError(`REDIS_URL is wrong: expected ${EXAMPLE}; ${ENCODE}`);
}
