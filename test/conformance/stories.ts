// stories.ts -- Chooses stories so that every kind of step follows every other kind that it can follow, with few steps in all.

import { stepsFrom } from '../model/protocol.ts';
import { initialState, type State } from '../model/state.ts';
import type { Edge, Graph } from './graph.ts';
import { kindOf, type Step } from './steps.ts';

/** Steps through a graph, by the states they lead to. */
type Path = readonly Edge[];

export interface Cover {
  readonly stories: readonly Path[];
  /** Pairs of kinds that can follow one another within the graph. */
  readonly pairs: ReadonlySet<number>;
}

/** How long a story goes on while it still finds something near. */
const STEPS_MAX = 200;
/** How far a story looks for a pair that is still to come. */
const NEAR_STATES_MAX = 2000;

const KINDS_MAX = 1024;
export const pairOf = (first: number, second: number): number => first * KINDS_MAX + second;

/** Stories for all pairs of a graph but those that are covered already; adds theirs to `covered`. */
export function coverPairs(graph: Graph, covered: Set<number>): Cover {
  const witnesses = findPairs(graph);
  const stories: Path[] = [];
  for (const [pair, { from, edge }] of witnesses) {
    if (covered.has(pair)) continue;
    const last = (graph.edges[edge.to] ?? []).find(({ kind }) => kind === pair % KINDS_MAX);
    if (!last) continue;
    const path = [...pathTo(graph, from), edge, last];
    for (const each of pairsIn(path)) covered.add(each);
    for (let more = findNear(graph, path, covered); more; more = findNear(graph, path, covered)) {
      path.push(...more);
      for (const each of pairsIn(path)) covered.add(each);
    }
    stories.push(path);
  }
  return { stories, pairs: new Set(witnesses.keys()) };
}

/** Every pair, with the first edge in breadth-first order after which the second step can follow. */
function findPairs({ edges }: Graph): ReadonlyMap<number, { readonly from: number; readonly edge: Edge }> {
  const found = new Map<number, { from: number; edge: Edge }>();
  for (const [from, leaving] of edges.entries()) {
    for (const edge of leaving) {
      for (const { kind } of edges[edge.to] ?? []) {
        const pair = pairOf(edge.kind, kind);
        if (!found.has(pair)) found.set(pair, { from, edge });
      }
    }
  }
  return found;
}

/** The shortest way from the first state. */
function pathTo({ parents }: Graph, state: number): Edge[] {
  const path: Edge[] = [];
  for (let to = state; to !== 0; ) {
    const { from, kind } = parents[to] ?? { from: 0, kind: -1 };
    path.push({ kind, to });
    to = from;
  }
  return path.reverse();
}

function pairsIn(path: Path): number[] {
  return path.slice(1).map(({ kind }, i) => pairOf(path[i]?.kind ?? 0, kind));
}

/** The shortest way on to a pair that is not covered; null when there is none near, or the story is long enough. */
function findNear({ edges }: Graph, path: Path, covered: ReadonlySet<number>): Path | null {
  const start = path.at(-1);
  if (!start || path.length >= STEPS_MAX) return null;
  const seen = new Set<number>([start.to * KINDS_MAX + start.kind]);
  const waiting: { readonly edge: Edge; readonly before: number }[] = [{ edge: start, before: -1 }];
  for (let at = 0; at < waiting.length && at < NEAR_STATES_MAX; at += 1) {
    const { edge } = waiting[at] ?? { edge: start };
    for (const next of edges[edge.to] ?? []) {
      const isNew = !covered.has(pairOf(edge.kind, next.kind));
      const key = next.to * KINDS_MAX + next.kind;
      if (!isNew && seen.has(key)) continue;
      seen.add(key);
      waiting.push({ edge: next, before: at });
      if (isNew) return wayTo(waiting, waiting.length - 1);
    }
  }
  return null;
}

function wayTo(waiting: readonly { readonly edge: Edge; readonly before: number }[], last: number): Path {
  const way: Edge[] = [];
  for (let at = last; at > 0; ) {
    const step = waiting[at];
    if (!step) break;
    way.push(step.edge);
    at = step.before;
  }
  return way.reverse();
}

/** The steps of a story one by one, with users, openers and workers who keep their numbers. */
export function* stepsOf({ world, kinds, numberOf }: Graph, path: Path): Generator<Step> {
  let before: State = initialState(world);
  for (const { kind, to } of path) {
    let step: Step | undefined;
    stepsFrom(before, world, (name, who, change) => {
      if (step || kindOf(name) !== kinds[kind]) return;
      const after = structuredClone(before);
      change(after);
      if (numberOf(after) === to) step = { name, who, before, after };
    });
    if (!step) throw new Error(`the model does not do "${kinds[kind]}" again in the same state`);
    yield step;
    before = step.after;
  }
}
