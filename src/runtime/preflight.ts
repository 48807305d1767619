// preflight.ts -- What must be right before a process may start: each fault is one line that names the setting and the cure.

import type { Redis } from 'ioredis';
import { type Database, withConnection } from '../mysql/database.ts';
import { errorNumber, rootCause } from '../mysql/faults.ts';
import { missingMigrations } from '../mysql/migrations.ts';
import { isTooOld, readServerVersion, tooOld } from '../mysql/server-version.ts';
import { connect } from '../redis/connection.ts';
import { durabilityFaults, readDurability } from '../redis/durability.ts';
import { StartFault } from '../operator-error.ts';

/** The process cannot start; `message` has one line per fault. */
export class PreflightFault extends StartFault {
  override readonly name = 'PreflightFault';
}

/**
 * Connects and checks everything, then reports all faults together.
 *
 * @param connections every Redis connection of the process; the first is asked about durability
 * @throws PreflightFault
 */
export async function preflight(
  database: Database,
  connections: readonly [Redis, ...Redis[]],
  allowVolatile: boolean,
): Promise<void> {
  const found = await Promise.all([checkRedis(connections, allowVolatile), checkMysql(database)]);
  const faults = found.flat();
  if (faults.length > 0) throw new PreflightFault(faults.join('\n'));
}

async function checkRedis(connections: readonly [Redis, ...Redis[]], allowVolatile: boolean): Promise<string[]> {
  // Why a connection does not come about is told by an event alone: what `connect` throws then names no cause.
  const told: unknown[] = [];
  const hear = (error: unknown) => told.push(error);
  for (const connection of connections) connection.on('error', hear);
  try {
    await Promise.all(connections.map(connect));
    const faults = durabilityFaults(await readDurability(connections[0]), allowVolatile);
    // A database that the server does not have does not even throw: the driver would go on with database 0. An address at which
    // nobody listened at first is no fault once somebody does.
    const refused = told.find((error) => isReply(rootCause(error)));
    return refused === undefined ? faults : [unusableRedis(refused)];
  } catch (error) {
    return [unusableRedis(told[0] ?? error)];
  } finally {
    for (const connection of connections) connection.off('error', hear);
  }
}

function unusableRedis(error: unknown): string {
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
