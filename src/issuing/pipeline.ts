// pipeline.ts -- One request's path: refusal cache, combiner, issuer. The three endpoints differ by their issuer alone.

import { InvariantViolation } from '../invariant.ts';
import type { RefusalCache } from './refusal-cache.ts';
import { type BatchReport, Combiner, type CombinerBounds } from './combiner.ts';
import { type Issuer, type IssuerName, issuerNames } from './issuer.ts';
import type { Outcome } from '../coupon/outcome.ts';
import { asUnavailable } from './store-errors.ts';

/** Observes requests, for metrics and logs. */
export interface PipelineObserver {
  batch(issuer: IssuerName, report: BatchReport): void;
  refusedByCache(): void;
  /** A coupon that exists was requested. Called once for a batch. */
  requested(couponId: number): void;
  /** A batch failed with something that is neither overload nor stopping. Called once for the batch. */
  failed(issuer: IssuerName, failure: unknown): void;
}

export interface PipelineDependencies {
  readonly issuers: Readonly<Record<IssuerName, Issuer>>;
  readonly refusals: RefusalCache;
  readonly bounds: CombinerBounds;
  readonly observer: PipelineObserver;
}

export interface IssuePipeline {
  /**
   * Decides one request; a cached refusal is returned synchronously.
   *
   * @param issuer the one of the endpoint
   * @param couponId a positive safe integer
   * @param userId a valid user id
   * @throws Unavailable when there is no answer now; InvariantViolation for a bug
   */
  issue(issuer: IssuerName, couponId: number, userId: string): Outcome | Promise<Outcome>;
  /** Users who wait, and batches under way. */
  load(issuer: IssuerName): { readonly waiting: number; readonly batchesInFlight: number };
  /** Refuses new requests, and answers every accepted one. */
  drain(): Promise<void>;
}

export function createPipeline({ issuers, refusals, bounds, observer }: PipelineDependencies): IssuePipeline {
  const combinerOf = (name: IssuerName, batchesInFlightMax = bounds.batchesInFlightMax) =>
    new Combiner<number, string, Outcome>(
      (couponId, users) =>
        issueBatch(issuers[name], couponId, users, refusals, observer.requested, (failure) =>
          observer.failed(name, failure),
        ),
      { ...bounds, batchesInFlightMax },
      (report) => observer.batch(name, report),
    );
  const combiners = {
    // Two batches of one process would only wait for each other's lock, on the row or by Redlock: one that waits grows
    // instead, and costs less per user.
    synchronous: combinerOf('synchronous', 1),
    locked: combinerOf('locked', 1),
    scripted: combinerOf('scripted'),
  } satisfies Record<IssuerName, unknown>;
  return {
    issue(issuer, couponId, userId) {
      const refused = refusals.refuse(couponId, userId);
      if (!refused) return combiners[issuer].submit(couponId, userId);
      observer.refusedByCache();
      return refused;
    },
    load: (issuer) => combiners[issuer].load(),
    drain: async () => {
      await Promise.all(issuerNames.map((name) => combiners[name].drain()));
    },
  };
}

async function issueBatch(
  issuer: Issuer,
  couponId: number,
  users: readonly string[],
  refusals: RefusalCache,
  onRequested: (couponId: number) => void,
  onFailure: (failure: unknown) => void,
): Promise<readonly Outcome[]> {
  const { invalidations } = refusals;
  try {
    const outcomes = await issuer.issue(couponId, users);
    // The last one decided is the latest state of the stock.
    const last = outcomes.at(-1);
    if (last) refusals.note(couponId, last, invalidations);
    if (last?.kind !== 'not exist') onRequested(couponId);
    return outcomes;
  } catch (failure) {
    if (failure instanceof InvariantViolation) onFailure(failure);
    throw asUnavailable(failure, onFailure);
  }
}
