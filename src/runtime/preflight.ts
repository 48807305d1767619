// preflight.ts -- What must be right before a process may start: each fault is one line that names the setting and the cure.

import type { Redis } from 'ioredis';
import { type Database, DatabaseTimeout, withConnection } from '../mysql/database.ts';
import { errorNumber, rootCause } from '../mysql/faults.ts';
import { missingMigrations } from '../mysql/migrations.ts';
import { isTooOld, readServerVersion, tooOld } from '../mysql/server-version.ts';
import { connect } from '../redis/connection.ts';
import { durabilityFaults, readDurability, replicaFault } from '../redis/durability.ts';
import { missingRight, rightsFault } from '../redis/rights.ts';
import { OperatorError } from '../operator-error.ts';

export interface PreflightDependencies {
  readonly database: Database;
  /** Every Redis connection of the process; the first is asked what the server is. */
  readonly connections: readonly [Redis, ...Redis[]];
  readonly settings: { readonly ALLOW_VOLATILE_REDIS: 'on' | 'off' };
  /** Tries what the process will do in Redis, and returns a line for each fault. */
  readonly testRedis: () => Promise<readonly string[]>;
}

/**
 * Connects and checks everything, then reports all faults together.
 *
 * @throws OperatorError with one line per fault
 */
export async function preflight(dependencies: PreflightDependencies): Promise<void> {
  const found = await Promise.all([checkRedis(dependencies), checkMysql(dependencies.database)]);
  const faults = found.flat();
  if (faults.length > 0) throw new OperatorError(faults.join('\n'));
}

async function checkRedis(dependencies: PreflightDependencies): Promise<string[]> {
  const { connections } = dependencies;
  // Why a connection failed is reported by an event; what `connect` throws then names no cause.
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  for (const connection of connections) connection.on('error', onError);
  try {
    await Promise.all(connections.map(connect));
    const faults = await serverFaults(dependencies);
    // A database that the server does not have does not even throw: the driver would go on with database 0. An address at which
    // nobody listened at first is no fault once somebody does.
    const refused = errors.find((error) => isReply(rootCause(error)));
    return refused === undefined ? faults : [unusableRedis(refused)];
  } catch (error) {
    // A sentinel answers, but does not say which server it is.
    const faults = await serverFaults(dependencies).catch(() => []);
    return faults.length > 0 ? faults : [unusableRedis(errors[0] ?? error)];
  } finally {
    for (const connection of connections) connection.off('error', onError);
  }
}

async function serverFaults({ connections: [redis], settings, testRedis }: PreflightDependencies): Promise<string[]> {
  const durability = await readDurability(redis);
  const faults = durabilityFaults(durability, settings.ALLOW_VOLATILE_REDIS === 'on');
  const replica = replicaFault(durability);
  if (replica) faults.push(replica);
  // A server of the wrong kind would refuse for that alone.
  return faults.length > 0 ? faults : [...(await testRedis())];
}

function unusableRedis(error: unknown): string {
  const right = missingRight(rootCause(error), 'coupon:*');
  if (right !== null) return rightsFault([right]);
  return `REDIS_URL: Redis cannot be used (${reasonOf(error)}); start it, or correct address, user, password and database`;
}

async function checkMysql(database: Database): Promise<string[]> {
  try {
    const version = await withConnection(database, readServerVersion);
    if (isTooOld(version)) return [tooOld(version)];
    const missing = await missingMigrations(database);
    return missing === 0 ? [] : [`DATABASE_URL: ${missing} migration(s) are missing; run \`bun run migrate\``];
  } catch (error) {
    return [`DATABASE_URL: MySQL cannot be used (${reasonOf(error)}); start it, or correct address, user and database`];
  }
}

/**
 * A failure of a store as an OperatorError, and any other, which is a bug of ours, as it is.
 *
 * @param line the message, given the reason
 */
export function explainStoreFailure(error: unknown, line: (reason: string) => string): unknown {
  const cause = rootCause(error);
  const code = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  // The codes of Node's own checks of arguments begin with ERR_; ioredis reports its own faults without a code.
  const isOfStore =
    (code !== '' && !code.startsWith('ERR_')) ||
    isReply(cause) ||
    cause instanceof DatabaseTimeout ||
    (cause instanceof Error && /^(Command timed out|Connection is closed)/.test(cause.message));
  return isOfStore ? new OperatorError(line(reasonOf(error)), { cause: error }) : error;
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
