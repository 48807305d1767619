// report-routes.ts -- The route of reports: what was issued and used by day and coupon, for those who account for it.

import { Type } from '@sinclair/typebox';
import { type Authority, operatorsWith } from '../auth/authority.ts';
import { CouponId } from '../coupon/ids.ts';
import { dateReader, isTimeZone, TIME_ZONE_PATTERN } from '../coupon/time-zone.ts';
import { pageParameters } from '../http/pagination.ts';
import { route } from '../http/route.ts';
import { count } from './audit.ts';
import type { MakeReport } from './reports.ts';

export interface ReportDependencies {
  readonly authority: Pick<Authority, 'guard'>;
  readonly report: MakeReport;
}

const DAYS_MAX = 366;
const DAYS_DEFAULT = 31;
const DAY_MS = 86_400_000;
const dateExpression = /^(19[7-9][0-9]|20[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$/;

const days = {
  schema: Type.Integer({
    minimum: 1,
    maximum: DAYS_MAX,
    default: DAYS_DEFAULT,
    description: `the number of days: an integer from 1 to ${DAYS_MAX}`,
  }),
  example: DAYS_DEFAULT,
};

const from = {
  schema: Type.String({
    pattern: dateExpression.source,
    description: 'the first day, such as 2026-12-01; without it, today is the last one',
  }),
  example: '2026-12-01',
  /** A 31 February is a day of March. */
  read(text: string | null): string | null | undefined {
    if (text === null) return null;
    return dateExpression.test(text) ? dayAfter(text, 0) : undefined;
  },
};

function dayAfter(day: string, later: number): string {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number);
  return new Date(Date.UTC(year, month - 1, date) + later * DAY_MS).toISOString().slice(0, 10);
}

const timeZone = {
  schema: Type.String({
    default: 'UTC',
    pattern: TIME_ZONE_PATTERN,
    description: 'name of a time zone, such as Asia/Seoul',
  }),
  example: 'Asia/Seoul',
  read(text: string | null): string | undefined {
    const name = text ?? 'UTC';
    if (!isTimeZone(name)) return undefined;
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
  },
};

const couponId = {
  schema: CouponId,
  example: 1,
  read(text: string | null): number | null | undefined {
    if (text === null) return null;
    return /^[1-9][0-9]{0,15}$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined;
  },
};

const IssueReport = Type.Object(
  {
    timeZone: Type.String({ description: 'the time zone of the days' }),
    days: Type.Array(
      Type.Object({
        date: Type.String({ description: 'a day of this time zone' }),
        couponId: CouponId,
        issued: count('rows that were accepted on this day'),
        used: count('issues that were used on this day, and are used now'),
        revoked: count('issues that were revoked on this day'),
        discount: count('what these uses took off, in the smallest unit of the currency'),
        currency: Type.String({ description: 'of `discount`: a code of ISO 4217' }),
      }),
      { description: 'by coupon and date; days on which nothing happened are left out' },
    ),
    archived: Type.Array(CouponId, {
      description: 'coupons of this page whose issues are archived, and not counted',
    }),
    next: Type.Union([CouponId, Type.Null()], { description: '`after` of the next page; null on the last' }),
  },
  { $id: 'IssueReport' },
);

/** `GET /v1/reports/issues`. */
export function reportRoute({ authority, report }: ReportDependencies) {
  return route(
    'GET',
    '/v1/reports/issues',
    {
      operationId: 'reportIssues',
      tag: 'operators',
      summary: 'Report issued, used and revoked issues by day and coupon',
      description: `Counts rows; accepted issues that are not yet rows are not counted. A page ends early when its coupons have a million issues
together. A process makes one report at a time, and answers 503 to further requests meanwhile.`,
      access: operatorsWith(authority, 'read'),
      query: {
        from,
        days,
        timeZone,
        couponId,
        ...pageParameters,
      },
      answers: {
        200: {
          description: 'The days.',
          schema: IssueReport,
          example: {
            timeZone: 'Asia/Seoul',
            days: [
              {
                date: '2026-12-01',
                couponId: 1,
                issued: 1000,
                used: 12,
                revoked: 1,
                discount: 60_000,
                currency: 'KRW',
              },
            ],
            archived: [],
            next: null,
          },
        },
      },
      problems: ['FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ query }) => {
      const first = query.from ?? dayAfter(dateReader(query.timeZone)(Date.now()), 1 - query.days);
      const to = dayAfter(first, query.days - 1);
      return { body: { timeZone: query.timeZone, ...(await report({ ...query, from: first, to })) } };
    },
  );
}
