// routes.ts -- Routes about issues after they were promised: status, waiting, a user's list; change-routes.ts has the changes.

import { Type } from '@sinclair/typebox';
import { type Authority, usersWith } from '../auth/authority.ts';
import type { Codes } from '../codes/codes.ts';
import { CouponId, couponIdParameter, userIdParameter } from '../coupon/ids.ts';
import { cutPage, pageParameters } from '../http/pagination.ts';
import { problem } from '../http/problem.ts';
import { route } from '../http/route.ts';
import { type ChangeDependencies, changeRoutes } from './change-routes.ts';
import { type EventsDependencies, eventsRoute } from './event-routes.ts';
import { codeOf, IssueState, OwnedIssueAnswer, toIssueState, toOwnedIssue } from './json.ts';
import type { Issues } from './status.ts';

export interface IssuesDependencies extends EventsDependencies, ChangeDependencies {
  readonly config: EventsDependencies['config'] & ChangeDependencies['config'];
  readonly authority: Pick<Authority, 'isOn' | 'admit' | 'guard'>;
  readonly issues: Issues;
  readonly codes: Pick<Codes, 'codesOf'>;
}

const IssuePage = Type.Object(
  {
    issues: Type.Array(OwnedIssueAnswer, { description: 'in order of coupon' }),
    next: Type.Union([CouponId, Type.Null()], { description: '`after` of the next page; null on the last' }),
  },
  { $id: 'IssuePage' },
);

/** What is asked of issues after the issue endpoints answered. */
export function issuesRoutes(dependencies: IssuesDependencies) {
  return [
    statusRoute(dependencies),
    ...changeRoutes(dependencies),
    listRoute(dependencies),
    eventsRoute(dependencies),
  ] as const;
}

const lifeExample = {
  usableFrom: null,
  usableUntil: '2026-12-31T15:00:00.000Z',
  dateUsed: null,
  reference: null,
  dateRevoked: null,
};

const ofIssue = { couponId: couponIdParameter, userId: userIdParameter };

/** The longest a caller can wait: shorter than proxies wait. */
const WAIT_MS_MAX = 30_000;

/** How long to wait: `?waitMs=`, which must be within its bound; null without it. */
const waitMs = {
  schema: Type.Integer({
    minimum: 0,
    maximum: WAIT_MS_MAX,
    default: 0,
    description: `milliseconds that an \`ACCEPTED\` issue is waited for to become a row: an integer from 0 to ${WAIT_MS_MAX}`,
  }),
  example: 0,
  read(text: string | null): number | null | undefined {
    if (text === null) return null;
    return /^(0|[1-9][0-9]{0,4})$/.test(text) && Number(text) <= WAIT_MS_MAX ? Number(text) : undefined;
  },
};

/** The same as `Prefer: wait=` in seconds, which is a wish and is cut; null without it. */
const prefer = {
  schema: Type.String({
    description: 'the same in seconds, such as wait=10 (RFC 7240); larger values are reduced to the maximum',
  }),
  example: 'wait=0',
  read(text: string | null): number | null {
    const seconds = /(?:^|[,;])[ \t]*wait[ \t]*=[ \t]*"?(\d{1,9})/i.exec(text ?? '')?.[1];
    return seconds === undefined ? null : Math.min(Number(seconds) * 1000, WAIT_MS_MAX);
  },
};

function statusRoute({ authority, issues, codes }: IssuesDependencies) {
  return route(
    'GET',
    '/v1/coupons/:couponId/issues/:userId',
    {
      operationId: 'readIssue',
      tag: 'users',
      summary: 'Read the status of an issue',
      description: `A client that lost its answer can find out here whether it has the coupon. With a waiting time, the answer for an accepted
issue is sent as soon as it is a row, or when the time is up.`,
      access: usersWith(authority, 'read'),
      params: ofIssue,
      query: { waitMs },
      headers: { Prefer: prefer },
      answers: {
        200: {
          description: 'The status.',
          headers: { 'Preference-Applied': 'The `wait` of `Prefer` that was applied.' },
          schema: IssueState,
          example: { couponId: 1, userId: '42', sequence: 37, code: null, status: 'ISSUED', ...lifeExample },
        },
      },
      problems: ['COUPON_NOT_EXIST', 'FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ request, params, query, headers: { Prefer: wished } }) => {
      const applied = query.waitMs === null ? wished : null;
      const { couponId, userId } = params;
      const status = await issues.statusOf(couponId, userId, query.waitMs ?? wished ?? 0, request.signal);
      if (!status) return problem('COUPON_NOT_EXIST');
      // Until there is a row, the issue may get another sequence, and what is shown must not change.
      const code = 'issuedMs' in status ? await codeOf(codes, couponId, status.sequence) : null;
      const headers = applied === null ? {} : { 'preference-applied': `wait=${applied / 1000}` };
      return { body: toIssueState(params, status, code), headers };
    },
  );
}

function listRoute({ authority, issues, codes }: IssuesDependencies) {
  return route(
    'GET',
    '/v1/users/:userId/issues',
    {
      operationId: 'listUserIssues',
      tag: 'users',
      summary: 'List the issues of a user',
      description: `Rows in MySQL, in order of coupon. An issue that was just accepted appears as soon as it is a row.`,
      access: usersWith(authority, 'read'),
      params: { userId: userIdParameter },
      query: pageParameters,
      answers: { 200: { description: 'A page.', schema: IssuePage, example: pageExample } },
      problems: ['FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ params, query }) => {
      const found = await issues.listOf(params.userId, { ...query, limit: query.limit + 1 });
      const { items, next } = cutPage(found, query, ({ couponId }) => couponId);
      const codesOfItems = await codes.codesOf(items);
      return { body: { issues: items.map((issue, j) => toOwnedIssue(issue, codesOfItems[j] ?? null)), next } };
    },
  );
}

const pageExample = {
  issues: [
    {
      couponId: 1,
      sequence: 37,
      code: 'SUMMER-K7WQ-3N9X',
      status: 'ISSUED',
      dateIssued: '2026-12-01T01:00:00.123Z',
      dateWritten: '2026-12-01T01:00:00.187Z',
      endpoint: 'POST /v2/issue-async',
      ...lifeExample,
      title: 'Winter sale: 5,000 off',
      discountAmount: 5000,
      minAvailableAmount: 20_000,
      currency: 'KRW',
    },
  ],
  next: null,
};
