// redis-self-test.ts -- Tries at start what this process will do in Redis, so that a right that is missing is found before a user is.
//
// On throw-away keys with the names of real ones, so that the key patterns of an ACL are tried too: of a coupon whose id MySQL does not
// reach, in a partition of its own, which no worker reads.

import { randomInt } from 'node:crypto';
import type { Redis } from 'ioredis';
import { createRedlock, IoredisAdapter } from 'redlock-universal';
import { ID_MAX } from '../coupon/coupon.ts';
import { countRequests } from '../http/rate-limit/count-requests.ts';
import { markKey, noteKey } from '../issuing/scripts/key-scripts.ts';
import { nodeOf, primariesOf, serverOf } from '../redis/connection.ts';
import { isWriteRefusal, refusedRights, rightsFault, type Trial } from '../redis/rights.ts';
import { look, mark, put, restoreEntry, take } from '../stock/decision-scripts.ts';
import { applyEdit, close, eraseOwner, hold, lowerTotal, removeUnissued } from '../stock/edit-scripts.ts';
import { countUnoffered, noteOffered, offer } from '../stock/offer-scripts.ts';
import { beginOpening, endOpening, finishOpening, loadOwners, proveState } from '../stock/opening-scripts.ts';
import {
  changesChannel,
  type CouponKeys,
  couponKeys,
  GROUP,
  INSTALLATION_KEY,
  loadingKey,
  offersKey,
  processesKey,
  waitMarkKey,
} from '../stream/keys.ts';
import { discard, replaceLetter, replay } from '../stream/scripts/letters.ts';
import { removeConsumers } from '../stream/scripts/remove-consumers.ts';
import { settle } from '../stream/scripts/settle.ts';

/** Throw-away keys, all deleted after the test. */
interface TestKeys extends CouponKeys {
  readonly couponId: number;
  readonly token: string;
  readonly idempotency: string;
  readonly limits: string;
}

/** What a kind of process does beyond issuing and recording. */
interface Part {
  readonly trials: (keys: TestKeys) => readonly Trial[];
  readonly run: (keys: TestKeys) => Promise<unknown>;
  /** After all else. */
  readonly end?: (keys: TestKeys) => Promise<unknown>;
}

/** How long anything may be left behind by a process that dies within its test. */
const LEASE_MS = 10_000;

const TRIES_MAX = 10_000;

/** Some ids at the upper end of all that there are. */
const TEST_IDS = 2 ** 40;

/**
 * The test of the API: everything that issues, edits and answers.
 *
 * @param limits whether requests are counted
 * @returns one line for what is refused; none when all is allowed, or when Redis refuses all writes for now
 * @throws what ioredis throws for anything else
 */
export function testApi(redis: Redis, subscriber: Redis, limits: boolean): Promise<string[]> {
  return selfTest(redis, {
    trials: ({ idempotency, limits: key }) => [
      ...on(subscriber, changesChannel(subscriber), ['SUBSCRIBE', changesChannel(subscriber)]),
      ...on(
        redis,
        idempotency,
        ['HSET', idempotency, 'test', 'test'],
        ['HGET', idempotency, 'test'],
        ['HLEN', idempotency],
        ['HGETALL', idempotency],
        ['EXPIRE', idempotency, 60],
        ['HDEL', idempotency, 'test'],
        ['HINCRBY', idempotency, 'test', 1],
        ['PEXPIRE', idempotency, 1],
      ),
      ...(limits ? on(redis, key, ['HINCRBY', key, 'test', 1], ['PEXPIRE', key, 1]) : []),
    ],
    async run({ idempotency, limits: counts }) {
      const key = { caller: idempotency, field: 'test', keepS: 60 };
      await redis.hset(idempotency, 'due', '1 pending');
      await noteKey(redis, { ...key, request: 'pending', keysMax: 1 });
      await markKey(redis, { ...key, from: 'pending', to: 'lost' });
      const window = Number(counts.split(':')[2]);
      if (limits)
        await countRequests(redis, { kind: 'user', window, keepMs: LEASE_MS, counts: new Map([['test', 1]]) });
    },
  });
}

/**
 * The test of the worker, as `testApi` is that of the API.
 *
 * @param leaseKey what one worker at a time reconciles under
 * @param readStream reads the stream as the worker does, with its consumer group
 */
export function testWorker(
  redis: Redis,
  leaseKey: string,
  readStream: (keys: CouponKeys) => Promise<unknown>,
): Promise<string[]> {
  return selfTest(redis, {
    trials: ({ stream }) => [
      ...on(
        redis,
        stream,
        ['XGROUP', 'CREATE', stream, GROUP, '0', 'MKSTREAM'],
        ['XAUTOCLAIM', stream, GROUP, 'test', LEASE_MS, '0-0', 'COUNT', 1],
        ['XREADGROUP', 'GROUP', GROUP, 'test', 'COUNT', 1, 'BLOCK', 1, 'STREAMS', stream, '0'],
        ['XINFO', 'CONSUMERS', stream, GROUP],
        ['XGROUP', 'DELCONSUMER', stream, GROUP, 'test'],
      ),
      ...on(redis, '', ['SCAN', 0, 'COUNT', 1]),
      // Taken for a millisecond, if it is free.
      ...on(redis, leaseKey, ['SET', leaseKey, 'test', 'PX', 1, 'NX']),
    ],
    run: readStream,
    async end(keys) {
      const entries = (await redis.xrange(keys.stream, '-', '+')).map(([id]) => ({ id, users: 0 }));
      await settle(redis, { keys, entries, deadLetters: [] });
      await removeConsumers(redis, { keys, idleMs: 0 });
    },
  });
}

/**
 * Writes to each kind of key that issuing writes to, and takes it away again: in one round trip.
 *
 * @param node the connection to one server behind `redis`
 * @throws what Redis refuses the first of them with
 */
export async function tryRedisWrites(redis: Redis, node: Redis): Promise<void> {
  const { owners, stream, unpersisted } = testKeysOn(redis, node);
  const writes = [redis.hset(owners, 'test', 1), redis.xadd(stream, '*', 'test', 1), redis.incrby(unpersisted, 1)];
  const removals = [owners, stream, unpersisted].map((key) => redis.unlink(key));
  // All are awaited, so that none is left unhandled.
  const results = await Promise.allSettled([...writes, ...removals]);
  const refused = results.find((result) => result.status === 'rejected');
  if (refused) throw new Error('Redis refuses a write', { cause: refused.reason });
}

async function selfTest(redis: Redis, part: Part): Promise<string[]> {
  const lines = new Set<string>();
  for (const node of primariesOf(redis)) for (const line of await testServer(redis, node, part)) lines.add(line);
  return [...lines];
}

async function testServer(redis: Redis, node: Redis, part: Part): Promise<string[]> {
  const [tried, keys] = [testKeysOn(redis, node), testKeysOn(redis, node)];
  try {
    const refused = await refusedRights([...trialsOf(redis, tried), ...part.trials(tried)]);
    if (refused.length > 0) return [rightsFault(refused)];
    await openAndIssue(redis, keys);
    await part.run(keys);
    await editAndClose(redis, keys);
    await part.end?.(keys);
    return [];
  } catch (error) {
    // Readiness says so, and a worker must start all the same: it is what frees the memory.
    if (isWriteRefusal(error)) return [];
    throw error;
  } finally {
    // One by one, since they are of several slots; a user who may not delete may let them expire.
    const remove = (key: string) => redis.unlink(key).catch(() => redis.pexpire(key, 1));
    await Promise.allSettled([tried, keys].flatMap(namesOf).map(remove));
  }
}

/** Those of a coupon that this server has. */
function testKeysOn(redis: Redis, node: Redis): TestKeys {
  let keys = testKeys();
  // Among so many, some are of a node that has but one slot in a thousand.
  for (let tries = 0; nodeOf(redis, keys.state) !== node && tries < TRIES_MAX; tries++) keys = testKeys();
  return keys;
}

function testKeys(): TestKeys {
  const couponId = ID_MAX - randomInt(TEST_IDS);
  const token = crypto.randomUUID();
  const idempotency = `idempotency:${token}`;
  // With as many partitions as ids, each coupon has one of its own.
  return { ...couponKeys(couponId, ID_MAX), couponId, token, idempotency, limits: `limits:user:${couponId}` };
}

function namesOf(keys: TestKeys): string[] {
  const { state, owners, opening, lock, stream, dead, unpersisted, withdrawn, idempotency, limits } = keys;
  const others = [loadingKey(keys, keys.token), waitMarkKey(keys), offersKey(keys), processesKey(keys)];
  return [state, owners, opening, lock, stream, dead, unpersisted, withdrawn, idempotency, limits, ...others];
}

function on(redis: Redis, name: string, ...commands: readonly Trial['command'][]): Trial[] {
  return commands.map((command) => ({ redis, on: name, command }));
}

/** Every command of the scripts and of the code around them, once for each kind of key that it works on. */
function trialsOf(redis: Redis, keys: TestKeys): Trial[] {
  const { state, owners, opening, lock, stream, dead, unpersisted, withdrawn } = keys;
  const of = (name: string, ...commands: readonly Trial['command'][]) => on(redis, name, ...commands);
  const channel = changesChannel(redis);
  return [
    ...of('', ['INFO', 'replication'], ['TIME']),
    ...of(state, ['EVALSHA', '0'.repeat(40), 1, state], ['EVAL', 'return 1', 1, state]),
    ...of(state, ['HSET', state, 'test', 1], ['HGET', state, 'test'], ['HMGET', state, 'test'], ['UNLINK', state]),
    ...of(owners, ['HSET', owners, 'test', 1], ['HMGET', owners, 'test'], ['HLEN', owners], ['HSCAN', owners, 0]),
    ...of(owners, ['PERSIST', owners], ['RENAME', owners, owners], ['PEXPIRE', owners, 1]),
    ...of(owners, ['HGETALL', owners], ['HDEL', owners, 'test'], ['HSETNX', owners, 'test', 1]),
    ...of(opening, ['SET', opening, 'test', 'NX', 'PX', 1], ['GET', opening], ['DEL', opening]),
    ...of(lock, ['SET', lock, 'test', 'NX', 'PX', 1], ['GET', lock]),
    ...of(stream, ['XADD', stream, '*', 'test', 1], ['XRANGE', stream, '-', '+', 'COUNT', 1], ['XLEN', stream]),
    ...of(stream, ['XACK', stream, GROUP, '0-1'], ['XDEL', stream, '0-1'], ['XADD', dead, '*', 'test', 1]),
    ...of(dead, ['XINFO', 'STREAM', dead]),
    ...of(unpersisted, ['INCRBY', unpersisted, 1], ['DECRBY', unpersisted, 1], ['GET', unpersisted]),
    ...of(
      withdrawn,
      ['ZADD', withdrawn, 0, 'test'],
      ['ZREMRANGEBYRANK', withdrawn, 0, 0],
      ['ZMSCORE', withdrawn, 'test'],
    ),
    // An edit of a coupon that is not there: nobody has a refusal of it.
    ...of(channel, ['PUBLISH', channel, 0]),
    ...of(INSTALLATION_KEY, ['EXISTS', INSTALLATION_KEY], ['HMGET', INSTALLATION_KEY, 'name']),
  ];
}

/** A coupon from its opening to an accepted issue of every kind. */
async function openAndIssue(redis: Redis, keys: TestKeys): Promise<void> {
  const { couponId, token } = keys;
  const lease = { keys, server: serverOf(redis, keys.state), token, leaseMs: LEASE_MS };
  const stock = { next: 2, until: -1, startMs: 0, endMs: ID_MAX, paused: false };
  await beginOpening(redis, lease);
  await loadOwners(redis, { ...lease, owners: ['first', 1] });
  await finishOpening(redis, { ...lease, owners: 1, stock, epoch: 1, version: 1, aheadMs: 0 });
  // As after a restart of Redis.
  const restarted = { ...lease, server: 'test.test' };
  await beginOpening(redis, restarted);
  await proveState(redis, { ...lease, aheadMs: 0 });
  const bounds = { couponId, unpersistedUsersMax: ID_MAX };
  const endpoint = 'POST /v1/issue-async';
  await take(redis, { ...lease, ...bounds, users: ['second'], endpoint });
  await look(redis, { ...lease, users: ['second'] });
  const lock = createRedlock({
    adapters: [new IoredisAdapter(redis)],
    key: keys.lock,
    ttl: LEASE_MS,
    retryAttempts: 0,
  });
  const handle = await lock.acquire();
  const read = { epoch: 1, version: 1, next: 3 };
  await put(redis, { ...lease, ...bounds, ...read, token: handle.value, taken: ['third'], endpoint });
  await lock.release(handle);
  await restoreEntry(redis, { ...lease, couponId, epoch: 1, first: 1, users: ['first'], acceptedMs: 0 });
  await eraseOwner(redis, { keys, userId: 'first', pseudonym: 'erased', erasureKey: 'test', offered: ['first 1'] });
  await mark(redis, lease);
  await offer(redis, {
    keys,
    keepMs: LEASE_MS,
    owners: ['first 1', '1 1', 'first 1', '0 2', 'second 2', '0 1', 'second 2', '1 1'],
  });
  // Of before all times: it is found to be dead.
  await redis.hset(processesKey(keys), 'test', '0 test');
  await noteOffered(redis, { ...lease, partitions: [keys], name: 'this', aliveMs: LEASE_MS, isFirst: true });
  await countUnoffered(redis, { ...lease, aliveMs: LEASE_MS });
}

/** Its entries become dead letters, one comes back, and the coupon is edited and closed. */
async function editAndClose(redis: Redis, keys: TestKeys): Promise<void> {
  const { token } = keys;
  const state = { keys, server: serverOf(redis, keys.state) };
  const entries = await redis.xrange(keys.stream, '-', '+', 'COUNT', 2);
  // One after the other, so that the stream is not empty after the first.
  for (const [id, fields] of entries) {
    const deadLetters = [{ entryId: id, reason: 'test', fields }];
    await settle(redis, { keys, entries: [{ id, users: 1 }], deadLetters });
  }
  const [replayed, discarded] = await redis.xrange(keys.dead, '-', '+', 'COUNT', 2);
  if (replayed) await replay(redis, { keys, id: replayed[0], users: 1, fields: ['test', 'replayed'] });
  const edit = { version: 2, totalQuantity: null, startMs: 0, endMs: ID_MAX, paused: false };
  await applyEdit(redis, { ...state, coupon: edit });
  await lowerTotal(redis, { ...state, version: 2, total: 10 });
  await hold(redis, state);
  await removeUnissued(redis, state);
  await endOpening(redis, { keys, token });
  if (discarded) await replaceLetter(redis, { keys, id: discarded[0], fields: ['test', 'replaced'] });
  const [replaced] = await redis.xrange(keys.dead, '-', '+', 'COUNT', 1);
  if (replaced) await discard(redis, { keys, id: replaced[0], owners: [{ userId: 'first', sequence: 1 }] });
  await close(redis, { keys, epoch: 1 });
}
