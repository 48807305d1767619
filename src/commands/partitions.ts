// partitions.ts -- Entry of `bun run partitions N`: changes the number of partitions, while no other process runs. Nothing is lost.
//
// A coupon's partition is in the names of its keys. So everything that was accepted must be a row first: then the states can go,
// since each coupon is opened from its rows by the next request, under the new keys. Dead letters move.

import { readConfig, redisSettings } from '../config/config.ts';
import type { Database } from '../mysql/database.ts';
import { OperatorError } from '../operator-error.ts';
import { connect, issuingConnection } from '../redis/connection.ts';
import { changePartitions } from '../installation/repartition.ts';
import { explainRedis, explainStoreFailure } from '../runtime/store-faults.ts';
import { runCommand, UsageError, withDatabase } from './command.ts';

await runCommand(
  'usage: bun run partitions N   (changes the number of partitions; first wait until nothing is unpersisted, then stop API and workers)',
  async (args) => {
    const [text = '', ...rest] = args;
    const partitions = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : 0;
    if (partitions < 1 || partitions > 1024 || rest.length > 0)
      throw new UsageError('N must be an integer from 1 to 1024');
    await withDatabase((database) => change(database, partitions));
  },
);

async function change(database: Database, partitions: number): Promise<void> {
  const settings = readConfig(redisSettings);
  const redis = issuingConnection(settings, () => undefined);
  try {
    await connect(redis).catch((error: unknown) => {
      throw explainStoreFailure(error, explainRedis);
    });
    const { from, letters } = await changePartitions({ database, redis }, partitions);
    if (from === partitions) throw new OperatorError(`There are ${partitions} partitions already.`);
    console.log(
      `${from} partitions are ${partitions} now; ${letters} dead letter(s) moved. Set PARTITIONS=${partitions} everywhere.`,
    );
  } finally {
    redis.disconnect();
  }
}
