// graph.ts -- The states of a world that a bounded search reaches, with the steps between them, and which step can follow which.

import { createCanonical, createCodec, pack } from '../model/codec.ts';
import { stepsFrom } from '../model/protocol.ts';
import { initialState, type State, type World } from '../model/state.ts';
import { isDrivable } from './drivable.ts';
import { kindOf } from './steps.ts';
import { pairOf } from './stories.ts';

/** A step to a state, which is a number in the graph. */
export interface Edge {
  readonly kind: string;
  readonly to: number;
}

/** A pair of kinds: the first edge after which the second kind can follow. */
interface Witness {
  readonly from: number;
  readonly edge: Edge;
  readonly second: string;
}

export interface Graph {
  readonly world: World;
  /** What leaves each state that was expanded. */
  readonly edges: readonly (readonly Edge[])[];
  /** For each state but the first: the state it was first reached from, and by which kind of step. */
  readonly parents: readonly { readonly from: number; readonly kind: string }[];
  /** Every pair of kinds that can follow one another, the shallow ones first. */
  readonly pairs: ReadonlyMap<string, Witness>;
  /** The number of a state, or undefined if it was not reached. */
  readonly numberOf: (s: State) => number | undefined;
}

/** Searches breadth first until so many states were expanded. */
export function exploreGraph(world: World, statesMax: number): Graph {
  const codec = createCodec(initialState(world));
  const keyOf = createKey(world);
  const numbers = new Map<string, number>();
  const states: Uint8Array[] = [];
  const parents: { from: number; kind: string }[] = [];
  const edges: Edge[][] = [];
  const add = (s: State, from: number, kind: string): number => {
    const { key, bytes } = keyOf(s);
    const known = numbers.get(key);
    if (known !== undefined) return known;
    const number = numbers.size;
    numbers.set(key, number);
    states.push(packed(bytes));
    parents.push({ from, kind });
    return number;
  };
  add(initialState(world), 0, '');
  for (let at = 0; at < states.length && at < statesMax; at += 1) {
    const bytes = states[at] ?? new Uint8Array();
    const before = codec.decode(bytes, 0);
    const leaving = new Map<string, Edge>();
    stepsFrom(before, world, (name, who, change) => {
      const after = codec.decode(bytes, 0);
      change(after);
      if (!isDrivable({ name, who, before, after })) return;
      const kind = kindOf(name);
      const to = add(after, at, kind);
      leaving.set(`${kind} ${to}`, { kind, to });
    });
    edges.push([...leaving.values()]);
  }
  return { world, edges, parents, pairs: findPairs(edges), numberOf: (s) => numbers.get(keyOf(s).key) };
}

function findPairs(edges: readonly (readonly Edge[])[]): ReadonlyMap<string, Witness> {
  const found = new Map<string, Witness>();
  for (const [from, leaving] of edges.entries()) {
    for (const edge of leaving) {
      for (const { kind: second } of edges[edge.to] ?? []) {
        const pair = pairOf(edge.kind, second);
        if (!found.has(pair)) found.set(pair, { from, edge, second });
      }
    }
  }
  return found;
}

/** An encoded state as a key. */
export function keyOfBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

/** An encoded state, kept. */
export function packed(bytes: Uint8Array): Uint8Array {
  const kept = new Uint8Array(Math.ceil(bytes.length / 2));
  pack(bytes, kept);
  return kept;
}

/** Makes the function that gives equivalent states one key: users are sorted; of the two orders of two openers the lesser counts. */
function createKey(world: World) {
  const codec = createCodec(initialState(world));
  const sortUsers = createCanonical({ paths: codec.paths.filter((path) => path !== 'openers[1].at') });
  const [bytes, other] = [new Uint8Array(codec.size), new Uint8Array(codec.size)];
  return (s: State): { readonly key: string; readonly bytes: Uint8Array } => {
    codec.encode(s, bytes);
    sortUsers(bytes);
    if (s.openers.length === 2) {
      codec.encode(withOpenersExchanged(s), other);
      sortUsers(other);
      if (Buffer.compare(other, bytes) < 0) bytes.set(other);
    }
    return { key: keyOfBytes(bytes), bytes };
  };
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
