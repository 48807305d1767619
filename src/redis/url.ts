// url.ts -- A Redis URL as connection options: only what says where the server is, so that none of our own options is overridden.

import type { RedisOptions } from 'ioredis';
import { OperatorError } from '../operator-error.ts';
import type { NodeAddress } from './cluster.ts';

/** Where Redis is, and what its TLS needs: texts in PEM. */
export interface RedisAddress {
  readonly REDIS_URL: string;
  readonly REDIS_CA?: string;
  readonly REDIS_CERT?: string;
  readonly REDIS_KEY?: string;
  readonly SENTINEL_PASSWORD?: string;
}

/** The options for one server or for the primary that sentinels name; or for every node of a cluster, of which some are listed. */
export type RedisPlace = RedisOptions & { readonly nodes?: readonly NodeAddress[] };

const PROTOCOLS = new Set(['redis:', 'rediss:', 'redis+unix:', 'unix:']);
const EXAMPLE = [
  'redis://user:password@host:6379/0',
  'redis+unix:///run/redis.sock',
  'redis+cluster://user:password@host:6379,host:6379',
  'redis+sentinel://user:password@host:26379,host:26379/mymaster/0',
  'and with rediss for TLS',
].join(', ');
const ENCODE = 'in user and password write % as %25, # as %23, / as %2F, ? as %3F, @ as %40 and : as %3A';

const SENTINEL_PORT = 26_379;
/** How long one sentinel is waited for before the next is asked. */
const SENTINEL_MS_MAX = 1000;

/**
 * Reads a Redis URL.
 *
 * @throws OperatorError for anything else, also with options: the driver would take them, and some break what we promise
 */
export function readRedisUrl(address: RedisAddress): RedisPlace {
  const { REDIS_URL: url, REDIS_CA: ca, REDIS_CERT: cert, REDIS_KEY: key } = address;
  const many = /^(rediss?)[+](cluster|sentinel):[/][/]([^@/]*@)?([^@/?#]+)([^?#]*)$/.exec(url);
  const files = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  const isTls = url.startsWith('rediss');
  if (!isTls && Object.keys(files).length > 0)
    throw new OperatorError('REDIS_CA is for TLS; REDIS_URL must be rediss://…');
  const tls = isTls && ({ rejectUnauthorized: true, minVersion: 'TLSv1.2', ...files } as const);
  if (!many) return { ...readServer(url), ...(tls && { tls }) };
  const [, scheme = '', kind, login = '', hosts = '', path = ''] = many;
  const servers = hosts.split(',').map((host) => readServer(`${scheme}://${login}${host}`, kind));
  const [{ username, password } = {}] = servers;
  const place = { ...(username && { username }), ...(password && { password }), ...(tls && { tls }) };
  const nodes = servers.map(({ host = '', port = 0 }) => ({ host, port }));
  if (kind === 'sentinel') {
    const sentinelTls = tls && { sentinelTLS: tls, enableTLSForSentinelMode: true };
    return { ...place, ...readSentinels(path, nodes, address), ...sentinelTls };
  }
  // A cluster has one database.
  if (!/^([/]0?)?$/.test(path)) throw wrong();
  return { ...place, db: 0, nodes };
}

/** `/mymaster/0`: the name under which the sentinels watch the primary, and the database. */
function readSentinels(path: string, sentinels: NodeAddress[], { SENTINEL_PASSWORD }: RedisAddress): RedisOptions {
  const [, name = '', database = '0'] = /^[/]([\w.%-]+)(?:[/](\d{1,5}))?$/.exec(path) ?? [];
  if (name === '') throw wrong();
  return {
    sentinels,
    name: decoded(name),
    db: Number(database),
    role: 'master',
    ...(SENTINEL_PASSWORD && { sentinelPassword: SENTINEL_PASSWORD }),
    sentinelCommandTimeout: SENTINEL_MS_MAX,
  };
}

function readServer(url: string, kind?: string): RedisOptions {
  if (!URL.canParse(url)) throw wrong();
  const { protocol, hostname, port, username, password, pathname, search, searchParams, hash } = new URL(url);
  const isSocket = protocol.endsWith('unix:');
  const options = [...searchParams.keys()].filter((name) => !(isSocket && name === 'db'));
  if (options.length > 0 || hash !== '') {
    // What follows a bare `?` in a password is none, and must not be repeated.
    const named = search.includes('@') ? [] : options.filter((name) => /^[a-z_-]{1,32}$/i.test(name));
    const which = named.length === 0 ? '' : ` (${named.join(', ')})`;
    throw new OperatorError(`REDIS_URL takes no options${which}; use the settings instead, and ${ENCODE}`);
  }
  const database = isSocket ? (searchParams.get('db') ?? '0') : pathname.slice(1) || '0';
  const isPlace = isSocket ? ['', 'localhost'].includes(hostname) && pathname.length > 1 : hostname !== '';
  if (!PROTOCOLS.has(protocol) || !isPlace || !/^\d{1,5}$/.test(database)) throw wrong();
  const portOfKind = kind === 'sentinel' ? SENTINEL_PORT : 6379;
  return {
    ...(isSocket
      ? { path: decoded(pathname) }
      : { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? portOfKind : Number(port) }),
    ...(username !== '' && { username: decoded(username) }),
    ...(password !== '' && { password: decoded(password) }),
    db: Number(database),
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
