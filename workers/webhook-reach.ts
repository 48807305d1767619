// webhook-reach.ts -- Up to which row of a coupon a webhook may be told: as far as the feed of its issues has become certain.

import type { Feed } from '../src/issues/feed.ts';
import type { ReadCertainSequence } from '../src/webhooks/certain-sequence.ts';

export function reachOfFeed(feed: Pick<Feed, 'read' | 'highest'>): ReadCertainSequence {
  return async (couponId, after, limit) => {
    const page = await feed.read(couponId, { after, limit });
    // Its rows were moved to a file, or deleted: how many there still are says whether events must wait for them.
    if (typeof page === 'string') return { highest: await feed.highest(couponId), certain: after };
    const last = page.issues.at(-1)?.sequence;
    const certain = last ?? after;
    return { highest: certain > 0 ? certain : await feed.highest(couponId), certain };
  };
}
