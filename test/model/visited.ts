// visited.ts -- What all cores of a search share: the states seen, as hashes with their parents, and whole states of a level.

/** The hashes of all states seen. Shared by all cores without a lock: a place is taken with one compare-and-exchange. */
export class Visited {
  readonly memory: SharedArrayBuffer;
  readonly #low: Int32Array;
  readonly #high: Int32Array;
  readonly #parents: Uint32Array;
  /** [0] how many there are, [1] whether the search is over. */
  readonly #control: Int32Array;
  readonly #places: number;

  /** @param memory of another core's; else room for `statesMax` is made, 18 bytes a state */
  constructor(statesMax: number, memory?: SharedArrayBuffer) {
    // A third of the places stays free, so that few are looked at for one state.
    this.#places = Math.ceil(statesMax * 1.5) + 1024;
    this.memory = memory ?? new SharedArrayBuffer(8 + 12 * this.#places);
    this.#control = new Int32Array(this.memory, 0, 2);
    this.#low = new Int32Array(this.memory, 8, this.#places);
    this.#high = new Int32Array(this.memory, 8 + 4 * this.#places, this.#places);
    this.#parents = new Uint32Array(this.memory, 8 + 8 * this.#places, this.#places);
  }

  get count(): number {
    return Atomics.load(this.#control, 0);
  }

  get isOver(): boolean {
    return Atomics.load(this.#control, 1) === 1;
  }

  end(): void {
    Atomics.store(this.#control, 1, 1);
  }

  /** The place of a state that was not seen before, else -1. */
  add([high, low]: readonly [number, number], parent: number): number {
    let at = Math.floor(((low >>> 0) / 2 ** 32) * this.#places);
    for (; ; at = at + 1 === this.#places ? 0 : at + 1) {
      let found = Atomics.load(this.#low, at);
      if (found === 0) {
        found = Atomics.compareExchange(this.#low, at, 0, low);
        if (found === 0) {
          this.#parents[at] = parent;
          Atomics.store(this.#high, at, high);
          Atomics.add(this.#control, 0, 1);
          return at;
        }
      }
      if (found !== low) continue;
      let other = 0;
      // Another core has taken the place, and is about to write its other half.
      while (other === 0) other = Atomics.load(this.#high, at);
      if (other === high) return -1;
    }
  }

  /** The hashes from the first state, which is its own parent, to this one. */
  chain(place: number): readonly string[] {
    const hashes: string[] = [];
    for (let at = place; ; at = this.#parents[at] ?? 0) {
      hashes.push(`${this.#high[at]},${this.#low[at]}`);
      if (this.#parents[at] === at) return hashes.reverse();
    }
  }

  /** Makes a state its own parent. */
  setFirst(place: number): void {
    this.#parents[place] = place;
  }
}

/** States in a segment: enough to be worth a message, few enough that both cores end a level together. */
const SEGMENT_STATES = 1024;

/** Some whole states of a level, with their places. */
export interface Segment {
  readonly places: Uint32Array;
  readonly states: Uint8Array;
  count: number;
}

/** Collects the states of the next level. */
export class Level {
  readonly segments: Segment[] = [];
  readonly #size: number;
  readonly #spare: Segment[];

  /** @param spare segments of an earlier level */
  constructor(size: number, spare: Segment[]) {
    this.#size = size;
    this.#spare = spare;
  }

  push(state: Uint8Array, place: number): void {
    let last = this.segments.at(-1);
    if (!last || last.count === SEGMENT_STATES) {
      last = this.#spare.pop() ?? createSegment(this.#size);
      last.count = 0;
      this.segments.push(last);
    }
    last.states.set(state, last.count * this.#size);
    last.places[last.count] = place;
    last.count += 1;
  }
}

function createSegment(size: number): Segment {
  const memory = new SharedArrayBuffer(SEGMENT_STATES * (4 + size));
  return {
    places: new Uint32Array(memory, 0, SEGMENT_STATES),
    states: new Uint8Array(memory, 4 * SEGMENT_STATES),
    count: 0,
  };
}

/** Bytes of segments. */
export function bytesOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, { places, states }) => sum + places.byteLength + states.byteLength, 0);
}
