// mysql.test.ts -- Losing MySQL, or its good will: the asynchronous endpoints go on up to their bound, then 503; afterwards all
// that was accepted is written, and nothing of it is ever taken for bad data.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { startMysqlServer } from '../../tools/stack/mysql-server.ts';
import type { PrivateServer } from '../../tools/stack/private-server.ts';
import { errorNumber } from '../../src/mysql/faults.ts';
import { eventually } from '../eventually.ts';
import { openStores, type Settings, type Stores, type TestApi } from '../stores.ts';
import { openTcpProxy } from '../tcp-proxy.ts';
import type { TestWorker } from '../test-worker.ts';
import { type Callers, openCallers } from './callers.ts';

const folder = mkdtempSync(join(tmpdir(), 'coupon-losing-mysql-'));
let server: PrivateServer;
let stores: Stores;
/** Of the operator, who may do what the system may not. */
let operator: Connection;
let worker: TestWorker | null = null;

/** Small bounds, so that each is met within a second. One partition: coupons share transactions. */
const bounds: Settings = {
  PARTITIONS: 1,
  UNPERSISTED_USERS_MAX: 20,
  TRANSACTION_MS_MAX: 4000,
  MYSQL_CONNECT_MS_MAX: 1000,
  CLAIM_IDLE_MS: 100,
};

beforeAll(async () => {
  server = await startMysqlServer({ folder, settings: { 'innodb-lock-wait-timeout': '1' } });
  operator = await asOperator();
  // As in production: a user who may not do what a read-only server or a full one forbids.
  await operator.query("CREATE USER app@127.0.0.1 IDENTIFIED BY ''");
  await operator.query('GRANT ALL PRIVILEGES ON `coupon\\_test\\_%`.* TO app@127.0.0.1');
  await operator.query('GRANT SELECT ON coupon.* TO app@127.0.0.1');
  stores = await openStores({ databaseUrl: server.url.replace('root@', 'app@') });
});

afterEach(async () => {
  await worker?.stop();
  worker = null;
  await stores.redis.flushdb();
});

afterAll(async () => {
  await stores?.close();
  await operator?.end();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const UNAVAILABLE = '503 FAIL_COUPON_ISSUE_REQUEST';
const already = (sequence: number) => `409 DUPLICATED_COUPON_ISSUE #${sequence}`;

function asOperator(): Promise<Connection> {
  return createConnection({ uri: server.url, multipleStatements: false });
}

interface Scene {
  readonly api: TestApi;
  readonly callers: Callers;
  /** A coupon whose stock is in Redis; `first` and `second` have it, and are rows. */
  readonly opened: number;
  /** A coupon whose stock is in MySQL. */
  readonly closed: number;
  readonly worker: TestWorker;
}

/** An API, a worker and two coupons without limit. */
async function play(scene: (scene: Scene) => Promise<void>): Promise<void> {
  await using api = await stores.createApi(bounds);
  await using callers = await openCallers(stores, api);
  worker = await stores.startWorker(bounds);
  const [opened, closed] = [await stores.coupon({ totalQuantity: null }), await stores.coupon({ totalQuantity: null })];
  expect(await callers.ask('scripted', opened.id, 'first')).toBe('202 #1');
  // From here on `synchronous` knows where the stock is, and reserves there before it asks MySQL for anything.
  expect(await callers.ask('synchronous', opened.id, 'second')).toBe('201 #2');
  await worker.drained();
  await scene({ api, callers, opened: opened.id, closed: closed.id, worker });
}

/** The three endpoints while MySQL cannot write: what is asked of it alone fails, what Redis can decide is accepted. */
async function expectHalfAnswers({ callers, opened }: Scene): Promise<void> {
  expect(await callers.ask('scripted', opened, 'a')).toBe('202 #3');
  expect(await callers.ask('locked', opened, 'b')).toBe('202 #4');
  // Accepted in Redis, and not answered with a success: it will be a row all the same.
  expect(await callers.ask('synchronous', opened, 'c')).toBe(UNAVAILABLE);
  expect(await callers.ask('scripted', opened, 'c')).toBe(already(5));
}

/** Everything accepted becomes a row, with the sequences of the answers, and nothing was discarded. */
async function expectAllWritten({ callers, worker: worked, opened, closed }: Scene, users: readonly string[]) {
  await worked.drained();
  expect((await stores.rows(opened)).map(({ userId }) => userId)).toEqual([...users]);
  expect(worked.deadLetters).toEqual([]);
  expect(await stores.redis.get('issues:{0}:unpersisted')).toBe('0');
  expect(await stores.redis.exists('issues:{0}:dead')).toBe(0);
  expect(await callers.ask('synchronous', opened, 'last')).toBe(`201 #${users.length + 1}`);
  expect(await callers.ask('synchronous', closed, 'x')).toMatch(/^(201 #1|409 DUPLICATED_COUPON_ISSUE #1)$/);
  await worked.drained();
  for (const id of [opened, closed]) expect(await callers.accusations(id)).toEqual([]);
}

/** Waits until the worker was refused with one of these numbers of MySQL's. */
async function refusedWith(worked: TestWorker, ...numbers: readonly number[]): Promise<void> {
  await eventually(`the worker to meet ${numbers.join(' or ')}`, () =>
    worked.retried.some((failure) => numbers.includes(errorNumber(failure) ?? 0)),
  );
}

/** Waits until so many transactions wait for a lock. */
async function lockWaits(count: number): Promise<void> {
  await eventually(`${count} to wait for a lock`, async () => {
    const [rows] = await operator.query<RowDataPacket[]>("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'");
    return Number(rows[0]?.['Value']) >= count;
  });
}

const databaseName = () => new URL(stores.config.DATABASE_URL).pathname.slice(1);

test('down: accepted up to the bound of unpersisted users, then 503; all is written when it is back', () =>
  play(async (scene) => {
    const { callers, opened, closed } = scene;
    await operator.end();
    await server.kill();
    await expectHalfAnswers(scene);
    expect(await callers.ask('synchronous', closed, 'x')).toBe(UNAVAILABLE);
    // To open a coupon needs MySQL: who has never been asked for cannot be accepted now.
    expect(await callers.ask('scripted', closed, 'x')).toBe(UNAVAILABLE);
    const users = ['first', 'second', 'a', 'b', 'c'];
    for (let i = 3; i < 20; i++) {
      users.push(`more-${i}`);
      expect(await callers.ask(i % 2 ? 'scripted' : 'locked', opened, `more-${i}`)).toBe(`202 #${users.length}`);
    }
    for (const issuer of ['scripted', 'locked', 'synchronous'] as const)
      expect(await callers.ask(issuer, opened, 'beyond')).toBe(UNAVAILABLE);
    expect(await callers.ask('scripted', opened, 'a')).toBe(already(3));
    await eventually('the worker to have tried', () => scene.worker.retried.length > 2);
    await server.restart();
    operator = await asOperator();
    await expectAllWritten(scene, users);
  }));

test('a deadlock: the worker is the victim, and retries', () =>
  play(async (scene) => {
    const { callers, opened, closed } = scene;
    expect(await callers.ask('scripted', closed, 'x')).toBe('202 #1');
    await scene.worker.drained();
    const rival = await asOperator();
    try {
      await rival.query(`USE ${databaseName()}`);
      await rival.query('BEGIN');
      // Who changed fewer rows is the victim.
      await rival.query(`UPDATE coupon_issues SET date_used = NULL, date_updated = date_created`);
      await rival.query(`UPDATE coupons SET title = 'rival' WHERE id = ${closed}`);
      await Promise.all([callers.ask('scripted', opened, 'a'), callers.ask('scripted', closed, 'y')]);
      await lockWaits(1);
      await rival.query(`UPDATE coupons SET title = 'rival' WHERE id = ${opened}`);
      await rival.query('COMMIT');
    } finally {
      await rival.end();
    }
    await expectAllWritten(scene, ['first', 'second', 'a']);
    expect(scene.worker.retried.map(errorNumber)).toEqual([1213]);
  }));

test('a lock held too long: waited for up to a bound, then retried', () =>
  play(async (scene) => {
    const holder = await asOperator();
    try {
      await holder.query(`USE ${databaseName()}`);
      await holder.query('BEGIN');
      await holder.query(`SELECT id FROM coupons WHERE id IN (${scene.opened}, ${scene.closed}) FOR UPDATE`);
      await expectHalfAnswers(scene);
      expect(await scene.callers.ask('synchronous', scene.closed, 'x')).toBe(UNAVAILABLE);
      await refusedWith(scene.worker, 1205);
    } finally {
      await holder.end();
    }
    await expectAllWritten(scene, ['first', 'second', 'a', 'b', 'c']);
  }));

test('too many connections: 503 from MySQL alone, and all is written when there are fewer', () =>
  play(async (scene) => {
    const greedy: Connection[] = [];
    const takeAll = async () => {
      for (;;) {
        const one = await createConnection(server.url.replace('root@', 'app@')).catch((error: unknown) => error);
        if (errorNumber(one) === 1040) return;
        if (one instanceof Error) throw one;
        greedy.push(one as Connection);
      }
    };
    await operator.query('SET GLOBAL max_connections = 20');
    try {
      await takeAll();
      // A process may have connected again in between.
      while ((await endConnectionsOfOurs(greedy)) > 0) await takeAll();
      await expectHalfAnswers(scene);
      expect(await scene.callers.ask('synchronous', scene.closed, 'x')).toBe(UNAVAILABLE);
      await refusedWith(scene.worker, 1040);
    } finally {
      for (const one of greedy) one.destroy();
      await operator.query('SET GLOBAL max_connections = 500');
    }
    await expectAllWritten(scene, ['first', 'second', 'a', 'b', 'c']);
  }));

const NO_SUCH_THREAD = 1094;

/** Ends what the pools hold, so that they must reconnect. Returns how many these were. */
async function endConnectionsOfOurs(others: readonly Connection[]): Promise<number> {
  const kept = new Set(others.map(({ threadId }) => threadId));
  const [rows] = await operator.query<RowDataPacket[]>(
    "SELECT id FROM information_schema.processlist WHERE user = 'app'",
  );
  const ids = rows.map((row) => Number(row['id'] ?? row['ID'])).filter((id) => !kept.has(id));
  for (const id of ids) {
    await operator.query(`KILL ${id}`).catch((error: unknown) => {
      // It ended by itself in the meantime.
      if (errorNumber(error) !== NO_SUCH_THREAD) throw error;
    });
  }
  return ids.length;
}

test('read-only: nothing is written until it may be, then everything', () =>
  play(async (scene) => {
    await operator.query('SET GLOBAL read_only = 1');
    try {
      await expectHalfAnswers(scene);
      expect(await scene.callers.ask('synchronous', scene.closed, 'x')).toBe(UNAVAILABLE);
      await refusedWith(scene.worker, 1290);
    } finally {
      await operator.query('SET GLOBAL read_only = 0');
    }
    await expectAllWritten(scene, ['first', 'second', 'a', 'b', 'c']);
  }));

test('a table with an unknown column without default: retried until it is repaired', () =>
  play(async (scene) => {
    await operator.query(`USE ${databaseName()}`);
    await operator.query('ALTER TABLE coupon_issues ADD COLUMN planted varchar(8) NOT NULL');
    try {
      await expectHalfAnswers(scene);
      await refusedWith(scene.worker, 1364);
    } finally {
      await operator.query('ALTER TABLE coupon_issues DROP COLUMN planted');
    }
    await expectAllWritten(scene, ['first', 'second', 'a', 'b', 'c']);
  }));

/** How servers say that there is no room, or that they cannot just now. Said by the server itself, on a trigger's word. */
const passing = {
  1021: 'disk full',
  1030: 'error of the storage engine',
  1041: 'out of memory',
  1114: 'the table is full',
  1180: 'error during COMMIT',
};

for (const [number, name] of Object.entries(passing)) {
  test(`MySQL error ${number} (${name}) is retried until it is gone`, () =>
    play(async (scene) => {
      await operator.query(`USE ${databaseName()}`);
      await operator.query(
        `CREATE TRIGGER failing BEFORE INSERT ON coupon_issues FOR EACH ROW
           SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = ${number}, MESSAGE_TEXT = 'planted'`,
      );
      try {
        await expectHalfAnswers(scene);
        await refusedWith(scene.worker, Number(number));
      } finally {
        await operator.query('DROP TRIGGER failing');
      }
      await expectAllWritten(scene, ['first', 'second', 'a', 'b', 'c']);
    }));
}

describe('a commit whose reply is lost', () => {
  for (const home of ['opened', 'closed'] as const) {
    test(`is ambiguous (stock ${home === 'opened' ? 'in Redis' : 'in MySQL'}), and a retry returns the result`, () =>
      play(async (scene) => {
        await using proxy = await openTcpProxy(stores.config.DATABASE_URL);
        await using api = await stores.createApi({ ...bounds, DATABASE_URL: proxy.url });
        await using callers = await openCallers(stores, api);
        const id = scene[home];
        const sequence = home === 'opened' ? 3 : 1;
        if (home === 'opened') expect(await callers.ask('synchronous', id, 'second')).toBe(already(2));
        // It has seen the coupon, so that the commit is that of the issue.
        expect(await api.readPublic(id)).toMatchObject({ id });
        // Not that of a look for the coupon.
        proxy.loseReplyTo((text) => text.endsWith('COMMIT') && (home === 'opened' || text.includes('INSERT')));
        expect(await callers.ask('synchronous', id, 'a')).toBe(UNAVAILABLE);
        expect(proxy.repliesLost()).toBe(1);
        for (const issuer of ['synchronous', 'scripted', 'locked'] as const)
          expect(await callers.ask(issuer, id, 'a')).toBe(already(sequence));
        await scene.worker.drained();
        expect((await stores.rows(id)).map(({ userId }) => userId)).toEqual(
          home === 'opened' ? ['first', 'second', 'a'] : ['a'],
        );
        // Of `first` these callers know nothing.
        if (home === 'closed') expect(await callers.accusations(id)).toEqual([]);
      }));
  }

  test('of an opening: 503, and the next request opens the coupon', () =>
    play(async (scene) => {
      await using proxy = await openTcpProxy(stores.config.DATABASE_URL);
      await using api = await stores.createApi({ ...bounds, DATABASE_URL: proxy.url });
      await using callers = await openCallers(stores, api);
      // Else the first commit would be that of looking whether there is such a coupon.
      await api.readPublic(scene.closed);
      proxy.loseReplyTo((text) => text.endsWith('COMMIT'));
      expect(await callers.ask('scripted', scene.closed, 'a')).toBe(UNAVAILABLE);
      expect(await callers.ask('scripted', scene.closed, 'a')).toBe('202 #1');
      await scene.worker.drained();
      expect(await callers.accusations(scene.closed)).toEqual([]);
    }));
});
