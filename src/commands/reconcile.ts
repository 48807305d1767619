// reconcile.ts -- Entry of `bun run reconcile`: compares one coupon in Redis with MySQL now, and writes again what MySQL lost; or lists and
// discards what Redis has of coupons that MySQL does not have.
//
// Workers do the first by themselves, in every round; this is for an operator who has just restored MySQL and wants to see it done.

import { parseArgs } from 'node:util';
import { forgetRequestsOf } from '../issuing/idempotency.ts';
import { auditCoupon } from '../operations/audit.ts';
import { createDeadLetters } from '../operations/dead-letters.ts';
import { countOrphan, orphanPages, removeOrphan } from '../operations/orphans.ts';
import { OperatorError } from '../operator-error.ts';
import { createStockKeeper } from '../stock/opening.ts';
import { moveHomeBack, restoreLost } from '../stock/restoring.ts';
import { type CommandStores, runCommand, UsageError, withStores } from './command.ts';

const usage = `usage: bun run reconcile --coupon N             write again what MySQL lost of a coupon, and count it
       bun run reconcile --orphans              list what Redis has of coupons that MySQL does not have
       bun run reconcile --coupon N --discard   remove what Redis has of such a coupon, its users' issues included`;

await runCommand(usage, (args) => withStores(readWork(args)));

function readWork(args: string[]): (stores: CommandStores) => Promise<void> {
  let values: { coupon?: string | undefined; orphans?: boolean | undefined; discard?: boolean | undefined };
  try {
    const options = { coupon: { type: 'string' }, orphans: { type: 'boolean' }, discard: { type: 'boolean' } } as const;
    values = parseArgs({ args, options }).values;
  } catch {
    throw new UsageError(`wrong option: ${args.join(' ')}`);
  }
  const { coupon, orphans, discard } = values;
  if (orphans && coupon === undefined && !discard) return listOrphans;
  if (orphans || coupon === undefined || !/^[1-9]\d{0,14}$/.test(coupon))
    throw new UsageError('--coupon must be the id of a coupon');
  return (stores) => (discard ? discardOrphan : reconcileOne)(stores, Number(coupon));
}

async function reconcileOne(stores: CommandStores, couponId: number): Promise<void> {
  const { redisStock } = stores;
  const stock = createStockKeeper({ ...stores, onOpened: () => undefined, onBlocked: () => undefined });
  if (await moveHomeBack(stores, couponId)) console.log('Redis is the home of its stock again.');
  // A state that must be proven first, as after a restart of Redis, cannot be read.
  if ((await redisStock.epochOf(couponId)) > 0) await stock.open(couponId, true);
  console.log(`${await restoreLost(stores, couponId)} issue(s) that MySQL lost are on their way to it.`);
  const audit = await auditCoupon(stores, couponId);
  if (!audit)
    throw new OperatorError(
      `MySQL has no coupon ${couponId}; restore its row first, or discard what Redis has of it with --discard`,
    );
  console.log(JSON.stringify(audit, null, 2));
}

async function listOrphans(stores: CommandStores): Promise<void> {
  const seen = new Set<number>();
  for await (const ids of orphanPages(stores)) {
    for (const id of ids) {
      if (seen.has(id)) continue;
      seen.add(id);
      const { owners, waiting, letters } = await countOrphan(stores.redisStock, id);
      console.log(
        [`coupon ${id}`, `${owners} owners`, `${waiting} waiting`, `${letters.length} dead letters`].join('\t'),
      );
    }
  }
  console.error(`${seen.size} coupon(s) in Redis that MySQL does not have.`);
}

async function discardOrphan(stores: CommandStores, couponId: number): Promise<void> {
  const { redisStock } = stores;
  const { owners, waiting, letters } = await countOrphan(redisStock, couponId);
  if (waiting > 0)
    throw new OperatorError(`${waiting} entries of coupon ${couponId} wait; a worker makes dead letters of them first`);
  if (!(await removeOrphan(stores, couponId))) throw new OperatorError(`MySQL has coupon ${couponId}: it is no orphan`);
  const deadLetters = createDeadLetters(redisStock);
  for (const id of letters) await deadLetters.discard(id);
  const requests = await forgetRequestsOf(redisStock.redis, new Set([couponId]));
  console.log(
    `Discarded ${owners} owners, ${letters.length} dead letters, ${requests} idempotency keys of coupon ${couponId}.`,
  );
}
