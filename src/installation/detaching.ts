// detaching.ts -- Makes of a copy of a database an installation of its own, so that it can never be taken for the one that it is a copy of.

import { randomUUID } from 'node:crypto';
import { eq } from 'drizzle-orm';
import type { Redis } from 'ioredis';
import { installation } from '../../drizzle/schema.ts';
import { revokeAllKeys } from '../auth/api-key-store.ts';
import { commandActor } from '../auth/audit-trail.ts';
import { type Database, readFromPrimary, withConnection } from '../mysql/database.ts';
import { OperatorError } from '../operator-error.ts';
import { INSTALLATION_KEY } from '../stream/keys.ts';

/**
 * Revokes its keys, and gives it another name and no Redis. Can be repeated after an interruption.
 *
 * @returns how many keys were revoked
 * @throws OperatorError when the Redis has a mark, since it may be that of the original; what the stores throw
 */
export async function detach({
  database,
  redis,
}: {
  readonly database: Database;
  readonly redis: Redis;
}): Promise<number> {
  const [row] = await readFromPrimary(database, (session) => session.select().from(installation));
  if (!row) throw new OperatorError('DATABASE_URL: no process has used this database yet: there is nothing to detach');
  const marked = await redis.hget(INSTALLATION_KEY, 'name');
  if (marked === row.name)
    throw new OperatorError(
      'REDIS_URL: this Redis is of the same installation as this database, which is then no copy; set REDIS_URL to an empty Redis',
    );
  if (marked !== null)
    throw new OperatorError('REDIS_URL: this Redis belongs to another installation; use an empty one');
  const keys = await revokeAllKeys(database, commandActor('detach'));
  // Last: from here on no process takes the Redis of the original for its own.
  await withConnection(database, (session) =>
    session
      .update(installation)
      .set({ name: randomUUID(), redisId: null, generation: 1 })
      .where(eq(installation.id, row.id)),
  );
  return keys;
}
