// erase.ts -- Entry of `bun run erase USER`: takes a user out of all that the stores hold, while the system runs.

import { commandActor } from '../auth/audit-trail.ts';
import { digestOf } from '../auth/authority.ts';
import { readConfig } from '../config/config.ts';
import { isUserId } from '../coupon/coupon.ts';
import { markedPartitions } from '../installation/installation.ts';
import { createReplicas } from '../issuing/replicas.ts';
import type { Database } from '../mysql/database.ts';
import { eraseUser } from '../operations/erasing.ts';
import { connect, issuingConnection } from '../redis/connection.ts';
import { explainRedis, explainStoreFailure } from '../runtime/store-faults.ts';
import { createRedisStock } from '../stock/redis-stock.ts';
import { runCommand, UsageError, withDatabase } from './command.ts';

const USAGE = `usage: bun run erase USER   (a user id, as it was sent to issue)

Puts a pseudonym in the place of the id, in rows, entries, dead letters and Redis. Sequences and counts stay. While a coupon can be
issued, the same user does not get it again. See docs/personal-data.md for what it cannot reach, such as backups.`;

/** Entries of the user become rows within this time, unless no worker runs. */
const WAIT_MS_MAX = 60_000;

await runCommand(USAGE, async ([userId, ...rest]) => {
  if (userId === undefined || rest.length > 0 || !isUserId(userId)) throw new UsageError('USER must be one user id');
  await withDatabase((database) => erase(database, userId));
});

async function erase(database: Database, userId: string): Promise<void> {
  const settings = readConfig();
  const redis = issuingConnection(settings, () => undefined);
  const replicas = createReplicas(settings, () => undefined);
  const connections = [redis, ...(replicas?.connections ?? [])];
  try {
    await Promise.all(connections.map(connect)).catch((error: unknown) => {
      throw explainStoreFailure(error, explainRedis);
    });
    const redisStock = createRedisStock(redis, settings, replicas?.confirm);
    redisStock.setPartitions(settings.PARTITIONS ?? (await markedPartitions(redis)));
    const keyDigests = settings.ADMIN_API_KEY === undefined ? [] : [digestOf(settings.ADMIN_API_KEY)];
    const dependencies = { redisStock, database, keyDigests, waitMsMax: WAIT_MS_MAX };
    const { size } = await eraseUser(dependencies, userId, commandActor('erase'));
    console.log(size === 0 ? 'There is nothing of this user.' : `The user is erased from ${size} coupon(s).`);
  } finally {
    for (const connection of connections) connection.disconnect();
  }
}
