// Shows that the combiner keeps each sentence of its contract, and that a combiner which breaks one would be caught.
import { describe, expect, test } from 'bun:test';
import { type BatchReport, Combiner } from '../../src/issuing/combiner.ts';
import { contract, type Key, type MakeCombiner } from './combiner-contract.ts';
import { quiet } from './event-loop.ts';
import { type Bug, bugs, PlantedCombiner } from './planted-combiner.ts';

const make: MakeCombiner = (decide, bounds, report) => new Combiner<Key, number, string>(decide, bounds, report);
const planted =
  (bug: Bug | null): MakeCombiner =>
  (decide, bounds) =>
    new PlantedCombiner(bug, decide, bounds);

const one = { usersPerBatchMax: 100, batchesInFlightMax: 1, waitingMax: 100 };
const hot: Key = { name: 'hot' };

/** Whether the check of a sentence notices that these combiners break it. */
const isCaught = (check: (makeCombiner: MakeCombiner) => Promise<void>, makeCombiner: MakeCombiner) =>
  check(makeCombiner).then(
    () => false,
    () => true,
  );

describe.each([...contract])('$sentence', ({ sentence, check }) => {
  test('the combiner keeps it', () => check(make));

  test('a combiner without a bug keeps it', () => check(planted(null)));

  const breaking = Object.entries(bugs).flatMap(([bug, start]) => (sentence.startsWith(start) ? [bug as Bug] : []));
  test.each(breaking)('a combiner breaks it and is caught when %s', async (bug) => {
    expect(await isCaught(check, planted(bug))).toBe(true);
  });
});

test('every planted bug breaks a sentence that there is', () => {
  const lost = Object.values(bugs).filter((start) => !contract.some(({ sentence }) => sentence.startsWith(start)));
  expect(lost).toEqual([]);
});

test('a decision that throws immediately fails its batch, and the key goes on', async () => {
  const failure = new Error('not ready');
  let calls = 0;
  const combiner = make((_, requests) => {
    if (calls++ === 0) throw failure;
    return Promise.resolve(requests.map(String));
  }, one);
  const answers = await Promise.allSettled([combiner.submit(hot, 1), combiner.submit(hot, 2)]);
  expect(answers).toEqual([
    { status: 'rejected', reason: failure },
    { status: 'fulfilled', value: '2' },
  ]);
});

test('a request that is submitted out of an answer is served', async () => {
  const combiner = make((_, requests) => Promise.resolve(requests.map(String)), one);
  const answers: string[] = [];
  for (let request = 0; request < 50; request++) answers.push(await combiner.submit(hot, request));
  expect(answers).toEqual(Array.from({ length: 50 }, (_, request) => String(request)));
  await quiet();
  expect(combiner.load()).toEqual({ waiting: 0, batchesInFlight: 0 });
});

describe('draining', () => {
  test('an idle combiner is drained immediately', async () => {
    await make(() => Promise.resolve([]), one).drain();
  });

  test('every call returns, also the second and one that comes later', async () => {
    const { promise, resolve } = Promise.withResolvers<readonly string[]>();
    const combiner = make(() => promise, one);
    const answer = combiner.submit(hot, 1);
    const drains = [combiner.drain(), combiner.drain()];
    resolve(['done']);
    expect(await answer).toBe('done');
    await Promise.all([...drains, combiner.drain()]);
  });

  test('a batch that fails while draining is answered, and the drain ends', async () => {
    const failure = new Error('no MySQL');
    const { promise, reject } = Promise.withResolvers<readonly string[]>();
    const combiner = make(() => promise, one);
    const answer = combiner.submit(hot, 1).catch((error: unknown) => error);
    const draining = combiner.drain();
    reject(failure);
    await draining;
    expect(await answer).toBe(failure);
  });
});

describe('reports', () => {
  test('a batch is reported once, with the times of its decision in order', async () => {
    const reports: BatchReport[] = [];
    const beforeMs = performance.now();
    const combiner = make(
      (_, requests) => Promise.resolve(requests.map((request) => `outcome of ${request}`)),
      one,
      (report) => reports.push(report),
    );
    await Promise.all([1, 2, 3].map((request) => combiner.submit(hot, request)));
    await quiet();
    expect(reports.map(({ users, failed }) => ({ users, failed }))).toEqual([
      { users: 1, failed: false },
      { users: 2, failed: false },
    ]);
    for (const { startedMs, endedMs } of reports) {
      const times = [beforeMs, startedMs, endedMs, performance.now()];
      expect(times).toEqual(times.toSorted((a, b) => a - b));
    }
  });

  test('a batch that failed is reported as failed', async () => {
    const reports: BatchReport[] = [];
    const combiner = make(
      () => Promise.reject(new Error('no MySQL')),
      one,
      (report) => reports.push(report),
    );
    await combiner.submit(hot, 1).catch(() => 'failed');
    await quiet();
    expect(reports.map(({ users, failed }) => ({ users, failed }))).toEqual([{ users: 1, failed: true }]);
  });

  test('a request that was refused is in no report', async () => {
    const reports: BatchReport[] = [];
    const combiner = make(
      (_, requests) => Promise.resolve(requests.map(String)),
      { ...one, waitingMax: 1 },
      (report) => reports.push(report),
    );
    await Promise.allSettled([1, 2, 3].map((request) => combiner.submit(hot, request)));
    await quiet();
    expect(reports.map(({ users }) => users)).toEqual([1, 1]);
  });
});
