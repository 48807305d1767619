// stories.ts -- Chooses stories so that every kind of step follows every other kind that it can follow, with few steps in all.

import { createCodec } from '../model/codec.ts';
import { stepsFrom } from '../model/protocol.ts';
import { initialState, type State, type World } from '../model/state.ts';
import { isDrivable } from './drivable.ts';
import { type Edge, type Graph, keyOfBytes, packed } from './graph.ts';
import { kindOf, type Step } from './steps.ts';

/** A step by its name and number; the states follow from those before. */
export interface Move {
  readonly name: string;
  readonly who: number;
}
export type Story = readonly Move[];

/** How long a story goes on while it still finds something near. */
const STEPS_MAX = 120;
/** How far a story looks for a pair that is still to come. */
const NEAR_STATES_MAX = 100;

/** Two kinds, of which the second follows the first. */
export const pairOf = (first: string, second: string): string => `${first} > ${second}`;

/**
 * Stories for all pairs of a graph that are not covered yet; adds theirs to `covered`. From where the graph ends they go on as
 * `world` lets them, while a pair that is still to come is near.
 */
export function* coverPairs(graph: Graph, world: World, covered: Set<string>): Generator<Story> {
  const near = createLookout(world);
  for (const [pair, { from, edge, second }] of graph.pairs) {
    if (covered.has(pair)) continue;
    const last = graph.edges[edge.to]?.find(({ kind }) => kind === second);
    if (!last) continue;
    const { moves, end } = followPath(graph, [...pathTo(graph, from), edge, last]);
    note(covered, moves, 0);
    let state = end;
    while (moves.length < STEPS_MAX) {
      const found = near(state, kindOf(moves.at(-1)?.name ?? ''), covered);
      if (!found) break;
      const at = moves.length;
      moves.push(...found.moves);
      note(covered, moves, at - 1);
      state = found.end;
    }
    yield moves;
  }
}

function note(covered: Set<string>, moves: Story, from: number): void {
  const kinds = moves.slice(from).map(({ name }) => kindOf(name));
  for (const [i, kind] of kinds.slice(1).entries()) covered.add(pairOf(kinds[i] ?? '', kind));
}

/** The shortest way from the first state. */
function pathTo({ parents }: Graph, state: number): Edge[] {
  const path: Edge[] = [];
  for (let to = state; to !== 0; ) {
    const { from, kind } = parents[to] ?? { from: 0, kind: '' };
    path.push({ kind, to });
    to = from;
  }
  return path.reverse();
}

/** Edges as moves of users, openers and workers who keep their numbers. */
function followPath({ world, numberOf }: Graph, path: readonly Edge[]): { moves: Move[]; end: State } {
  let state: State = initialState(world);
  const moves: Move[] = [];
  for (const { kind, to } of path) {
    let next: State | undefined;
    stepsFrom(state, world, (name, who, change) => {
      if (next || kindOf(name) !== kind) return;
      const after = structuredClone(state);
      change(after);
      if (numberOf(after) !== to) return;
      next = after;
      moves.push({ name, who });
    });
    if (!next) throw new Error(`the model does not do "${kind}" again in the same state`);
    state = next;
  }
  return { moves, end: state };
}

interface Found {
  readonly moves: readonly Move[];
  readonly end: State;
}

/** Looks from a state, breadth first, for the nearest pair that is not covered. */
function createLookout(world: World) {
  const codec = createCodec(initialState(world));
  const scratch = new Uint8Array(codec.size);
  return (start: State, kind: string, covered: ReadonlySet<string>): Found | null => {
    const seen = new Set<string>();
    const waiting: { bytes: Uint8Array; kind: string; move: Move | null; before: number }[] = [];
    codec.encode(start, scratch);
    waiting.push({ bytes: packed(scratch), kind, move: null, before: -1 });
    for (let at = 0; at < waiting.length && at < NEAR_STATES_MAX; at += 1) {
      const here = waiting[at];
      if (!here) break;
      let found = -1;
      const before = codec.decode(here.bytes, 0);
      stepsFrom(before, world, (name, who, change) => {
        if (found >= 0) return;
        const after = codec.decode(here.bytes, 0);
        change(after);
        if (!isDrivable({ name, who, before, after })) return;
        const next = kindOf(name);
        codec.encode(after, scratch);
        const key = `${next} ${keyOfBytes(scratch)}`;
        const isNew = !covered.has(pairOf(here.kind, next));
        if (!isNew && seen.has(key)) return;
        seen.add(key);
        waiting.push({ bytes: packed(scratch), kind: next, move: { name, who }, before: at });
        if (isNew) found = waiting.length - 1;
      });
      if (found < 0) continue;
      const moves: Move[] = [];
      const last = waiting[found];
      for (let i = found; i > 0; i = waiting[i]?.before ?? 0) {
        const move = waiting[i]?.move;
        if (move) moves.push(move);
      }
      return last ? { moves: moves.reverse(), end: codec.decode(last.bytes, 0) } : null;
    }
    return null;
  };
}

/** The steps of a story one by one, each with the model before and after. */
export function* stepsOf(world: World, story: Story): Generator<Step> {
  let before = initialState(world);
  for (const move of story) {
    let step: Step | undefined;
    stepsFrom(before, world, (name, who, change) => {
      if (step || name !== move.name || who !== move.who) return;
      const after = structuredClone(before);
      change(after);
      step = { name, who, before, after };
    });
    if (!step) throw new Error(`the model does not do "${move.name}" here any more`);
    yield step;
    before = step.after;
  }
}
