// exactness.ts -- Whether the coupons of a run are exact, by the same verification as for every other load: a fast wrong run is a
// failure.

import type { LoadRecord } from '../verification/load-record.ts';
import { readEvidence } from '../verification/evidence.ts';
import { faultsIn } from '../verification/judgement.ts';
import type { Testbed } from './testbed.ts';

/** The stores of a run. */
type Stores = Pick<Testbed, 'redis' | 'database' | 'config'>;

/** Coupons read in parallel: as many as there are connections to MySQL. */
const PARALLEL = 10;
/** Faults listed for a range; the rest is only counted. */
const FAULTS_LISTED_MAX = 10;
/** A backlog that is not gone by then is a failure of the run. */
const DRAIN_MS_MAX = 120_000;

/**
 * Which promises are broken for a range of coupons, as sentences, with every row and every owner read.
 *
 * @param issued how many answers said that a coupon was issued, by the count of the processes that gave them
 */
export async function brokenPromises(
  stores: Stores,
  { first, count }: { readonly first: number; readonly count: number },
  issued: number,
): Promise<readonly string[]> {
  const left = Array.from({ length: count }, (_, i) => first + i);
  const broken: string[] = [];
  let rows = 0;
  const verifyNext = async (): Promise<void> => {
    for (let couponId = left.pop(); couponId !== undefined; couponId = left.pop()) {
      const judged = await judge(stores, couponId, null);
      rows += judged.rows;
      broken.push(...judged.faults);
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, count) }, verifyNext));
  if (rows !== issued) broken.push(`P3: ${issued} answers said issued, and there are ${rows} rows`);
  const more = broken.length - FAULTS_LISTED_MAX;
  return more > 0 ? [...broken.slice(0, FAULTS_LISTED_MAX), `and ${more} more`] : broken;
}

/** The same for one coupon, with each answer compared with its row. */
export async function brokenByRecord(stores: Stores, record: LoadRecord): Promise<readonly string[]> {
  return (await judge(stores, record.couponId, record)).faults;
}

async function judge({ redis, database, config }: Stores, couponId: number, record: LoadRecord | null) {
  const places = { redis, database, couponId, partitions: config.PARTITIONS };
  const evidence = await readEvidence({ ...places, waitMsMax: DRAIN_MS_MAX });
  const faults = faultsIn(evidence, record).map((fault) => `coupon ${couponId}: ${fault}`);
  return { rows: evidence.rows.length, faults };
}
