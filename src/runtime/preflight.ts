// preflight.ts -- What must be right before a process may start: each fault is one line that names the setting and the cure.

import type { Redis } from 'ioredis';
import type { Config } from '../config/config.ts';
import { type Database, withConnection } from '../mysql/database.ts';
import { compareMigrations } from '../mysql/migrations.ts';
import { isTooOld, readServerVersion, tooOld, unsupportedServer } from '../mysql/server-version.ts';
import { connect } from '../redis/connection.ts';
import { durabilityFaults, readDurability, replicationFault } from '../redis/durability.ts';
import { testMysql } from './mysql-self-test.ts';
import { refusedRights, rightsFault } from '../redis/rights.ts';
import { waitForStores } from './start-wait.ts';
import { explainMysql, explainRedis, type Fault, finalFault, transientFault } from './store-faults.ts';

export interface PreflightDependencies {
  readonly database: Database;
  /** Every Redis connection of the process; the first is asked what the server is. */
  readonly connections: readonly [Redis, ...Redis[]];
  readonly settings: Pick<Config, 'ALLOW_VOLATILE_REDIS' | 'START_WAIT_S'> & Partial<Pick<Config, 'REPLICAS_MIN'>>;
  /** Is told what is waited for. */
  readonly say: (waiting: string) => void;
  /** Tries what the process will do in Redis, and returns a line for each fault. */
  readonly testRedis: () => Promise<readonly string[]>;
}

/**
 * Connects and checks everything, and waits for what may pass by itself; then reports all faults together.
 *
 * @throws OperatorError with one line per fault
 */
export async function preflight(dependencies: PreflightDependencies): Promise<void> {
  const { settings, say } = dependencies;
  await waitForStores(settings.START_WAIT_S, say, async () => {
    const found = await Promise.all([checkRedis(dependencies), checkMysql(dependencies)]);
    return found.flat();
  });
}

async function checkRedis(dependencies: PreflightDependencies): Promise<Fault[]> {
  // All are awaited: the next try must not meet one that is still under way.
  const results = await Promise.allSettled(dependencies.connections.map(connect));
  const failed = results.find((result) => result.status === 'rejected');
  try {
    if (!failed) return await serverFaults(dependencies);
    // A sentinel answers, but does not say which server it is.
    const faults = await serverFaults(dependencies).catch(() => []);
    return faults.length > 0 ? faults : [explainRedis(failed.reason)];
  } catch (error) {
    return [explainRedis(error)];
  }
}

async function serverFaults(dependencies: PreflightDependencies): Promise<Fault[]> {
  const { connections, settings, say, testRedis } = dependencies;
  const [redis] = connections;
  const durability = await readDurability(redis);
  const faults = durabilityFaults(durability, settings.ALLOW_VOLATILE_REDIS === 'on').map(finalFault);
  const replicasMin = settings.REPLICAS_MIN ?? 0;
  const replication = replicationFault(durability, replicasMin);
  if (replication !== null && replicasMin > 0) faults.push(finalFault(replication));
  else if (replication !== null) say(replication);
  // One that is being promoted is a primary soon.
  if (durability.role === 'slave') faults.push(transientFault(REPLICA));
  // A server of the wrong kind would refuse for that alone.
  if (faults.length > 0) return faults;
  const refused = replicasMin > 0 ? await refusedRights([{ redis, on: '', command: ['WAIT', 0, 1] }]) : [];
  return [...(refused.length > 0 ? [rightsFault(refused)] : []), ...(await testRedis())].map(finalFault);
}

const REPLICA = 'REDIS_URL: this is a replica, which refuses writes; use the address of the primary, or promote it';

/** Whether MySQL answers at all, for a command that is about to change its tables. */
export function checkMysqlConnection(database: Database): Promise<Fault[]> {
  return withConnection(database, readServerVersion).then(
    () => [],
    (error: unknown) => [explainMysql(error)],
  );
}

async function checkMysql({ database, say }: PreflightDependencies): Promise<Fault[]> {
  try {
    const version = await withConnection(database, readServerVersion);
    const unsupported = await withConnection(database, (session) => unsupportedServer(session, version));
    if (unsupported !== null) return [finalFault(unsupported)];
    if (isTooOld(version)) return [finalFault(tooOld(version))];
    const { missing, unknown } = await compareMigrations(database);
    if (unknown > 0) say(aheadOfRelease(unknown));
    // They may be under way.
    if (missing > 0)
      return [transientFault(`DATABASE_URL: ${missing} migration(s) are missing; run \`bun run migrate\``)];
    return (await testMysql(database, version)).map(finalFault);
  } catch (error) {
    return [explainMysql(error)];
  }
}

/** What to say of a database that a later release migrated, as during a rolling update and after a rollback. */
export function aheadOfRelease(unknown: number): string {
  return `DATABASE_URL: the database has ${unknown} migration(s) of a later release; see docs/releases.md`;
}
