// conformance.test.ts -- The product does what the model says: stories in which every kind of step follows every other that it can follow
// are driven through the real scripts and transactions, and after each step the stores hold what the model says.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Coverage, type Lanes, openLanes } from './lanes.ts';
import { type NarrowWorldName, narrowWorlds } from './narrow-worlds.ts';
import { drivenKinds } from './steps.ts';

/** How many times more states than usual are visited; `bun run model --drive N` sets it. */
const FACTOR = Number(process.env['CONFORMANCE_FACTOR'] ?? 1);
const WAIT_MS_MAX = 600_000 * FACTOR;

/** Coverage goes where `bun run model` reads it. */
function tell(line: string): void {
  const report = process.env['CONFORMANCE_REPORT'];
  if (report === undefined) console.log(line);
  else appendFileSync(report, `${line}\n`);
}

const folder = mkdtempSync(join(tmpdir(), 'coupon-conformance-'));
let lanes: Lanes;
beforeAll(async () => {
  lanes = await openLanes(folder);
});
afterAll(async () => {
  await lanes?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The first opening of the coupon. */
const opened = ['begins', 'claims', 'reads', 'reads', 'reads', 'swaps'].map((step) => [`opener ${step}:`, 0] as const);

/** A user is issued the coupon, and the entry becomes a dead letter. */
const buried = (user: number) =>
  [
    ['take, answered, for', user],
    ['the data is bad of user', user],
    ['worker 1 reads the entry from', user],
    ['worker halves what MySQL refuses, and finds the bad entry:', 0],
    ['worker settles:', 0],
  ] as const;

/** Stories that are told each time, whatever the search chooses. */
const kept: Readonly<
  Record<string, { readonly world: NarrowWorldName; readonly moves: readonly (readonly [string, number])[] }>
> = {
  'an opener whose lease ran out does not prove a state': {
    world: 'losing',
    moves: [
      ...opened,
      ['Redis restarts', 0],
      ['opener begins:', 0],
      ['opener claims:', 0],
      ['the lease of an opening runs out', 0],
      ['opener proves:', 0],
    ],
  },
  'an audit reads on when a dead letter is replayed and buried again behind it': {
    world: 'auditing',
    moves: [
      ...opened,
      ...buried(1),
      ['an audit looks at the state', 0],
      ['an audit reads the stream', 0],
      ['a dead letter is replayed: that of user', 1],
      ['worker 1 reads the entry from', 1],
      ['worker halves what MySQL refuses, and finds the bad entry:', 0],
      ['an audit reads the dead letters', 0],
      ['worker settles:', 0],
      ...['reads the stream again', 'reads the stream', 'reads the dead letters', 'reads the stream again'].map(
        (step) => [`an audit ${step}`, 0] as const,
      ),
      ['an audit counts the rows', 0],
      ['an audit looks at the state again', 0],
    ],
  },
  'an audit says nothing of a state that was discarded while it read': {
    world: 'auditing',
    moves: [
      ...opened,
      ...buried(1),
      ['an audit looks at the state', 0],
      ['a dead letter is discarded: that of user', 1],
      ...['reads the stream', 'reads the dead letters', 'reads the stream again', 'counts the rows'].map(
        (step) => [`an audit ${step}`, 0] as const,
      ),
      ['an audit looks at the state again', 0],
    ],
  },
  'an opener whose claim a failover of MySQL lost does not swap': {
    world: 'failing',
    moves: [
      ['opener begins:', 0],
      ['opener claims, and MySQL fails over without it:', 0],
      ...['reads', 'reads', 'reads'].map((step) => [`opener ${step}:`, 0] as const),
      ['synchronous: issues in MySQL, answered, to', 1],
      ['opener swaps:', 0],
      ...opened,
      ['take, answered, for', 2],
    ],
  },
  'discarding a dead letter ends the lease of an opening that has read the stream': {
    world: 'two letters',
    moves: [
      ...opened,
      ...[1, 2].flatMap((user) => buried(user)),
      ['a dead letter is discarded: that of user', 1],
      ...opened.slice(0, 3),
      ['a dead letter is discarded: that of user', 2],
      ['opener reads:', 0],
      ['opener reads:', 0],
    ],
  },
};

test.each(Object.entries(kept))('%s', async (_, { world: name, moves }) => {
  const { world } = narrowWorlds[name];
  await lanes.tell(
    world,
    moves.map(([step, who]) => ({ name: step, who })),
  );
});

test(
  'after each step of each story the stores hold what the model says',
  async () => {
    const coverages: Coverage[] = [];
    for (const name of Object.keys(narrowWorlds) as NarrowWorldName[]) {
      const { world, statesMax } = narrowWorlds[name];
      const coverage = await lanes.run(world, statesMax * FACTOR);
      const { states, pairs, stories, steps } = coverage;
      tell(`${name}: ${pairs.length} pairs within ${states} states; ${stories} more stories of ${steps} steps`);
      coverages.push(coverage);
    }
    const reachable = new Set(coverages.flatMap(({ pairs }) => pairs));
    const pairs = new Set(coverages.flatMap((coverage) => [...coverage.drivenPairs]));
    const kinds = new Set(coverages.flatMap((coverage) => [...coverage.drivenKinds]));
    tell(`${kinds.size} kinds of steps, ${pairs.size} pairs, among them all of ${reachable.size}`);
    expect([...reachable].filter((pair) => !pairs.has(pair))).toEqual([]);
    // So that none is forgotten.
    expect([...drivenKinds].filter((kind) => !kinds.has(kind))).toEqual([]);
  },
  WAIT_MS_MAX,
);
