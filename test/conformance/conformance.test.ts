// conformance.test.ts -- The product does what the model says: stories in which every kind of step follows every other that it can follow
// are driven through the real scripts and transactions, and after each step the stores hold what the model says.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Coverage, type Lanes, openLanes } from './lanes.ts';
import { type NarrowWorldName, narrowWorlds } from './narrow-worlds.ts';
import { drivenKinds } from './steps.ts';

/** How many times more states than usual are visited; `bun run model --drive N` sets it. */
const FACTOR = Number(process.env['CONFORMANCE_FACTOR'] ?? 1);
const WAIT_MS_MAX = 180_000 * FACTOR;

const folder = mkdtempSync(join(tmpdir(), 'coupon-conformance-'));
let lanes: Lanes;
beforeAll(async () => {
  lanes = await openLanes(folder);
});
afterAll(async () => {
  await lanes?.close();
  rmSync(folder, { recursive: true, force: true });
});

test(
  'after each step of each story the stores hold what the model says',
  async () => {
    const coverages: Coverage[] = [];
    for (const name of Object.keys(narrowWorlds) as NarrowWorldName[]) {
      const { world, statesMax } = narrowWorlds[name];
      const coverage = await lanes.run(world, statesMax * FACTOR);
      const { states, pairs, stories, steps } = coverage;
      console.log(`${name}: ${pairs.length} pairs within ${states} states; ${stories} more stories of ${steps} steps`);
      coverages.push(coverage);
    }
    const reachable = new Set(coverages.flatMap(({ pairs }) => pairs));
    const pairs = new Set(coverages.flatMap((coverage) => [...coverage.drivenPairs]));
    const kinds = new Set(coverages.flatMap((coverage) => [...coverage.drivenKinds]));
    console.log(`${kinds.size} kinds of steps, ${pairs.size} pairs, among them all of ${reachable.size}`);
    expect([...reachable].filter((pair) => !pairs.has(pair))).toEqual([]);
    // So that none is forgotten.
    expect([...drivenKinds].filter((kind) => !kinds.has(kind))).toEqual([]);
  },
  WAIT_MS_MAX,
);
