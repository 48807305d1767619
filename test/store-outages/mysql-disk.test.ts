// mysql-disk.test.ts -- A MySQL whose disk is really full: what Redis can decide is accepted, nothing accepted is taken for bad
// data, and all of it is written when there is room. Where no disk can be mounted, `mysql.test.ts` lets the server say the same.

import { expect, test } from 'bun:test';
import { startMysqlServer } from '../../tools/stack/mysql-server.ts';
import { errorNumber } from '../../src/mysql/faults.ts';
import { eventually } from '../eventually.ts';
import { openStores, type Stores } from '../stores.ts';
import { openCallers } from './callers.ts';
import { canMountDisks, mountSmallDisk, type SmallDisk } from './small-disk.ts';

const UNAVAILABLE = '503 FAIL_COUPON_ISSUE_REQUEST';

/** How servers say that there is no room: disk full, error of the storage engine, the table is full, no undo log to write to. */
const fullNumbers = [1021, 1030, 1114, 1637];

/** Small, and the log at its full size from the start: what grows is tables. */
const smallFiles = { 'innodb-buffer-pool-size': '32M', 'loose-innodb-log-file-size': '8M' };

/** Plays a scene on a MySQL that has a disk to itself. */
async function play(scene: (stores: Stores, disk: SmallDisk) => Promise<void>): Promise<void> {
  const disk = mountSmallDisk();
  try {
    const server = await startMysqlServer({ folder: disk.folder, settings: smallFiles });
    try {
      const stores = await openStores({ databaseUrl: server.url, settings: { PARTITIONS: 1 } });
      try {
        await scene(stores, disk);
      } finally {
        disk.empty();
        await stores.close();
      }
    } finally {
      await server.stop();
    }
  } finally {
    disk.unmount();
  }
}

test.skipIf(!canMountDisks)(
  'its disk is full: 202 from Redis, 503 from MySQL alone, nothing among the dead letters, and all is written when there is room',
  () =>
    play(async (stores, disk) => {
      await using api = await stores.createApi();
      await using callers = await openCallers(stores, api);
      await using worker = await stores.startWorker();
      const [opened, closed] = [
        await stores.coupon({ totalQuantity: null }),
        await stores.coupon({ totalQuantity: null }),
      ];
      expect(await callers.ask('scripted', opened.id, 'first')).toBe('202 #1');
      expect(await callers.ask('synchronous', opened.id, 'second')).toBe('201 #2');
      await worker.drained();
      disk.fill();
      const crowd = await fillTables(worker.retried, (users) => api.issuers.scripted.issue(opened.id, users));
      // More than fits in what is left of a page.
      for (const { id } of [opened, closed]) {
        const answers = await Promise.all(people('late', 500).map((user) => callers.ask('synchronous', id, user)));
        expect(answers.filter((answer) => !answer.startsWith('201 ')).length).toBeGreaterThan(0);
        expect(new Set(answers.filter((answer) => !answer.startsWith('201 ')))).toEqual(new Set([UNAVAILABLE]));
      }
      const reserved = 2 + crowd + 500;
      expect(await callers.ask('scripted', opened.id, 'a')).toBe(`202 #${reserved + 1}`);
      expect(await callers.ask('locked', opened.id, 'b')).toBe(`202 #${reserved + 2}`);
      disk.empty();
      await worker.drained();
      expect(await stores.rows(opened.id)).toHaveLength(reserved + 2);
      expect((await stores.couponNow(opened.id)).issuedQuantity).toBe(reserved + 2);
      expect(worker.deadLetters).toEqual([]);
      expect(await callers.ask('synchronous', opened.id, 'c')).toBe(`201 #${reserved + 3}`);
      expect(await callers.ask('synchronous', closed.id, 'd')).toMatch(/^201 /);
      expect(await callers.accusations(closed.id)).toEqual([]);
    }),
  30_000,
);

const people = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name}-${i}`);

/** Issues until the worker gets the error that there is no room; returns to how many users. */
async function fillTables(
  retried: readonly unknown[],
  issue: (users: readonly string[]) => Promise<unknown>,
): Promise<number> {
  let batches = 0;
  await eventually('the worker to meet a full disk', async () => {
    await issue(people(`crowd-${batches++}`, 500));
    return retried.some((failure) => fullNumbers.includes(errorNumber(failure) ?? 0));
  });
  return batches * 500;
}
