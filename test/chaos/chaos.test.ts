// chaos.test.ts -- Every fault once, in an order that is new each time and printed with its seed; and proof that a chaos run can fail.

import { afterAll, expect, test } from 'bun:test';
import { randomInt } from 'node:crypto';
import { say } from '../../tools/progress.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import { type Cluster, type ClusterOptions, startCluster } from './cluster.ts';
import { type Fault, faultsFor } from './faults.ts';
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
  expect(report.changes).toBeGreaterThan(report.faults);
  expect(report.rows).toBeGreaterThanOrEqual(report.counts.ok);
  expect(report.counts.archived).toBeGreaterThan(0);
  expect(report.counts.erased).toBeGreaterThan(5);
  expect(report.webhooks?.events).toBeGreaterThan(report.rows);
  expect(report.webhooks?.notTaken).toBeGreaterThan(0);
}, 420_000);

// While workers stand still nobody can be erased, so that in runs that stop them nobody withdraws. Gaps of what was lost are held back
// for a minute, so that no webhooks are sent there.

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
  const run = { seed: 1, runMs: 0, callers: 8, say: () => {}, withdraws: false, webhooks: false };
  const report = await runChaos(cluster, { ...run, faults: [forget] });
  expect(report.accusations.map(({ verdict }) => verdict)).toContain('lost');
}, 60_000);

test.concurrent('no answer is lost while primaries of Redis die and replicas that lag are promoted', async () => {
  const cluster = await openCluster({ apis: 2, workers: 2, replicas: 2 });
  const faults = faultsFor(cluster).filter(({ name }) => name.includes('Redis'));
  const report = await runChaos(cluster, { seed: randomInt(2 ** 32), runMs: 0, callers: 12, say: () => {}, faults });
  for (const line of reportLines(report)) say(line);
  expect(report.accusations).toEqual([]);
  expect(report.otherFaults).toEqual([]);
  expect(report.faults).toBe(3);
}, 120_000);

test.concurrent('answers that a promoted replica lacks are detected where nobody puts them back', async () => {
  const cluster = await openCluster({ apis: 1, workers: 1, replicas: 1, settings: { OFFERING: 'off' } });
  const lag: Fault = {
    name: 'kill -9 the primary once the replica lacks a hundred answers',
    async inflict({ replicatedRedis, workers }, _random, crowd) {
      // What is a row is not lost.
      for (const worker of workers) worker.signal('SIGSTOP');
      replicatedRedis?.cutLinks();
      const { ok } = crowd.counts;
      await waitUntil('issues that no replica has', () => crowd.counts.ok > ok + 100, { waitMsMax: 20_000 });
      await replicatedRedis?.failOver();
      for (const worker of workers) worker.signal('SIGCONT');
    },
  };
  const run = { seed: 1, runMs: 0, callers: 8, say: () => {}, withdraws: false, webhooks: false };
  const report = await runChaos(cluster, { ...run, faults: [lag] });
  expect(report.accusations.map(({ verdict }) => verdict)).toContain('lost');
  // And the API noticed by itself.
  expect(cluster.ownFaults().join()).toInclude('P3: a failover of Redis lost acknowledged issues');
}, 60_000);
