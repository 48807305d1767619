// graph.ts -- The states of a world that a bounded search reaches, with the steps between them, and which step can follow which.

import { createCanonical, createCodec, hashOf } from '../model/codec.ts';
import { stepsFrom } from '../model/protocol.ts';
import { initialState, type State, type World } from '../model/state.ts';
import { isDrivable } from './drivable.ts';
import { kindOf } from './steps.ts';

/** A step from one state to another, by their numbers in the graph. */
export interface Edge {
  readonly kind: number;
  readonly to: number;
}

export interface Graph {
  readonly world: World;
  /** Kinds of steps, by number. */
  readonly kinds: readonly string[];
  /** What leaves each state that was expanded. */
  readonly edges: readonly (readonly Edge[])[];
  /** For each state but the first: the state it was first reached from, and by which kind of step. */
  readonly parents: readonly { readonly from: number; readonly kind: number }[];
  /** The number of a state, or undefined if it was not reached. */
  readonly numberOf: (s: State) => number | undefined;
}

/** Kinds of steps over all worlds. */
const kindNumbers = new Map<string, number>();
const kindNames: string[] = [];

function numberOfKind(name: string): number {
  const kind = kindOf(name);
  const known = kindNumbers.get(kind);
  if (known !== undefined) return known;
  kindNumbers.set(kind, kindNames.length);
  kindNames.push(kind);
  return kindNames.length - 1;
}

/** Searches breadth first until so many states were expanded. */
export function exploreGraph(world: World, statesMax: number): Graph {
  const codec = createCodec(initialState(world));
  // Users are sorted; of the two orders of two openers the lesser one counts, so that equivalent states always have one number.
  const sortUsers = createCanonical({ paths: codec.paths.filter((path) => path !== 'openers[1].at') });
  const other = new Uint8Array(codec.size);
  const scratch = new Uint8Array(codec.size);
  const numbers = new Map<string, number>();
  const states: Uint8Array[] = [];
  const parents: { from: number; kind: number }[] = [];
  const edges: Edge[][] = [];
  const hash = (s: State): string => {
    codec.encode(s, scratch, 0);
    sortUsers(scratch);
    if (s.openers.length === 2) {
      codec.encode(withOpenersExchanged(s), other, 0);
      sortUsers(other);
      if (Buffer.compare(other, scratch) < 0) scratch.set(other);
    }
    return hashOf(scratch, 0, scratch.length).join();
  };
  const add = (s: State, from: number, kind: number): number => {
    const key = hash(s);
    const known = numbers.get(key);
    if (known !== undefined) return known;
    const number = numbers.size;
    numbers.set(key, number);
    states.push(scratch.slice());
    parents.push({ from, kind });
    return number;
  };
  add(initialState(world), 0, -1);
  for (let at = 0; at < states.length && at < statesMax; at += 1) {
    const bytes = states[at] ?? scratch;
    const before = codec.decode(bytes, 0);
    const leaving = new Map<number, Edge>();
    stepsFrom(before, world, (name, who, change) => {
      const after = codec.decode(bytes, 0);
      change(after);
      if (!isDrivable({ name, who, before, after })) return;
      const kind = numberOfKind(name);
      const to = add(after, at, kind);
      leaving.set(kind * 2 ** 32 + to, { kind, to });
    });
    edges.push([...leaving.values()]);
    // Only its number is needed from here on.
    states[at] = scratch.subarray(0, 0);
  }
  return { world, kinds: kindNames, edges, parents, numberOf: (s) => numbers.get(hash(s)) };
}

function withOpenersExchanged(s: State): State {
  const [first, second] = s.openers;
  const exchanged = (redis: State['redis']) => ({ ...redis, opening: redis.opening > 0 ? 3 - redis.opening : 0 });
  return {
    ...s,
    openers: first && second ? [second, first] : s.openers,
    redis: exchanged(s.redis),
    savedRedis: exchanged(s.savedRedis),
    users: s.users.map((user) => ({ ...user, loaded: [user.loaded[1] ?? 0, user.loaded[0] ?? 0] })),
  };
}
