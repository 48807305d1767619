// ledger.test.ts -- One write for many coupons: each is counted rightly, and the statements do not grow with the coupons.

import { afterAll, expect, test } from 'bun:test';
import { inArray, sql } from 'drizzle-orm';
import { coupons } from '../../drizzle/schema.ts';
import { writeEntries } from '../../src/ledger/ledger.ts';
import { closeDatabase, openDatabase, withConnection } from '../../src/mysql/database.ts';
import { needsPlainMysql } from '../other-stores.ts';
import { openStores } from '../stores.ts';

const stores = await openStores();
/** Of one connection, so that what its session counts is what was asked through it. */
const database = openDatabase({ ...stores.config, MYSQL_CONNECTIONS_MAX: 1 });
afterAll(async () => {
  await closeDatabase(database);
  await stores.close();
});

/** UPDATE statements of the session so far. */
async function updates(): Promise<number> {
  const [rows] = await withConnection(database, (session) =>
    session.execute(sql`SHOW SESSION STATUS LIKE 'Com_update'`),
  );
  return Number((rows as unknown as { Value: string }[])[0]?.Value);
}

const cannotCount = needsPlainMysql('counts statements in the status of its session');
test.skipIf(cannotCount)(
  'coupons that get equally many rows are counted by one statement, each by its own rows',
  async () => {
    const sizes = [1, 3, 1, 2, 1, 3, 1, 1];
    const entries = [];
    for (const size of sizes) {
      const { id: couponId } = await stores.coupon();
      const users = Array.from({ length: size }, (_, i) => `user-${i}`);
      entries.push({ couponId, epoch: 0, firstSequence: 1, acceptedMs: Date.now(), users });
    }
    const before = await updates();
    const { inserted } = await writeEntries(database, entries.toReversed());
    const statements = (await updates()) - before;
    const ids = entries.map(({ couponId }) => couponId);
    const counted = await withConnection(database, (session) =>
      session
        .select({ issued: coupons.issuedQuantity })
        .from(coupons)
        .where(inArray(coupons.id, ids))
        .orderBy(coupons.id),
    );
    expect({ inserted, statements, counted: counted.map(({ issued }) => issued) }).toEqual({
      inserted: 13,
      statements: 3,
      counted: sizes,
    });
    // Once more, as after a lost reply: nothing changes.
    expect(await writeEntries(database, entries)).toMatchObject({ inserted: 0, unchanged: 13 });
  },
);
