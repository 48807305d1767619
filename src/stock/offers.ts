// offers.ts -- Offering: what a Redis that failed over lacks is put back by the processes that remember it, before anybody else gets it.
//
// Each process remembers what it answered in the last seconds, or has in hand (recent-answers.ts). As soon as it sees another server, it
// writes there all that the former one decided, and notes that it has. An opening of a coupon that Redis was the home of waits for
// the notes of all processes that live, with a bound; then what is offered and is neither row nor entry nor dead letter counts as
// accepted, under its sequence. So an answer survives as long as one process lives that remembers it.
//
// A process that offers too late, or whose sequence was given to another, finds out in lost-answers.ts.

import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Config } from '../config/config.ts';
import { askServer, clockOf, isCluster, primariesOf, serverOf } from '../redis/connection.ts';
import { type CouponKeys, offerField, offersKey, type PartitionKeys, processesKey } from '../stream/keys.ts';
import { countUnoffered, noteOffered, offer } from './offer-scripts.ts';
import type { OpeningInput } from './opening-scripts.ts';
import { type AnsweredBatch, type AnsweredOwner, ownersIn, type RecentAnswers } from './recent-answers.ts';
import type { RedisStock } from './redis-stock.ts';

/** By user. */
export type Offered = ReadonlyMap<string, Pick<AnsweredOwner, 'sequence' | 'acceptedMs'>>;
export const NO_OFFERS: Offered = new Map();

export interface OffersDependencies {
  readonly redisStock: RedisStock;
  readonly answers: RecentAnswers;
  /** Of this process, unlike any other's. */
  readonly name: string;
  readonly settings: Pick<Config, 'OFFERING'>;
}

export interface Offers {
  /** Offers what this process remembers to a server that it has not seen before. Throws what Redis throws; the next call goes on. */
  offer(): Promise<void>;
  /** What is offered of a coupon, by user, once all processes have offered or the time is over. */
  gather(couponId: number, lease: OpeningInput): Promise<Offered>;
  /** This process has nothing more to offer: nobody waits for it. */
  leave(): Promise<void>;
}

/** From one look for another server to the next. */
export const LOOK_MS = 500;
/** From one note to the next, while the server is the same. */
const NOTE_MS = 2000;
/** A process that has noted nothing for so long is dead, or cut off. */
const ALIVE_MS = 10_000;
/** Longest wait of an opening for other processes: they notice within `LOOK_MS`, or as soon as their connection is there again. */
const GATHER_MS_MAX = 2000;
const GATHER_LOOK_MS = 20;
/** Openings use what was offered for so long. */
const KEEP_MS = 60_000;
const OWNERS_PER_OFFER_MAX = 5000;

/**
 * Not on a cluster: a slot that moves gives its coupons another server too, and every opening there would wait for all processes; and
 * each process would note in every partition by a script of its own, since their keys are of several slots.
 */
export function isOffering(redis: Redis, { OFFERING }: OffersDependencies['settings']): boolean {
  return OFFERING === 'on' && !isCluster(redis);
}

/** Processes that live and may offer in a partition; null where none does. Throws what Redis throws. */
export async function countProcesses(
  redis: Redis,
  keys: PartitionKeys,
  settings: OffersDependencies['settings'],
): Promise<number | null> {
  if (!isOffering(redis, settings)) return null;
  const [notes, nowMs] = await Promise.all([redis.hgetall(processesKey(keys)), clockOf(redis, keys.stream)]);
  return Object.values(notes).filter((note) => nowMs - Number.parseInt(note, 10) <= ALIVE_MS).length;
}

export function createOffers({ redisStock, answers, name, settings }: OffersDependencies): Offers {
  const { redis, keysOf, serverOfCoupon } = redisStock;
  const isOn = isOffering(redis, settings);
  const offeredMs = new WeakMap<AnsweredBatch, number>();
  /** What this process has noted last, in all partitions. */
  let noted = { server: '', atMs: 0 };
  let offering: Promise<void> | null = null;
  const offerOnce = () => (offering ??= offerInDoubt().finally(() => (offering = null)));
  const offerInDoubt = async () => {
    // A node that is lost is asked once it is there again; the others go on.
    await Promise.all(
      primariesOf(redis)
        .filter(({ status }) => status === 'ready')
        .map((node) => askServer(node)),
    );
    answers.expire(serverOfCoupon);
    if (!isOn) return;
    const nowMs = performance.now();
    for (const [couponId, batches] of answers.inDoubt(serverOfCoupon)) {
      const due = batches.filter((batch) => (offeredMs.get(batch) ?? Number.NEGATIVE_INFINITY) < nowMs - KEEP_MS / 2);
      const owners = due.flatMap((batch) =>
        ownersIn(batch).flatMap((owner) => [offerField(owner), `${owner.acceptedMs} ${batch.acceptedMs}`]),
      );
      for (let i = 0; i < owners.length; i += 2 * OWNERS_PER_OFFER_MAX) {
        const page = owners.slice(i, i + 2 * OWNERS_PER_OFFER_MAX);
        await offer(redis, { keys: keysOf(couponId), keepMs: KEEP_MS, owners: page });
      }
      for (const batch of due) offeredMs.set(batch, nowMs);
    }
    // Only now: an opening that reads a note relies on it.
    await note(serverOf(redis), nowMs);
  };
  const note = async (server: string, atMs: number) => {
    if (server === '' || (noted.server === server && atMs - noted.atMs < NOTE_MS)) return;
    const { partitions } = redisStock;
    const input = { partitions, name, server, aliveMs: ALIVE_MS, isFirst: noted.server === '' };
    if ((await noteOffered(redis, input)) === 'noted') noted = { server, atMs };
  };
  return {
    offer: offerOnce,
    async gather(couponId, lease) {
      if (!isOn) return NO_OFFERS;
      const { keys, server } = lease;
      if (noted.server !== server) await offerOnce();
      const deadlineMs = performance.now() + Math.min(GATHER_MS_MAX, lease.leaseMs / 2);
      while ((await countUnoffered(redis, { keys, server, aliveMs: ALIVE_MS })) > 0 && performance.now() < deadlineMs)
        await pause(GATHER_LOOK_MS);
      return readOffers(redisStock, couponId);
    },
    async leave() {
      if (isOn) await Promise.all(redisStock.partitions.map((keys) => redis.hdel(processesKey(keys), name)));
    },
  };
}

async function readOffers({ redis, keysOf }: RedisStock, couponId: number): Promise<Offered> {
  const found: { userId: string; sequence: number; acceptedMs: number; answeredMs: number }[] = [];
  let cursor = '0';
  do {
    const [next, fields] = await redis.hscan(offersKey(keysOf(couponId)), cursor, 'COUNT', 1000);
    for (let i = 0; i < fields.length; i += 2) {
      const [userId = '', sequence] = (fields[i] ?? '').split(' ');
      const [acceptedMs = 0, answeredMs = 0] = (fields[i + 1] ?? '').split(' ').map(Number);
      if (acceptedMs >= 0) found.push({ userId, sequence: Number(sequence), acceptedMs, answeredMs });
    }
    cursor = next;
  } while (cursor !== '0');
  // Where a failover undid a discard, a user may have been answered twice, or two users one sequence: the later answer counts.
  const ordered = found.toSorted((a, b) => a.answeredMs - b.answeredMs);
  const bySequence = new Map(ordered.map((issue) => [issue.sequence, issue]));
  return new Map(
    ordered.filter((issue) => bySequence.get(issue.sequence) === issue).map((issue) => [issue.userId, issue]),
  );
}

/** Whether a state does not know what is offered: it is then rebuilt, not proven. */
export async function lacksAny(
  { redis }: Pick<RedisStock, 'redis'>,
  keys: CouponKeys,
  offered: Offered,
): Promise<boolean> {
  const pairs = [...offered];
  for (let i = 0; i < pairs.length; i += OWNERS_PER_OFFER_MAX) {
    const page = pairs.slice(i, i + OWNERS_PER_OFFER_MAX);
    const known = await redis.hmget(keys.owners, ...page.map(([userId]) => userId));
    if (page.some(([, { sequence }], at) => known[at] !== String(sequence))) return true;
  }
  return false;
}

/** One round after the other until it is stopped, and one more as soon as there is a new connection. */
export async function keepOffering(
  round: () => Promise<void>,
  redis: Redis,
  onFault: (fault: unknown) => void,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    if (redis.status === 'ready') await round().catch(onFault);
    const woken = new AbortController();
    const wake = () => woken.abort();
    redis.once('ready', wake);
    await pause(LOOK_MS, undefined, { signal: AbortSignal.any([stop, woken.signal]) }).catch(() => undefined);
    redis.off('ready', wake);
  }
}
