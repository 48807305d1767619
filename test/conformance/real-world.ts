// real-world.ts -- The world of the model on real stores: one coupon, the processes of the product that a story moves, clock and servers.

import { eq } from 'drizzle-orm';
import type { Redis } from 'ioredis';
import { couponIssues, coupons } from '../../drizzle/schema.ts';
import type { Config } from '../../src/config/config.ts';
import type { Outcome } from '../../src/coupon/outcome.ts';
import { closeDatabase, type Database, openDatabase, withConnection } from '../../src/mysql/database.ts';
import type { CouponCounts } from '../../src/operations/audit.ts';
import { askServer, refuseServer } from '../../src/redis/connection.ts';
import { createRedisStock, type RedisStock } from '../../src/stock/redis-stock.ts';
import type { CouponKeys } from '../../src/stream/keys.ts';
import { END, type State, START } from '../model/state.ts';
import type { Stores } from '../stores.ts';
import { Gate, Process } from './gate.ts';
import { type Names, type Picture, pictureOfStores } from './picture.ts';
import { Clock, DatabaseView, loadScripts, type Real, redisView } from './views.ts';

/** One instant of the model. */
export const INSTANT_MS = 3_600_000;
const EPOCH_MS = Date.UTC(2030, 0, 1);
export const msAt = (instant: number): number => EPOCH_MS + instant * INSTANT_MS;

/** Nothing runs out by itself: leases end when the story says so. */
const PATIENCE_MS = 3_600_000;
export const OTHER_PROCESS = 'another process';

/** What a process of the product is built on, with its gate. */
export interface Parts {
  readonly gate: Gate;
  readonly redis: Redis;
  readonly redisStock: RedisStock;
  readonly view: DatabaseView;
  readonly database: Database;
  readonly settings: Config;
}

/** A process of a story, with what it is built on. */
export interface Running<Result = unknown> extends Parts {
  readonly process: Process<Result>;
}

type Outcomes = readonly Outcome[];

export class RealWorld {
  readonly stores: Stores;
  readonly real: Real;
  readonly settings: Config;
  couponId = 0;
  /** The servers that Redis was in this story, by the number that the model has for them. */
  servers: string[] = [''];
  openers: (Running | null)[] = [];
  workers: (Running | null)[] = [];
  locked: Running<Outcomes> | null = null;
  synchronous: Running<Outcomes> | null = null;
  editor: Running | null = null;
  closer: Running | null = null;
  audit: Running<CouponCounts | null> | null = null;
  /** The last command of an editor that died. */
  late: (() => Promise<unknown>) | null = null;
  backup: Backup | null = null;
  /** Whose token is in a lease: the number of the opener, from 1. */
  readonly tokens = new Map<string, number>();
  #parts: Parts[] = [];
  #known = 0;

  private constructor(stores: Stores, real: Real) {
    this.stores = stores;
    this.real = real;
    this.settings = {
      ...stores.config,
      PARTITIONS: 1,
      LOCKED_TRIES_MAX: 1,
      LOCK_LEASE_MS: PATIENCE_MS,
      LOCK_WAIT_MS_MAX: 0,
      OPENING_LEASE_MS: PATIENCE_MS,
      OPENING_WAIT_MS_MAX: PATIENCE_MS,
      CLOSE_AFTER_MS: INSTANT_MS,
      BLOCK_MS: 1,
    };
  }

  /** @param redis alone on its server, which becomes another one in the stories */
  static async create(stores: Stores, redis: Redis): Promise<RealWorld> {
    const scripts = await loadScripts(redis);
    const database = openDatabase(stores.config);
    return new RealWorld(stores, { redis, database, scripts, clock: new Clock(redis) });
  }

  async close(): Promise<void> {
    this.redis.disconnect();
    await closeDatabase(this.real.database);
  }

  get redis(): Redis {
    return this.real.redis;
  }

  get keys(): CouponKeys {
    return createRedisStock(this.redis, this.settings).keysOf(this.couponId);
  }

  /** Begins a story. */
  async begin(s: State): Promise<void> {
    await this.redis.flushdb();
    await this.real.clock.set(msAt(s.time));
    this.servers = ['', await this.#serverName()];
    this.#known = 1;
    this.openers = s.openers.map(() => null);
    this.workers = s.workers.map(() => null);
    const dates = { startMs: msAt(START), endMs: msAt(END) };
    this.couponId = (await this.stores.coupon({ ...dates, totalQuantity: s.sql.total })).id;
  }

  /** Ends every process that is still on its way. */
  end(): void {
    for (const { gate } of this.#parts.splice(0)) gate.kill();
    this.openers = [];
    this.workers = [];
    this.locked = this.synchronous = this.editor = this.closer = this.audit = this.late = this.backup = null;
    this.tokens.clear();
  }

  /** What a new process is built on. It knows the server that the model says. */
  async parts(known = this.#known): Promise<Parts> {
    const gate = new Gate();
    const redis = redisView(this.real, gate);
    const view = new DatabaseView(this.real, gate);
    const redisStock = createRedisStock(redis, this.settings);
    const parts = { gate, redis, redisStock, view, database: view.database, settings: this.settings };
    await this.#learn(parts, known);
    this.#parts.push(parts);
    return parts;
  }

  async start<Result>(run: (parts: Parts) => Promise<Result>, known = this.#known): Promise<Running<Result>> {
    const parts = await this.parts(known);
    return { ...parts, process: new Process(parts.gate, () => run(parts)) };
  }

  /** Runs something of the product from beginning to end. Throws what it throws. */
  async runAll<Result>(run: (parts: Parts) => Promise<Result>, known = this.#known): Promise<Result> {
    const { process } = await this.start(run, known);
    await process.advance();
    return resultOf(process);
  }

  /** The processes have or lose their connection to Redis; 0 for none. */
  async know(server: number): Promise<void> {
    this.#known = server;
    for (const parts of this.#parts) await this.#learn(parts, server);
  }

  async #learn({ gate, redis }: Parts, server: number): Promise<void> {
    refuseServer(redis, server === 0);
    const [run, replication] = (this.servers[server] ?? '').split('.');
    if (server === 0) return;
    const before = gate.substitute;
    gate.substitute = (name) => (name === 'info' ? `run_id:${run}\r\nmaster_replid:${replication}\r\n` : undefined);
    await askServer(redis).catch(() => undefined);
    gate.substitute = before;
  }

  async #serverName(): Promise<string> {
    const info = await this.redis.info();
    return ['run_id', 'master_replid'].map((name) => new RegExp(`${name}:(\\w+)`).exec(info)?.[1]).join('.');
  }

  /** Redis is another server from now on: it has become a replica, and was promoted, which gives it another name. */
  async anotherServer(): Promise<void> {
    await this.redis.replicaof('127.0.0.1', 1);
    await this.redis.replicaof('NO', 'ONE');
    this.servers.push(await this.#serverName());
  }

  /** Empties Redis, but for the clock. */
  async emptyRedis(): Promise<void> {
    await this.redis.flushdb();
    await this.real.clock.set(this.real.clock.ms);
  }

  /** What the stores hold now, in the words of the model. */
  picture(s: State): Promise<Picture> {
    const gathering = new Map<number, string>();
    for (const [token, number] of this.tokens) if ((s.openers[number - 1]?.at ?? 0) >= 3) gathering.set(number, token);
    const names: Names = {
      couponId: this.couponId,
      keys: this.keys,
      serverNumber: (name) => this.servers.indexOf(name),
      openerNumber: (token) => this.tokens.get(token) ?? -1,
      lockNumber: (token) => (token === OTHER_PROCESS ? 2 : 1),
      instant: (ms) => (ms - EPOCH_MS) / INSTANT_MS,
      gathering,
      hasGroup: s.groups.length > 0,
    };
    return pictureOfStores(this.redis, this.real.database, names);
  }

  async backUp(): Promise<void> {
    const { state, owners, stream, dead, unpersisted, lock } = this.keys;
    const locked = await this.redis.get(lock);
    const keys = new Map<string, Buffer>();
    for (const key of [state, owners, stream, dead, unpersisted]) {
      const value = await this.redis.dumpBuffer(key);
      if (value) keys.set(key, value);
    }
    this.backup = await withConnection(this.real.database, async (session) => ({
      keys,
      lock: locked,
      coupon: await session.select().from(coupons).where(eq(coupons.id, this.couponId)),
      rows: await session.select().from(couponIssues).where(eq(couponIssues.couponId, this.couponId)),
    }));
  }

  /** `isInstant`: as the copy is promoted that had it all along, so that no lease has run out. */
  async restoreRedis(isInstant = false): Promise<void> {
    await this.emptyRedis();
    const { keys = [], lock = null } = this.backup ?? {};
    for (const [key, value] of keys) await this.redis.restore(key, 0, value);
    if (isInstant && lock !== null) await this.redis.set(this.keys.lock, lock, 'PX', LEASE_MS);
  }

  async restoreMysql(): Promise<void> {
    const { coupon = [], rows = [] } = this.backup ?? {};
    await withConnection(this.real.database, async (session) => {
      await session.delete(couponIssues).where(eq(couponIssues.couponId, this.couponId));
      await session.delete(coupons).where(eq(coupons.id, this.couponId));
      if (coupon.length > 0) await session.insert(coupons).values(coupon);
      if (rows.length > 0) await session.insert(couponIssues).values(rows);
    });
  }
}

/** Longer than any story. */
const LEASE_MS = 600_000;

interface Backup {
  readonly lock: string | null;
  readonly keys: ReadonlyMap<string, Buffer>;
  readonly coupon: (typeof coupons.$inferSelect)[];
  readonly rows: (typeof couponIssues.$inferSelect)[];
}

/** What a process returned. Throws what it threw. */
export function resultOf<Result>({ ended }: Process<Result>): Result {
  if (ended === null) throw new Error('the process is still on its way');
  if ('error' in ended) throw ended.error;
  return ended.value;
}
