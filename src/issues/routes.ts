// routes.ts -- Routes about issues after they were promised: status, waiting, a user's list, use; event-routes.ts has the progress.

import { Type } from '@sinclair/typebox';
import { type Authority, usersWith } from '../auth/authority.ts';
import { CouponId, couponIdParameter, UserId, userIdParameter } from '../coupon/ids.ts';
import { formatInstant } from '../http/instant.ts';
import { cutPage, pageParameters } from '../http/pagination.ts';
import { problem } from '../http/problem.ts';
import { route } from '../http/route.ts';
import { type EventsDependencies, eventsRoute } from './event-routes.ts';
import type { Issues, IssueStatus } from './status.ts';

export interface IssuesDependencies extends EventsDependencies {
  readonly authority: Pick<Authority, 'isOn' | 'admit' | 'guard'>;
  readonly issues: Issues;
}

/** The number of an issue, in an answer. */
export const Sequence = Type.Integer({ minimum: 1, description: 'Number of the issue within its coupon, from 1.' });

/** Answer about one user and one coupon. */
const IssueState = Type.Object(
  {
    couponId: CouponId,
    userId: UserId,
    sequence: Type.Union([Sequence, Type.Null()], {
      description: 'Number of the issue; null with `NONE` and `ARCHIVED`.',
    }),
    status: Type.String({
      enum: ['NONE', 'ACCEPTED', 'ISSUED', 'USED', 'ARCHIVED'],
      description:
        '`NONE`: not issued. `ACCEPTED`: not yet a row. `ISSUED`: a row. `USED`: redeemed. ' +
        '`ARCHIVED`: the issues of this coupon were moved to a file, in which it would be found.',
    }),
  },
  { $id: 'IssueState' },
);

/** A row, as its user sees it. */
const OwnedIssueAnswer = Type.Object(
  {
    couponId: CouponId,
    sequence: Sequence,
    status: Type.String({ enum: ['ISSUED', 'USED'] }),
    dateIssued: Type.String({ description: 'When it was accepted, in UTC.' }),
    dateWritten: Type.String({ description: 'When its row was written, in UTC.' }),
    dateUsed: Type.Union([Type.String(), Type.Null()], { description: 'When it was used, in UTC; null before.' }),
    title: Type.String({ description: 'What the coupon is called.' }),
    discountAmount: Type.Integer({ description: 'What it takes off.' }),
    minAvailableAmount: Type.Integer({ description: 'The smallest order it can be used for.' }),
  },
  { $id: 'OwnedIssue' },
);

const IssuePage = Type.Object(
  {
    issues: Type.Array(OwnedIssueAnswer, { description: 'in order of coupon' }),
    next: Type.Union([CouponId, Type.Null()], { description: '`after` of the next page; null on the last' }),
  },
  { $id: 'IssuePage' },
);

const UsedIssue = Type.Object(
  {
    couponId: CouponId,
    userId: UserId,
    sequence: Sequence,
    status: Type.String({ enum: ['USED'] }),
    dateUsed: Type.String({ description: 'When it was used, in UTC.' }),
  },
  { $id: 'UsedIssue' },
);

/** What is asked of issues after the issue endpoints answered. */
export function issuesRoutes(dependencies: IssuesDependencies) {
  return [
    statusRoute(dependencies),
    useRoute(dependencies),
    listRoute(dependencies),
    eventsRoute(dependencies),
  ] as const;
}

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
  schema: Type.String({ description: 'the same in seconds, such as wait=10 (RFC 7240); more than the bound is cut' }),
  example: 'wait=0',
  read(text: string | null): number | null {
    const seconds = /(?:^|[,;])[ \t]*wait[ \t]*=[ \t]*"?(\d{1,9})/i.exec(text ?? '')?.[1];
    return seconds === undefined ? null : Math.min(Number(seconds) * 1000, WAIT_MS_MAX);
  },
};

function statusRoute({ authority, issues }: IssuesDependencies) {
  return route(
    'GET',
    '/v1/coupons/:couponId/issues/:userId',
    {
      operationId: 'readIssue',
      tag: 'users',
      summary: 'What has become of an issue',
      description: `A client that lost its answer learns here whether it has the coupon. With a time to wait, an issue that is accepted
is answered as soon as it is a row; when the time is up, as it is then.`,
      access: usersWith(authority, 'read'),
      params: ofIssue,
      query: { waitMs },
      headers: { Prefer: prefer },
      answers: {
        200: {
          description: 'The status.',
          headers: { 'Preference-Applied': 'The `wait` of `Prefer` that was applied.' },
          schema: IssueState,
          example: { couponId: 1, userId: '42', sequence: 37, status: 'ACCEPTED' },
        },
      },
      problems: ['COUPON_NOT_EXIST', 'FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ request, params, query, headers: { Prefer: wished } }) => {
      const applied = query.waitMs === null ? wished : null;
      const { couponId, userId } = params;
      const status = await issues.statusOf(couponId, userId, query.waitMs ?? wished ?? 0, request.signal);
      if (!status) return problem('COUPON_NOT_EXIST');
      const sequence = 'sequence' in status ? status.sequence : null;
      const headers = applied === null ? {} : { 'preference-applied': `wait=${applied / 1000}` };
      return { body: { couponId, userId, sequence, status: statusWords[status.kind] }, headers };
    },
  );
}

const unused = {
  'not exist': 'COUPON_NOT_EXIST',
  'not issued': 'ISSUE_NOT_EXIST',
  archived: 'COUPON_ARCHIVED',
} as const;

const statusWords = {
  none: 'NONE',
  accepted: 'ACCEPTED',
  issued: 'ISSUED',
  used: 'USED',
  archived: 'ARCHIVED',
} satisfies Record<IssueStatus['kind'], string>;

function useRoute({ authority, issues }: IssuesDependencies) {
  return route(
    'POST',
    '/v1/coupons/:couponId/issues/:userId/use',
    {
      operationId: 'useIssue',
      tag: 'users',
      summary: 'Use an issue',
      description: `Once: of two concurrent requests one receives 200, the other 409. An issue that was only just accepted is waited for
until it is a row.`,
      access: usersWith(authority, 'issue'),
      params: ofIssue,
      answers: {
        200: {
          description: 'Used now.',
          schema: UsedIssue,
          example: { couponId: 1, userId: '42', sequence: 37, status: 'USED', dateUsed: '2026-12-24T09:00:00.000Z' },
        },
      },
      problems: [
        'COUPON_NOT_EXIST',
        'ISSUE_NOT_EXIST',
        'ISSUE_ALREADY_USED',
        'COUPON_ARCHIVED',
        'FAIL_COUPON_ISSUE_REQUEST',
      ],
    },
    async ({ params }) => {
      const use = await issues.use(params.couponId, params.userId);
      if (!('usedMs' in use)) return problem(unused[use.kind]);
      const { sequence } = use;
      const dateUsed = formatInstant(use.usedMs);
      if (use.kind === 'already used') return problem('ISSUE_ALREADY_USED', undefined, { sequence, dateUsed });
      return { body: { ...params, sequence, status: 'USED', dateUsed } };
    },
  );
}

function listRoute({ authority, issues }: IssuesDependencies) {
  return route(
    'GET',
    '/v1/users/:userId/issues',
    {
      operationId: 'listUserIssues',
      tag: 'users',
      summary: 'What a user has',
      description: `Rows in MySQL, in order of coupon, by the index of users: an issue that was only just accepted is there a moment later.
Which endpoint accepted it is not stored.`,
      access: usersWith(authority, 'read'),
      params: { userId: userIdParameter },
      query: pageParameters,
      answers: { 200: { description: 'A page.', schema: IssuePage, example: pageExample } },
      problems: ['FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ params, query }) => {
      const found = await issues.listOf(params.userId, { ...query, limit: query.limit + 1 });
      const { items, next } = cutPage(found, query, ({ couponId }) => couponId);
      const shown = items.map(({ issuedMs, writtenMs, usedMs, ...issue }) => ({
        ...issue,
        status: usedMs === null ? 'ISSUED' : 'USED',
        dateIssued: formatInstant(issuedMs),
        dateWritten: formatInstant(writtenMs),
        dateUsed: usedMs === null ? null : formatInstant(usedMs),
      }));
      return { body: { issues: shown, next } };
    },
  );
}

const pageExample = {
  issues: [
    {
      couponId: 1,
      sequence: 37,
      status: 'ISSUED',
      dateIssued: '2026-12-01T01:00:00.123Z',
      dateWritten: '2026-12-01T01:00:00.187Z',
      dateUsed: null,
      title: 'Winter sale: 5,000 off',
      discountAmount: 5000,
      minAvailableAmount: 20_000,
    },
  ],
  next: null,
};
