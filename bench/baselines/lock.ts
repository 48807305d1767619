// Entry of the ordinary way of `POST /v1/issue-async`: a Redlock lock a request, around read, decide and write.

import { Elysia } from 'elysia';
import { createRedlock, IoredisAdapter } from 'redlock-universal';
import { baselineKeys, IssueRequest, openBaselineStores, serveBaseline } from './baseline.ts';

/** Delay between two attempts: the default of the library. Shorter ones gave less (50 ms 0.8 of it, 5 ms 0.6): attempts crowd out work. */
const RETRY_MS = 200;
/** So many attempts that no request at 256 connections fails: what is measured is the lock, not the failures. */
const RETRIES_MAX = 100;

const { redis } = await openBaselineStores();
const adapters = [new IoredisAdapter(redis)];

const app = new Elysia().post(
  '/lock',
  async ({ body: { couponId, userId }, status }) => {
    const keys = baselineKeys(couponId);
    const lock = createRedlock({
      adapters,
      key: keys.lock,
      ttl: 5000,
      retryDelay: RETRY_MS,
      retryAttempts: RETRIES_MAX,
    });
    const handle = await lock.acquire();
    try {
      const sequence = await issue(keys, couponId, String(userId));
      if (sequence === null) return status(409, { code: 'DUPLICATED_COUPON_ISSUE' });
      return status(202, { couponId, userId, sequence });
    } finally {
      await lock.release(handle);
    }
  },
  { body: IssueRequest },
);

await serveBaseline(app);

/** Null when the user has it. */
async function issue(
  { owners, stream }: ReturnType<typeof baselineKeys>,
  couponId: number,
  userId: string,
): Promise<number | null> {
  if ((await redis.hexists(owners, userId)) === 1) return null;
  const sequence = (await redis.hlen(owners)) + 1;
  await redis
    .multi()
    .hset(owners, userId, sequence)
    .xadd(stream, '*', 'coupon', couponId, 'user', userId, 'sequence', sequence)
    .exec();
  return sequence;
}
