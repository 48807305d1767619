// conformance.test.ts -- The product does what the model says: stories in which every kind of step follows every other that it can follow
// are driven through the real scripts and transactions, and after each step the stores hold what the model says.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PrivateServer } from '../../tools/stack/private-server.ts';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import { type WorldName, worlds } from '../model/worlds.ts';
import { openStores, type Stores } from '../stores.ts';
import { exploreGraph } from './graph.ts';
import { RealWorld } from './real-world.ts';
import { runStory } from './run-story.ts';
import { coverPairs, stepsOf } from './stories.ts';
import { createBadData } from './worker-steps.ts';

/** Of each world. */
const STATES_MAX = Number(process.env['CONFORMANCE_STATES'] ?? 20_000);

const folder = mkdtempSync(join(tmpdir(), 'coupon-conformance-'));
let server: PrivateServer;
let stores: Stores;
let real: RealWorld;

beforeAll(async () => {
  // Alone on its server, which becomes another one in the stories.
  server = await startRedisServer({ folder, settings: { appendfsync: 'no' } });
  stores = await openStores({ redisUrl: server.url });
  real = await RealWorld.create(stores);
  await createBadData(real);
});

afterAll(async () => {
  await stores?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const covered = new Set<number>();

test.each(Object.keys(worlds) as WorldName[])(
  'stories of the world of %s',
  async (name) => {
    const graph = exploreGraph(worlds[name], STATES_MAX);
    const { stories } = coverPairs(graph, covered);
    expect(stories.length).toBeGreaterThan(0);
    for (const story of stories) await runStory(real, worlds[name], stepsOf(graph, story));
  },
  120_000,
);
