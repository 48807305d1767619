// url.ts -- A database URL as connection options. TLS, when asked for, always checks certificate and host name.

import { OperatorError } from '../operator-error.ts';

/** Ways to say "TLS" in a URL: PlanetScale's `?ssl={"rejectUnauthorized":true}` and `?sslaccept=strict`, and `sslmode`. */
const tlsModes = new Set(['require', 'required', 'verify_ca', 'verify-ca', 'verify_identity', 'verify-full']);

/**
 * Reads a database URL.
 *
 * @param url `mysql://user:password@host:port/database`, with TLS by `?ssl=…`, `?sslaccept=strict` or `?sslmode=…`
 * @throws OperatorError for anything else, also for `sslaccept=accept_invalid_certs`: unchecked TLS protects nothing. The message
 *   does not repeat the URL, which holds a password
 */
export function readDatabaseUrl(url: string) {
  if (!URL.canParse(url)) throw new OperatorError('DATABASE_URL is not a URL');
  const { protocol, hostname, port, username, password, pathname, searchParams } = new URL(url);
  const database = decoded(pathname.slice(1));
  if (protocol !== 'mysql:' || hostname === '' || database === '' || database.includes('/'))
    throw new OperatorError('DATABASE_URL must look like mysql://user:password@host:3306/database');
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? 3306 : Number(port),
    user: decoded(username),
    password: decoded(password),
    database,
    ...(wantsTls(searchParams) && { ssl: { rejectUnauthorized: true, verifyIdentity: true, minVersion: 'TLSv1.2' } }),
  };
}

/** A part of the URL as it was meant. A password with a bare `%` is a common slip. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new OperatorError('DATABASE_URL: write a % in user, password or database as %25');
  }
}

function wantsTls(parameters: URLSearchParams): boolean {
  const ssl = parameters.get('ssl');
  const accept = parameters.get('sslaccept');
  const mode = parameters.get('sslmode')?.toLowerCase();
  if (accept !== null && accept !== 'strict') throw new OperatorError('DATABASE_URL: sslaccept must be strict');
  if (ssl?.includes('false') || ssl === '0') throw new OperatorError('DATABASE_URL: leave ssl out to go without TLS');
  if (mode !== undefined && mode !== 'disable' && mode !== 'disabled' && !tlsModes.has(mode))
    throw new OperatorError('DATABASE_URL: sslmode must be verify_identity, or be left out');
  return ssl !== null || accept !== null || (mode !== undefined && tlsModes.has(mode));
}
