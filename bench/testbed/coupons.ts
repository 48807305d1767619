// coupons.ts -- Coupons for runs: created, requested, drained, and their rows counted.

import { sql } from 'drizzle-orm';
import { createCatalog } from '../../src/coupon/catalog.ts';
import { partitionKeys } from '../../src/stream/keys.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { scrape, totalOf } from './exposition.ts';
import type { Service } from './own-process.ts';
import type { Testbed } from './testbed.ts';

const DAY_MS = 86_400_000;
/** A backlog that is not gone by then is a failure of the run. */
const DRAIN_MS_MAX = 120_000;

/** Makes a coupon that is open now. It is new, so no refusal cache holds that it does not exist. */
export async function makeCoupon({ database }: Testbed, totalQuantity: number | null): Promise<number> {
  const { id } = await createCatalog(database, async () => {}, {
    clear: async () => true,
    freeFrom: async (couponId) => couponId,
  }).create({
    title: 'A coupon of a bench',
    totalQuantity,
    discountAmount: 1000,
    minAvailableAmount: 10_000,
    listed: false,
    startMs: Date.now() - DAY_MS,
    endMs: Date.now() + DAY_MS,
  });
  return id;
}

/** Requests a coupon once. Returns the status. */
export async function ask(url: string, couponId: number, userId: string | number, token?: string): Promise<number> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ couponId, userId }),
  });
  await response.text();
  return response.status;
}

/** Users accepted and not yet rows, of all partitions. */
export async function backlogOf({ redis, config }: Testbed): Promise<number> {
  const keys = Array.from({ length: config.PARTITIONS }, (_, partition) => partitionKeys(partition).unpersisted);
  // One by one: on a cluster they are on several nodes.
  const counts = await Promise.all(keys.map((key) => redis.get(key)));
  return counts.reduce((sum, count) => sum + Number(count ?? 0), 0);
}

/** Waits until the API has answered every request, and every accepted issue is a row. @throws Error after two minutes */
export async function drained(testbed: Testbed, apis: readonly Service[] = [testbed.api]): Promise<void> {
  await waitUntil(
    'the API to answer every request',
    async () => {
      const expositions = await Promise.all(apis.map(({ metricsUrl }) => scrape(metricsUrl)));
      return expositions.every(
        (each) => totalOf(each, 'coupon_waiting_users') + totalOf(each, 'coupon_batches_in_flight') === 0,
      );
    },
    // What they answer may be a second old, and each answer costs the API CPU.
    { waitMsMax: DRAIN_MS_MAX, pauseMs: 100 },
  );
  await persisted(testbed);
}

/** Waits until every accepted issue is a row. @throws Error after two minutes */
export async function persisted(testbed: Testbed): Promise<void> {
  await waitUntil('the backlog to be in MySQL', async () => (await backlogOf(testbed)) === 0, {
    waitMsMax: DRAIN_MS_MAX,
    pauseMs: 2,
  });
}

/** Rows of a range of coupons, now. */
export async function rowsOf({ database }: Testbed, first: number, count: number): Promise<number> {
  const [rows] = await withConnection(database, (session) =>
    session.execute(sql`
      SELECT COUNT(*) AS number FROM coupon_issues WHERE coupon_id >= ${first} AND coupon_id < ${first + count}`),
  );
  return Number((rows as unknown as { number: number }[])[0]?.number);
}
