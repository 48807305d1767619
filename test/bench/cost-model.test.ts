// cost-model.test.ts -- The cost model of the bench: it finds the costs behind points, and says what a rate takes.

import { expect, test } from 'bun:test';
import {
  type Cores,
  fitCostModel,
  type OperatingPoint,
  mostOfOneCoupon,
  type Point,
  predict,
  sizeFor,
} from '../../bench/scaling/cost-model.ts';

const idle: Cores = { API: 0.01, Redis: 0.002, worker: 0.01, MySQL: 0.005 };

/** Points of a system whose costs are known. */
function pointOf(
  processes: number,
  load: Point['load'],
  requests: number,
  batches: number,
  transactions: number,
): Point {
  const cores =
    load === 'sold out'
      ? { ...idle, API: processes * 0.01 + requests * 12e-6 }
      : {
          API: processes * 0.01 + requests * 18e-6 + batches * 90e-6,
          Redis: 0.002 + requests * 3e-6 + batches * 60e-6,
          worker: 0.01 + requests * 2e-6 + transactions * 300e-6,
          MySQL: 0.005 + requests * 6e-6 + transactions * 900e-6,
        };
  return { processes, load, requests, batches, transactions, cores };
}

const points = [
  pointOf(1, 'sold out', 10_000, 0, 0),
  pointOf(2, 'sold out', 40_000, 0, 0),
  pointOf(1, 'accepted', 5000, 1200, 100),
  pointOf(1, 'accepted', 20_000, 900, 60),
  pointOf(2, 'accepted', 20_000, 1700, 70),
];
const operating: OperatingPoint = { batchesPerProcess: 900, rowsPerTransaction: 400, utilisation: 0.6 };

test('the costs behind exact points are found, and say what other points cost', () => {
  const model = fitCostModel(points, idle);
  expect(model.soldOut).toBeCloseTo(12e-6, 9);
  expect(model.accepted.API.each).toBeCloseTo(18e-6, 9);
  expect(model.accepted.API.bundle).toBeCloseTo(90e-6, 9);
  expect(model.accepted.MySQL.bundle).toBeCloseTo(900e-6, 8);
  const held = pointOf(4, 'accepted', 30_000, 3000, 80);
  const said = predict(model, held);
  for (const [kind, cores] of Object.entries(held.cores)) expect(said[kind as keyof Cores]).toBeCloseTo(cores, 6);
  expect(predict(model, pointOf(4, 'sold out', 90_000, 0, 0)).Redis).toBe(idle.Redis);
});

test('no cost is below zero, where the points would have it so', () => {
  const odd = points.map((point) => ({
    ...point,
    cores: {
      ...point.cores,
      worker: idle.worker + point.transactions * 1e-3 - point.requests * 1e-7,
      Redis: idle.Redis + point.requests * 5e-6 - point.batches * 1e-6,
    },
  }));
  const { worker, Redis } = fitCostModel(odd, idle).accepted;
  expect(worker.each).toBe(0);
  expect(worker.bundle).toBeWithin(0.9e-3, 1e-3);
  expect(Redis.bundle).toBe(0);
  expect(Redis.each).toBeWithin(4e-6, 5e-6);
});

test('a rate is sized so that every API process has room, and one coupon ends at one core of Redis', () => {
  const model = fitCostModel(points, idle);
  // 0.6 - 0.01 is left for requests of 12 µs.
  expect(sizeFor(model, 'sold out', 1_000_000, operating).processes).toBe(21);
  const accepted = sizeFor(model, 'accepted', 100_000, operating);
  expect(accepted.processes).toBe(Math.ceil((100_000 * 18e-6) / (0.6 - 0.01 - 900 * 90e-6)));
  expect(accepted.cores.API / accepted.processes).toBeLessThanOrEqual(0.6);
  expect(accepted.cores.MySQL).toBeCloseTo(0.005 + 0.6 + 250 * 900e-6, 6);
  const most = mostOfOneCoupon(model, operating);
  const { processes } = sizeFor(model, 'accepted', most, operating);
  const redis = predict(model, {
    processes,
    load: 'accepted',
    requests: most,
    batches: processes * 900,
    transactions: 0,
  });
  // Whole processes are a little more than the model's share of one.
  expect(redis.Redis).toBeGreaterThanOrEqual(0.6);
  expect(redis.Redis).toBeLessThan(0.66);
});
