// history.ts -- What can happen to a coupon, and random histories of it.

import fc from 'fast-check';
import { type IssuerName, issuerNames } from '../../src/issuing/issuer.ts';
import type { Death } from './crash.ts';

/** Processes of each kind. */
export const PROCESSES = 2;

/** A batch, asked of one of the APIs. */
export interface ApiParts {
  readonly kind: 'issue';
  readonly api: number;
  readonly issuer: IssuerName;
  readonly users: readonly string[];
  readonly death: Death | null;
}

/** One of the workers takes what there is, writes it and settles it. */
export interface Working {
  readonly kind: 'work';
  readonly worker: number;
  readonly death: Death | null;
}

/** What an operator changes. The period is moved far enough for no clock to matter. */
export type Edit = { readonly totalQuantity: number } | { readonly paused: boolean } | { readonly over: boolean };

/**
 * What Redis may lose. `proof`: it restarted, with all it had. `restore`: it came back with an old backup. `first entry`: the
 * oldest of what waits, with state and owners, so that later numbers outlive earlier ones.
 */
export type Loss = 'state' | 'owners' | 'proof' | 'restore' | 'first entry' | 'everything';

export type Step =
  | ApiParts
  | Working
  /** Concurrently; the stores decide on the order. */
  | { readonly kind: 'together'; readonly parts: readonly (ApiParts | Working)[] }
  | { readonly kind: 'edit'; readonly api: number; readonly edit: Edit; readonly death: Death | null }
  | { readonly kind: 'lose'; readonly what: Loss }
  /** Keeps what Redis has now, for `restore`. */
  | { readonly kind: 'back up' }
  | { readonly kind: 'reconcile' };

export interface History {
  /** null: unlimited */
  readonly total: number | null;
  readonly steps: readonly Step[];
}

const WORKS = 3;

/** Most work asks once or twice; only an opening asks a dozen times. */
const after = fc.oneof({ weight: 2, arbitrary: fc.nat({ max: 2 }) }, fc.nat({ max: 12 }));
const death: fc.Arbitrary<Death | null> = fc.option(fc.record({ after, lastIsDone: fc.boolean() }), { freq: 2 });
const process = fc.nat({ max: PROCESSES - 1 });
const names = ['a', 'A', 'b', 'c', 'd', 'e', 'f', 'g', 'h', '1', '01', '-'];
const users = fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 6 });

const issuing: fc.Arbitrary<ApiParts> = fc.record({
  kind: fc.constant('issue'),
  api: process,
  issuer: fc.constantFrom(...issuerNames),
  users,
  death,
});
const working: fc.Arbitrary<Working> = fc.record({ kind: fc.constant('work'), worker: process, death });
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ totalQuantity: fc.integer({ min: 1, max: 11 }) }),
  fc.record({ paused: fc.boolean() }),
  fc.record({ over: fc.boolean() }),
);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: issuing },
  { weight: 4, arbitrary: working },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('together'),
      parts: fc.array(fc.oneof({ weight: 3, arbitrary: issuing }, working), { minLength: 2, maxLength: 5 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('edit'), api: process, edit, death }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('lose'),
      what: fc.constantFrom('state', 'owners', 'proof', 'restore', 'first entry', 'everything'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reconcile') }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('back up') }) },
);

const alive = <Part extends ApiParts | Working>(part: Part): Part => ({ ...part, death: null });

/**
 * A backup that is soon restored: what was issued in between became rows, which the old state does not know of, and the same users
 * ask again. A worker needs a few rounds: for its group, for what others left, and for what is new.
 */
const relapse: fc.Arbitrary<readonly Step[]> = fc
  .record({ before: issuing, between: issuing, worker: working, after: issuing })
  .map(({ before, between, worker, after: last }): readonly Step[] => {
    const works = Array.from({ length: WORKS }, () => alive(worker));
    const again = { ...alive(last), users: between.users };
    return [alive(before), { kind: 'back up' }, alive(between), ...works, { kind: 'lose', what: 'restore' }, again];
  });
/** Batches that wait, the first of which is lost. */
const partialLoss: fc.Arbitrary<readonly Step[]> = fc
  .array(issuing, { minLength: 2, maxLength: 3, size: 'max' })
  .map((waiting) => [...waiting, { kind: 'lose', what: 'first entry' }]);

const scene: fc.Arbitrary<readonly Step[]> = fc.oneof(
  { weight: 14, arbitrary: step.map((one) => [one]) },
  { weight: 1, arbitrary: relapse },
  { weight: 1, arbitrary: partialLoss },
);

export const history: fc.Arbitrary<History> = fc.record({
  total: fc.option(fc.integer({ min: 0, max: 9 }), { freq: 8 }),
  // As long as may be from the beginning: in short ones little can go wrong.
  steps: fc.array(scene, { minLength: 4, maxLength: 18, size: 'max' }).map((scenes) => scenes.flat()),
});
