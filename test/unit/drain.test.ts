// Shows how the worker cuts its work, and what it does with a batch that MySQL refuses, or cannot take just now.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { InvariantViolation } from '../../src/invariant.ts';
import { type Entry, writeEntry } from '../../src/stream/entry.ts';
import { createRedisStock } from '../../src/stock/redis-stock.ts';
import { partitionKeys } from '../../src/stream/keys.ts';
import type { Database } from '../../src/mysql/database.ts';
import { chunksOf, drain } from '../../workers/drain.ts';
import { Stopped } from '../../workers/retry.ts';
import { secretUser, serverFault, socketFault } from './faults.ts';

const BAD_DATA = 1406;
const settings = { ROWS_PER_TRANSACTION_MAX: 3, RETRY_MS_MAX: 1 };

function entryOf(couponId: number, ...users: string[]): Entry {
  return { couponId, epoch: 1, firstSequence: 1, acceptedMs: 1_700_000_000_000, users };
}

const messageOf = (entry: Entry) => ({ id: `${entry.couponId}-0`, fields: writeEntry(entry) });

/** A database that refuses every connection, and a Redis that settles whatever it is given. */
function refusing(failure: (tries: number) => Error) {
  const reports = { deadLetters: [] as unknown[], settledWords: [] as unknown[][], retries: 0 };
  const stopping = new AbortController();
  let tries = 0;
  const database = {
    poolName: 'general',
    pools: { general: { getConnection: () => Promise.reject(failure(++tries)) } },
    server: { isVitess: false },
    transactionMsMax: 10_000,
    use: { general: { used: 0, waiting: 0 }, issuing: { used: 0, waiting: 0 } },
    onTransaction: () => {},
  } as unknown as Database;
  const redis = {
    evalsha: (_digest: string, _keys: number, ...words: unknown[]) => {
      reports.settledWords.push(words);
      return Promise.resolve(['settled', 1, 0]);
    },
  } as unknown as Redis;
  const observer = {
    written: () => {},
    retrying: () => void reports.retries++,
    deadLetter: (reason: string, users: number) => void reports.deadLetters.push([reason, users]),
  };
  const redisStock = createRedisStock(redis, { PARTITIONS: 4, UNPERSISTED_USERS_MAX: 1000 });
  const dependencies = { redisStock, database, keys: partitionKeys(2), settings, observer, stop: stopping.signal };
  return { dependencies, reports, stopping, tries: () => tries };
}

describe('chunks', () => {
  const entries = fc
    .array(fc.integer({ min: 1, max: 8 }), { maxLength: 30 })
    .map((sizes) =>
      sizes.map((size, id) => ({ id, entry: { users: Array.from({ length: size }, (_, i) => `u${i}`) } })),
    );
  const rowsMax = fc.integer({ min: 1, max: 10 });
  const rowsOf = (chunk: readonly { readonly entry: { readonly users: readonly string[] } }[]) =>
    chunk.reduce((sum, { entry }) => sum + entry.users.length, 0);

  test('together they are all entries, in order, each once', () => {
    fc.assert(fc.property(entries, rowsMax, (all, max) => expect([...chunksOf(all, max)].flat()).toEqual(all)));
  });

  test('none has more rows than the bound, unless it is one entry; none is empty', () => {
    fc.assert(
      fc.property(entries, rowsMax, (all, max) => {
        for (const chunk of chunksOf(all, max)) {
          expect(chunk.length).toBeGreaterThan(0);
          if (chunk.length > 1) expect(rowsOf(chunk)).toBeLessThanOrEqual(max);
        }
      }),
    );
  });

  test('none could have taken the first entry of the next', () => {
    fc.assert(
      fc.property(entries, rowsMax, (all, max) => {
        const chunks = [...chunksOf(all, max)];
        for (const [i, chunk] of chunks.entries()) {
          const next = chunks[i + 1]?.slice(0, 1);
          if (next) expect(rowsOf([...chunk, ...next])).toBeGreaterThan(max);
        }
      }),
    );
  });
});

test('what MySQL refuses for its data is buried entry by entry, as it came, and not tried again', async () => {
  const { dependencies, reports, tries } = refusing(() => serverFault(BAD_DATA));
  const entries = [entryOf(1, 'a'), entryOf(2, 'b', 'c'), entryOf(3, 'd')];
  await drain(dependencies, entries.map(messageOf));
  expect(reports.settledWords).toEqual(
    entries.map((entry) => {
      const { id, fields } = messageOf(entry);
      const keys = ['issues:{2}', 'issues:{2}:unpersisted', 'issues:{2}:dead'];
      return [...keys, 'workers', 1, id, entry.users.length, id, `MySQL error ${BAD_DATA}`, fields.length, ...fields];
    }),
  );
  expect(reports.deadLetters).toEqual(entries.map(({ users }) => [`MySQL error ${BAD_DATA}`, users.length]));
  // The first two together, then each alone, then the third, which is a chunk of its own.
  expect({ tries: tries(), retries: reports.retries }).toEqual({ tries: 4, retries: 0 });
});

test('a broken invariant buries its entry with the promise that it broke', async () => {
  const { dependencies, reports } = refusing(() => new InvariantViolation('P2: broken'));
  await drain(dependencies, [messageOf(entryOf(1, 'a', 'b'))]);
  expect(reports.deadLetters).toEqual([['P2: broken', 2]]);
});

test('an outage buries nothing, however long it lasts: the same entries are retried until it is stopped', async () => {
  const outages = [
    socketFault(),
    serverFault(1213),
    serverFault(1205),
    serverFault(1290),
    serverFault(1040),
    new Error('?'),
  ];
  const setup = refusing((tries) => {
    if (tries === 50) setup.stopping.abort();
    return outages[tries % outages.length] ?? socketFault();
  });
  const failure: unknown = await drain(setup.dependencies, [messageOf(entryOf(1, 'a'))]).catch(
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(Stopped);
  expect(setup.reports).toEqual({ deadLetters: [], settledWords: [], retries: 50 });
});

test('a stop while a bad entry is looked for is a stop like any other, and buries nothing', async () => {
  const setup = refusing(() => {
    setup.stopping.abort();
    return serverFault(BAD_DATA);
  });
  const messages = [messageOf(entryOf(1, secretUser)), messageOf(entryOf(2, 'b'))];
  const failure: unknown = await drain(setup.dependencies, messages).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(Stopped);
  expect(String(failure)).not.toContain(secretUser);
  expect(setup.reports).toEqual({ deadLetters: [], settledWords: [], retries: 0 });
});

test('an entry that cannot be decoded is buried as it came, without asking MySQL', async () => {
  const { dependencies, reports, tries } = refusing(() => socketFault());
  await drain(dependencies, [{ id: '1-0', fields: ['v', '99', 'u', 'a'] }]);
  expect(reports.deadLetters).toEqual([['unknown version', 0]]);
  expect(reports.settledWords.map((words) => words.slice(3))).toEqual([
    ['workers', 1, '1-0', 0, '1-0', 'unknown version', 4, 'v', '99', 'u', 'a'],
  ]);
  expect(tries()).toBe(0);
});

test('an entry that was deleted meanwhile is settled, and nothing is buried', async () => {
  const { dependencies, reports, tries } = refusing(() => socketFault());
  await drain(dependencies, [{ id: '1-0', fields: null }]);
  expect(reports.deadLetters).toEqual([]);
  expect(reports.settledWords.map((words) => words.slice(2))).toEqual([['workers', 1, '1-0', 0]]);
  expect(tries()).toBe(0);
});
