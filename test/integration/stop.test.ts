// stop.test.ts -- A process that is told to stop does so once, and within SHUTDOWN_MS_MAX also while a store hangs.

import { afterAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { withConnection } from '../../src/mysql/database.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import { eventually } from '../eventually.ts';
import { endStarted, startEntry } from '../started-entry.ts';
import { needsPlainMysql } from '../other-stores.ts';
import { openStores } from '../stores.ts';

// The lock below is held longer than a worker should take to stop.
const stores = await openStores({ settings: { TRANSACTION_MS_MAX: 19_000 } });
afterAll(async () => {
  await endStarted();
  await stores.close();
});

const start = (entry: string, environment: Readonly<Record<string, string>> = {}) =>
  startEntry(stores, entry, { environment });

/** Transactions of this database that wait for a lock. InnoDB refreshes the table only when it was not read for 100 ms. */
async function lockWaits(): Promise<number> {
  const [rows] = await withConnection(stores.database, (session) =>
    session.execute(sql`SELECT COUNT(*) AS waits FROM information_schema.innodb_trx
      JOIN information_schema.processlist ON id = trx_mysql_thread_id
      WHERE trx_state = 'LOCK WAIT' AND db = DATABASE()`),
  );
  return Number((rows as unknown as { waits: number | string }[])[0]?.waits);
}

test.each([
  ['src/server.ts', '"listening"'],
  ['workers/worker.ts', '"draining"'],
])('signals that mean nothing to %s are noted and do not end it', async (entry, ready) => {
  const { child, logOf, read } = start(entry);
  await eventually('it to start', () => logOf().includes(ready));
  for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) {
    child.kill(signal);
    const line = new RegExp(`"signal":"${signal}".*"a signal was ignored; SIGTERM stops"`);
    await eventually('a line', () => line.test(logOf()));
  }
  expect(child.exitCode).toBe(null);
  child.kill('SIGTERM');
  expect(await child.exited).toBe(0);
  await read;
});

test('SIGTERM and SIGINT together stop the API once', async () => {
  const { child, logOf, read } = start('src/server.ts');
  await eventually('the API to listen', () => logOf().includes('"listening"'));
  child.kill('SIGTERM');
  child.kill('SIGINT');
  expect(await child.exited).toBe(0);
  await read;
  expect(logOf().match(/"stopping: /g)).toHaveLength(1);
});

const cannotSeeLocks = needsPlainMysql('looks for lock waits in information_schema');
test.skipIf(cannotSeeLocks)(
  'a worker whose transaction hangs ends within SHUTDOWN_MS_MAX',
  async () => {
    const coupon = await stores.coupon();
    await using api = await stores.createApi();
    await api.issuance.issue('scripted', coupon.id, 'u1');
    await withConnection(stores.database, async (_, holder) => {
      await holder.query('BEGIN');
      await holder.query('SELECT id FROM coupons WHERE id = ? FOR UPDATE', [coupon.id]);
      const { child, read } = start('workers/worker.ts', { SHUTDOWN_MS_MAX: '300', TRANSACTION_MS_MAX: '19000' });
      const looks = { waitMsMax: 15_000, pauseMs: 200 };
      await waitUntil('the worker to wait for the lock', async () => (await lockWaits()) > 0, looks);
      const stoppedMs = performance.now();
      child.kill('SIGTERM');
      expect(await child.exited).toBe(1);
      expect(performance.now() - stoppedMs).toBeLessThan(8000);
      await read;
      await holder.query('ROLLBACK');
    });
    await using worker = await stores.startWorker();
    await worker.drained();
    expect(await stores.rows(coupon.id)).toHaveLength(1);
  },
  30_000,
);
