// mutation.test.ts -- The tests are tested: each planted bug makes its guard fail, and without it every guard passes.

import { beforeAll, describe, expect, test } from 'bun:test';
import { type PlantedBug, plantedBugs } from './bugs.ts';
import { type GuardRun, runGuards } from './run-guards.ts';

/** Parallel runs: each is a process, and mostly waits for the stores. */
const RUNS_AT_ONCE = 3;
/** A run may be the last of all. */
const WAIT_MS_MAX = 900_000;

/** Each bug's run; settled when it is done. */
const runs = new Map<PlantedBug | null, PromiseWithResolvers<GuardRun>>(
  [null, ...plantedBugs].map((bug) => [bug, Promise.withResolvers<GuardRun>()]),
);

beforeAll(() => {
  const waiting = [...runs];
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [bug, { resolve, reject }] = next;
      const guards = bug ? [bug.guard] : plantedBugs.map(({ guard }) => guard);
      await runGuards(guards, bug?.changes ?? []).then(resolve, reject);
    }
  };
  for (let i = 0; i < RUNS_AT_ONCE; i++) void work();
  // Whoever does not ask for a run must not be ended by its failure.
  for (const { promise } of runs.values()) promise.catch(() => null);
});

const runOf = (bug: PlantedBug | null) => runs.get(bug)?.promise ?? Promise.reject(new Error('there is no such run'));

test(
  'without a bug every guard passes',
  async () => {
    const { results, output } = await runOf(null);
    const names = new Set(plantedBugs.map(({ guard: [, name] }) => name));
    expect(results.filter(({ passed }) => !passed).map((result) => `${result.test}\n${output}`)).toEqual([]);
    expect(new Set(results.map((result) => result.test))).toEqual(names);
  },
  WAIT_MS_MAX,
);

describe('a planted bug is noticed', () => {
  for (const bug of plantedBugs) {
    test(
      bug.name,
      async () => {
        const [, name] = bug.guard;
        const { results, output } = await runOf(bug);
        // It ran and failed: a file that does not load, or a name that does not exist, is no guard.
        expect(results.length, output).toBeGreaterThan(0);
        expect(results.every((result) => result.test === name)).toBe(true);
        expect(results.some(({ passed }) => !passed)).toBe(true);
      },
      WAIT_MS_MAX,
    );
  }
});
