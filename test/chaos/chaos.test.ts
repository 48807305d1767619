// chaos.test.ts -- Every fault once, in an order that is new each time and printed with its seed; and proof that a chaos run can fail.

import { afterAll, expect, test } from 'bun:test';
import { randomInt } from 'node:crypto';
import { say } from '../../tools/progress.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import { type Cluster, type ClusterOptions, startCluster } from './cluster.ts';
import type { Fault } from './faults.ts';
import { reportLines, runChaos } from './run.ts';

/** Each run has one of its own. */
const clusters: Cluster[] = [];
afterAll(() => Promise.all(clusters.map((cluster) => cluster.stop())));

async function openCluster(options: ClusterOptions): Promise<Cluster> {
  const cluster = await startCluster(options);
  clusters.push(cluster);
  return cluster;
}

test.concurrent('every promise holds while processes are killed, stopped and replaced', async () => {
  const cluster = await openCluster({ apis: 2, workers: 2, movesMysql: true });
  const report = await runChaos(cluster, { seed: randomInt(2 ** 32), runMs: 0, callers: 16, say: () => {} });
  for (const line of reportLines(report)) say(line);
  expect(report.accusations).toEqual([]);
  expect(report.otherFaults).toEqual([]);
  // It did look at something.
  expect(report.faults).toBeGreaterThan(15);
  expect(report.counts.ok).toBeGreaterThan(report.faults * 40);
  expect(report.rows).toBeGreaterThanOrEqual(report.counts.ok);
}, 240_000);

test.concurrent('a Redis that loses acknowledged writes is detected', async () => {
  const cluster = await openCluster({
    apis: 1,
    workers: 1,
    settings: { ALLOW_VOLATILE_REDIS: 'on', OFFERING: 'off' },
    redisSettings: { appendonly: 'no' },
  });
  const forget: Fault = {
    name: 'kill -9 Redis before the rows are written',
    async inflict({ workers, redisServer }, _random, crowd) {
      const { ok } = crowd.counts;
      for (const worker of workers) worker.signal('SIGSTOP');
      await waitUntil('issues that only Redis knows', () => crowd.counts.ok > ok + 100, { waitMsMax: 20_000 });
      await redisServer.kill();
      await redisServer.restart();
      for (const worker of workers) worker.signal('SIGCONT');
    },
  };
  const report = await runChaos(cluster, { seed: 1, runMs: 0, callers: 8, say: () => {}, faults: [forget] });
  expect(report.accusations.map(({ verdict }) => verdict)).toContain('lost');
}, 60_000);
