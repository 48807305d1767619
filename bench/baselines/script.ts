// Entry of the ordinary way of `POST /v2/issue-async`: one Lua script a request, and one message an issue.

import { Elysia } from 'elysia';
import { baselineKeys, IssueRequest, openBaselineStores, serveBaseline } from './baseline.ts';

const source = `
  if redis.call('HEXISTS', KEYS[1], ARGV[2]) == 1 then return 0 end
  local sequence = redis.call('HLEN', KEYS[1]) + 1
  redis.call('HSET', KEYS[1], ARGV[2], sequence)
  redis.call('XADD', KEYS[2], '*', 'coupon', ARGV[1], 'user', ARGV[2], 'sequence', sequence)
  return sequence`;

const { redis } = await openBaselineStores();
const digest = String(await redis.script('LOAD', source));

const app = new Elysia().post(
  '/script',
  async ({ body: { couponId, userId }, status }) => {
    const { owners, stream } = baselineKeys(couponId);
    const sequence = Number(await redis.evalsha(digest, 2, owners, stream, couponId, String(userId)));
    if (sequence === 0) return status(409, { code: 'DUPLICATED_COUPON_ISSUE' });
    return status(202, { couponId, userId, sequence });
  },
  { body: IssueRequest },
);

await serveBaseline(app);
