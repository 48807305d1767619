// detach.ts -- Entry of `bun run detach`: makes of a copy of a database, as for staging, an installation of its own.

import { databaseSettings, readConfig, redisSettings } from '../config/config.ts';
import { detach } from '../installation/detaching.ts';
import { connect, issuingConnection } from '../redis/connection.ts';
import { explainRedis, explainStoreFailure } from '../runtime/store-faults.ts';
import { refuseArguments, runCommand, withDatabase } from './command.ts';

const USAGE = `usage: bun run detach   (with the DATABASE_URL of the copy, and the REDIS_URL that it will use: an empty Redis)

Revokes all API keys and makes the copy a separate installation: it can no longer use the Redis of the original.`;

await runCommand(USAGE, async (args) => {
  refuseArguments(args);
  // It revokes keys: only on stores that are named.
  readConfig([...databaseSettings, ...redisSettings]);
  await withDatabase(async (database) => {
    const redis = issuingConnection(readConfig(redisSettings), () => undefined);
    try {
      await connect(redis).catch((error: unknown) => {
        throw explainStoreFailure(error, explainRedis);
      });
      const keys = await detach({ database, redis });
      console.log(`${keys} key(s) are revoked. This database is now a separate installation.`);
    } finally {
      redis.disconnect();
    }
  });
});
