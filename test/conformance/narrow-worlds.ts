// narrow-worlds.ts -- The worlds of the model with two users and few processes: a bounded search gets deep in them, to the rare steps.

import type { World } from '../model/state.ts';
import { type WorldName, worlds } from '../model/worlds.ts';

const narrow = (name: WorldName, changes: Partial<World>, ...may: string[]): World => {
  const world = worlds[name];
  return { ...world, users: 2, ...changes, may: new Set([...world.may, ...may]) };
};

/** Each with how many of its states are visited, from the first on. */
export const narrowWorlds = {
  issuing: { world: narrow('issuing', {}), statesMax: 1000 },
  losing: { world: narrow('losing', { total: 1 }), statesMax: 1000 },
  opening: { world: narrow('opening', { openers: 1 }), statesMax: 15_000 },
  'two openers': { world: narrow('opening', { total: 1 }), statesMax: 1000 },
  editing: { world: narrow('editing', { faultsMax: 1, editsMax: 1 }, 'MySQL restarts'), statesMax: 1000 },
  closing: { world: narrow('closing', {}), statesMax: 1000 },
  promising: { world: narrow('promising', {}), statesMax: 1000 },
  letters: { world: narrow('letters', { total: 1 }), statesMax: 1000 },
  'two letters': { world: narrow('letters', { faultsMax: 2 }), statesMax: 1000 },
  restored: { world: narrow('restored', {}), statesMax: 15_000 },
  failing: { world: narrow('failing', {}), statesMax: 1000 },
  auditing: { world: narrow('auditing', {}), statesMax: 1000 },
  waiting: { world: narrow('waiting', {}), statesMax: 1000 },
  counting: { world: narrow('counting', {}), statesMax: 1000 },
  consuming: { world: narrow('consuming', {}), statesMax: 1000 },
  /** Two workers with entries of two openings that want one number. */
  renumbering: {
    world: {
      ...worlds.letters,
      users: 2,
      total: 2,
      faultsMax: 1,
      may: new Set(['scripted', 'open', 'Redis loses all']),
    },
    statesMax: 40_000,
  },
} satisfies Record<string, { readonly world: World; readonly statesMax: number }>;

export type NarrowWorldName = keyof typeof narrowWorlds;
