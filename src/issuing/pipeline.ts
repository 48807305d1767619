// pipeline.ts -- One request's way: closed sign, combiner, issuer. The three endpoints differ by their issuer alone.

import { InvariantViolation } from '../invariant.ts';
import type { RefusalCache } from './refusal-cache.ts';
import { type BatchReport, Combiner, type CombinerBounds } from './combiner.ts';
import { type Issuer, type IssuerName, issuerNames } from './issuer.ts';
import { type Outcome, Unavailable } from '../coupon/outcome.ts';

/** Everything that can be told of the way of requests, for metrics and logs. */
export interface PipelineObserver {
  batch(issuer: IssuerName, report: BatchReport): void;
  refusedByCache(): void;
  /** A batch failed with something that is neither overload nor stopping. Told once for the batch. */
  failed(issuer: IssuerName, failure: unknown): void;
}

export interface IssuingDependencies {
  readonly issuers: Readonly<Record<IssuerName, Issuer>>;
  readonly signs: RefusalCache;
  readonly bounds: CombinerBounds;
  readonly reports: PipelineObserver;
}

export interface IssuePipeline {
  /**
   * Decides one request; refused by a closed sign, it is answered at once.
   *
   * @param issuer the way that the endpoint stands for
   * @param couponId a positive safe integer
   * @param userId a valid user id
   * @throws Unavailable when there is no answer now; InvariantViolation when we are at fault
   */
  issue(issuer: IssuerName, couponId: number, userId: string): Outcome | Promise<Outcome>;
  /** What waits and what is under way. */
  load(issuer: IssuerName): { readonly waiting: number; readonly batchesInFlight: number };
  /** Refuses new requests, and answers every accepted one. */
  close(): Promise<void>;
}

export function createPipeline({ issuers, signs, bounds, reports }: IssuingDependencies): IssuePipeline {
  const combinerOf = (name: IssuerName, batchesInFlightMax = bounds.batchesInFlightMax) =>
    new Combiner<number, string, Outcome>(
      (couponId, users) =>
        decideBatch(issuers[name], couponId, users, signs, (failure) => reports.failed(name, failure)),
      { ...bounds, batchesInFlightMax },
      (report) => reports.batch(name, report),
    );
  const combiners = {
    // Two batches of one process would only keep a lock from one another, that of the row or that of Redlock: one that waits
    // grows instead, and costs less for each of its users.
    synchronous: combinerOf('synchronous', 1),
    locked: combinerOf('locked', 1),
    scripted: combinerOf('scripted'),
  } satisfies Record<IssuerName, unknown>;
  return {
    issue(issuer, couponId, userId) {
      const refused = signs.refuse(couponId, userId);
      if (!refused) return combiners[issuer].submit(couponId, userId);
      reports.refusedByCache();
      return refused;
    },
    load: (issuer) => combiners[issuer].load(),
    close: async () => {
      await Promise.all(issuerNames.map((name) => combiners[name].drain()));
    },
  };
}

async function decideBatch(
  issuer: Issuer,
  couponId: number,
  users: readonly string[],
  signs: RefusalCache,
  onFailure: (failure: unknown) => void,
): Promise<readonly Outcome[]> {
  const { drops } = signs;
  try {
    const outcomes = await issuer.issue(couponId, users);
    // The last one decided is the newest news of the stock.
    const last = outcomes.at(-1);
    if (last) signs.note(couponId, last, drops);
    return outcomes;
  } catch (failure) {
    if (failure instanceof Unavailable && failure.reason !== 'dependency') throw failure;
    onFailure(failure);
    if (failure instanceof Unavailable || failure instanceof InvariantViolation) throw failure;
    throw new Unavailable('dependency', 'Redis or MySQL failed', { cause: failure });
  }
}
