// timeline-route.ts -- The route of a coupon's timeline, for operators who come later than the drop.

import { type Static, Type } from '@sinclair/typebox';
import { type Authority, operatorsWith } from '../../auth/authority.ts';
import { CouponId, couponIdParameter } from '../../coupon/ids.ts';
import { formatInstant } from '../../http/instant.ts';
import { problem } from '../../http/problem.ts';
import { route } from '../../http/route.ts';
import { count } from '../audit.ts';
import { SECONDS_MAX } from './refusal-counts.ts';
import type { Timeline } from './timeline.ts';

export interface TimelineRouteDependencies {
  readonly authority: Pick<Authority, 'guard'>;
  /** Null: no such coupon. */
  readonly timeline: (couponId: number) => Promise<Timeline | null>;
}

const date = (description: string) => Type.String({ format: 'date-time', description });

const TimelineAnswer = Type.Object(
  {
    couponId: CouponId,
    issues: Type.Array(
      Type.Object({
        date: date('when it was accepted'),
        sequence: Type.Integer({ minimum: 1 }),
        persistedMs: count('milliseconds until it was a row in MySQL'),
      }),
      { description: 'some hundred issues that are rows, evenly spaced, with the first and the last' },
    ),
    refusals: Type.Object({
      alreadyIssued: count('users who had the coupon'),
      notStarted: count('requests before the start'),
      paused: count('requests while it was paused'),
      ended: count('requests after the end'),
      soldOut: count('requests when nothing was left'),
    }),
    refused: Type.Array(Type.Object({ date: date('a second'), count: count('callers that were refused in it') }), {
      description: `the newest seconds with refusals, from at most ${SECONDS_MAX} reports of processes`,
    }),
    complete: Type.Boolean({ description: 'whether these are all seconds with refusals' }),
  },
  { $id: 'Timeline' },
);

const example: Static<typeof TimelineAnswer> = {
  couponId: 1,
  issues: [
    { date: '2026-12-01T03:00:00.012Z', sequence: 1, persistedMs: 9 },
    { date: '2026-12-01T03:00:01.380Z', sequence: 1000, persistedMs: 31 },
  ],
  refusals: { alreadyIssued: 3, notStarted: 120, paused: 0, ended: 0, soldOut: 48_211 },
  refused: [{ date: '2026-12-01T03:00:01.000Z', count: 48_214 }],
  complete: true,
};

/** `GET /v1/coupons/:couponId/timeline`. */
export function timelineRoute({ authority, timeline }: TimelineRouteDependencies) {
  return route(
    'GET',
    '/v1/coupons/:couponId/timeline',
    {
      operationId: 'readTimeline',
      tag: 'operators',
      summary: 'How the drop of a coupon went',
      description: `When its issues were accepted and written, from the rows in MySQL, and how many callers were refused and why, counted by all
processes for a week after the last refusal. A process that ends between two seconds takes the counts of one with it.`,
      access: operatorsWith(authority, 'read'),
      params: { couponId: couponIdParameter },
      answers: { 200: { description: 'The timeline.', schema: TimelineAnswer, example } },
      problems: ['COUPON_NOT_EXIST', 'FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ params: { couponId } }) => {
      const found = await timeline(couponId);
      return found ? { body: toAnswer(couponId, found) } : problem('COUPON_NOT_EXIST');
    },
  );
}

function toAnswer(
  couponId: number,
  { issues, refusals, refused, isComplete }: Timeline,
): Static<typeof TimelineAnswer> {
  return {
    couponId,
    issues: issues.map(({ issuedMs, ...rest }) => ({ date: formatInstant(issuedMs), ...rest })),
    refusals: {
      alreadyIssued: refusals['already issued'],
      notStarted: refusals['not started'],
      paused: refusals.paused,
      ended: refusals.ended,
      soldOut: refusals['sold out'],
    },
    refused: refused.map(({ atMs, count: callers }) => ({ date: formatInstant(atMs), count: callers })),
    complete: isComplete,
  };
}
