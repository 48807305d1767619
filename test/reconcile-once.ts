// reconcile-once.ts -- One round of the reconciler with the parts of an API.

import { LEASE_KEY, type ReconcileDependencies, reconcile } from '../workers/reconcile.ts';
import type { TestApi } from './stores.ts';

export interface RoundOptions {
  readonly settings: ReconcileDependencies['settings'];
  /** By default a fault fails the round. */
  readonly onFault?: (fault: unknown) => void;
  readonly observer?: Partial<ReconcileDependencies['observer']>;
}

const fail = (fault: unknown) => {
  throw fault;
};

/** Returns how many consumers it removed. */
export async function reconcileOnce(
  { redisStock, database, editor, stock }: TestApi,
  { settings, onFault = fail, observer = {} }: RoundOptions,
): Promise<number> {
  const ignore = () => {};
  let removed = -1;
  await reconcile({
    redisStock,
    database,
    settings,
    repair: editor.repair,
    open: (couponId) => stock.open(couponId, true),
    observer: {
      drift: ignore,
      repaired: ignore,
      closed: ignore,
      restored: ignore,
      unknownCoupon: ignore,
      ...observer,
      round: ({ consumers }) => {
        removed = consumers;
      },
    },
    onFault,
    stop: new AbortController().signal,
  });
  if (removed < 0) throw new Error('there was no round: another worker has the lease');
  // For the next one; the node that has it may be gone.
  await redisStock.redis.del(LEASE_KEY).catch(ignore);
  return removed;
}
