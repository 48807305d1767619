// narrow-worlds.ts -- The worlds of the model with two users and few processes: a bounded search gets deep in them, to the rare steps.

import type { World } from '../model/state.ts';
import { type WorldName, worlds } from '../model/worlds.ts';

const narrow = (name: WorldName, changes: Partial<World>, ...may: string[]): World => {
  const world = worlds[name];
  return { ...world, users: 2, ...changes, may: new Set([...world.may, ...may]) };
};

export const narrowWorlds = {
  issuing: narrow('issuing', {}),
  losing: narrow('losing', { total: 1 }),
  opening: narrow('opening', { openers: 1 }),
  'two openers': narrow('opening', { total: 1 }),
  editing: narrow('editing', { faultsMax: 1, editsMax: 1 }, 'MySQL restarts'),
  closing: narrow('closing', {}),
  letters: narrow('letters', { total: 1 }),
  restored: narrow('restored', {}),
} satisfies Record<string, World>;

export type NarrowWorldName = keyof typeof narrowWorlds;
