// lanes.ts -- Tells many stories, a few at a time: each lane has a Redis server of its own, and mostly waits for the stores.

import type { PrivateServer } from '../../tools/stack/private-server.ts';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import type { World } from '../model/state.ts';
import { connectTo } from '../redis-database.ts';
import { openStores, type Stores } from '../stores.ts';
import { exploreGraph, type Graph } from './graph.ts';
import { RealWorld } from './real-world.ts';
import { runStory } from './run-story.ts';
import { coverPairs, stepsOf } from './stories.ts';
import { createBadData } from './worker-steps.ts';

const LANES = 4;

export interface Lanes {
  /** Drives stories that cover all pairs of steps of a world that were not covered before. Throws the first Divergence. */
  run(world: World, statesMax: number): Promise<Coverage>;
  close(): Promise<void>;
}

export interface Coverage {
  readonly states: number;
  /** Pairs of kinds of steps that can follow one another in the world, as numbers. */
  readonly pairs: ReadonlySet<number>;
  readonly kinds: ReadonlySet<string>;
  readonly stories: number;
  readonly steps: number;
}

export async function openLanes(folder: string): Promise<Lanes> {
  const servers: PrivateServer[] = [];
  const worlds: RealWorld[] = [];
  let stores: Stores | undefined;
  const close = async (): Promise<void> => {
    for (const world of worlds) await world.close();
    await stores?.close();
    for (const server of servers) await server.stop();
  };
  try {
    stores = await openStores();
    await createBadData(stores.database);
    for (let lane = 0; lane < LANES; lane += 1) {
      // What is on disk after a crash is tested elsewhere.
      const server = await startRedisServer({ folder: `${folder}/${lane}`, settings: { appendonly: 'no' } });
      servers.push(server);
      worlds.push(await RealWorld.create(stores, await connectTo(server.url)));
    }
  } catch (error) {
    await close();
    throw error;
  }
  const covered = new Set<number>();
  return { run: (world, statesMax) => runAll(worlds, exploreGraph(world, statesMax), covered), close };
}

async function runAll(lanes: readonly RealWorld[], graph: Graph, covered: Set<number>): Promise<Coverage> {
  const { stories, pairs } = coverPairs(graph, covered);
  const waiting = stories.values();
  let hasFailed = false;
  const work = async (real: RealWorld): Promise<void> => {
    for (const story of waiting) {
      if (hasFailed) return;
      await runStory(real, graph.world, stepsOf(graph, story)).catch((error: unknown) => {
        hasFailed = true;
        throw error;
      });
    }
  };
  await Promise.all(lanes.map(work));
  const steps = stories.reduce((sum, { length }) => sum + length, 0);
  const kinds = new Set(graph.edges.flat().map(({ kind }) => graph.kinds[kind] ?? ''));
  return { states: graph.edges.length, pairs, kinds, stories: stories.length, steps };
}
