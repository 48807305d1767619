// world.ts -- Two APIs, two workers and an operator around one coupon, on real stores. After every step the promises are checked.

import type { Redis } from 'ioredis';
import { decide, lastSequence } from '../../src/coupon/coupon.ts';
import type { Outcome } from '../../src/coupon/outcome.ts';
import { partitionKeys } from '../../src/stream/keys.ts';
import { closeDatabase, openDatabase } from '../../src/mysql/database.ts';
import { connect, issuingConnection } from '../../src/redis/connection.ts';
import { createRedisStock } from '../../src/stock/redis-stock.ts';
import { type DrainObserver, drain } from '../../workers/drain.ts';
import { Inbox } from '../../workers/inbox.ts';
import { reconcile } from '../../workers/reconcile.ts';
import type { Settings, Stores, TestApi } from '../stores.ts';
import { type Death, type Executioner, watchOver } from './crash.ts';
import type { Edit, History, ApiParts, Loss, Step, Working } from './history.ts';
import { readTruth, type Truth } from './truth.ts';

/** One partition, and short leases: what a dead process holds is soon free. */
export const simulated: Settings = {
  PARTITIONS: 1,
  LOCK_LEASE_MS: 100,
  LOCK_WAIT_MS_MAX: 20,
  OPENING_LEASE_MS: 100,
  OPENING_WAIT_MS_MAX: 5000,
  MYSQL_CONNECTIONS_MAX: 4,
};

const DAY_MS = 86_400_000;

/** A worker needs a round each for a new group, its own entries, those of the dead, and new ones. */
const ROUNDS_MAX = 20;

/** A process, for as long as it lives. */
interface Alive<Process> {
  readonly process: Process;
  readonly executioner: Executioner;
}

interface WorkerProcess extends AsyncDisposable {
  /** One round. Throws when it died on the way. */
  work(): Promise<void>;
}

/** The answer to a batch; null when none arrived. */
interface Answered {
  readonly step: ApiParts;
  readonly outcomes: readonly Outcome[] | null;
}

/** Broken promises, and after which step. */
class Broken extends Error {
  override readonly name = 'Broken';
}

export class World {
  readonly #stores: Stores;
  readonly #couponId: number;
  readonly #apis: (Alive<TestApi> | null)[] = [];
  readonly #workers: (Alive<WorkerProcess> | null)[] = [];
  /** The sequences that answers named, by user: promised. */
  readonly #promised = new Map<string, number>();
  readonly #asked = new Set<string>();
  /** Keys and what they held. */
  #backup: [key: string, value: Buffer][] | null = null;
  #truth: Truth;

  private constructor(stores: Stores, truth: Truth) {
    this.#stores = stores;
    this.#couponId = truth.coupon.id;
    this.#truth = truth;
  }

  /** Lives through a history. Throws when a promise is broken, naming the step. */
  static async live(stores: Stores, { total, steps }: History): Promise<void> {
    await stores.redis.flushdb();
    const { id } = await stores.coupon({
      totalQuantity: total,
      startMs: Date.now() - 30 * DAY_MS,
      endMs: Date.now() + DAY_MS,
    });
    const world = new World(stores, await readTruth(stores, id));
    try {
      for (const [i, step] of steps.entries()) await world.#take(step, `step ${i}, ${JSON.stringify(step)}`);
      await world.#end();
    } finally {
      await world.#close();
    }
  }

  async #take(step: Step, name: string): Promise<void> {
    const before = this.#truth;
    const answers = await this.#do(step);
    this.#truth = await readTruth(this.#stores, this.#couponId);
    if (step.kind === 'lose' && ['everything', 'restore', 'first entry'].includes(step.what)) this.#forgetWhatIsLost();
    const broken = [...this.#truth.broken, ...this.#brokenWords(before, answers)];
    if (step.kind === 'issue') broken.push(...this.#brokenRules(before, answers));
    if (broken.length > 0) throw new Broken(`after ${name}:\n  ${broken.join('\n  ')}`);
  }

  async #do(step: Step): Promise<readonly Answered[]> {
    switch (step.kind) {
      case 'issue':
        return [await this.#issue(step)];
      case 'work':
        await this.#work(step);
        return [];
      case 'together': {
        const parts = step.parts.map((part) => (part.kind === 'issue' ? this.#issue(part) : this.#work(part)));
        return (await Promise.all(parts)).filter((answer) => answer !== null);
      }
      case 'edit':
        await this.#edit(step.api, step.edit, step.death);
        return [];
      case 'lose':
        await this.#lose(step.what);
        return [];
      case 'back up':
        await this.#backUp();
        return [];
      case 'reconcile':
        await this.#reconcile();
        return [];
    }
  }

  async #issue(step: ApiParts): Promise<Answered> {
    for (const user of step.users) this.#asked.add(user);
    const outcomes = await this.#outlive(this.#apis, step.api, step.death, startApi, (api) =>
      api.issuers[step.issuer].issue(this.#couponId, step.users),
    );
    return { step, outcomes };
  }

  async #work(step: Working): Promise<null> {
    await this.#outlive(this.#workers, step.worker, step.death, startWorker, (worker) => worker.work());
    return null;
  }

  /** An edit that is cut off is made or not; the reconciler's repair brings both stores together again. */
  async #edit(api: number, edit: Edit, death: Death | null): Promise<void> {
    const changes = 'over' in edit ? { endMs: Date.now() + (edit.over ? -2 * DAY_MS : DAY_MS) } : edit;
    await this.#outlive(this.#apis, api, death, startApi, ({ editor }) => editor.edit(this.#couponId, changes, null));
    await this.#outlive(this.#apis, api, null, startApi, ({ editor }) => editor.repair(this.#couponId));
  }

  async #lose(what: Loss): Promise<void> {
    const { redis } = this.#stores;
    const keys = this.#stores.keys(this.#couponId);
    if (what === 'everything') {
      await redis.flushdb();
      // Numbers are given out again from here on: a backup of before would belong to another history.
      this.#backup = null;
    } else if (what === 'restore') {
      if (!this.#backup) return;
      await redis.flushdb();
      for (const [key, value] of this.#backup) await redis.restore(key, 0, value);
    } else if (what === 'first entry') {
      const [first] = await redis.xrange(keys.stream, '-', '+', 'COUNT', 1);
      if (first) await redis.xdel(keys.stream, first[0]);
      await redis.del(keys.state, keys.owners);
      // Its users may have it again, under other numbers than in a backup of before.
      this.#backup = null;
      // Counted until the next settling of an empty stream, which may never come.
      if ((await redis.xlen(keys.stream)) === 0) await redis.del(keys.unpersisted);
    } else if (what !== 'proof') await redis.del(keys[what]);
    // A Redis that comes back is another server.
    if (what === 'proof' || what === 'restore') await forgetServer(redis, keys.state);
  }

  async #backUp(): Promise<void> {
    const { redis } = this.#stores;
    const { state, owners, stream, unpersisted } = this.#stores.keys(this.#couponId);
    this.#backup = [];
    for (const key of [state, owners, stream, unpersisted]) {
      const value = await redis.dumpBuffer(key);
      if (value) this.#backup.push([key, value]);
    }
  }

  async #reconcile(): Promise<void> {
    await this.#outlive(this.#apis, 0, null, startApi, async ({ redis, redisStock, database, editor, stock }) => {
      await redis.del('reconciler');
      const ignore = () => {};
      const observer = {
        drift: () => {
          throw new Broken('the reconciler saw numbers that do not add up');
        },
        repaired: ignore,
        closed: ignore,
        restored: () => {
          throw new Broken('the reconciler took MySQL for older than Redis');
        },
        unknownCoupon: ignore,
        round: ignore,
      };
      const settings = { ...this.#stores.config, CLOSE_AFTER_MS: 0, RECONCILE_MS: 1000 };
      const stop = new AbortController().signal;
      const open = (couponId: number) => stock.open(couponId, true);
      const { repair } = editor;
      await reconcile({ redisStock, database, settings, repair, open, observer, onFault: ignore, stop });
    });
  }

  /** Lets a process do its work, and perhaps die on it; null when it did. Only death excuses a failure. */
  async #outlive<Process extends AsyncDisposable, Result>(
    processes: (Alive<Process> | null)[],
    index: number,
    death: Death | null,
    start: (stores: Stores, index: number) => Promise<Alive<Process>>,
    work: (process: Process) => Promise<Result>,
  ): Promise<Result | null> {
    // Each death is that of a process of its own, so that no other work dies with it.
    const alive = death ? await start(this.#stores, index) : (processes[index] ??= await start(this.#stores, index));
    if (death) alive.executioner.condemn(death);
    try {
      return await work(alive.process);
    } catch (failure) {
      if (!alive.executioner.isDead()) throw failure;
      return null;
    } finally {
      if (death) {
        alive.executioner.pardon();
        await alive.process[Symbol.asyncDispose]();
      }
    }
  }

  /** After Redis lost what it had accepted: P3 holds for what is a row, or came back with the backup. */
  #forgetWhatIsLost(): void {
    for (const user of this.#promised.keys()) if (!this.#truth.holders.has(user)) this.#promised.delete(user);
  }

  /** Compares the answers, those of now and of before, with the truth. */
  #brokenWords(before: Truth, answers: readonly Answered[]): string[] {
    const { holders, rows, coupon } = this.#truth;
    const broken: string[] = [];
    for (const { step, outcomes } of answers) {
      outcomes?.forEach((outcome, i) => {
        const user = step.users[i] ?? '';
        if ('sequence' in outcome) this.#promised.set(user, this.#promised.get(user) ?? outcome.sequence);
        if ('sequence' in outcome && holders.get(user) !== outcome.sequence)
          broken.push(`P3: ${user} was answered ${outcome.kind} ${outcome.sequence}, and has ${holders.get(user)}`);
        if (outcome.kind === 'issued' && before.holders.has(user)) broken.push(`P2: ${user} was issued it again`);
        if (outcome.kind === 'issued' && step.issuer === 'synchronous' && !rows.has(user))
          broken.push(`P3: ${user} was answered that it is a row, and it is not`);
        if (outcome.kind === 'sold out' && holders.size !== coupon.totalQuantity)
          broken.push(`P4: ${user} was answered sold out at ${holders.size} of ${coupon.totalQuantity}`);
        if (outcome.kind === 'issued' && (coupon.paused || coupon.endMs < Date.now()))
          broken.push(`P5: ${user} was issued it outside the time`);
      });
    }
    for (const [user, sequence] of this.#promised)
      if (holders.get(user) !== sequence) broken.push(`P3: ${user} had ${sequence}, and has ${holders.get(user)}`);
    for (const user of holders.keys()) if (!this.#asked.has(user)) broken.push(`P3: ${user} never asked`);
    return broken;
  }

  /** A batch that was alone is decided exactly as the pure rules say. */
  #brokenRules({ coupon, holders }: Truth, [answer]: readonly Answered[]): string[] {
    if (!answer?.outcomes) return [];
    const next = Math.max(0, ...holders.values()) + 1;
    const stock = { ...coupon, next, until: lastSequence(next, holders.size, coupon.totalQuantity) };
    const expected = decide(stock, holders, answer.step.users, Date.now()).outcomes.map(({ kind }) => kind);
    const actual = answer.outcomes.map(({ kind }) => kind);
    return Bun.deepEquals(expected, actual) ? [] : [`answered ${actual.join()}, and the rules say ${expected.join()}`];
  }

  /** A healthy worker writes what is left: then every owner is a row, and nothing is left to count. */
  async #end(): Promise<void> {
    const { redis } = this.#stores;
    const { stream, unpersisted } = partitionKeys(0);
    for (let round = 0; (await redis.xlen(stream)) > 0; round++) {
      if (round === ROUNDS_MAX) throw new Broken('in the end: the worker does not come to an end');
      await this.#work({ kind: 'work', worker: 0, death: null });
    }
    const { holders } = this.#truth;
    this.#truth = await readTruth(this.#stores, this.#couponId);
    const broken = [...this.#truth.broken, ...this.#brokenWords(this.#truth, [])];
    if (!Bun.deepEquals(this.#truth.rows, holders)) broken.push('P3: the rows are not those who had it');
    if (Number(await redis.get(unpersisted)) !== 0) broken.push('users are counted that are not in the stream');
    if (broken.length > 0) throw new Broken(`in the end:\n  ${broken.join('\n  ')}`);
  }

  async #close(): Promise<void> {
    for (const alive of [...this.#apis, ...this.#workers]) await alive?.process[Symbol.asyncDispose]();
  }
}

async function forgetServer(redis: Redis, state: string): Promise<void> {
  if ((await redis.exists(state)) === 1) await redis.hset(state, 'run', 'the server before');
}

async function startApi(stores: Stores): Promise<Alive<TestApi>> {
  const process = await stores.createApi(simulated);
  return { process, executioner: watchOver(process) };
}

async function startWorker(stores: Stores, index: number): Promise<Alive<WorkerProcess>> {
  const config = stores.configWith({ ...simulated, WORKER_NAME: `worker-${index}` });
  const redis = issuingConnection(config, () => {});
  await connect(redis);
  const database = openDatabase(config);
  const keys = partitionKeys(0);
  // What another worker left unfinished is claimed immediately.
  const inbox = new Inbox(redis, keys, { ...config, CLAIM_IDLE_MS: 0, BLOCK_MS: 1 });
  // Stopped from the beginning: it tries once, and throws instead of a retry.
  const stop = AbortSignal.abort();
  const ignore = () => {};
  const observer: DrainObserver = { written: ignore, retrying: ignore, deadLetter: ignore };
  const redisStock = createRedisStock(redis, config);
  return {
    process: {
      async work() {
        const messages = await inbox.next();
        await drain({ redisStock, database, keys, settings: config, observer, stop }, messages);
      },
      async [Symbol.asyncDispose]() {
        redis.disconnect();
        await closeDatabase(database);
      },
    },
    executioner: watchOver({ redis, database }),
  };
}
