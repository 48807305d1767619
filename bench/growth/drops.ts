// drops.ts -- Drops that have been under way for a while: many owners, many open coupons.

import { coupons } from '../../drizzle/schema.ts';
import { couponKeys } from '../../src/stream/keys.ts';
import { raiseIssued } from '../../src/ledger/ledger.ts';
import { insertIssues } from '../../src/ledger/insert.ts';
import { withConnection, withTransaction } from '../../src/mysql/database.ts';
import { ask, makeCoupon } from '../testbed/coupons.ts';
import type { Testbed } from '../testbed/testbed.ts';

/** Rows in one transaction, well below the time that one may take. */
const ROWS = 5000;
/** Openings in parallel. */
const OPENINGS = 64;
const COUPONS_PER_INSERT = 1000;
/** Not among the users of the load: see issue.lua. */
const FIRST_OWNER = 200_000_000_000;
const STRIDE = 618_033_989;
const OWNERS = 10_000_000_000;

/** Gives a coupon, whose stock is still in MySQL, to `count` users. Their ids are as long as those of the load. */
export async function addOwners({ database }: Testbed, couponId: number, count: number): Promise<void> {
  for (let done = 0; done < count; done += ROWS) {
    const issues = Array.from({ length: Math.min(ROWS, count - done) }, (_, i) => ({
      couponId,
      epoch: 0,
      sequence: done + i + 1,
      userId: String(FIRST_OWNER + (((done + i) * STRIDE) % OWNERS)),
      acceptedMs: Date.now(),
    }));
    await withTransaction(database, async (tx) => {
      await insertIssues(tx, issues);
      await raiseIssued(tx, [couponId], issues.length);
    });
  }
}

/** Makes `count` coupons with ids one after the other and opens each. Returns the first id; each has one owner then. */
export async function openAll(testbed: Testbed, url: string, count: number): Promise<number> {
  const first = await makeCoupon(testbed, null);
  const copies = Array.from({ length: count - 1 }, (_, i) => first + 1 + i);
  await withConnection(testbed.database, async (session) => {
    const [model] = await session.select().from(coupons).orderBy(coupons.id).limit(1);
    if (model === undefined) throw new Error('there is no coupon to copy');
    const fields = { ...model, totalQuantity: null, issuedQuantity: 0, stockHome: 'mysql', epoch: 0 } as const;
    for (let i = 0; i < copies.length; i += COUPONS_PER_INSERT) {
      await session.insert(coupons).values(copies.slice(i, i + COUPONS_PER_INSERT).map((id) => ({ ...fields, id })));
    }
  });
  const ids = [first, ...copies];
  const openNext = async (): Promise<void> => {
    for (let id = ids.pop(); id !== undefined; id = ids.pop()) {
      const status = await ask(url, id, 'opener');
      if (status !== 202) throw new Error(`coupon ${id} did not open: ${status}`);
    }
  };
  await Promise.all(Array.from({ length: OPENINGS }, openNext));
  return first;
}

/** What the owners of a coupon take in the memory of Redis. */
export async function redisBytesOf({ redis, config }: Testbed, couponId: number): Promise<number> {
  const { owners } = couponKeys(couponId, config.PARTITIONS);
  return Number(await redis.call('MEMORY', 'USAGE', owners, 'SAMPLES', '0'));
}
