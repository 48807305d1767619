// reconcile.ts -- Entry of `bun run reconcile --coupon N`: compares one coupon in Redis with MySQL now, and writes again what MySQL lost.
//
// Workers do the same by themselves, in every round; this is for an operator who has just restored MySQL and wants to see it done.

import { parseArgs } from 'node:util';
import { readConfig } from '../config/config.ts';
import type { Database } from '../mysql/database.ts';
import { markedPartitions } from '../installation/installation.ts';
import { auditCoupon } from '../operations/audit.ts';
import { OperatorError } from '../operator-error.ts';
import { connect, issuingConnection } from '../redis/connection.ts';
import { createStockKeeper } from '../stock/opening.ts';
import { createRedisStock } from '../stock/redis-stock.ts';
import { moveHomeBack, restoreLost } from '../stock/restoring.ts';
import { explainRedis, explainStoreFailure } from '../runtime/store-faults.ts';
import { runCommand, UsageError, withDatabase } from './command.ts';

await runCommand('usage: bun run reconcile --coupon N', async (args) => {
  const couponId = readCoupon(args);
  await withDatabase((database) => reconcileOne(database, couponId));
});

function readCoupon(args: string[]): number {
  let coupon: string | undefined;
  try {
    coupon = parseArgs({ args, options: { coupon: { type: 'string' } } }).values.coupon;
  } catch {
    throw new UsageError(`wrong option: ${args.join(' ')}`);
  }
  if (coupon === undefined || !/^[1-9]\d{0,14}$/.test(coupon))
    throw new UsageError('--coupon must be the id of a coupon');
  return Number(coupon);
}

async function reconcileOne(database: Database, couponId: number): Promise<void> {
  const settings = readConfig();
  const redis = issuingConnection(settings, () => undefined);
  try {
    await connect(redis).catch((error: unknown) => {
      throw explainStoreFailure(error, explainRedis);
    });
    const redisStock = createRedisStock(redis, settings);
    redisStock.setPartitions(settings.PARTITIONS ?? (await markedPartitions(redis)));
    const dependencies = { redisStock, database, settings };
    const stock = createStockKeeper({ ...dependencies, onOpened: () => undefined, onBlocked: () => undefined });
    if (await moveHomeBack(dependencies, couponId)) console.log('Redis is the home of its stock again.');
    // A state that must be proven first, as after a restart of Redis, cannot be read.
    if ((await redisStock.epochOf(couponId)) > 0) await stock.open(couponId, true);
    console.log(`${await restoreLost(dependencies, couponId)} issue(s) that MySQL lost are on their way to it.`);
    const audit = await auditCoupon(dependencies, couponId);
    if (!audit) throw new OperatorError(`MySQL has no coupon ${couponId}; restore its row first`);
    console.log(JSON.stringify(audit, null, 2));
  } finally {
    redis.disconnect();
  }
}
