// chaos.ts -- Entry of `bun run chaos`: kills, stops and replaces everything while a crowd asks. Fails when a promise is broken.
//
// The same seed gives the same faults in the same order; what the crowd asks meanwhile also depends on time.

import { randomInt } from 'node:crypto';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cleanUpOnSignals } from '../../tools/stack/cleanup.ts';
import { say } from '../../tools/progress.ts';
import { HistoryFile } from '../judge/history-file.ts';
import { judgeHistory } from '../judge/porcupine.ts';
import { type ChaosOptions, readChaosOptions } from './options.ts';
import { faultsFor } from './faults.ts';
import { fewPlaces, overloadLines, runOverload } from './overload.ts';
import { reportLines, type RunOptions, runChaos } from './run.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { runSoak, soakLines } from './soak.ts';

const USAGE = `bun run chaos [--seed S] [--minutes M] [--database mariadb|PROGRAM|URL | --vitess [--unsharded]]
              [[--cluster | --sentinel | --replicated] [--replicas-min N]] [--only TEXT | --soak | --overload]

  --seed S         the same faults in the same order; by default another each time
  --minutes M      how long, 1 by default
  --database       mariadb (by default, the server on the PATH), the path of a mysqld, or mysql://… of a server that runs
  --vitess         a private Vitess with two shards; --unsharded: with one keyspace that is not sharded
  --cluster        a Redis Cluster of three masters with two replicas each
  --sentinel       a Redis with two replicas that three sentinels watch
  --only TEXT      only faults whose names contain this text, such as 'MySQL'
  --soak           a steady load without faults, to see whether anything grows
  --overload       far more callers than can be served
  --replicated     Redis has two replicas, and its primary is killed
  --replicas-min   how many of them must have what is answered (REPLICAS_MIN), 0 by default`;

const cleanup = cleanUpOnSignals({ code: 130, words: 'Stopped.' });
try {
  process.exitCode = (await run()) ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
} finally {
  await cleanup.run();
}
process.exit();

/** Whether every promise was kept. */
async function run(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      minutes: { type: 'string' },
      database: { type: 'string' },
      vitess: { type: 'boolean', default: false },
      unsharded: { type: 'boolean', default: false },
      cluster: { type: 'boolean', default: false },
      sentinel: { type: 'boolean', default: false },
      only: { type: 'string' },
      soak: { type: 'boolean', default: false },
      overload: { type: 'boolean', default: false },
      replicated: { type: 'boolean', default: false },
      'replicas-min': { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    say(USAGE);
    return true;
  }
  const options = readChaosOptions(values, randomInt(2 ** 32));
  say(`seed ${options.seed}, ${options.minutes} minutes, MySQL: ${options.databaseName}`);
  const cluster = await startCluster({
    ...(options.mode === 'overload'
      ? { apis: 1, workers: 1, settings: fewPlaces }
      : { apis: 2, workers: 2, settings: { REPLICAS_MIN: options.replicasMin } }),
    redis: options.redis,
    replicas: options.replicas,
    // One without `min-replicas-to-write` does not start with REPLICAS_MIN.
    ...(options.replicasMin > 0 && { redisSettings: { 'min-replicas-to-write': '1' } }),
    // Redis and MySQL that both go back at a time is more than is promised.
    movesMysql: options.mode === 'faults' && options.replicas === 0,
    mysqlProgram: options.mysqlProgram,
    databaseUrl: options.databaseUrl,
    vitessShards: options.vitessShards,
  });
  cleanup.add(() => cluster.stop());
  const runMs = options.minutes * 60_000;
  const folder = resolve(import.meta.dirname, '../../reports/histories');
  const historyFile = new HistoryFile(
    `${folder}/${[options.mode, options.redis, options.seed].filter(Boolean).join('-')}.jsonl`,
  );
  const isRight = await isRunRight(cluster, options, { seed: options.seed, runMs, say, historyFile });
  historyFile.close();
  const { verdict, lines } = await judgeHistory(historyFile.path);
  for (const line of lines) say(`  judged by porcupine: ${line}`);
  say(`  history: ${historyFile.path}`);
  return isRight && (verdict === 'ok' || verdict === 'unavailable');
}

async function isRunRight(
  cluster: Cluster,
  { mode, only = '' }: ChaosOptions,
  options: Omit<RunOptions, 'callers'>,
): Promise<boolean> {
  if (mode === 'overload') {
    const overloaded = await runOverload(cluster, options);
    for (const line of overloadLines(overloaded)) say(line);
    return overloaded.faults.length === 0;
  }
  if (mode === 'soak') {
    const soaked = await runSoak(cluster, options);
    for (const line of soakLines(soaked)) say(line);
    return soaked.faults.length === 0;
  }
  const faults = faultsFor(cluster, options.runMs).filter(({ name }) => name.includes(only));
  if (faults.length === 0) throw new Error(`--only: no fault has "${only}" in its name`);
  const report = await runChaos(cluster, { ...options, callers: 24, faults });
  for (const line of reportLines(report)) say(line);
  return report.accusations.length === 0 && report.otherFaults.length === 0;
}
