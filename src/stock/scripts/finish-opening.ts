// finish-opening.ts -- The caller of finish-opening.lua: the one place that writes a coupon's state as a whole.

import type { Stock } from '../../coupon/coupon.ts';
import { defineScript, listOf, malformed } from '../../redis/script.ts';
import { type CouponKeys, loadingKey } from '../../stream/keys.ts';

export interface FinishOpeningInput {
  readonly keys: CouponKeys;
  readonly token: string;
  /** How many owners were gathered. */
  readonly owners: number;
  /** What `serverOf` says of the connection. */
  readonly server: string;
  readonly stock: Stock;
  readonly epoch: number;
  readonly version: number;
}

export type FinishOpeningReply = 'opened' | 'superseded' | 'incomplete';

export const finishOpening = defineScript<FinishOpeningInput, FinishOpeningReply>({
  source: new URL('./finish-opening.lua', import.meta.url),
  keys: ({ keys, token }) => [keys.state, keys.owners, keys.opening, loadingKey(keys, token)],
  args: ({ token, owners, server, stock, epoch, version }) => {
    const state = {
      run: server,
      next: stock.next,
      until: stock.until,
      // Sequences below `next` that nobody owns. Owners must always be `next - 1 - gap`, else some were lost.
      gap: stock.next - 1 - owners,
      start: stock.startMs,
      end: stock.endMs,
      paused: stock.paused ? 1 : 0,
      epoch,
      version,
    };
    return [token, owners, ...Object.entries(state).flat()];
  },
  read: (raw) => {
    const verdict = listOf(raw, 'finish-opening')[0];
    if (verdict === 'opened' || verdict === 'superseded' || verdict === 'incomplete') return verdict;
    return malformed('finish-opening');
  },
});
