// drop-routes.ts -- The public view of a coupon: enough for a page with a countdown. No key is needed.
//
// Everybody who opens such a page asks, most of them just before the start: a process asks MySQL at most once a second.

import { type Static, Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import { operation } from '../http/openapi.ts';
import { formatInstant } from '../http/instant.ts';
import { invalid, problem } from '../http/problem.ts';
import type { Coupon } from '../coupon/coupon.ts';
import { CouponId, readCouponId } from '../coupon/ids.ts';
import { CouponAnswer } from '../coupon/json.ts';

export interface DropDependencies {
  /** null: no such coupon */
  readonly catalog: { read(id: number): Promise<Coupon | null> };
}

const DropAnswer = Type.Object({
  couponId: CouponId,
  ...Type.Pick(CouponAnswer, [
    'title',
    'totalQuantity',
    'discountAmount',
    'minAvailableAmount',
    'dateIssueStart',
    'dateIssueEnd',
    'paused',
    'version',
  ]).properties,
  now: Type.String({ description: "the server's clock, in UTC: count down by it, not by the clock of the caller" }),
});

/** The schemas by the names that the document gives them. */
export const dropSchemas = { Drop: DropAnswer };

/** `GET /v1/drops/:id`. */
export function dropRoutes({ catalog }: DropDependencies) {
  const read = rememberedFor(AGE_MS_MAX, (id: number) => catalog.read(id));
  return new Elysia({ name: 'drops' }).get('/v1/drops/:id', ({ params }) => answerDrop(read, params.id), {
    detail: dropOperation,
  });
}

const AGE_MS_MAX = 1000;
/** Most coupons cached; beyond it all are dropped, which costs a read each. */
const REMEMBERED_MAX = 1000;

async function answerDrop(read: DropDependencies['catalog']['read'], idText: string): Promise<Response> {
  const id = readCouponId(idText);
  if (typeof id === 'object') return invalid([id]);
  const coupon = await read(id);
  if (!coupon) return problem('COUPON_NOT_EXIST');
  const answer: Static<typeof DropAnswer> = {
    couponId: coupon.id,
    title: coupon.title,
    totalQuantity: coupon.totalQuantity,
    discountAmount: coupon.discountAmount,
    minAvailableAmount: coupon.minAvailableAmount,
    dateIssueStart: formatInstant(coupon.startMs),
    dateIssueEnd: formatInstant(coupon.endMs),
    paused: coupon.paused,
    version: coupon.version,
    now: formatInstant(Date.now()),
  };
  return Response.json(answer, { headers: { 'cache-control': 'no-store' } });
}

/** Answers from memory while that is at most `ageMsMax` old. What failed is not remembered. */
function rememberedFor<Value>(ageMsMax: number, read: (id: number) => Promise<Value>): (id: number) => Promise<Value> {
  const known = new Map<number, { readonly atMs: number; readonly value: Promise<Value> }>();
  return (id) => {
    const nowMs = performance.now();
    const found = known.get(id);
    if (found && nowMs - found.atMs <= ageMsMax) return found.value;
    if (known.size >= REMEMBERED_MAX) known.clear();
    const value = read(id);
    known.set(id, { atMs: nowMs, value });
    // Only drops it: the callers that wait for the value receive the failure.
    value.catch(() => known.delete(id));
    return value;
  };
}

const dropOperation = operation({
  operationId: 'readDrop',
  tag: 'users',
  summary: 'Public view of a coupon',
  description: 'For pages that count down to its start. May be a second old, all but `now`.',
  parameters: [{ name: 'id', in: 'path', schema: CouponId, example: 1 }],
  answers: {
    200: {
      description: 'The coupon.',
      schema: 'Drop',
      example: {
        couponId: 1,
        title: 'Winter sale: 5,000 off',
        totalQuantity: 1000,
        discountAmount: 5000,
        minAvailableAmount: 20_000,
        dateIssueStart: '2026-12-01T01:00:00.000Z',
        dateIssueEnd: '2026-12-31T15:00:00.000Z',
        paused: false,
        version: 1,
        now: '2026-12-01T00:59:50.000Z',
      },
    },
  },
  problems: ['COUPON_NOT_EXIST', 'INVALID_REQUEST', 'FAIL_COUPON_ISSUE_REQUEST'],
});
