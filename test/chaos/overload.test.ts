// overload.test.ts -- Ten times more callers than there are places: the excess is told so at once, the others stay fast, none is lost.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { waitUntil } from '../../src/local/wait-until.ts';
import { openWire, type Wire } from '../http/wire.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { Crowd } from './crowd.ts';
import { auditRun } from './run.ts';
import { seededRandom } from './seeded-random.ts';

/** Six coupons at three endpoints, each with one request under way and one that waits. */
const PLACES = 6 * 3 * 2;
const REQUESTS = 6000;
const WAIT = { waitMsMax: 60_000 };
/** What an API may grow by: far below what it would take to remember the excess. */
const GROWTH_MB_MAX = 128;

let cluster: Cluster;
let port: number;
beforeAll(async () => {
  const settings = { WAITING_USERS_MAX: 1, USERS_PER_BATCH_MAX: 1, BATCHES_IN_FLIGHT_MAX: 1 };
  cluster = await startCluster({ apis: 1, workers: 1, settings });
  port = cluster.apis[0]?.port ?? 0;
});
afterAll(() => cluster.stop());

test('beyond its places it refuses at once, and is itself again as soon as the crowd is gone', async () => {
  const few = new Crowd({ ports: [port], callers: 4, random: seededRandom(1) });
  await few.start();
  await waitUntil('it to be warm', () => few.attempts.length > 1000, WAIT);
  await few.stop();
  const beforeMb = residentMb();

  const crowd = new Crowd({ ports: [port], callers: 10 * PLACES, random: seededRandom(2) });
  await crowd.start();
  await waitUntil('the rush to be over', () => crowd.attempts.length > REQUESTS, WAIT);
  const duringMb = residentMb();
  await crowd.stop();

  expect(crowd.counts).toMatchObject({ unanswered: 0, timedOut: 0, cut: 0, notSent: 0 });
  expect(crowd.counts.unavailable).toBeGreaterThan(REQUESTS / 10);
  expect(duringMb - beforeMb).toBeLessThan(GROWTH_MB_MAX);
  // Within the bounded waits of settling, it answers and writes as if nothing had been.
  expect(await settleAlone(crowd)).toEqual({ accusations: [], otherFaults: [] });
});

test('slow callers and bodies that never come hold up nobody', async () => {
  const head = 'POST /v1/issue HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n';
  const half = await Promise.all(
    Array.from({ length: 200 }, async (_, i): Promise<Wire> => {
      const wire = await openWire(port);
      // Half of a head, a head without a body, half of a body.
      wire.write([head.slice(0, 60), `${head}\r\n`, `${head}\r\n{"couponId":1`][i % 3] ?? '');
      return wire;
    }),
  );
  const crowd = new Crowd({ ports: [port], callers: 4, random: seededRandom(3) });
  await crowd.start();
  await waitUntil('others to be served', () => crowd.counts.ok > 200, WAIT);
  await crowd.stop();
  expect(crowd.counts).toMatchObject({ unanswered: 0, timedOut: 0, cut: 0, notSent: 0 });
  expect(crowd.wrongAnswers).toEqual([]);
  for (const wire of half) wire.destroy();
});

async function settleAlone(crowd: Crowd) {
  await crowd.settle(60_000);
  const { accusations, otherFaults } = await auditRun(cluster, crowd);
  return { accusations, otherFaults };
}

function residentMb(): number {
  const status = readFileSync(`/proc/${cluster.apis[0]?.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}
