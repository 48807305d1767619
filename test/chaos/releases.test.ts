// releases.test.ts -- The release that landed last runs beside this one under load, forth and back, and callers notice nothing.

import { afterAll, expect, test } from 'bun:test';
import { resolve } from 'node:path';
import { gt } from 'drizzle-orm';
import { coupons } from '../../drizzle/schema.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { findEarlierRelease, unpackRelease } from './earlier-release.ts';
import type { Fault } from './faults.ts';
import { runChaos } from './run.ts';

const root = resolve(import.meta.dirname, '../..');
const release = await findEarlierRelease();
if ('missing' in release) console.warn(`releases.test.ts is skipped: ${release.missing}`);
const cleanup: (() => unknown)[] = [];
afterAll(async () => {
  for (const step of cleanup.reverse()) await step();
});

/** The orders of docs/releases.md: back the API first, forward the workers first. Twice, since states outlive the processes. */
function forthAndBack(earlier: string): Fault {
  const moveAll = async (processes: Cluster['apis'], folder: string) => {
    for (const each of processes) {
      each.moveTo(folder);
      expect([each.name, await each.replace()]).toEqual([each.name, 'code 0']);
    }
  };
  return {
    name: 'go back to the earlier release, and forward again, twice',
    async inflict({ apis, workers }) {
      for (let i = 0; i < 2; i++) {
        await moveAll([...apis, ...workers], earlier);
        await moveAll([...workers, ...apis], root);
      }
    },
  };
}

test.skipIf('missing' in release)(
  'beside the release before it, in both directions, no answer is cut or wrong and nothing is lost',
  async () => {
    if ('missing' in release) return;
    const { folder, remove } = await unpackRelease(release.commit);
    cleanup.push(remove);
    // The lease of production: on a busy machine an opening takes longer than that of a chaos run, and the process that begins it again
    // raises the epoch again. The reconciler looks often, since it must rebuild nothing either.
    const settings = { OPENING_LEASE_MS: 5000, OPENING_WAIT_MS_MAX: 15_000, RECONCILE_MS: 1000 };
    const cluster = await startCluster({ apis: 2, workers: 2, settings });
    cleanup.push(() => cluster.stop());
    // Nobody may be erased, and nothing changed, while a release runs that may not know of it.
    const beside = { withdraws: false, changesNone: true, webhooks: false };
    const run = { seed: 1, runMs: 0, callers: 16, say: () => {}, faults: [forthAndBack(folder)], ...beside };
    const { accusations, otherFaults, counts } = await runChaos(cluster, run);
    expect(accusations).toEqual([]);
    expect(otherFaults).toEqual([]);
    expect({ cut: counts.cut, timedOut: counts.timedOut }).toEqual({ cut: 0, timedOut: 0 });
    expect(counts.ok).toBeGreaterThan(100);
    // A state that one release takes for foreign is rebuilt by it, and then by the other: each time the epoch goes up.
    const rebuilt = await withConnection(cluster.database, (session) =>
      session.select({ id: coupons.id, epoch: coupons.epoch }).from(coupons).where(gt(coupons.epoch, 1)),
    );
    expect(rebuilt).toEqual([]);
  },
  180_000,
);
