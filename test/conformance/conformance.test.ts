// conformance.test.ts -- The product does what the model says: stories in which every kind of step follows every other that it can follow
// are driven through the real scripts and transactions, and after each step the stores hold what the model says.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type WorldName, worlds } from '../model/worlds.ts';
import { type Coverage, type Lanes, openLanes } from './lanes.ts';
import { drivenKinds } from './steps.ts';

/** Of each world, from the first on; `bun run model --drive` goes further. */
const STATES_MAX = Number(process.env['CONFORMANCE_STATES'] ?? 5000);
const WAIT_MS_MAX = Number(process.env['CONFORMANCE_MS_MAX'] ?? 180_000);

const folder = mkdtempSync(join(tmpdir(), 'coupon-conformance-'));
let lanes: Lanes;
beforeAll(async () => {
  lanes = await openLanes(folder);
});
afterAll(async () => {
  await lanes?.close();
  rmSync(folder, { recursive: true, force: true });
});

const coverages = new Map<WorldName, Coverage>();

test(
  'after each step of each story the stores hold what the model says',
  async () => {
    for (const name of Object.keys(worlds) as WorldName[]) {
      const coverage = await lanes.run(worlds[name], STATES_MAX);
      const { states, pairs, stories, steps } = coverage;
      console.log(`${name}: ${pairs.size} pairs within ${states} states, ${stories} stories of ${steps} steps`);
      coverages.set(name, coverage);
    }
    const kinds = new Set([...coverages.values()].flatMap((coverage) => [...coverage.kinds]));
    const pairs = new Set([...coverages.values()].flatMap((coverage) => [...coverage.pairs]));
    console.log(`${kinds.size} kinds of steps, ${pairs.size} pairs`);
    // Every kind that there is a way to drive is driven, so that none is forgotten.
    expect([...drivenKinds].filter((kind) => !kinds.has(kind))).toEqual([]);
  },
  WAIT_MS_MAX,
);
