// search.ts -- Visits every reachable state of a world, breadth first, so that a broken promise comes with the shortest story to it.
//
// A state is kept as a hash of 64 bits, with its parent; only the states of two levels are kept whole. Users and openers who
// differ in nothing are exchanged for one another, so that each such group of states is visited once. Cores share the hashes, and
// take the segments of a level in turn; none begins a level before all have ended the last, so that a story is the shortest there is.

import { createCanonical, createCodec, hashOf, pack } from './codec.ts';
import { describe, stepsFrom } from './protocol.ts';
import { quietFault } from './quiet.ts';
import { brokenPromise, initialState, type World } from './state.ts';
import { bytesOf, Level, type Segment, Visited } from './visited.ts';

export interface SearchOptions {
  readonly world: World;
  /** The search ends once it has seen so many states. */
  readonly statesMax: number;
  /** Of how many states one is taken to its quiet end; 0: none. */
  readonly quietEvery: number;
}

export interface Found {
  readonly states: number;
  /** Steps after which every state was visited; of a broken promise, steps of its story. */
  readonly depth: number;
  /** Whether every reachable state was visited. */
  readonly isComplete: boolean;
  readonly broken: { readonly promise: string; readonly story: readonly string[] } | null;
  /** Bytes of what the search keeps of states. */
  readonly bytes: number;
}

/** A state in which a promise is broken. */
export interface Break {
  readonly promise: string;
  readonly place: number;
}

/** Visits what follows from the states of a segment; returns the first broken promise. */
export type Expand = (segment: Segment, next: Level) => Break | null;

/** Searches on this core until a promise is broken, all states are visited, or the bound is reached. */
export function search(options: SearchOptions): Found {
  const visited = new Visited(options.statesMax);
  const expand = createExpand(options, visited);
  let level = firstLevel(options.world, visited);
  let spare: Segment[] = [];
  for (let depth = 0; ; depth += 1) {
    const next = new Level(packedSizeOf(options.world), spare);
    for (const segment of level) {
      const broken = expand(segment, next);
      if (broken) return found(options, visited, depth + 1, [...level, ...next.segments], broken);
      if (visited.isOver) break;
    }
    if (visited.isOver || next.segments.length === 0)
      return found(options, visited, depth, [...level, ...next.segments]);
    spare = level;
    level = next.segments;
  }
}

/** The result of a search that ended with the states of `kept` in memory. */
export function found(
  { world }: SearchOptions,
  visited: Visited,
  depth: number,
  kept: readonly Segment[],
  broken: Break | null = null,
): Found {
  return {
    states: visited.count,
    depth,
    isComplete: broken === null && !visited.isOver,
    broken: broken && { promise: broken.promise, story: tell(world, visited.chain(broken.place)) },
    bytes: visited.memory.byteLength + bytesOf(kept),
  };
}

/** The level of the one state in which nothing has happened. */
export function firstLevel(world: World, visited: Visited): Segment[] {
  const form = createForm(world);
  form.write(initialState(world));
  const level = new Level(form.packed.length, []);
  const place = visited.add(form.hash(), 0);
  visited.setFirst(place);
  level.push(form.packed, place);
  return level.segments;
}

export function packedSizeOf(world: World): number {
  return createCodec(initialState(world)).packedSize;
}

/** A place in which states of a world are brought into their packed form. */
function createForm(world: World) {
  const codec = createCodec(initialState(world));
  const canonical = createCanonical(codec);
  const bytes = new Uint8Array(codec.size);
  const packed = new Uint8Array(codec.packedSize);
  const words = new Uint32Array(packed.buffer);
  return {
    packed,
    decode: codec.decode,
    write(state: ReturnType<typeof initialState>): void {
      codec.encode(state, bytes);
      canonical(bytes);
      pack(bytes, packed);
    },
    hash: () => hashOf(words),
  };
}

/** Makes what expands segments on one core. */
export function createExpand({ world, statesMax, quietEvery }: SearchOptions, visited: Visited): Expand {
  const form = createForm(world);
  const { packed, decode } = form;
  const size = packed.length;
  return ({ states, places, count }, next) => {
    let broken: Break | null = null;
    for (let i = 0; i < count && !broken && !visited.isOver; i += 1) {
      const parent = places[i] ?? 0;
      stepsFrom(decode(states, i * size), world, (_name, _who, change) => {
        if (broken) return;
        const n = decode(states, i * size);
        change(n);
        form.write(n);
        const hash = form.hash();
        const place = visited.add(hash, parent);
        if (place < 0) return;
        next.push(packed, place);
        // By the hash, so that it does not depend on who is first.
        const isTakenToItsEnd = quietEvery > 0 && (hash[0] >>> 0) % quietEvery === 0;
        const promise = brokenPromise(n) || (isTakenToItsEnd ? quietFault(n, world) : '');
        if (promise) broken = { promise, place };
        if (broken || visited.count >= statesMax) visited.end();
      });
    }
    return broken;
  };
}

/** The steps from the beginning to a state, in words. Users keep their numbers from step to step. */
function tell(world: World, hashes: readonly string[]): readonly string[] {
  const form = createForm(world);
  let state = initialState(world);
  return hashes.slice(1).map((wanted) => {
    const before = state;
    let words = '';
    // Of a copy, since a world with two places exchanges them while it names the steps of the second.
    stepsFrom(structuredClone(before), world, (name, who, change) => {
      if (words) return;
      const n = structuredClone(before);
      change(n);
      form.write(n);
      if (form.hash().join() !== wanted) return;
      words = describe(name, who);
      state = n;
    });
    return words;
  });
}
