// drop-routes.ts -- The public view of a coupon: enough for a page with a countdown. No key is needed.
//
// Everybody who opens such a page asks, most of them just before the start.

import { createHash } from 'node:crypto';
import { type Static, Type } from '@sinclair/typebox';
import type { Coupon } from '../coupon/coupon.ts';
import { CouponId, couponIdParameter } from '../coupon/ids.ts';
import { CouponAnswer } from '../coupon/json.ts';
import { isNoneMatched } from '../http/etag.ts';
import { formatInstant, formatOptional } from '../http/instant.ts';
import { problem } from '../http/problem.ts';
import { route } from '../http/route.ts';
import type { ProgressHub } from './progress.ts';

export interface DropDependencies {
  /** The coupon as it was at most a second ago, or null. Cached, and safe to ask for any id. */
  readonly readPublic: (couponId: number) => Promise<Coupon | null>;
  readonly progress: Pick<ProgressHub, 'recent'>;
}

const DropAnswer = Type.Object(
  {
    couponId: CouponId,
    ...Type.Pick(CouponAnswer, [
      'title',
      'totalQuantity',
      'discountAmount',
      'minAvailableAmount',
      'currency',
      'usableFrom',
      'usableUntil',
      'usableDays',
      'timeZone',
      'dateIssueStart',
      'dateIssueEnd',
      'paused',
      'version',
    ]).properties,
    left: Type.Union([Type.Integer(), Type.Null()], {
      description: 'how many are left, at most a second ago; null without limit, or when it is not known',
    }),
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
  currency: 'KRW',
  usableFrom: null,
  usableUntil: null,
  usableDays: 30,
  timeZone: 'Asia/Seoul',
  dateIssueStart: '2026-12-01T01:00:00.000Z',
  dateIssueEnd: '2026-12-31T15:00:00.000Z',
  paused: false,
  version: 1,
  left: 1000,
  now: '2026-12-01T00:59:50.000Z',
};

export type DropView = Static<typeof DropAnswer>;

/** The public view of a coupon; null for one that is not listed, as for one that does not exist. Throws what `readPublic` throws. */
export async function readDrop({ readPublic, progress }: DropDependencies, couponId: number): Promise<DropView | null> {
  const coupon = await readPublic(couponId);
  // The same as for one that is not there: counting ids shows only what was announced.
  if (!coupon?.listed) return null;
  // Without the stores it is still known what the coupon is.
  const sample = await progress.recent(couponId).catch(() => null);
  return {
    couponId: coupon.id,
    title: coupon.title,
    totalQuantity: coupon.totalQuantity,
    discountAmount: coupon.discountAmount,
    minAvailableAmount: coupon.minAvailableAmount,
    currency: coupon.currency,
    usableFrom: formatOptional(coupon.usableFromMs),
    usableUntil: formatOptional(coupon.usableUntilMs),
    usableDays: coupon.usableDays,
    timeZone: coupon.timeZone,
    dateIssueStart: formatInstant(coupon.startMs),
    dateIssueEnd: formatInstant(coupon.endMs),
    paused: coupon.paused,
    version: coupon.version,
    left: sample?.left ?? null,
    now: formatInstant(Date.now()),
  };
}

/** `GET /v1/drops/:couponId`. */
export function dropRoutes(dependencies: DropDependencies) {
  return [
    route(
      'GET',
      '/v1/drops/:couponId',
      {
        operationId: 'readDrop',
        tag: 'users',
        summary: 'Public view of a coupon',
        description: `For pages that count down to the start and show the stock left without an event stream. Everything except \`now\` may be a
second old; \`now\` too, and all of it up to two seconds, if a cache (a CDN) keeps the answer as allowed. A coupon that is not
\`listed\` is answered as unknown.`,
        params: { couponId: couponIdParameter },
        answers: {
          200: { description: 'The coupon.', schema: DropAnswer, example: dropExample },
          304: { description: 'As in the answer with the `ETag` that was sent as `If-None-Match`.' },
        },
        problems: ['COUPON_NOT_EXIST', 'FAIL_COUPON_ISSUE_REQUEST'],
      },
      async ({ request, params }) => {
        const body = await readDrop(dependencies, params.couponId);
        if (!body) return problem('COUPON_NOT_EXIST');
        const headers = { etag: tagOf(body), 'cache-control': CACHED };
        if (isNoneMatched(request, headers.etag)) return new Response(null, { status: 304, headers });
        return { body, headers };
      },
    ),
  ] as const;
}

/**
 * However many visitors a drop has, its origin is asked once a second by each cache in front of it. Meanwhile callers get the last answer,
 * which is then at most two seconds old.
 */
const CACHED = 'public, max-age=1, stale-while-revalidate=1';

/** Weak, and with the second: a cache that revalidates must not keep an old clock. */
function tagOf({ now, ...view }: DropView): string {
  const text = JSON.stringify({ ...view, second: now.slice(0, 19) });
  return `W/"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
}
