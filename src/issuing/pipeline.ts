// pipeline.ts -- One request's path: refusal cache, combiner, issuer. The three endpoints differ by their issuer alone.

import { InvariantViolation } from '../invariant.ts';
import type { RefusalCache } from './refusal-cache.ts';
import { type BatchReport, Combiner, type CombinerBounds } from './combiner.ts';
import { type Issuer, type IssuerName, issuerNames } from './issuer.ts';
import type { Outcome } from '../coupon/outcome.ts';
import type { RequestNote } from '../http/request-log/request-notes.ts';
import { inSpan, issuesText, linksTo, ROOT_CONTEXT } from '../telemetry/tracing.ts';
import { asUnavailable } from './store-errors.ts';

/** Observes requests, for metrics and logs. */
export interface PipelineObserver {
  batch(issuer: IssuerName, report: BatchReport): void;
  refusedByCache(couponId: number, refusal: Outcome): void;
  /** A coupon that exists was requested. Called once for a batch. */
  requested(couponId: number, outcomes: readonly Outcome[]): void;
  /** A batch failed with something that is neither overload nor stopping. Called once for the batch. */
  failed(issuer: IssuerName, failure: unknown, batch: { readonly couponId: number; readonly users: number }): void;
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
   * @param note of a request that is observed
   * @throws Unavailable when there is no answer now; InvariantViolation for a bug
   */
  issue(issuer: IssuerName, couponId: number, userId: string, note?: RequestNote): Outcome | Promise<Outcome>;
  /** Users who wait, and batches under way. */
  load(issuer: IssuerName): { readonly waiting: number; readonly batchesInFlight: number };
  /** Refuses new requests, and answers every accepted one. */
  drain(): Promise<void>;
}

export function createPipeline({ issuers, refusals, bounds, observer }: PipelineDependencies): IssuePipeline {
  const combinerOf = (name: IssuerName, batchesInFlightMax = bounds.batchesInFlightMax) =>
    new Combiner<number, Waiting, Outcome>(
      (couponId, waiting) => issueBatch({ name, issuer: issuers[name], refusals, observer }, couponId, waiting),
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
    issue(issuer, couponId, userId, note) {
      const refused = refusals.refuse(couponId, userId);
      if (!refused) {
        const waiting = note ? { userId, note, sinceMs: performance.now() } : userId;
        return combiners[issuer].submit(couponId, waiting);
      }
      observer.refusedByCache(couponId, refused);
      return refused;
    },
    load: (issuer) => combiners[issuer].load(),
    drain: async () => {
      await Promise.all(issuerNames.map((name) => combiners[name].drain()));
    },
  };
}

/** A user who waits for a decision; with the note of the request where that is observed. */
type Waiting = string | Observed;

interface Observed {
  readonly userId: string;
  readonly note: RequestNote;
  readonly sinceMs: number;
}

interface BatchDependencies extends Pick<PipelineDependencies, 'refusals' | 'observer'> {
  readonly name: IssuerName;
  readonly issuer: Issuer;
}

async function issueBatch(
  { name, issuer, refusals, observer }: BatchDependencies,
  couponId: number,
  waiting: readonly Waiting[],
): Promise<readonly Outcome[]> {
  const { invalidations } = refusals;
  const observed: Observed[] = [];
  const users = waiting.map((each) => {
    if (typeof each === 'string') return each;
    observed.push(each);
    return each.userId;
  });
  const decide = () => issuer.issue(couponId, users);
  const onFailure = (failure: unknown) => observer.failed(name, failure, { couponId, users: users.length });
  try {
    const outcomes = await (observed.length === 0 ? decide() : observeBatch(name, couponId, observed, users, decide));
    // The last one decided is the latest state of the stock.
    const last = outcomes.at(-1);
    if (last) refusals.note(couponId, last, invalidations);
    if (last?.kind !== 'not exist') observer.requested(couponId, outcomes);
    return outcomes;
  } catch (failure) {
    if (failure instanceof InvariantViolation) onFailure(failure);
    throw asUnavailable(failure, onFailure);
  }
}

/** Notes how long its requests waited and how long the decision took, and makes a span that is linked to theirs. */
function observeBatch(
  name: IssuerName,
  couponId: number,
  observed: readonly Observed[],
  users: readonly string[],
  decide: () => Promise<readonly Outcome[]>,
): Promise<readonly Outcome[]> {
  const startMs = performance.now();
  for (const { note, sinceMs } of observed) {
    note.batchUsers = users.length;
    note.waitMs = startMs - sinceMs;
  }
  const options = () => ({
    links: linksTo(observed.map(({ note }) => note.spanContext)),
    attributes: { 'coupon.id': couponId, 'coupon.users': users.length },
  });
  // A trace of its own: it belongs to all of its requests alike.
  return inSpan(`batch ${name}`, options, ROOT_CONTEXT, async (span) => {
    const outcomes = await decide();
    const issued = outcomes.flatMap((outcome) => (outcome.kind === 'issued' ? [outcome.sequence] : []));
    const [first] = issued;
    if (first !== undefined) span?.setAttribute('coupon.issues', issuesText(couponId, first, issued.length));
    return outcomes;
  }).finally(() => {
    for (const { note } of observed) note.decisionMs = performance.now() - startMs;
  });
}
