// redis-stock.ts -- Everything that Redis knows of coupons, behind one object: it alone puts together keys, server and users.
//
// Each function is one script, one round trip, and throws what ioredis throws, unless it says otherwise. Built once for a
// connection; a script is told which server the connection knows, so that a state of another one is `not open`.

import type { Redis } from 'ioredis';
import type { Coupon, Stock } from '../coupon/coupon.ts';
import type { Owner } from '../coupon/issue-rows.ts';
import { Unavailable } from '../coupon/outcome.ts';
import { askServer, serverOf } from '../redis/connection.ts';
import {
  type CouponKeys,
  couponKeys,
  type PartitionKeys,
  partitionKeys,
  partitionOf,
  prefixOf,
} from '../stream/keys.ts';
import { type Confirm, look, type OpenStock, put, restoreEntry, take } from './decision-scripts.ts';
import { applyEdit, close, lowerTotal, removeUnissued } from './edit-scripts.ts';
import {
  beginOpening,
  endOpening,
  finishOpening,
  loadOwners,
  type OpeningInput,
  proveState,
} from './opening-scripts.ts';

export interface RedisStockSettings {
  readonly PARTITIONS: number;
  readonly UNPERSISTED_USERS_MAX: number;
}

export type RedisStock = ReturnType<typeof createRedisStock>;

/**
 * @param redis an issuing connection: it must not resend
 * @param confirm waits for replicas before anything is promised; null when nothing is to be waited for
 */
export function createRedisStock(
  redis: Redis,
  { PARTITIONS, UNPERSISTED_USERS_MAX }: RedisStockSettings,
  confirm: Confirm | null = null,
) {
  const keysOf = (couponId: number) => couponKeys(couponId, PARTITIONS);
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partitionKeys(partition));
  const serverFor = (_partition: PartitionKeys) => serverOf(redis);
  return {
    redis,
    confirm,
    /** The keys of each partition, by its number. */
    partitions,
    keysOf,
    /** The server that has a partition, as `serverOf` names it; '' while it is not known. */
    serverFor,
    /** The server that has a coupon. Cheap: what was answered in the last seconds is asked about batch by batch. */
    serverOfCoupon: (couponId: number) => {
      const keys = partitions[partitionOf(couponId, PARTITIONS)];
      return keys ? serverFor(keys) : '';
    },
    ...decisionsOf(redis, keysOf, UNPERSISTED_USERS_MAX),
    ...openingOf(redis, keysOf),
    ...editsOf(redis, keysOf),
  };
}

type KeysOf = (couponId: number) => CouponKeys;

function decisionsOf(redis: Redis, keysOf: KeysOf, unpersistedUsersMax: number) {
  return {
    /** Decides for a batch of users. Throws Unavailable while the server is not known. */
    take: async (couponId: number, users: readonly string[]) => {
      // The connection asks by itself, once; if that failed, every batch would be refused until the next connection.
      if (serverOf(redis) === '') await askServer(redis);
      return take(redis, { keys: keysOf(couponId), server: knownServer(redis), couponId, unpersistedUsersMax, users });
    },
    /** Reads the stock, and which of the users have the coupon. */
    look: (couponId: number, users: readonly string[] = []) =>
      look(redis, { keys: keysOf(couponId), server: serverOf(redis), users }),
    /** Issues to `taken`, if the lock is still held under `token` and nothing changed since `seen`. */
    put: (couponId: number, token: string, seen: OpenStock, taken: readonly string[]) => {
      const { server, epoch, version, stock } = seen;
      const read = { server, epoch, version, next: stock.next };
      return put(redis, { keys: keysOf(couponId), couponId, token, unpersistedUsersMax, ...read, taken });
    },
    /** The epoch of the state, usable or not; 0 without one. */
    epochOf: async (couponId: number) => Number((await redis.hget(keysOf(couponId).state, 'epoch')) ?? 0),
    /** How many have the coupon by a state, usable or not. */
    countOwners: (couponId: number) => redis.hlen(keysOf(couponId).owners),
    /**
     * The coupons that have a state in their partition, in pages. A coupon may come twice. What a start tries is in partitions of its
     * own, and left out.
     */
    couponIds: async function* (): AsyncGenerator<readonly number[]> {
      let cursor = '0';
      do {
        const [next, keys] = await redis.scan(cursor, 'MATCH', `${prefixOf(redis)}coupon:{*}:*:state`, 'COUNT', 1000);
        const ids = keys.map((key) => Number(key.split(':').at(-2)));
        yield ids.filter((id, i) => keys[i] === `${prefixOf(redis)}${keysOf(id).state}`);
        cursor = next;
      } while (cursor !== '0');
    },
    /** Puts issues of a state back into the stream; `users` have the sequences from `first` on. `acceptedMs` 0: not known. */
    restoreEntry: (
      couponId: number,
      { server, epoch }: Pick<OpenStock, 'server' | 'epoch'>,
      first: number,
      users: readonly string[],
      acceptedMs = 0,
    ) => restoreEntry(redis, { keys: keysOf(couponId), couponId, server, epoch, first, users, acceptedMs }),
    /** All who have the coupon, in pages. */
    owners: async function* (couponId: number): AsyncGenerator<readonly Owner[]> {
      const { owners } = keysOf(couponId);
      let cursor = '0';
      do {
        const [next, fields] = await redis.hscan(owners, cursor, 'COUNT', 1000);
        yield fields.flatMap((userId, i) => (i % 2 === 0 ? [{ userId, sequence: Number(fields[i + 1]) }] : []));
        cursor = next;
      } while (cursor !== '0');
    },
    /**
     * Drops a state that contradicts the rows, and the lease of an opening under way, which may have read what was true before.
     * The next request opens the coupon.
     */
    drop: async (couponId: number): Promise<void> => {
      const { state, opening } = keysOf(couponId);
      await redis.unlink(state, opening);
    },

    /** Ends the lease of an opening under way, which then reads everything again. */
    async interruptOpening(couponId: number): Promise<void> {
      await redis.unlink(keysOf(couponId).opening);
    },
  };
}

function openingOf(redis: Redis, keysOf: KeysOf) {
  return {
    /** Tries to take the lease for an opening. Throws Unavailable while the server is not known. */
    beginOpening: async (couponId: number, leaseMs: number) => {
      // A server that was promoted behind a standing connection has another name by now; two processes that knew it by
      // different names would each take the other's state for an old one, in turn.
      await askServer(redis);
      const lease = { keys: keysOf(couponId), server: knownServer(redis), token: crypto.randomUUID(), leaseMs };
      return { lease, begun: await beginOpening(redis, lease) };
    },
    loadOwners: (lease: OpeningInput, owners: readonly (string | number)[]) => loadOwners(redis, { ...lease, owners }),
    finishOpening: (lease: OpeningInput, owners: number, stock: Stock, { epoch, version }: Coupon, aheadMs: number) =>
      finishOpening(redis, { ...lease, owners, stock, epoch, version, aheadMs }),
    proveState: (lease: OpeningInput, aheadMs: number) => proveState(redis, { ...lease, aheadMs }),
    /** The clock of Redis. */
    nowMs: async () => {
      const [seconds, micros] = await redis.time();
      return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
    },
    endOpening: (lease: OpeningInput) => endOpening(redis, lease),
  };
}

function editsOf(redis: Redis, keysOf: KeysOf) {
  const stateOf = (couponId: number) => ({ keys: keysOf(couponId), server: serverOf(redis) });
  return {
    /** Brings the settings in Redis to what MySQL has committed. Throws Unavailable while the server is not known. */
    applyEdit: async (coupon: Coupon) =>
      applyEdit(redis, { keys: keysOf(coupon.id), server: knownServer(redis), coupon }),
    lowerTotal: ({ id, version }: Coupon, total: number) => lowerTotal(redis, { ...stateOf(id), version, total }),
    removeUnissued: (couponId: number) => removeUnissued(redis, stateOf(couponId)),
    close: (couponId: number, epoch: number) => close(redis, { keys: keysOf(couponId), epoch }),
  };
}

function knownServer(redis: Redis): string {
  const server = serverOf(redis);
  if (server === '') throw new Unavailable('dependency', 'it is not known which server Redis is');
  return server;
}
