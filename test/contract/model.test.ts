// model.test.ts -- Random histories of a small coupon: every issuer agrees, step by step, with the pure rules of `decide`.
//
// The history is random, its seed is printed; `TEST_SEED=… bun run test test/contract/model.test.ts` repeats it.

import { afterAll, expect, test } from 'bun:test';
import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import { decide, lastSequence } from '../../src/coupon/coupon.ts';
import { type IssuerName, issuerNames } from '../../src/issuing/issuer.ts';
import { openStores } from '../stores.ts';

const stores = await openStores();
const api = await stores.createApi();
afterAll(() => stores.close());

type Step =
  | { readonly kind: 'issue'; readonly issuer: IssuerName; readonly users: readonly string[] }
  | { readonly kind: 'pause'; readonly paused: boolean }
  | { readonly kind: 'lose'; readonly what: 'state' | 'owners' }
  | { readonly kind: 'drain' };

interface History {
  readonly total: number | null;
  readonly period: 'open' | 'not started' | 'ended';
  readonly steps: readonly Step[];
}

const HOUR_MS = 3_600_000;
const startsIn = { open: -HOUR_MS, 'not started': HOUR_MS, ended: -3 * HOUR_MS } as const;

const users = fc.array(fc.constantFrom('a', 'A', 'b', 'c', 'd', '1', '01', '-'), { minLength: 1, maxLength: 9 });
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('issue'), issuer: fc.constantFrom(...issuerNames), users }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pause'), paused: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('lose'), what: fc.constantFrom('state', 'owners') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drain') }) },
);
const anyHistory: fc.Arbitrary<History> = fc.record({
  total: fc.option(fc.integer({ min: 0, max: 7 })),
  period: fc.oneof(
    { weight: 8, arbitrary: fc.constant('open') },
    { weight: 1, arbitrary: fc.constantFrom('not started', 'ended') },
  ),
  steps: fc.array(anyStep, { minLength: 1, maxLength: 16 }),
});

/** What the rules say so far. */
class Model {
  readonly owners = new Map<string, number>();
  paused = false;
  readonly #history: History;

  constructor(history: History) {
    this.#history = history;
  }

  issue(batch: readonly string[]) {
    const next = this.owners.size + 1;
    const until = lastSequence(next, this.owners.size, this.#history.total);
    const startMs = startsIn[this.#history.period];
    const decision = decide(
      { startMs, endMs: startMs + 2 * HOUR_MS, paused: this.paused, next, until },
      this.owners,
      batch,
      0,
    );
    decision.taken.forEach((user, i) => this.owners.set(user, next + i));
    return decision.outcomes;
  }

  rows() {
    return [...this.owners].map(([userId, sequence]) => ({ sequence, userId }));
  }
}

async function drain(): Promise<void> {
  await using worker = await stores.startWorker();
  await worker.drained();
}

/** Replays the history on the issuers and on the model, and compares after every step. */
async function replayHistory(history: History): Promise<void> {
  const startMs = Date.now() + startsIn[history.period];
  const { id } = await stores.coupon({ totalQuantity: history.total, startMs, endMs: startMs + 2 * HOUR_MS });
  const model = new Model(history);
  for (const step of history.steps) {
    switch (step.kind) {
      case 'issue':
        expect(await api.issuers[step.issuer].issue(id, step.users)).toEqual([...model.issue(step.users)]);
        break;
      case 'pause':
        await stores.edit(id, { paused: step.paused });
        model.paused = step.paused;
        break;
      case 'lose':
        await stores.redis.del(stores.keys(id)[step.what]);
        break;
      case 'drain':
        await drain();
        break;
    }
  }
  await drain();
  const rows = await stores.rows(id);
  expect(rows.map(({ sequence, userId }) => ({ sequence, userId }))).toEqual(model.rows());
  expect((await stores.couponNow(id)).issuedQuantity).toBe(model.owners.size);
}

test('in random histories of a coupon every answer and every row is as the model says', async () => {
  const seed = Number(process.env['TEST_SEED'] ?? randomInt(2 ** 31));
  console.log(`seed of the random histories: ${seed}`);
  await fc.assert(fc.asyncProperty(anyHistory, replayHistory), { seed, numRuns: 40 });
});
