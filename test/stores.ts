// stores.ts -- Real stores for one test file: a MySQL database and a Redis database of its own, gone when the file is done.
//
// Nothing of one file can be seen from another: names are random, coupon ids begin at a random number, and keys live in a
// logical database that no other file has at the same time. What is shared by all logical databases is the `run_id` and
// the channel of edits; a message about an id that nobody has does no harm.

import { randomInt } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import type { Redis } from 'ioredis';
import { couponIssues, coupons } from '../drizzle/schema.ts';
import { type Config, readConfig } from '../src/config/config.ts';
import { readCoupon } from '../src/coupon/catalog.ts';
import type { Coupon, CouponDraft } from '../src/coupon/coupon.ts';
import { type CouponKeys, couponKeys } from '../src/stream/keys.ts';
import { invariant } from '../src/invariant.ts';
import { wireApi, type ApiParts } from '../src/wiring/api.ts';
import { closeDatabase, type Database, openDatabase, withConnection } from '../src/mysql/database.ts';
import { applyMigrations } from '../src/mysql/migrations.ts';
import { connect } from '../src/redis/connection.ts';
import { createLog } from '../src/telemetry/log.ts';
import { type ApiMetrics, createApiMetrics } from '../src/wiring/metrics.ts';
import { startTestWorker, type TestWorker } from './test-worker.ts';
import { claimRedisDatabase } from './redis-database.ts';
import { eventually } from './eventually.ts';
import { claimKeyspace } from './vitess/claim-keyspace.ts';

/** Settings by the names of the environment. */
export type Settings = Readonly<Partial<Record<keyof Config, string | number>>>;

/** With the number of partitions that the stores have. */
export type PartitionedConfig = Config & { readonly PARTITIONS: number };

/** One row of `coupon_issues`. */
export interface Row {
  readonly sequence: number;
  readonly userId: string;
  readonly issuedMs: number;
}

/** An API without HTTP, connected and listening. */
export interface TestApi extends ApiParts, AsyncDisposable {
  readonly metrics: ApiMetrics;
  /** How many openings it did. */
  openings(): Promise<{ readonly proven: number; readonly rebuilt: number }>;
  /** How many requests it refused by a closed sign, without asking a store. */
  refusalCacheHits(): Promise<number>;
  /** Offers once to a Redis that failed over, and compares once. */
  offerAndCompare(): Promise<void>;
}

export interface Stores {
  /** A connection of the test itself, to look and to do harm. */
  readonly redis: Redis;
  readonly database: Database;
  readonly config: PartitionedConfig;
  /** The configuration with some settings of the test's own. */
  configWith(settings: Settings): PartitionedConfig;
  createApi(settings?: Settings): Promise<TestApi>;
  /** Drains every partition until it is stopped. */
  startWorker(settings?: Settings): Promise<TestWorker>;
  /** Makes a coupon: ten pieces, open now, unless told otherwise. */
  coupon(fields?: Partial<CouponDraft>): Promise<Coupon>;
  /** The coupon as MySQL has it now. */
  couponNow(id: number): Promise<Coupon>;
  /** Edits a coupon as an operator would, and drops its state in Redis, so that it is read anew from MySQL. */
  edit(id: number, fields: Partial<typeof coupons.$inferInsert>): Promise<void>;
  /** The issues of a coupon, by sequence. */
  rows(couponId: number): Promise<readonly Row[]>;
  keys(couponId: number): CouponKeys;
  close(): Promise<void>;
}

/** Where the stores are; by default those that `bun run test` started. */
export interface StoresOptions {
  readonly redisUrl?: string;
  readonly databaseUrl?: string;
  /** Keyspaces of a Vitess, of which one is taken instead of a new database. */
  readonly keyspaces?: readonly string[];
  /** For everything that is made with these stores. */
  readonly settings?: Settings;
}

/** Opens the stores of a test file. The file closes them after its last test. */
export async function openStores(options: StoresOptions = {}): Promise<Stores> {
  const undo: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    return await openWith(options, undo, close);
  } catch (error) {
    await close();
    throw error;
  }
}

const HOUR_MS = 3_600_000;

/** Quick where production is patient, so that tests are. */
const PARTITIONS = 4;
const quick: Settings = { PARTITIONS, LOG_LEVEL: 'silent', BLOCK_MS: 20, RETRY_MS_MAX: 50, CLOCK_SKEW_MS_MAX: 0 };

async function openWith(
  options: StoresOptions,
  undo: (() => Promise<unknown>)[],
  close: () => Promise<void>,
): Promise<Stores> {
  const redisDatabase = await claimRedisDatabase(options.redisUrl ?? given('TEST_REDIS_URL'));
  undo.push(redisDatabase.release);
  const serverUrl = options.databaseUrl ?? given('TEST_DATABASE_URL');
  // A file with a server of its own has its databases there.
  const shared = options.databaseUrl === undefined ? process.env['TEST_KEYSPACES']?.split(',') : undefined;
  const keyspaces = options.keyspaces ?? shared ?? [];
  const databaseUrl =
    keyspaces.length > 0
      ? // Not a Redis of the file's own: all files take from the same keyspaces.
        await takeKeyspace(
          { serverUrl, keyspaces, redisUrl: process.env['TEST_REDIS_URL'] ?? redisDatabase.settings.REDIS_URL },
          undo,
        )
      : await createDatabase(serverUrl, undo);
  const configWith = (settings: Settings) => {
    const all = {
      ...quick,
      ...redisDatabase.settings,
      DATABASE_URL: databaseUrl,
      ...options.settings,
      ...settings,
    };
    return { PARTITIONS, ...readConfig(undefined, asEnvironment(all)) };
  };
  const config = configWith({});
  const database = openDatabase(config);
  undo.push(() => closeDatabase(database));
  if (keyspaces.length === 0) await migrate(config.DATABASE_URL);
  const { redis } = redisDatabase;
  return {
    redis,
    database,
    config,
    configWith,
    createApi: (settings = {}) => startApi(configWith(settings), undo),
    startWorker: (settings = {}) =>
      startTestWorker(configWith({ WORKER_NAME: randomName('worker'), ...settings }), redis, undo),
    coupon: (fields = {}) => createCoupon(database, fields),
    couponNow: (id) => couponNow(database, id),
    edit: (id, fields) => edit(database, redis, keysOf(config, id), id, fields),
    rows: (id) => readRows(database, id),
    keys: (id) => keysOf(config, id),
    close,
  };
}

function given(name: 'TEST_REDIS_URL' | 'TEST_DATABASE_URL'): string {
  const url = process.env[name];
  if (!url) throw new Error(`${name} is not set: start the tests with \`bun run test\`, which brings the stores along`);
  return url;
}

function asEnvironment(settings: Settings): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)]));
}

function randomName(prefix: string): string {
  return `${prefix}_${crypto.randomUUID().replaceAll('-', '').slice(0, 16)}`;
}

function keysOf(config: PartitionedConfig, couponId: number): CouponKeys {
  return couponKeys(couponId, config.PARTITIONS);
}

/** A database without tables. */
export async function openEmptyDatabase({ config }: Pick<Stores, 'config'>) {
  const undo: (() => Promise<unknown>)[] = [];
  const keyspaces = process.env['TEST_KEYSPACES']?.split(',');
  const url = keyspaces
    ? await takeKeyspace({ serverUrl: config.DATABASE_URL, keyspaces, redisUrl: config.REDIS_URL, isEmpty: true }, undo)
    : await createDatabase(config.DATABASE_URL, undo);
  return {
    url,
    async close() {
      for (const step of undo.reverse()) await step();
    },
  };
}

/** A database with a random name, dropped at the end. Returns its URL. */
async function createDatabase(serverUrl: string, undo: (() => Promise<unknown>)[]): Promise<string> {
  const name = randomName('coupon_test');
  const url = new URL(serverUrl);
  const bounds = readConfig(
    [
      'MYSQL_CONNECTIONS_MAX',
      'MYSQL_QUEUE_MAX',
      'MYSQL_CONNECT_MS_MAX',
      'MYSQL_CONNECTION_S_MAX',
      'TRANSACTION_MS_MAX',
    ],
    {},
  );
  const server = openDatabase({ ...bounds, DATABASE_URL: serverUrl });
  undo.push(() => closeDatabase(server));
  await withConnection(server, (_, connection) => connection.query(`CREATE DATABASE ${name}`));
  const drop = () => withConnection(server, (_, connection) => connection.query(`DROP DATABASE ${name}`));
  // The server ends a connection that is idle for long, and may do so just now.
  undo.push(() => drop().catch(drop));
  url.pathname = `/${name}`;
  return url.href;
}

interface KeyspaceToTake {
  readonly serverUrl: string;
  readonly keyspaces: readonly string[];
  readonly redisUrl: string;
  /** Without tables. */
  readonly isEmpty?: boolean;
}

/** One of the keyspaces, without rows. Returns its URL. */
async function takeKeyspace(
  { serverUrl, keyspaces, redisUrl, isEmpty = false }: KeyspaceToTake,
  undo: (() => Promise<unknown>)[],
): Promise<string> {
  const urlOf = (keyspace: string) => new URL(`/${keyspace}`, serverUrl).href;
  const { name, release } = await claimKeyspace({
    names: keyspaces,
    urlOf,
    redisUrl,
    migrate: isEmpty ? null : migrate,
  });
  undo.push(release);
  return urlOf(name);
}

async function migrate(url: string): Promise<void> {
  const database = openDatabase(readConfig(undefined, { DATABASE_URL: url, REDIS_URL: 'redis://127.0.0.1' }));
  // Not within the time of a transaction: a sharded Vitess takes a second for each statement.
  const patient = { ...database, transactionMsMax: 60_000 };
  try {
    await applyMigrations(patient, 30);
    // vtgate hears of new columns a moment later.
    await eventually('the columns to be known', () =>
      withConnection(patient, async (session) => {
        await session.select().from(coupons).limit(1);
        await session.select().from(couponIssues).limit(1);
      }).then(
        () => true,
        () => false,
      ),
    );
    await withConnection(patient, (session) =>
      session.execute(sql.raw(`ALTER TABLE coupons AUTO_INCREMENT = ${randomInt(1e6, 2 ** 40)}`)),
    );
  } finally {
    await closeDatabase(database);
  }
}

async function startApi(config: Config, undo: (() => Promise<unknown>)[]): Promise<TestApi> {
  const metrics = createApiMetrics();
  const issuing = wireApi(config, metrics, createLog('api', config.LOG_LEVEL));
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= issuing.close());
  undo.push(close);
  await Promise.all(issuing.connections.map(connect));
  await issuing.listen();
  return {
    ...issuing,
    metrics,
    close,
    [Symbol.asyncDispose]: close,
    async openings() {
      const countOf = (kind: 'first' | 'rebuilt' | 'proven') => metrics.openings.of(kind).total();
      // A first opening is a rebuilding too, only of what was never there.
      return { proven: countOf('proven'), rebuilt: countOf('first') + countOf('rebuilt') };
    },
    refusalCacheHits: () => Promise.resolve(metrics.refusalCacheHits.of().total()),
    async offerAndCompare() {
      const stop = new AbortController();
      const offering = issuing.keepOffering(stop.signal);
      // After its first round, which is under way.
      stop.abort();
      await offering;
    },
  };
}

function createCoupon(database: Database, fields: Partial<CouponDraft>): Promise<Coupon> {
  const now = new Date();
  const { startMs = now.getTime() - HOUR_MS, totalQuantity = 10 } = fields;
  const { endMs = Math.max(startMs, now.getTime()) + HOUR_MS } = fields;
  return withConnection(database, async (session) => {
    const [{ insertId }] = await session.insert(coupons).values({
      title: fields.title ?? 'A coupon of a test',
      couponType: 'FIRST_COME_FIRST_SERVED',
      totalQuantity,
      discountAmount: fields.discountAmount ?? 1000,
      minAvailableAmount: fields.minAvailableAmount ?? 0,
      ...(fields.currency !== undefined && { currency: fields.currency }),
      ...(fields.timeZone !== undefined && { timeZone: fields.timeZone }),
      usableFrom: dateOf(fields.usableFromMs),
      usableUntil: dateOf(fields.usableUntilMs),
      usableDays: fields.usableDays ?? null,
      dateIssueStart: new Date(startMs),
      dateIssueEnd: new Date(endMs),
      dateCreated: now,
      dateUpdated: now,
    });
    const coupon = await readCoupon(session, insertId);
    invariant(coupon, 'a coupon that was just made is not there');
    return coupon;
  });
}

function dateOf(ms: number | null | undefined): Date | null {
  return typeof ms === 'number' ? new Date(ms) : null;
}

async function couponNow(database: Database, id: number): Promise<Coupon> {
  const coupon = await withConnection(database, (session) => readCoupon(session, id));
  invariant(coupon, 'the coupon of a test is not there');
  return coupon;
}

async function edit(
  database: Database,
  redis: Redis,
  keys: CouponKeys,
  id: number,
  fields: Partial<typeof coupons.$inferInsert>,
): Promise<void> {
  await withConnection(database, (session) =>
    session
      .update(coupons)
      .set({ ...fields, version: sql`version + 1` })
      .where(eq(coupons.id, id)),
  );
  await redis.del(keys.state);
}

async function readRows(database: Database, couponId: number): Promise<readonly Row[]> {
  const rows = await withConnection(database, (session) =>
    session
      .select({ sequence: couponIssues.sequence, userId: couponIssues.userId, dateIssued: couponIssues.dateIssued })
      .from(couponIssues)
      .where(eq(couponIssues.couponId, couponId))
      .orderBy(couponIssues.sequence),
  );
  return rows.map(({ sequence, userId, dateIssued }) => ({ sequence, userId, issuedMs: dateIssued.getTime() }));
}

/** Another coupon like this one. */
export function draftOf({
  title,
  totalQuantity,
  discountAmount,
  minAvailableAmount,
  startMs,
  endMs,
  listed,
}: Coupon): CouponDraft {
  return { title, totalQuantity, discountAmount, minAvailableAmount, startMs, endMs, listed };
}
