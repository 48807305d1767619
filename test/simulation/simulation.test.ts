// simulation.test.ts -- Random histories of a coupon, in which processes die between any two steps, Redis loses what it had, and
// operators edit. After every step the promises are checked, and every answer is compared with the pure rules.
//
// The seed is printed: `TEST_SEED=… bun run test ./test/simulation` runs the same histories again. What happens `together` is
// ordered by the stores, so such a step may need a few runs to fail again. `TEST_SIMULATION_S=600` goes on for ten minutes.

import { afterAll, expect, test } from 'bun:test';
import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import { openStores } from '../stores.ts';
import { history } from './history.ts';
import { simulated, World } from './world.ts';

const stores = await openStores({ settings: simulated });
afterAll(() => stores.close());

/** Long enough for some dozens of histories; short enough for every run of the tests. */
const seconds = Number(process.env['TEST_SIMULATION_S'] ?? 12);
const seed = Number(process.env['TEST_SEED'] ?? randomInt(2 ** 31));

test(
  'the promises hold after every step, whichever process dies and whatever Redis loses',
  async () => {
    console.log(`seed of the simulation: ${seed}`);
    let lived = 0;
    await fc.assert(
      fc.asyncProperty(history, async (one) => {
        await World.live(stores, one);
        lived += 1;
      }),
      { seed, numRuns: 1_000_000, plugins: [fc.interruptAfterTimeLimit(seconds * 1000)] },
    );
    console.log(`histories: ${lived}`);
    expect(lived).toBeGreaterThan(5);
  },
  seconds * 4000,
);
