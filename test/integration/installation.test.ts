// installation.test.ts -- Processes that do not belong together do not start, and a Redis that was replaced accepts nothing more.

import { afterEach, expect, test } from 'bun:test';
import { eq } from 'drizzle-orm';
import { installation } from '../../drizzle/schema.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { connect, issuingConnection } from '../../src/redis/connection.ts';
import { claimInstallation, keepComparing } from '../../src/installation/installation.ts';
import { couponKeys, INSTALLATION_KEY, lostKey, partitionOf } from '../../src/stream/keys.ts';
import { changePartitions } from '../../src/installation/repartition.ts';
import { writeEntry } from '../../src/stream/entry.ts';
import { eventually } from '../eventually.ts';
import { openStores, type Stores } from '../stores.ts';

const opened: Stores[] = [];
// Not after all: there are few keyspaces in a Vitess.
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});

/** Stores that no process has used yet. */
async function newStores(): Promise<Stores> {
  const stores = await openStores();
  opened.push(stores);
  return stores;
}

/** A process on the database of one, and the Redis of another. */
async function join(
  mysql: Stores,
  redisOf: Stores,
  settings: { readonly PARTITIONS?: number } = { PARTITIONS: mysql.config.PARTITIONS },
) {
  const redis = issuingConnection(redisOf.config, () => undefined);
  await connect(redis);
  const dependencies = { database: mysql.database, redis, settings };
  return { redis, dependencies, start: () => claimInstallation(dependencies), leave: () => redis.disconnect() };
}

/** The settings that lead to the Redis of these stores. */
const redisSettings = ({ config }: Stores) => ({ REDIS_URL: config.REDIS_URL, KEY_PREFIX: config.KEY_PREFIX ?? '' });

const messageOf = (failing: Promise<unknown>): Promise<string> =>
  failing.then(
    () => 'nothing',
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );

test('the first processes name the installation, and all that follow find it as it is', async () => {
  const stores = await newStores();
  const processes = await Promise.all([1, 2, 3].map(() => join(stores, stores)));
  await Promise.all(processes.map(({ start }) => start()));
  const rows = await withConnection(stores.database, (session) => session.select().from(installation));
  expect(rows).toMatchObject([{ partitions: stores.config.PARTITIONS, generation: 1 }]);
  expect(await stores.redis.hgetall(INSTALLATION_KEY)).toMatchObject({ name: rows[0]?.name, id: rows[0]?.redisId });
  for (const { leave } of processes) leave();
});

test('another number of partitions is one line that says which number is right', async () => {
  const stores = await newStores();
  const right = await join(stores, stores);
  await right.start();
  right.leave();
  const wrong = await join(stores, stores, { PARTITIONS: stores.config.PARTITIONS + 1 });
  expect(await messageOf(wrong.start())).toMatch(/^PARTITIONS: .* has \d+ partitions, not \d+; set PARTITIONS=\d+/);
  wrong.leave();
});

test('without PARTITIONS a new installation has 64, and a process takes what an installation has', async () => {
  const [stores, others] = [await newStores(), await newStores()];
  for (const [where, settings, expected] of [
    [stores, {}, 64],
    [stores, {}, 64],
    [others, { PARTITIONS: 3 }, 3],
    [others, {}, 3],
  ] as const) {
    const process = await join(where, where, settings);
    expect(await process.start()).toBe(expected);
    process.leave();
  }
});

test('an installation whose release noted no number, and had four, keeps them', async () => {
  const stores = await newStores();
  const { id } = await stores.coupon();
  await stores.edit(id, { epoch: 1 });
  const process = await join(stores, stores, {});
  expect(await process.start()).toBe(4);
  process.leave();
});

test('the Redis of another installation is refused', async () => {
  const stores = await newStores();
  const others = await newStores();
  const own = await join(others, others);
  await own.start();
  own.leave();
  const lost = await join(stores, others);
  expect(await messageOf(lost.start())).toMatch(/^REDIS_URL: this Redis belongs to another installation/);
  lost.leave();
});

test('an emptied Redis goes on: its mark is made again, by whoever looks first', async () => {
  const stores = await newStores();
  const running = await join(stores, stores);
  const faults: string[] = [];
  const stop = new AbortController();
  await running.start();
  const comparing = keepComparing(running.dependencies, (fault) => faults.push(String(fault)), stop.signal);
  await stores.redis.del(INSTALLATION_KEY);
  await eventually('the mark is there again', async () => (await stores.redis.exists(INSTALLATION_KEY)) === 1);
  const next = await join(stores, stores);
  await next.start();
  stop.abort();
  await comparing;
  expect(faults).toEqual([]);
  running.leave();
  next.leave();
});

test('a Redis that takes over: processes on the former one accept nothing more, and none can start there', async () => {
  const stores = await newStores();
  const others = await newStores();
  await using api = await stores.createApi();
  const coupon = await stores.coupon();
  const running = { database: stores.database, redis: api.redis, settings: stores.config };
  await claimInstallation(running);
  const faults: (string | null)[] = [];
  const stop = new AbortController();
  const comparing = keepComparing(running, (fault) => faults.push(fault), stop.signal);
  expect(await api.issuers.scripted.issue(coupon.id, ['before'])).toEqual([{ kind: 'issued', sequence: 1 }]);

  // It counted before.
  await others.redis.set(lostKey(stores.keys(coupon.id)), 2);
  const moved = await join(stores, others);
  await moved.start();
  // The start returns only once the others had time to notice.
  expect(faults).toHaveLength(1);
  expect(faults[0]).toMatch(/^REDIS_URL: another Redis has replaced this one \(generation 2\)/);
  for (const issuer of ['scripted', 'locked'] as const)
    expect(await messageOf(api.issuers[issuer].issue(coupon.id, ['after']))).toMatch(/not known which server/);
  expect(await messageOf(claimInstallation(running))).toMatch(/another Redis has replaced this one/);

  // What is issued there is not known here.
  await using other = await stores.createApi(redisSettings(others));
  const written = { kind: 'issued', sequence: 2 } as const;
  expect(await other.issuers.synchronous.issue(coupon.id, ['before', 'between'])).toContainEqual(written);

  expect(await other.audit(coupon.id)).toMatchObject({ lost: 2 });

  // Back, as the line says.
  await stores.redis.del(INSTALLATION_KEY);
  await claimInstallation(running);
  await eventually('the API accepts again', async () => {
    const outcomes = await api.issuers.scripted.issue(coupon.id, ['after', 'between']).catch(() => []);
    return Bun.deepEquals(outcomes, [
      { kind: 'issued', sequence: 3 },
      { kind: 'already issued', sequence: 2 },
    ]);
  });
  expect(faults.at(-1)).toBeNull();
  stop.abort();
  await comparing;
  moved.leave();
}, 30_000);

test('a MySQL of before a Redis took over takes it as it is: what it alone knows is kept', async () => {
  const stores = await newStores();
  const others = await newStores();
  const first = await join(stores, stores);
  await first.start();
  first.leave();
  const { id } = await stores.coupon();
  const backup = await withConnection(stores.database, (session) => session.select().from(installation));
  const second = await join(stores, others);
  await second.start();
  expect(await others.redis.hget(INSTALLATION_KEY, 'new')).toBeNull();
  await using api = await stores.createApi(redisSettings(others));
  expect(await api.issuers.scripted.issue(id, ['a', 'b'])).toMatchObject([{ sequence: 1 }, { sequence: 2 }]);
  for (const { redisId, generation } of backup) {
    await withConnection(stores.database, (session) => session.update(installation).set({ redisId, generation }));
  }
  await stores.edit(id, { stockHome: 'mysql', epoch: 0 });
  const faults: (string | null)[] = [];
  const stop = new AbortController();
  const comparing = keepComparing(second.dependencies, (fault) => faults.push(fault), stop.signal);
  await eventually('a running process to notice', () => faults.length === 1);
  expect(faults[0]).toMatch(/^REDIS_URL: this Redis took over after the backup from which MySQL was restored/);
  const back = await join(stores, others);
  await back.start();
  const keys = stores.keys(id);
  expect(await others.redis.hgetall(keys.owners)).toEqual({ a: '1', b: '2' });
  expect(await withConnection(stores.database, (session) => session.select().from(installation))).toMatchObject([
    { redisId: await others.redis.hget(INSTALLATION_KEY, 'id'), generation: 2 },
  ]);
  await eventually('it to go on', () => faults.at(-1) === null);
  stop.abort();
  await comparing;
  for (const { leave } of [second, back]) leave();
}, 30_000);

test('taking over that was interrupted is begun again, and drops the states all the same', async () => {
  const stores = await newStores();
  const others = await newStores();
  const first = await join(stores, stores);
  await first.start();
  first.leave();
  const { state } = others.keys(1);
  await others.redis.hset(state, { epoch: 1 });
  const marked = await stores.redis.hgetall(INSTALLATION_KEY);
  await others.redis.hset(INSTALLATION_KEY, { ...marked, id: crypto.randomUUID(), generation: 2, new: 1 });
  const second = await join(stores, others);
  await second.start();
  expect(await others.redis.exists(state)).toBe(0);
  expect(await others.redis.hget(INSTALLATION_KEY, 'new')).toBeNull();
  second.leave();
}, 30_000);

test('the number of partitions is changed with nothing lost: what is unwritten refuses, dead letters move', async () => {
  const stores = await newStores();
  const partitions = stores.config.PARTITIONS;
  const target = partitions * 2 + 1;
  const { database, redis } = stores;
  const before = await join(stores, stores);
  await before.start();
  before.leave();
  const moves = ({ id }: { readonly id: number }) => partitionOf(id, partitions) !== partitionOf(id, target);
  let coupon = await stores.coupon({ totalQuantity: 5 });
  while (!moves(coupon)) coupon = await stores.coupon({ totalQuantity: 5 });
  {
    await using api = await stores.createApi();
    await api.issuers.scripted.issue(coupon.id, ['a', 'b']);
    expect(await messageOf(changePartitions({ database, redis }, target))).toMatch(/entries that are not rows yet/);
    await using worker = await stores.startWorker();
    await worker.drained();
  }
  const fields = writeEntry({ couponId: coupon.id, epoch: 1, firstSequence: 3, acceptedMs: 0, users: ['buried'] });
  await redis.xadd(stores.keys(coupon.id).dead, '*', 'entry', '1-0', 'reason', 'a test', ...fields.map(String));
  await redis.set(lostKey(stores.keys(coupon.id)), 3);
  expect(await changePartitions({ database, redis }, target)).toEqual({ from: partitions, letters: 1 });
  const [row] = await withConnection(database, (session) =>
    session.select().from(installation).where(eq(installation.id, 1)),
  );
  expect(row?.partitions).toBe(target);
  const process = await join(stores, stores, { PARTITIONS: target });
  await process.start();
  process.leave();
  await using api = await stores.createApi({ PARTITIONS: target });
  expect(await api.audit(coupon.id)).toMatchObject({ lost: 3 });
  // The two rows and the dead letter are still counted.
  expect(await api.issuers.scripted.issue(coupon.id, ['a', 'buried', 'c', 'd', 'e'])).toEqual([
    { kind: 'already issued', sequence: 1 },
    { kind: 'already issued', sequence: 3 },
    { kind: 'issued', sequence: 4 },
    { kind: 'issued', sequence: 5 },
    { kind: 'sold out' },
  ]);
});

test('a change of partitions that was interrupted lets no process start, and can be repeated in both directions', async () => {
  const stores = await newStores();
  const { database, redis } = stores;
  const { PARTITIONS } = stores.config;
  const target = PARTITIONS + 1;
  const before = await join(stores, stores);
  await before.start();
  before.leave();
  const fields = writeEntry({ couponId: 1, epoch: 1, firstSequence: 1, acceptedMs: 0, users: ['buried'] });
  await redis.xadd(stores.keys(1).dead, '*', 'entry', '1-0', 'reason', 'a test', ...fields.map(String));
  const couponId = PARTITIONS;
  const lost = lostKey(couponKeys(couponId, PARTITIONS));
  await redis.set(lost, 4);
  // The letters have moved by then.
  const dies = { unlink: () => Promise.reject(new Error('interrupted')) };
  const dying = new Proxy(redis, {
    get: (real, name) => {
      const value: unknown = name in dies ? dies.unlink : Reflect.get(real, name);
      return typeof value === 'function' ? (value.bind(real) as unknown) : value;
    },
  });
  for (const to of [target, PARTITIONS]) {
    expect(await messageOf(changePartitions({ database, redis: dying }, target))).toBe('interrupted');
    for (const each of [PARTITIONS, target]) {
      const process = await join(stores, stores, { PARTITIONS: each });
      expect(await messageOf(process.start())).toMatch(/run `bun run partitions \d+`/);
      process.leave();
    }
    await changePartitions({ database, redis }, to);
    expect(await redis.get(lostKey(couponKeys(couponId, to)))).toBe('4');
    const process = await join(stores, stores, { PARTITIONS: to });
    await process.start();
    process.leave();
    await changePartitions({ database, redis }, PARTITIONS);
    expect(await redis.xlen(stores.keys(1).dead)).toBe(1);
    expect(await redis.keys('*:lost')).toEqual([lost]);
  }
});

test('two installations share one Redis under different prefixes, and see nothing of each other', async () => {
  const stores = await newStores();
  const others = await newStores();
  const prefixed = { KEY_PREFIX: `${stores.config.KEY_PREFIX ?? ''}other:`, REDIS_URL: stores.config.REDIS_URL };
  const one = await join(stores, stores);
  await one.start();
  await using own = await stores.createApi();
  await using other = await others.createApi(prefixed);
  await claimInstallation({ database: others.database, redis: other.redis, settings: others.config });
  const [mine, theirs] = [await stores.coupon(), await others.coupon()];
  await own.issuers.scripted.issue(mine.id, ['a']);
  await other.issuers.locked.issue(theirs.id, ['b']);
  await other.issuers.synchronous.issue(theirs.id, ['c']);
  await using _mine = await stores.startWorker();
  await using _theirs = await others.startWorker(prefixed);
  const usersOf = async (all: Stores, id: number) => (await all.rows(id)).map(({ userId }) => userId).join();
  await eventually('all rows', async () => {
    return (await usersOf(stores, mine.id)) === 'a' && (await usersOf(others, theirs.id)) === 'b,c';
  });
  const keys = await stores.redis.keys('*');
  expect(keys.filter((key) => key.includes(`:${theirs.id}:`)).every((key) => key.startsWith('other:'))).toBe(true);
  one.leave();
});
