// issuer.ts -- The port behind which all three ways of issuing stand; one contract suite holds for each of them.

import type { Outcome } from '../coupon/outcome.ts';

/** The three ways, by the name that metrics, tests and benches use too. */
export const issuerNames = ['synchronous', 'locked', 'scripted'] as const;
export type IssuerName = (typeof issuerNames)[number];

/** Decides batches. An issuer holds no state of its own that a crash could lose. */
export interface Issuer {
  /**
   * Decides for a batch of users of one coupon.
   *
   * @param couponId a positive safe integer
   * @param users valid user ids in order of arrival, at least one, at most the configured batch; may repeat
   * @returns one outcome per user, in the same order. `issued` means: durable in the store that answers
   * @throws Unavailable when the decision was not made or its reply was lost: ambiguous for every user of the batch
   */
  issue(couponId: number, users: readonly string[]): Promise<readonly Outcome[]>;
}
