// search.ts -- Visits every reachable state of a world, breadth first, so that a broken promise comes with the shortest story to it.
//
// A state is kept as a hash of 64 bits, with its parent; only the states of the present level are kept whole. Users and openers
// who differ in nothing are exchanged for one another, so that each such group of states is visited once.

import { createCanonical, createCodec, hashOf } from './codec.ts';
import { describe, stepsFrom } from './protocol.ts';
import { quietFault } from './quiet.ts';
import { brokenPromise, initialState, type World } from './state.ts';

export interface SearchOptions {
  readonly world: World;
  /** The search ends after the level in which it has seen so many states. */
  readonly statesMax: number;
  /** Of how many states one is taken to its quiet end; 0: none. */
  readonly quietEvery: number;
  readonly onLevel?: (depth: number, states: number) => void;
}

export interface Found {
  readonly states: number;
  readonly depth: number;
  /** Whether every reachable state was visited. */
  readonly isComplete: boolean;
  readonly broken: { readonly promise: string; readonly story: readonly string[] } | null;
  /** Bytes of what the search keeps of states. */
  readonly bytes: number;
}

/** Searches until a promise is broken, all states are visited, or the bound is reached. */
export function search({ world, statesMax, quietEvery, onLevel }: SearchOptions): Found {
  const codec = createCodec(initialState(world));
  const { size } = codec;
  const scratch = new Uint8Array(size);
  const visited = new Visited();
  let level = new Level(size);
  const canonical = createCanonical(codec);
  codec.encode(initialState(world), scratch, 0);
  visited.add(scratch, 0);
  level.push(scratch, 0);
  let depth = 0;
  while (level.count > 0 && visited.count < statesMax) {
    const next = new Level(size);
    for (let i = 0; i < level.count; i += 1) {
      const parent = level.ids[i] ?? 0;
      let promise = '';
      stepsFrom(codec.decode(level.bytes, i * size), world, (_name, _who, change) => {
        if (promise) return;
        const n = codec.decode(level.bytes, i * size);
        change(n);
        codec.encode(n, scratch, 0);
        canonical(scratch);
        const id = visited.add(scratch, parent);
        if (id < 0) return;
        promise = brokenPromise(n);
        if (!promise && quietEvery > 0 && id % quietEvery === 0) promise = quietFault(n, world);
        next.push(scratch, id);
      });
      if (promise) {
        const story = tell(world, visited.chain(visited.count - 1));
        return {
          states: visited.count,
          depth: depth + 1,
          isComplete: false,
          broken: { promise, story },
          bytes: visited.bytes,
        };
      }
    }
    level = next;
    depth += 1;
    onLevel?.(depth, visited.count);
  }
  return {
    states: visited.count,
    depth,
    isComplete: level.count === 0,
    broken: null,
    bytes: visited.bytes + level.bytes.length,
  };
}

/** The steps from the beginning to a state, in words. Users keep their numbers from step to step. */
function tell(world: World, hashes: readonly string[]): readonly string[] {
  const codec = createCodec(initialState(world));
  const canonical = createCanonical(codec);
  const bytes = new Uint8Array(codec.size);
  let state = initialState(world);
  return hashes.slice(1).map((wanted) => {
    const before = state;
    let words = '';
    stepsFrom(before, world, (name, who, change) => {
      if (words) return;
      const n = structuredClone(before);
      change(n);
      codec.encode(n, bytes, 0);
      canonical(bytes);
      if (hashOf(bytes, 0, bytes.length).join() !== wanted) return;
      words = describe(name, who);
      state = n;
    });
    return words;
  });
}

/** The whole states of one level. */
class Level {
  bytes: Uint8Array;
  ids = new Uint32Array(1024);
  count = 0;
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
    this.bytes = new Uint8Array(1024 * size);
  }

  push(state: Uint8Array, id: number): void {
    if (this.count === this.ids.length) {
      this.bytes = grown(this.bytes, new Uint8Array(this.bytes.length * 2));
      this.ids = grown(this.ids, new Uint32Array(this.ids.length * 2));
    }
    this.bytes.set(state, this.count * this.#size);
    this.ids[this.count] = id;
    this.count += 1;
  }
}

function grown<Numbers extends Uint8Array | Uint32Array>(from: Numbers, into: Numbers): Numbers {
  into.set(from);
  return into;
}

/** The hashes of all states seen, each with its parent: an open table of places, and the states in order of their numbers. */
class Visited {
  count = 0;
  #places = new Uint32Array(1 << 16);
  #high = new Uint32Array(1 << 15);
  #low = new Uint32Array(1 << 15);
  #parents = new Uint32Array(1 << 15);

  get bytes(): number {
    return 4 * (this.#places.length + 3 * this.#high.length);
  }

  /** The number of a state that was not seen before, else -1. */
  add(state: Uint8Array, parent: number): number {
    const [high, low] = hashOf(state, 0, state.length);
    const mask = this.#places.length - 1;
    for (let at = low & mask; ; at = (at + 1) & mask) {
      const place = this.#places[at] ?? 0;
      if (place === 0) {
        this.#places[at] = this.count + 1;
        break;
      }
      if (this.#high[place - 1] === high && this.#low[place - 1] === low) return -1;
    }
    const id = this.count;
    this.#high[id] = high;
    this.#low[id] = low;
    this.#parents[id] = parent;
    this.count += 1;
    if (this.count === this.#high.length) this.#grow();
    return id;
  }

  /** The hashes from the first state to this one. */
  chain(id: number): readonly string[] {
    const hash = `${this.#high[id]},${this.#low[id]}`;
    return id === 0 ? [hash] : [...this.chain(this.#parents[id] ?? 0), hash];
  }

  #grow(): void {
    const length = this.#high.length * 2;
    this.#high = grown(this.#high, new Uint32Array(length));
    this.#low = grown(this.#low, new Uint32Array(length));
    this.#parents = grown(this.#parents, new Uint32Array(length));
    const places = new Uint32Array(length * 2);
    const mask = places.length - 1;
    for (let id = 0; id < this.count; id += 1) {
      let at = (this.#low[id] ?? 0) & mask;
      while (places[at]) at = (at + 1) & mask;
      places[at] = id + 1;
    }
    this.#places = places;
  }
}
