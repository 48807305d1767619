// preflight.ts -- What must be right before a process may start: each fault is one line that names the setting and the cure.

import type { Redis } from 'ioredis';
import type { Config } from '../config/config.ts';
import { type Database, withConnection } from '../mysql/database.ts';
import { compareMigrations } from '../mysql/migrations.ts';
import { isTooOld, readServerVersion, tooOld, unsupportedServer } from '../mysql/server-version.ts';
import { connect, isCluster, primariesOf } from '../redis/connection.ts';
import { durabilityFaults, readDurabilities, replicationFault } from '../redis/durability.ts';
import { testMysql } from './mysql-self-test.ts';
import { refusedRights, rightsFault, type Trial } from '../redis/rights.ts';
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
    // Without its slots no node is known that could say more.
    if (isCluster(dependencies.connections[0])) return [explainRedis(failed.reason)];
    // A sentinel answers, but does not say which server it is.
    const faults = await serverFaults(dependencies).catch(() => []);
    return faults.length > 0 ? faults : [explainRedis(failed.reason)];
  } catch (error) {
    return [explainRedis(error)];
  }
}

async function serverFaults({
  connections: [redis],
  settings,
  say,
  testRedis,
}: PreflightDependencies): Promise<Fault[]> {
  const durabilities = await readDurabilities(redis);
  const lines = durabilities.flatMap((each) => durabilityFaults(each, settings.ALLOW_VOLATILE_REDIS === 'on'));
  // The nodes of a cluster are mostly set up in the same way.
  const faults = [...new Set(lines)].map(finalFault);
  const replicasMin = settings.REPLICAS_MIN ?? 0;
  // A master of a cluster that is cut off refuses by itself, and sooner.
  const replication = isCluster(redis) ? null : durabilities.map((each) => replicationFault(each, replicasMin))[0];
  if (replication && replicasMin > 0) faults.push(finalFault(replication));
  else if (replication) say(replication);
  // One that is being promoted is a primary soon.
  const replica = durabilities.find(({ role }) => role === 'slave');
  if (replica)
    faults.push(
      transientFault(`REDIS_URL: this is a replica, which refuses writes; use ${replica.betterUrl}, or promote it`),
    );
  if (isCluster(redis)) faults.push(...(await clusterFaults(redis)));
  // A server of the wrong kind would refuse for that alone.
  if (faults.length > 0) return faults;
  const oneShard = isCluster(redis) ? undefined : durabilities.find(({ mode }) => mode === 'cluster');
  if (oneShard) say(`REDIS_URL: this is a cluster of one shard; only with ${oneShard.betterUrl} may it get more`);
  const waits: Trial[] = primariesOf(redis).map((node) => ({ redis: node, on: '', command: ['WAIT', 0, 1] }));
  const refused = replicasMin > 0 ? await refusedRights(waits) : [];
  return [...(refused.length > 0 ? [rightsFault(refused)] : []), ...(await testRedis())].map(finalFault);
}

async function clusterFaults(redis: Redis): Promise<Fault[]> {
  const [node] = primariesOf(redis);
  if (!node)
    return [
      transientFault('REDIS_URL: no node of the cluster owns a slot; create it with `redis-cli --cluster create`'),
    ];
  if (!/^cluster_state:ok/m.test(String(await node.cluster('INFO'))))
    return [transientFault('REDIS_URL: the cluster does not serve all slots; see `redis-cli --cluster check`')];
  // A managed server may forbid CONFIG.
  const [, timeout] = (await node.config('GET', 'cluster-node-timeout').catch(() => [])) as readonly string[];
  const commandMsMax = redis.options.commandTimeout ?? 0;
  if (timeout === undefined || commandMsMax < Number(timeout)) return [];
  return [
    finalFault(
      `REDIS_COMMAND_MS_MAX: must be less than the cluster-node-timeout of the cluster, ${timeout} ms: ` +
        'a primary that hangs for longer is replaced, and what it answers then may be lost',
    ),
  ];
}

/** Whether MySQL answers at all, for a command that is about to change its tables. */
export function checkMysqlConnection(database: Database): Promise<Fault[]> {
  return withConnection(database, readServerVersion).then(
    () => [],
    (error: unknown) => [explainMysql(error, database)],
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
    return [explainMysql(error, database)];
  }
}

/** What to say of a database that a later release migrated, as during a rolling update and after a rollback. */
export function aheadOfRelease(unknown: number): string {
  return `DATABASE_URL: the database has ${unknown} migration(s) of a later release; see docs/releases.md`;
}
