// store-faults.ts -- What a failure of a store means to who runs it: one sentence for each kind, with its cure and the store's number.

import { OperatorError } from '../operator-error.ts';
import { type Database, DatabaseTimeout } from '../mysql/database.ts';
import { errorNumber, rootCause } from '../mysql/faults.ts';
import { missingRight, rightsFault } from '../redis/rights.ts';

/** One thing that is wrong. */
export interface Fault {
  /** Names the setting and the cure; holds no secret. */
  readonly line: string;
  /** It may pass by itself, as when the store is only starting. */
  readonly isTransient: boolean;
}

export const finalFault = (line: string): Fault => ({ line, isTransient: false });
export const transientFault = (line: string): Fault => ({ line, isTransient: true });

type Sentence = readonly [sentence: string, isTransient?: 'transient'];

/** By the code of a socket, of the resolver of names, or of TLS. */
const connectionFaults: Readonly<Record<string, Sentence>> = {
  ECONNREFUSED: ['nothing listens there; start it, or correct host and port', 'transient'],
  ENOTFOUND: ['its host name is unknown; correct the host', 'transient'],
  EAI_AGAIN: ['its host name cannot be resolved; correct the host, or fix DNS', 'transient'],
  LOADING: ['it is loading its data', 'transient'],
  ETIMEDOUT: [
    'it does not respond in time; correct host and port, open the network to it, or remove TLS if it does not support it',
    'transient',
  ],
  EHOSTUNREACH: ['there is no network route; correct the host, or open the network to it', 'transient'],
  ENETUNREACH: ['there is no network route; correct the host, or open the network to it', 'transient'],
  ECONNRESET: [
    'it closed the connection; see its log, and check whether it supports TLS if the URL uses it',
    'transient',
  ],
  EPIPE: ['it closed the connection; see its log', 'transient'],
  PROTOCOL_CONNECTION_LOST: ['it closed the connection; see its log', 'transient'],
  HANDSHAKE_NO_SSL_SUPPORT: ['it does not support TLS; turn it on there, or remove it from the URL'],
};

const GRANT = 'GRANT it SELECT, INSERT, UPDATE and DELETE on this database, and ALL to migrate';

/** By MySQL's number. */
const mysqlFaults: Readonly<Record<number, Sentence>> = {
  1040: ['it has no connection left; raise its max_connections, or lower MYSQL_CONNECTIONS_MAX', 'transient'],
  1044: [`the user may not use this database; ${GRANT}`],
  1045: ['it refuses user and password; correct them'],
  1049: ['it has no such database; create it, or correct the name'],
  1053: ['it is shutting down; start it', 'transient'],
  1129: ['it blocks this host after too many broken connections; run FLUSH HOSTS there', 'transient'],
  1130: ['no user may connect from this host; create the user for this host'],
  1142: [`the user lacks a right; ${GRANT}`],
  1143: [`the user lacks a right on a column; ${GRANT}`],
  1146: ['a table is missing; run `bun run migrate`', 'transient'],
  1203: [
    'the user has no connection left; raise its max_user_connections, or lower MYSQL_CONNECTIONS_MAX',
    'transient',
  ],
  1226: ['the user has reached its resource limit; raise it, or lower MYSQL_CONNECTIONS_MAX', 'transient'],
  1227: ['the user lacks a privilege; GRANT the privileges that this command needs'],
  1290: ['it is read-only; use the address of the primary, or promote it', 'transient'],
  1295: ['it does not support prepared statements; connect without that proxy'],
  1317: ['it interrupted the statement, as Vitess does at its time limits; see its log', 'transient'],
  1461: ['it has reached its limit of prepared statements; raise max_prepared_stmt_count', 'transient'],
  1665: ['its binlog_format is STATEMENT, which does not support READ COMMITTED; set it to ROW'],
  1698: ['it refuses this user; let it log in with a password'],
  1792: ['its transactions are read-only; use the address of the primary, or promote it', 'transient'],
  1820: ['the password has expired; set another'],
  1836: ['it is read-only; use the address of the primary, or promote it', 'transient'],
  1862: ['the password has expired; set another'],
  1927: ['it closed the connection; see its log', 'transient'],
  3118: ['the account is locked; unlock it'],
  3159: ['it requires TLS; add ?sslmode=verify_identity to the URL'],
};

/** By the word that begins a reply of Redis. */
const redisFaults: Readonly<Record<string, Sentence>> = {
  WRONGPASS: ['it refuses user and password; correct them'],
  NOAUTH: ['it requires a password; add user and password to the URL'],
  DENIED: ['it is in protected mode and accepts only local connections; set a password, or bind it to an address'],
  LOADING: ['it is loading its data', 'transient'],
  MASTERDOWN: ['it is a replica without its primary; use the address of the primary', 'transient'],
  'ERR max number of clients reached': ['it has no connection left; raise its maxclients', 'transient'],
  'ERR DB index is out of range': ['it has no such database; raise its `databases`, or correct the number'],
  'ERR This instance has cluster support disabled': [
    'it is not in cluster mode; remove `+cluster` from the URL, and name only this server',
  ],
  "ERR unknown command 'CLUSTER'": ['it is not a node of a Redis Cluster; correct the URL'],
  CLUSTERDOWN: ['the cluster does not serve all slots; see `redis-cli --cluster check`', 'transient'],
  'ERR invalid DB index': ['it has no such database; raise its `databases`, or correct the number'],
};

/** Vitess has this number for most of what its gate finds; of others it says nothing. */
const OTHER_ERROR = 1105;
const VITESS_FAULT: Sentence = [
  'Vitess has no serving primary, or its vschema lacks this table; see deploy/vitess/README.md',
  'transient',
];

/** What is wrong with MySQL, and what to do. */
export function explainMysql(error: unknown, { server }: Pick<Database, 'server'> = { server: {} }): Fault {
  const number = errorNumber(error);
  const ofVitess = number === OTHER_ERROR && server.isVitess ? VITESS_FAULT : null;
  const known = ofVitess ?? (number === null ? null : mysqlFaults[number]);
  const [sentence, isTransient] = known ?? connectionFault(error, 'DATABASE');
  return { line: `DATABASE_URL: MySQL cannot be used (${reasonOf(error)}): ${sentence}`, isTransient: !!isTransient };
}

/** What is wrong with Redis, and what to do. */
export function explainRedis(error: unknown): Fault {
  const cause = rootCause(error);
  const reply = cause instanceof Error && isReply(cause) ? cause.message : '';
  const known = Object.entries(redisFaults).find(([start]) => reply.startsWith(start));
  const right = known ? null : missingRight(cause, 'coupon:*');
  if (right !== null) return finalFault(rightsFault([right]));
  const [sentence, isTransient] = known?.[1] ?? sentinelFault(cause) ?? connectionFault(error, 'REDIS');
  return { line: `REDIS_URL: Redis cannot be used (${reasonOf(error)}): ${sentence}`, isTransient: !!isTransient };
}

/** ioredis says why the last sentinel failed in a text alone; null for any other fault. */
function sentinelFault(cause: unknown): Sentence | null {
  if (!(cause instanceof Error && cause.message.startsWith('All sentinels are unreachable'))) return null;
  if (/unknown command/i.test(cause.message))
    return ['this is not a sentinel; remove `+sentinel` from the URL, or use the addresses of the sentinels'];
  if (/NOAUTH|WRONGPASS/.test(cause.message)) return ['the sentinels refuse the password; correct SENTINEL_PASSWORD'];
  return ['no sentinel responds, or none knows a primary with this name; start them, or correct the URL', 'transient'];
}

/** TLS has many codes, of which Node, Bun and Deno have not all the same. CROSSSLOT, of a cluster, is none. */
const TLS_FAULT = /CERT|SIGNATURE|SSL(?!OT)|TLS|SELF_SIGNED/;

/** By code and message: MySQL's driver has one code for all. The first that fits. */
const tlsFaults: readonly (readonly [RegExp, (store: Store) => string])[] = [
  [
    /altname|NotValidForName/i,
    () => 'its certificate is for another host name; use the host that the certificate names',
  ],
  [/expired/i, () => 'its certificate has expired; renew it'],
  [
    /WRONG_VERSION|packet length|wrong version/i,
    () => 'it does not support TLS; turn it on there, or remove it from the URL',
  ],
  [
    /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE/i,
    (store) => `it wants a certificate; name its files in ${store}_CERT and ${store}_KEY`,
  ],
  [
    /self.signed|issuer|verify|UnknownIssuer/i,
    (store) => `its certificate is of an authority that is not known; name the file of that authority in ${store}_CA`,
  ],
];

type Store = 'DATABASE' | 'REDIS';

/** What ioredis and our cluster report without a code. */
const DRIVER_FAULT =
  /^(Command timed out|Connection is closed|Stream isn't writeable|Reached the max retries|All sentinels are|CLUSTERDOWN|no node of the cluster)/;

function connectionFault(error: unknown, store: Store): Sentence {
  const cause = rootCause(error);
  if (cause instanceof DatabaseTimeout) return connectionFaults['ETIMEDOUT'] ?? ['it does not answer in time'];
  const reason = reasonOf(error);
  const known = connectionFaults[reason];
  if (known) return known;
  if (TLS_FAULT.test(reason)) {
    const text = `${reason} ${cause instanceof Error ? cause.message : ''}`;
    const found = tlsFaults.find(([pattern]) => pattern.test(text));
    return [found?.[1](store) ?? 'no TLS connection could be made; see its log'];
  }
  if (cause instanceof Error && DRIVER_FAULT.test(cause.message))
    return ['it does not answer in time; see its log', 'transient'];
  return ['see its log'];
}

/**
 * A failure of a store as an OperatorError, and any other, which is a bug of ours, as it is.
 *
 * @param explain explains the store that was used
 */
export function explainStoreFailure(error: unknown, explain: (error: unknown) => Fault): unknown {
  // Explained already, where it is known of which store it is.
  if (error instanceof OperatorError) return error;
  const cause = rootCause(error);
  const code = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  // The codes of Node's own checks of arguments begin with ERR_; ioredis reports its own faults without a code.
  const isOfStore =
    (code !== '' && !code.startsWith('ERR_')) ||
    TLS_FAULT.test(code) ||
    isOfRedis(error) ||
    cause instanceof DatabaseTimeout;
  return isOfStore ? new OperatorError(explain(error).line, { cause: error }) : error;
}

/** Whether a failure is one that Redis answered, or its driver found. */
export function isOfRedis(error: unknown): boolean {
  const cause = rootCause(error);
  return isReply(cause) || (cause instanceof Error && DRIVER_FAULT.test(cause.message));
}

/** The code of a failure; messages may hold addresses and names of users. */
export function reasonOf(error: unknown): string {
  const cause = rootCause(error);
  if (!(cause instanceof Error)) return 'unknown reason';
  const code = 'code' in cause && typeof cause.code === 'string' && cause.code !== '' ? cause.code : nameOf(cause);
  const number = errorNumber(error);
  return number === null ? code : `${code} ${number}`;
}

/** What Redis replies begins with a word for programs: `WRONGPASS`, `NOAUTH`, `ERR`. */
function nameOf(cause: Error): string {
  return (isReply(cause) && /^[A-Z]+(?= )/.exec(cause.message)?.[0]) || cause.name;
}

function isReply(cause: unknown): boolean {
  return cause instanceof Error && cause.name === 'ReplyError';
}
