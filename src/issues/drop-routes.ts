// drop-routes.ts -- The public view of a coupon: enough for a page with a countdown. No key is needed.
//
// Everybody who opens such a page asks, most of them just before the start.

import { Type } from '@sinclair/typebox';
import type { Coupon } from '../coupon/coupon.ts';
import { CouponId, couponIdParameter } from '../coupon/ids.ts';
import { CouponAnswer } from '../coupon/json.ts';
import { formatInstant } from '../http/instant.ts';
import { problem } from '../http/problem.ts';
import { route } from '../http/route.ts';

export interface DropDependencies {
  /** The coupon as it was at most a second ago, or null. Cached, and safe to ask for any id. */
  readonly readPublic: (couponId: number) => Promise<Coupon | null>;
}

const DropAnswer = Type.Object(
  {
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
  },
  { $id: 'Drop' },
);

const dropExample = {
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
};

/** `GET /v1/drops/:couponId`. */
export function dropRoutes({ readPublic }: DropDependencies) {
  return [
    route(
      'GET',
      '/v1/drops/:couponId',
      {
        operationId: 'readDrop',
        tag: 'users',
        summary: 'Public view of a coupon',
        description:
          'For pages that count down to its start. May be a second old, all but `now`. Of a coupon that is not `listed`: as if there were none.',
        params: { couponId: couponIdParameter },
        answers: { 200: { description: 'The coupon.', schema: DropAnswer, example: dropExample } },
        problems: ['COUPON_NOT_EXIST', 'FAIL_COUPON_ISSUE_REQUEST'],
      },
      async ({ params }) => {
        const coupon = await readPublic(params.couponId);
        // The same as for one that is not there: counting ids shows only what was announced.
        if (!coupon?.listed) return problem('COUPON_NOT_EXIST');
        return {
          body: {
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
          },
        };
      },
    ),
  ] as const;
}
