// overload.test.ts -- Ten times more callers than there are places: the excess is refused immediately, the others stay fast, none is lost.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import type { Attempt } from '../checker.ts';
import { openWire, type Wire } from '../http/wire.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { Crowd } from './crowd.ts';
import { fewPlaces, GROWTH_MB_MAX, memoryFaults, PLACES, recoveryOf } from './overload.ts';
import { residentMb } from './resident-memory.ts';
import { auditRun } from './run.ts';
import { seededRandom } from './seeded-random.ts';

const REQUESTS = 6000;
const WAIT = { waitMsMax: 60_000 };

let cluster: Cluster;
let port: number;
let pid: number;
beforeAll(async () => {
  cluster = await startCluster({ apis: 1, workers: 1, settings: fewPlaces });
  port = cluster.apis[0]?.port ?? 0;
  pid = cluster.apis[0]?.pid ?? 0;
});
afterAll(() => cluster.stop());

test('overload is refused immediately, and throughput recovers once the callers are gone', async () => {
  const few = new Crowd({ ports: [port], callers: 4, random: seededRandom(1) });
  await few.start();
  await waitUntil('it to be warm', () => few.attempts.length > 1000, WAIT);
  await few.stop();
  const beforeMb = residentMb(pid);

  const crowd = new Crowd({ ports: [port], callers: 10 * PLACES, random: seededRandom(2) });
  await crowd.start();
  await waitUntil('the rush to be over', () => crowd.attempts.length > REQUESTS, WAIT);
  const duringMb = residentMb(pid);
  await crowd.stop();

  expect(crowd.counts).toMatchObject({ unanswered: 0, timedOut: 0, cut: 0, notSent: 0 });
  expect(crowd.counts.unavailable).toBeGreaterThan(REQUESTS / 10);
  expect(duringMb - beforeMb).toBeLessThan(GROWTH_MB_MAX);
  // Within the bounded waits of settling, it answers and writes as before the overload.
  expect(await settleAlone(crowd)).toEqual({ accusations: [], otherFaults: [] });
});

test('slow callers and incomplete bodies do not delay other requests', async () => {
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

test('steady growth and a single jump of memory are reported; noise around a level is not', () => {
  const levels = (at: (part: number) => number) => Array.from({ length: 60 }, (_, i) => at(i / 60));
  expect(
    memoryFaults(
      100,
      levels((part) => 150 + ((part * 100) % 7)),
    ),
  ).toEqual([]);
  expect(
    memoryFaults(
      100,
      levels((part) => 100 + 100 * part),
    ),
  ).toHaveLength(1);
  expect(
    memoryFaults(
      100,
      levels((part) => (part > 0.1 && part < 0.12 ? 300 : 100)),
    ),
  ).toHaveLength(1);
});

test('recovery is the first whole second without a refusal and with answers as quick as before', () => {
  const ask = (endedMs: number, latencyMs: number, isKnown = true): Attempt => ({
    couponId: 1,
    userId: 'a',
    invokedMs: endedMs - latencyMs,
    endedMs,
    result: isKnown ? { kind: 'ok', sequence: 1 } : { kind: 'indeterminate' },
  });
  const everyWindow = (latencyOf: (atMs: number) => number) =>
    Array.from({ length: 32 }, (_, i) => ask(10_000 + i * 250 + 1, latencyOf(i * 250)));
  expect(
    recoveryOf(
      everyWindow(() => 9),
      10_000,
      2,
    ),
  ).toBe(0);
  expect(
    recoveryOf(
      everyWindow((atMs) => (atMs < 1250 ? 10 : 9)),
      10_000,
      2,
    ),
  ).toBe(1250);
  expect(recoveryOf([...everyWindow(() => 9), ask(10_600, 9, false)], 10_000, 2)).toBe(750);
  expect(
    recoveryOf(
      everyWindow(() => 10),
      10_000,
      2,
    ),
  ).toBeNull();
  expect(recoveryOf([], 10_000, 2)).toBeNull();
});
