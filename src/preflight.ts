// preflight.ts -- What must be right before a process may start: each fault is one line that names the setting and the cure.

import type { Redis } from 'ioredis';
import { type Database, withConnection } from './mysql/database.ts';
import { errorNumber, rootCause } from './mysql/faults.ts';
import { missingMigrations } from './mysql/migrations.ts';
import { connect } from './redis/connection.ts';
import { durabilityFaults, readDurability } from './redis/durability.ts';

/** The process cannot start; `message` has one line per fault. */
export class PreflightFault extends Error {
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
  try {
    await Promise.all(connections.map(connect));
    return durabilityFaults(await readDurability(connections[0]), allowVolatile);
  } catch (error) {
    return [`REDIS_URL: Redis cannot be reached (${reasonOf(error)}); start it, or correct the address`];
  }
}

async function checkMysql(database: Database): Promise<string[]> {
  try {
    await withConnection(database, (session) => session.execute('SELECT 1'));
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
  const code = 'code' in cause && typeof cause.code === 'string' && cause.code !== '' ? cause.code : cause.name;
  const number = errorNumber(error);
  return number === null ? code : `${code} ${number}`;
}
