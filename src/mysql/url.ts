// url.ts -- A database URL as connection options. TLS, when asked for, always checks certificate and host name.

import { OperatorError } from '../operator-error.ts';

/** Where MySQL is, and what its TLS needs: texts in PEM. */
export interface DatabaseAddress {
  readonly DATABASE_URL: string;
  readonly DATABASE_CA?: string;
  readonly DATABASE_CERT?: string;
  readonly DATABASE_KEY?: string;
}

/** Values of `sslmode`, `ssl-mode`, `ssl_mode`, `tls`, `useSSL` and `sslaccept` that mean TLS, and those that mean none. */
const withTls = new Set([
  'require',
  'required',
  'verify_ca',
  'verify-ca',
  'verify_identity',
  'verify-full',
  'true',
  'strict',
]);
const withoutTls = new Set(['disable', 'disabled', 'false']);
const modeNames = ['sslmode', 'ssl-mode', 'ssl_mode', 'sslaccept', 'tls', 'usessl'];
const socketNames = ['socketpath', 'socket', 'unix_socket'];

/**
 * Reads a database URL.
 *
 * @param address `mysql://user:password@host:port/database`, with TLS as providers spell it (`?ssl-mode=REQUIRED`, `?sslaccept=strict`,
 *   `?ssl={"rejectUnauthorized":true}`), or with `?socketPath=/run/mysqld.sock`
 * @throws OperatorError for anything else, also for an option that is not known, and for TLS that would check nothing. The message
 *   does not repeat the URL, which holds a password
 */
export function readDatabaseUrl(address: DatabaseAddress) {
  const { DATABASE_URL: url, DATABASE_CA: ca, DATABASE_CERT: cert, DATABASE_KEY: key } = address;
  if (!URL.canParse(url)) throw new OperatorError(`DATABASE_URL is not a URL${ENCODE}`);
  const { protocol, hostname, port, username, password, pathname, searchParams, hash } = new URL(url);
  const database = decoded(pathname.slice(1));
  const options = optionsOf(searchParams);
  const socketPath = socketNames.map((name) => options.get(name)).find((path) => path !== undefined);
  if (protocol !== 'mysql:' || (hostname === '' && socketPath === undefined) || /^$|\//.test(database) || hash !== '')
    throw new OperatorError(`DATABASE_URL must look like mysql://user:password@host:3306/database${ENCODE}`);
  const files = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  const isTls = wantsTls(options) || Object.keys(files).length > 0;
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? 3306 : Number(port),
    user: decoded(username),
    password: decoded(password),
    database,
    ...(socketPath !== undefined && { socketPath }),
    ...(isTls && { ssl: { rejectUnauthorized: true, verifyIdentity: true, minVersion: 'TLSv1.2', ...files } }),
  };
}

const ENCODE = '; in user and password write # as %23, / as %2F, ? as %3F, @ as %40 and : as %3A';

/** A part of the URL as it was meant. A password with a bare `%` is a common slip. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new OperatorError('DATABASE_URL: write a % in user, password or database as %25');
  }
}

/** The options by name, in lower case. @throws OperatorError for one that would be ignored */
function optionsOf(parameters: URLSearchParams): ReadonlyMap<string, string> {
  const known = ['ssl', ...modeNames, ...socketNames];
  const options = new Map([...parameters].map(([name, value]) => [name.toLowerCase(), value]));
  for (const name of options.keys()) {
    if (known.includes(name)) continue;
    // What follows a bare `?` in a password is none.
    const isName = /^[a-z_-]{1,32}$/.test(name) && !String(parameters).includes('%40');
    const which = isName ? `the option ${name} is not known` : `an option is not known${ENCODE}`;
    throw new OperatorError(`DATABASE_URL: ${which}; there are ssl, sslmode, ssl-mode, sslaccept, tls and socketPath`);
  }
  return options;
}

function wantsTls(options: ReadonlyMap<string, string>): boolean {
  const ssl = options.get('ssl');
  if (ssl?.includes('false') || ssl === '0') throw new OperatorError('DATABASE_URL: remove ssl to connect without TLS');
  if (ssl?.startsWith('{') && !/^\{\s*"rejectUnauthorized"\s*:\s*true\s*\}$/.test(ssl))
    throw new OperatorError('DATABASE_URL: ssl accepts only {"rejectUnauthorized":true}; use DATABASE_CA for a file');
  const modes = modeNames.flatMap((name) => options.get(name)?.toLowerCase() ?? []);
  if (modes.some((mode) => !withTls.has(mode) && !withoutTls.has(mode)))
    throw new OperatorError('DATABASE_URL: sslmode must be VERIFY_IDENTITY, or be left out; TLS is always verified');
  return ssl !== undefined || modes.some((mode) => withTls.has(mode));
}
