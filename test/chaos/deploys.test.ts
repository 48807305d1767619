// deploys.test.ts -- A deploy under load: processes are replaced one after the other, and callers notice nothing but closed connections.

import { afterEach, expect, test } from 'bun:test';
import { partitionKeys } from '../../src/stream/keys.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { rollingRestart } from './faults.ts';
import { runChaos } from './run.ts';

const WAIT = { waitMsMax: 20_000 };

let cluster: Cluster | undefined;
afterEach(() => cluster?.stop());

test('a rolling restart cuts no answer, refuses no user wrongly and loses nothing', async () => {
  cluster = await startCluster({ apis: 2, workers: 2 });
  const run = { seed: 1, runMs: 0, callers: 16, say: () => {}, faults: [rollingRestart] };
  const { accusations, otherFaults, counts } = await runChaos(cluster, run);
  expect(accusations).toEqual([]);
  expect(otherFaults).toEqual([]);
  expect({ cut: counts.cut, timedOut: counts.timedOut }).toEqual({ cut: 0, timedOut: 0 });
  // Each caller can have had a request on its way to each of the two APIs when that closed its connection.
  expect(counts.unanswered).toBeLessThanOrEqual(2 * run.callers);
  expect(counts.ok).toBeGreaterThan(100);
});

test('the same for four APIs on one port and three workers', async () => {
  cluster = await startCluster({ apis: 4, workers: 3, sharesPort: true });
  const run = { seed: 2, runMs: 0, callers: 16, say: () => {}, faults: [rollingRestart] };
  const { accusations, otherFaults, counts } = await runChaos(cluster, run);
  expect(accusations).toEqual([]);
  expect(otherFaults).toEqual([]);
  expect({ cut: counts.cut, timedOut: counts.timedOut }).toEqual({ cut: 0, timedOut: 0 });
  // A caller has four connections, and each of the four restarts may end all of them, with one request under way.
  expect(counts.unanswered).toBeLessThanOrEqual(4 * run.callers);
  // While one of them restarts, the others listen.
  expect(counts.notSent).toBe(0);
  expect(counts.ok).toBeGreaterThan(100);
}, 180_000);

test('entries of an unknown version are kept unchanged and do not block others', async () => {
  cluster = await startCluster({ apis: 0, workers: 1 });
  const { redis, config } = cluster;
  const keys = partitionKeys(0);
  const future = ['v', '3', 'c', '4', 'e', '1', 's', '1', 't', '1000', 'u', 'alice', 'new', 'field'];
  const present = ['v', '1', 'c', String(config.PARTITIONS * 1000), 'e', '1', 's', '1', 't', '1000', 'u', 'bob'];
  const id = await redis.xadd(keys.stream, '*', ...future);
  const after = await redis.xadd(keys.stream, '*', ...present);
  await waitUntil('both entries to be settled', async () => (await redis.xlen(keys.stream)) === 0, WAIT);
  const letters = (await redis.xrange(keys.dead, '-', '+')).map(([, fields]) => fields);
  // The second is understood: it is dead because there is no such coupon.
  expect(letters).toEqual([
    ['entry', String(id), 'reason', 'unknown version', ...future],
    ['entry', String(after), 'reason', 'no such coupon', ...present],
  ]);
});
