// Shows which dead letters break a promise, for the alerts, and which only wait.
import { expect, test } from 'bun:test';
import { pino } from 'pino';
import { createWorkerMetrics } from '../../workers/metrics.ts';
import { createDrainObserver } from '../../workers/observers.ts';

test.each([
  ['unknown version', { P1: 0, P2: 0, P3: 0 }, 40],
  ['no stock left', { P1: 0, P2: 0, P3: 1 }, 50],
  ['MySQL error 3819', { P1: 1, P2: 0, P3: 0 }, 50],
  ['P2: a bug', { P1: 0, P2: 1, P3: 0 }, 50],
])('a dead letter (%s) counts as what it is', (reason, broken, level) => {
  const metrics = createWorkerMetrics();
  const lines: string[] = [];
  createDrainObserver(metrics, pino({}, { write: (line) => lines.push(line) }), 0).deadLetter(reason, 3);
  const { P1, P2, P3 } = {
    P1: metrics.brokenPromises.of('P1'),
    P2: metrics.brokenPromises.of('P2'),
    P3: metrics.brokenPromises.of('P3'),
  };
  expect({ P1: P1.total(), P2: P2.total(), P3: P3.total() }).toEqual(broken);
  expect(metrics.deadLetters.of().total()).toBe(1);
  expect(lines.map((line) => (JSON.parse(line) as { level: number }).level)).toEqual([level]);
});
