// redis-stock.ts -- Everything that Redis knows of coupons, behind one object: it alone puts together keys, server and users.
//
// Each function is one script, one round trip, and throws what ioredis throws, unless it says otherwise. Built once for a
// connection; a script is told which server the connection knows, so that a state of another one is `not open`.

import type { Redis } from 'ioredis';
import type { Endpoint } from '../coupon/accepted-by.ts';
import type { Coupon, Stock } from '../coupon/coupon.ts';
import type { Owner } from '../coupon/issue-rows.ts';
import { Unavailable } from '../coupon/outcome.ts';
import { invariant } from '../invariant.ts';
import { askServer, clockOf, serverOf } from '../redis/connection.ts';
import { keyPages } from '../redis/scan.ts';
import { type CouponKeys, couponKeys, type PartitionKeys, partitionKeys } from '../stream/keys.ts';
import { pseudonymOf } from '../coupon/pseudonym.ts';
import {
  type Confirm,
  type Erased,
  look,
  type OpenStock,
  type Pseudonyms,
  put,
  restoreEntry,
  type StateInput,
  take,
} from './decision-scripts.ts';
import { applyEdit, close, eraseOwner, hold, lowerTotal, removeUnissued } from './edit-scripts.ts';
import {
  beginOpening,
  endOpening,
  finishOpening,
  loadOwners,
  type OpeningInput,
  proveState,
} from './opening-scripts.ts';

export interface RedisStockSettings {
  /** Not set: what `setPartitions` is given, before anything else is called. */
  readonly PARTITIONS?: number | undefined;
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
  let count = PARTITIONS;
  const partitions = () => {
    invariant(count !== undefined, 'partitions are used before their number is known');
    return count;
  };
  const keysOf = (couponId: number) => couponKeys(couponId, partitions());
  const serverFor = ({ stream }: PartitionKeys) => serverOf(redis, stream);
  return {
    redis,
    confirm,
    /** The keys of each partition, by its number. */
    get partitions() {
      return Array.from({ length: partitions() }, (_, partition) => partitionKeys(partition));
    },
    /** Takes the number that the installation has, and returns it. */
    setPartitions: (number: number) => (count = number),
    keysOf,
    /** The server that has a partition, as `serverOf` names it; '' while it is not known. */
    serverFor,
    /** The server that has a coupon. */
    serverOfCoupon: (couponId: number) => serverFor(keysOf(couponId)),
    ...decisionsOf(redis, keysOf, UNPERSISTED_USERS_MAX),
    ...openingOf(redis, keysOf),
    ...editsOf(redis, keysOf),
  };
}

type KeysOf = (couponId: number) => CouponKeys;

/** Coupons with erased users whose key a process remembers. */
const ERASURE_KEYS_MAX = 10_000;

/** Asks with the pseudonyms of the users where some of the coupon were erased: once more, if that was not known. */
function createAsker() {
  const erasureKeys = new Map<number, string>();
  return async <Reply extends { readonly kind: string }>(
    couponId: number,
    users: readonly string[],
    ask: (pseudonyms?: Pseudonyms) => Promise<Reply | Erased>,
  ): Promise<Exclude<Reply, Erased>> => {
    const known = erasureKeys.get(couponId);
    const first = await (known === undefined ? ask() : ask(pseudonymsOf(known, users)));
    if (!isErased(first)) return first as Exclude<Reply, Erased>;
    if (erasureKeys.size >= ERASURE_KEYS_MAX) erasureKeys.clear();
    erasureKeys.set(couponId, first.erasureKey);
    const second = await ask(pseudonymsOf(first.erasureKey, users));
    if (isErased(second)) throw new Unavailable('dependency', 'the key of pseudonyms of a coupon changes');
    return second as Exclude<Reply, Erased>;
  };
}

function isErased(reply: { readonly kind: string }): reply is Erased {
  return reply.kind === 'erased';
}

function pseudonymsOf(erasureKey: string, users: readonly string[]): Pseudonyms {
  return { erasureKey, names: users.map((user) => pseudonymOf(erasureKey, user)) };
}

function decisionsOf(redis: Redis, keysOf: KeysOf, unpersistedUsersMax: number) {
  const asking = createAsker();
  return {
    /** Decides for a batch of users. Throws Unavailable while the server is not known. */
    take: async (couponId: number, users: readonly string[], endpoint: Endpoint) => {
      const keys = keysOf(couponId);
      // The connection asks by itself, once; if that failed, every batch would be refused until the next connection.
      if (serverOf(redis, keys.state) === '') await askServer(redis, keys.state);
      const server = knownServer(redis, keys);
      return asking(couponId, users, (pseudonyms) =>
        take(redis, { keys, server, couponId, unpersistedUsersMax, users, endpoint, pseudonyms }),
      );
    },
    /** Reads the stock, and which of the users have the coupon. */
    look: (couponId: number, users: readonly string[] = []) =>
      asking(couponId, users, (pseudonyms) => look(redis, { ...stateOf(redis, keysOf(couponId)), users, pseudonyms })),
    /** Issues to `taken`, if the lock is still held under `token` and nothing changed since `seen`. */
    put: (couponId: number, token: string, seen: OpenStock, taken: readonly string[], endpoint: Endpoint) => {
      const { server, epoch, version, stock } = seen;
      const read = { server, epoch, version, next: stock.next };
      return put(redis, { keys: keysOf(couponId), couponId, token, unpersistedUsersMax, ...read, taken, endpoint });
    },
    /** The epoch of the state, usable or not; 0 without one. */
    epochOf: async (couponId: number) => Number((await redis.hget(keysOf(couponId).state, 'epoch')) ?? 0),
    /** How many have the coupon by a state, usable or not. */
    countOwners: (couponId: number) => redis.hlen(keysOf(couponId).owners),
    /**
     * The coupons that have a state, or owners, in their partition, in pages, on all servers or some. A coupon may come twice. What a
     * start tries is in partitions of its own, and left out.
     */
    couponIds: async function* (
      kind: 'state' | 'owners' = 'state',
      nodes?: readonly Redis[],
    ): AsyncGenerator<readonly number[]> {
      for await (const keys of keyPages(redis, `coupon:{*}:*:${kind}`, nodes)) {
        const ids = keys.map((key) => Number(key.split(':').at(-2)));
        yield ids.filter((id, i) => keys[i] === keysOf(id)[kind]);
      }
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
    /** Drops a state that contradicts the rows, and the lease of an opening, which may have read what was true before. */
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
      const keys = keysOf(couponId);
      await askServer(redis, keys.state);
      const lease = { keys, server: knownServer(redis, keys), token: crypto.randomUUID(), leaseMs };
      return { lease, begun: await beginOpening(redis, lease) };
    },
    loadOwners: (lease: OpeningInput, owners: readonly (string | number)[]) => loadOwners(redis, { ...lease, owners }),
    finishOpening: (
      lease: OpeningInput,
      owners: number,
      stock: Stock,
      { epoch, version, erasureKey }: Pick<Coupon, 'epoch' | 'version' | 'erasureKey'>,
      aheadMs: number,
    ) => finishOpening(redis, { ...lease, owners, stock, epoch, version, aheadMs, erasureKey }),
    proveState: (lease: OpeningInput, aheadMs: number, erasureKey?: string) =>
      proveState(redis, { ...lease, aheadMs, erasureKey }),
    /** The clock of the Redis that decides about a coupon. */
    nowMs: (couponId: number) => clockOf(redis, keysOf(couponId).state),
    endOpening: (lease: OpeningInput) => endOpening(redis, lease),
  };
}

function editsOf(redis: Redis, keysOf: KeysOf) {
  return {
    /** Brings the settings in Redis to what MySQL has committed. Throws Unavailable while the server is not known. */
    applyEdit: async (coupon: Coupon) =>
      applyEdit(redis, { keys: keysOf(coupon.id), server: knownServer(redis, keysOf(coupon.id)), coupon }),
    lowerTotal: ({ id, version }: Coupon, total: number) =>
      lowerTotal(redis, { ...stateOf(redis, keysOf(id)), version, total }),
    removeUnissued: (couponId: number) => removeUnissued(redis, stateOf(redis, keysOf(couponId))),
    eraseOwner: (couponId: number, erased: Omit<Parameters<typeof eraseOwner>[1], 'keys'>) =>
      eraseOwner(redis, { keys: keysOf(couponId), ...erased }),
    close: (couponId: number, epoch: number) => close(redis, { keys: keysOf(couponId), epoch }),
    hold: (couponId: number) => hold(redis, { keys: keysOf(couponId) }),
  };
}

function stateOf(redis: Redis, keys: CouponKeys): StateInput {
  return { keys, server: serverOf(redis, keys.state) };
}

function knownServer(redis: Redis, { state }: CouponKeys): string {
  const server = serverOf(redis, state);
  if (server === '') throw new Unavailable('dependency', 'it is not known which server Redis is');
  return server;
}
