// other-stores.ts -- Which tests cannot run where the stores are a Redis Cluster or a Vitess; each says why, and the run repeats it.

import { isOfSeveral } from './redis-database.ts';

/** Whether the files of this run are on a Vitess (`bun run vitess`), where databases are keyspaces that are there already. */
export const isOnVitess = process.env['TEST_KEYSPACES'] !== undefined;

/** What a file says where tests of it are skipped. */
const SKIPPED = /^Skipped on .+: .+$/gm;

/** For `test.skipIf`: whether this run is on a Redis Cluster (`TEST_REDIS=cluster`). The reason completes "the test …". */
export function needsOneRedis(reason: string): boolean {
  return isOfSeveral(process.env['TEST_REDIS_URL'] ?? '') && skipping('a Redis Cluster', reason);
}

/** For `test.skipIf`: whether this run is on a Vitess. The reason completes "the test …". */
export function needsPlainMysql(reason: string): boolean {
  return isOnVitess && skipping('Vitess', reason);
}

function skipping(stores: string, reason: string): true {
  console.error(`Skipped on ${stores}: ${reason}`);
  return true;
}

/** The lines that say which tests were skipped, each once. */
export function skippedIn(output: string): string[] {
  return [...new Set(output.match(SKIPPED))];
}

/** Files that are about MySQL itself in all that they do. */
const ofPlainMysql: Readonly<Record<string, string>> = {
  'test/conformance/conformance.test.ts': 'sets the clock of a session, which is that of a story',
  'test/integration/migrations.test.ts': 'creates databases, and migrates them again after every statement',
  'test/integration/mysql-preflight.test.ts': 'tries users, settings and proxies of a MySQL',
  'test/monitoring/prometheus.test.ts': 'creates a database, and a user for the exporter',
  'test/mutation/mutation.test.ts': 'plants bugs and ends tests early, which would keep their keyspaces',
};

/** Why a whole file is skipped on these stores; undefined: it is not. */
export function reasonToSkip(file: string, environment: NodeJS.ProcessEnv): string | undefined {
  const reason = environment['TEST_KEYSPACES'] === undefined ? undefined : ofPlainMysql[file];
  return reason && `Skipped on Vitess: ${reason} (${file})`;
}
