// model.test.ts -- The protocol keeps its promises in every state of the small worlds, and breaks one as soon as a guard is left out.

import { afterEach, expect, test } from 'bun:test';
import { type Guard, guardFiles, leaveOut } from './guards.ts';
import { searchOnCores } from './cores.ts';
import { search } from './search.ts';
import { purposes, reasons } from './reasons.ts';
import { type WorldName, worlds } from './worlds.ts';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

/** Of each world; `bun run model` goes on for as long as one likes. */
const STATES_MAX = 15_000;
/** Enough for the longest story below. */
const STORY_STATES_MAX = 200_000;

afterEach(() => leaveOut());

test.each(Object.keys(worlds) as WorldName[])('no promise is broken in the world of %s', (name) => {
  const { broken, states, isComplete } = search({ world: worlds[name], statesMax: STATES_MAX, quietEvery: 4 });
  expect(broken).toBeNull();
  expect(isComplete || states >= STATES_MAX).toBe(true);
});

test.each(Object.entries(reasons) as [Guard, { world: WorldName; promise: string }][])(
  'without "%s" a promise breaks',
  (guard, { world, promise }) => {
    leaveOut(guard);
    // What only shows at the quiet end is looked for there alone.
    const quietEvery = /quiet end|dead end|never becomes/.test(promise) ? 1 : 0;
    const { broken } = search({ world: worlds[world], statesMax: STORY_STATES_MAX, quietEvery });
    expect(broken?.promise).toBe(promise);
    expect(broken?.story.length).toBeGreaterThan(3);
  },
);

test('several cores visit the same states as one, and find a story of the same length', async () => {
  const options = { world: worlds.issuing, statesMax: 40_000, quietEvery: 4 };
  const alone = search(options);
  const { states, depth, isComplete } = await searchOnCores(options, 2);
  expect({ states, depth, isComplete }).toEqual({ states: alone.states, depth: alone.depth, isComplete: true });
  const guard = 'put: the next sequence is the one that was read';
  const { broken } = await searchOnCores(options, 2, [guard]);
  leaveOut(guard);
  expect(broken?.story.length).toBe(search(options).broken?.story.length);
});

test('every guard has a story, or says what else it is for', () => {
  const known = [...Object.keys(reasons), ...Object.keys(purposes)];
  expect(known.toSorted()).toEqual(Object.keys(guardFiles).toSorted());
});

test('every guard stands for a file that is there', () => {
  const root = resolve(import.meta.dirname, '../..');
  const missing = Object.values(guardFiles).filter((file) => !existsSync(resolve(root, file)));
  expect(missing).toEqual([]);
});
