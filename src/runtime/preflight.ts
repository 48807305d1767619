// preflight.ts -- What must be right before a process may start: each fault is one line that names the setting and the cure.

import type { Redis } from 'ioredis';
import { type Database, DatabaseTimeout, withConnection } from '../mysql/database.ts';
import { errorNumber, rootCause } from '../mysql/faults.ts';
import { compareMigrations } from '../mysql/migrations.ts';
import { isTooOld, readServerVersion, tooOld } from '../mysql/server-version.ts';
import { connect } from '../redis/connection.ts';
import { durabilityFaults, readDurability } from '../redis/durability.ts';
import { OperatorError } from '../operator-error.ts';

/**
 * Connects and checks everything, then reports all faults together.
 *
 * @param connections every Redis connection of the process; the first is asked about durability
 * @param warn called with a line for what is unusual, but no fault
 * @throws OperatorError with one line per fault
 */
export async function preflight(
  database: Database,
  connections: readonly [Redis, ...Redis[]],
  allowVolatile: boolean,
  warn: (line: string) => void,
): Promise<void> {
  const found = await Promise.all([checkRedis(connections, allowVolatile), checkMysql(database, warn)]);
  const faults = found.flat();
  if (faults.length > 0) throw new OperatorError(faults.join('\n'));
}

async function checkRedis(connections: readonly [Redis, ...Redis[]], allowVolatile: boolean): Promise<string[]> {
  // Why a connection failed is reported by an event; what `connect` throws then names no cause.
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  for (const connection of connections) connection.on('error', onError);
  try {
    await Promise.all(connections.map(connect));
    const faults = durabilityFaults(await readDurability(connections[0]), allowVolatile);
    // A database that the server does not have does not even throw: the driver would go on with database 0. An address at which
    // nobody listened at first is no fault once somebody does.
    const refused = errors.find((error) => isReply(rootCause(error)));
    return refused === undefined ? faults : [unusableRedis(refused)];
  } catch (error) {
    return [unusableRedis(errors[0] ?? error)];
  } finally {
    for (const connection of connections) connection.off('error', onError);
  }
}

function unusableRedis(error: unknown): string {
  return `REDIS_URL: Redis cannot be used (${reasonOf(error)}); start it, or correct address, user, password and database`;
}

async function checkMysql(database: Database, warn: (line: string) => void): Promise<string[]> {
  try {
    const version = await withConnection(database, readServerVersion);
    if (isTooOld(version)) return [tooOld(version)];
    const { missing, unknown } = await compareMigrations(database);
    if (unknown > 0) warn(aheadOfRelease(unknown));
    return missing === 0 ? [] : [`DATABASE_URL: ${missing} migration(s) are missing; run \`bun run migrate\``];
  } catch (error) {
    return [`DATABASE_URL: MySQL cannot be used (${reasonOf(error)}); start it, or correct address, user and database`];
  }
}

/** What to say of a database that a later release migrated, as during a rolling update and after a rollback. */
export function aheadOfRelease(unknown: number): string {
  return `DATABASE_URL: the database has ${unknown} migration(s) of a later release; see docs/releases.md`;
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
