// preflight.ts -- What must be right before a process may start: each fault is one line that names the setting and the cure.

import type { Redis } from 'ioredis';
import { type Database, withConnection } from '../mysql/database.ts';
import { rootCause } from '../mysql/faults.ts';
import { missingMigrations } from '../mysql/migrations.ts';
import { isTooOld, readServerVersion, tooOld, unsupportedServer } from '../mysql/server-version.ts';
import { connect } from '../redis/connection.ts';
import { durabilityFaults, readDurability } from '../redis/durability.ts';
import { OperatorError } from '../operator-error.ts';
import { testMysql } from './mysql-self-test.ts';
import { explainMysql, explainRedis, type Fault, finalFault, isReply, transientFault } from './store-faults.ts';

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
  if (faults.length > 0) throw new OperatorError(faults.map(({ line }) => line).join('\n'));
}

async function checkRedis(dependencies: PreflightDependencies): Promise<Fault[]> {
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
    return refused === undefined ? faults : [explainRedis(refused)];
  } catch (error) {
    // A sentinel answers, but does not say which server it is.
    const faults = await serverFaults(dependencies).catch(() => []);
    return faults.length > 0 ? faults : [explainRedis(errors[0] ?? error)];
  } finally {
    for (const connection of connections) connection.off('error', onError);
  }
}

async function serverFaults({ connections: [redis], settings, testRedis }: PreflightDependencies): Promise<Fault[]> {
  const durability = await readDurability(redis);
  const faults = durabilityFaults(durability, settings.ALLOW_VOLATILE_REDIS === 'on').map(finalFault);
  // One that is being promoted is a primary soon.
  if (durability.role === 'slave') faults.push(transientFault(REPLICA));
  // A server of the wrong kind would refuse for that alone.
  return faults.length > 0 ? faults : (await testRedis()).map(finalFault);
}

const REPLICA = 'REDIS_URL: this is a replica, which refuses writes; use the address of the primary, or promote it';

async function checkMysql(database: Database): Promise<Fault[]> {
  try {
    const version = await withConnection(database, readServerVersion);
    const unsupported = await withConnection(database, (session) => unsupportedServer(session, version));
    if (unsupported !== null) return [finalFault(unsupported)];
    if (isTooOld(version)) return [finalFault(tooOld(version))];
    const missing = await missingMigrations(database);
    // They may be under way.
    if (missing > 0)
      return [transientFault(`DATABASE_URL: ${missing} migration(s) are missing; run \`bun run migrate\``)];
    return (await testMysql(database, version)).map(finalFault);
  } catch (error) {
    return [explainMysql(error)];
  }
}
