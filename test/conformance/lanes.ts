// lanes.ts -- Tells many stories, a few at a time: each lane has a Redis server of its own, and mostly waits for the stores.

import type { PrivateServer } from '../../tools/stack/private-server.ts';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import type { World } from '../model/state.ts';
import { connectTo } from '../redis-database.ts';
import { openStores, type Stores } from '../stores.ts';
import { exploreGraph, type Graph } from './graph.ts';
import { RealWorld } from './real-world.ts';
import { runStory } from './run-story.ts';
import { kindOf } from './steps.ts';
import { coverPairs, pairOf, stepsOf, type Story } from './stories.ts';
import { createBadData } from './drives/worker-steps.ts';

const LANES = 4;

export interface Lanes {
  /** Drives stories that cover all pairs of steps of a world that were not covered before. Throws the first Divergence. */
  run(world: World, statesMax: number): Promise<Coverage>;
  /** Drives one story. */
  tell(world: World, story: Story): Promise<void>;
  close(): Promise<void>;
}

export interface Coverage {
  readonly states: number;
  /** Pairs of kinds of steps that can follow one another within these states. */
  readonly pairs: readonly string[];
  /** Kinds of steps that were driven, and pairs. */
  readonly drivenKinds: ReadonlySet<string>;
  readonly drivenPairs: ReadonlySet<string>;
  readonly stories: number;
  readonly steps: number;
}

/** By how much a story may go on beyond the bounds of its world. */
const FURTHER = 2;

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
  const told: Told = { covered: new Set(), verified: new Set() };
  return {
    run: (world, statesMax) => runAll(worlds, exploreGraph(world, statesMax), told),
    async tell(world, story) {
      const [real] = worlds;
      if (real) await runStory(real, world, stepsOf(world, story), new Set());
    },
    close,
  };
}

interface Told {
  readonly covered: Set<string>;
  /** Beginnings of stories after which all was as the model says. */
  readonly verified: Set<string>;
}

async function runAll(lanes: readonly RealWorld[], graph: Graph, { covered, verified }: Told): Promise<Coverage> {
  const { faultsMax, editsMax, epochMax, ...rest } = graph.world;
  const further = { faultsMax: faultsMax + FURTHER, editsMax: editsMax + FURTHER, epochMax: epochMax + 2 * FURTHER };
  const world: World = { ...rest, ...further };
  const drivenKinds = new Set<string>();
  const drivenPairs = new Set<string>();
  let [stories, steps] = [0, 0];
  const waiting = coverPairs(graph, world, covered);
  const work = async (real: RealWorld): Promise<void> => {
    for (let next = waiting.next(); !next.done; next = waiting.next()) {
      const story = next.value;
      // A lane that fails ends the others too.
      await runStory(real, world, stepsOf(world, story), verified).catch((error: unknown) => {
        waiting.return(undefined);
        throw error;
      });
      const kinds = story.map(({ name }) => kindOf(name));
      for (const kind of kinds) drivenKinds.add(kind);
      for (const [i, kind] of kinds.slice(1).entries()) drivenPairs.add(pairOf(kinds[i] ?? '', kind));
      stories += 1;
      steps += story.length;
    }
  };
  await Promise.all(lanes.map(work));
  return { states: graph.edges.length, pairs: [...graph.pairs.keys()], drivenKinds, drivenPairs, stories, steps };
}
