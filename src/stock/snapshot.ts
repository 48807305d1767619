// snapshot.ts -- How a coupon's stock stands: home, issued, left and state, read from the home of the stock without changing anything.

import { readCoupon } from '../coupon/catalog.ts';
import {
  type Coupon,
  checkPeriod,
  type PeriodRefusal,
  type Stock,
  type StockHome,
  UNLIMITED,
} from '../coupon/coupon.ts';
import { type Owner, ownerPages, readLastRow } from '../coupon/issue-rows.ts';
import { type Database, readFromPrimary } from '../mysql/database.ts';
import type { RedisStock } from './redis-stock.ts';

export interface Snapshot {
  readonly home: StockHome;
  /** The answer to a user who does not have it: `open`, or why not. `not open`: its home is Redis, which has no usable state. */
  readonly state: 'open' | 'not open' | 'sold out' | PeriodRefusal['kind'];
  readonly startMs: number;
  /** How many have it; null while `not open`. */
  readonly issued: number | null;
  /** Null when unlimited, or while `not open`. */
  readonly left: number | null;
  /** Two that were read with the same edition saw the same owners. */
  readonly edition: string;
  /** All who have it, in pages; none while `not open`. */
  readonly owners: () => AsyncIterable<readonly string[]>;
}

export interface SnapshotDependencies {
  readonly redisStock: RedisStock;
  readonly database: Database;
  readonly settings: { readonly OPENING_PAGE: number };
}

/** Both throw what Redis or MySQL throw. */
export interface Snapshots {
  /** Asks MySQL only if the coupon is not open in Redis. Null when there is no such coupon. */
  read(couponId: number): Promise<Snapshot | null>;
  /** For callers that have just read the coupon: asks nothing more while its home is MySQL. */
  of(coupon: Coupon): Promise<Snapshot>;
}

export function createSnapshots({ redisStock, database, settings }: SnapshotDependencies): Snapshots {
  async function inRedis(couponId: number): Promise<Snapshot | null> {
    const seen = await redisStock.look(couponId);
    if (seen.kind === 'not open') return null;
    const { server, stock, nowMs, epoch, version, issued } = seen;
    const left = stock.until === UNLIMITED ? null : Math.max(0, stock.until - stock.next + 1);
    // With the server: one that took over may have lost issues, and given their sequences to others under the same epoch.
    const edition = `redis ${server} ${epoch} ${version} ${stock.next}`;
    const owners = () => usersOf(redisStock.owners(couponId));
    return { home: 'redis', ...stateOf(stock, left, nowMs), issued, left, edition, owners };
  }
  function inMysql(coupon: Coupon, last = ''): Snapshot {
    const { id, stockHome: home, startMs, totalQuantity, issuedQuantity: issued, epoch, version } = coupon;
    if (home === 'redis')
      return { home, state: 'not open', startMs, issued: null, left: null, edition: '', owners: noOwners };
    const left = totalQuantity === null ? null : Math.max(0, totalQuantity - issued);
    const edition = `mysql ${epoch} ${version} ${issued} ${last}`;
    const owners = () => usersOf(ownerPages(database, id, settings.OPENING_PAGE));
    return { home, ...stateOf(coupon, left, Date.now()), issued, left, edition, owners };
  }
  return {
    async read(couponId) {
      const open = await inRedis(couponId);
      if (open) return open;
      return readFromPrimary(database, async (session) => {
        // A MySQL that went back gives sequences to others: those of the row that was written last.
        const last = await readLastRow(session, couponId);
        const coupon = await readCoupon(session, couponId);
        return coupon && inMysql(coupon, last ? `${last.userId} ${last.written.getTime()}` : '');
      });
    },
    of: async (coupon) => (coupon.stockHome === 'redis' ? await inRedis(coupon.id) : null) ?? inMysql(coupon),
  };
}

function stateOf(stock: Pick<Stock, 'startMs' | 'endMs' | 'paused'>, left: number | null, nowMs: number) {
  const { startMs } = stock;
  return { state: checkPeriod(stock, nowMs)?.kind ?? (left === 0 ? 'sold out' : 'open'), startMs } as const;
}

async function* usersOf(owners: AsyncIterable<readonly Owner[]>): AsyncGenerator<readonly string[]> {
  for await (const page of owners) yield page.map(({ userId }) => userId);
}

async function* noOwners(): AsyncGenerator<readonly string[]> {}
