// demoted-primary.test.ts -- Another MySQL takes over while old connections stay at the one before: nothing is read or written there.

import { afterAll, expect, test } from 'bun:test';
import { rmSync } from 'node:fs';
import { tempFolder } from '../../tools/leftovers.ts';
import { startMovableMysql } from '../chaos/movable-mysql.ts';
import { openStores } from '../stores.ts';

const folder = tempFolder('coupon-demoted-');
const mysql = await startMovableMysql(folder, undefined);
// In the one database that the user of the movable server may use.
const stores = await openStores({ databaseUrl: mysql.url, settings: { DATABASE_URL: mysql.url } });
afterAll(async () => {
  await stores.close();
  await mysql.stop();
  rmSync(folder, { recursive: true });
});

test('what a user has is never read from a demoted primary at which connections stayed', async () => {
  await using reading = await stores.createApi();
  const { id } = await stores.coupon();
  // Its connection is made before the failover.
  expect(await reading.issues.statusOf(id, 'a')).toEqual({ kind: 'none' });
  const endOld = await mysql.failOver();
  try {
    await using issuing = await stores.createApi();
    expect(await issuing.issuers.synchronous.issue(id, ['a'])).toEqual([{ kind: 'issued', sequence: 1 }]);
    expect(await reading.issues.statusOf(id, 'a')).toMatchObject({ kind: 'issued', sequence: 1 });
    expect(await reading.issues.listOf('a', { after: 0, limit: 10 })).toMatchObject([{ couponId: id, sequence: 1 }]);
    expect(await reading.issuers.synchronous.issue(id, ['b'])).toEqual([{ kind: 'issued', sequence: 2 }]);
  } finally {
    await endOld();
  }
}, 60_000);
