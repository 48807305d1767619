// lease.ts -- A lease in MySQL: one process at a time does something, by the clock of MySQL. Its holder must stop in time by its own.

import { sql } from 'drizzle-orm';
import { leases } from '../../drizzle/schema.ts';
import { type Database, withConnection } from './database.ts';

/** Takes or renews a lease for so long. False: another owner has it. Throws what MySQL throws. */
export function takeLease(database: Database, name: string, owner: string, leaseMs: number): Promise<boolean> {
  const dateUntil = sql`UTC_TIMESTAMP(3) + INTERVAL ${leaseMs * 1000} MICROSECOND`;
  return withConnection(database, async (session) => {
    const [{ affectedRows }] = await session
      .update(leases)
      .set({ owner, dateUntil })
      .where(sql`name = ${name} AND (owner = ${owner} OR date_until < UTC_TIMESTAMP(3))`);
    if (affectedRows === 1) return true;
    // There is none yet, or it is another's. Vitess lets no statement set the column that it shards by, not even to itself.
    const [inserted] = await session
      .insert(leases)
      .values({ name, owner, dateUntil })
      .onDuplicateKeyUpdate({ set: { owner: sql`owner` } });
    return inserted.affectedRows === 1;
  });
}

/** Gives a lease back, if it is still this owner's. */
export async function endLease(database: Database, name: string, owner: string): Promise<void> {
  await withConnection(database, (session) => session.delete(leases).where(sql`name = ${name} AND owner = ${owner}`));
}
