// route-docs.ts -- What the document says of the routes about issues.

import { Type } from '@sinclair/typebox';
import { CouponId, UserId } from '../coupon/ids.ts';
import { type Operation, operation, type Parameter } from '../http/openapi.ts';
import { pageParameters } from '../http/pagination.ts';

/** The longest a caller can wait: shorter than proxies wait. */
export const WAIT_MS_MAX = 30_000;

/** What `waitMs` may be. */
export const waitDescription = `milliseconds that an \`ACCEPTED\` issue is waited for to become a row: an integer from 0 to ${WAIT_MS_MAX}`;

const couponParameter: Parameter = { name: 'id', in: 'path', schema: CouponId, example: 1 };
const userParameter: Parameter = { name: 'userId', in: 'path', schema: UserId, example: '42' };

export const statusOperation: Operation = {
  operationId: 'readIssue',
  tag: 'users',
  summary: 'What has become of an issue',
  description: `A client that lost its answer learns here whether it has the coupon. With a time to wait, an issue that is accepted
is answered as soon as it is a row; when the time is up, as it is then.`,
  parameters: [
    couponParameter,
    userParameter,
    {
      name: 'waitMs',
      in: 'query',
      schema: Type.Integer({ minimum: 0, maximum: WAIT_MS_MAX, default: 0, description: waitDescription }),
      example: 0,
    },
    {
      name: 'Prefer',
      in: 'header',
      schema: Type.String({
        description: 'the same in seconds, such as wait=10 (RFC 7240); more than the bound is cut',
      }),
      example: 'wait=0',
    },
  ],
  answers: {
    200: {
      description: 'The status.',
      headers: { 'Preference-Applied': 'The `wait` of `Prefer` that was applied.' },
      schema: 'IssueState',
      example: { couponId: 1, userId: '42', sequence: 37, status: 'ACCEPTED' },
    },
  },
  problems: [
    'UNAUTHENTICATED',
    'FORBIDDEN',
    'TOO_MANY_REQUESTS',
    'COUPON_NOT_EXIST',
    'INVALID_REQUEST',
    'FAIL_COUPON_ISSUE_REQUEST',
  ],
};

export const useOperation: Operation = {
  operationId: 'useIssue',
  tag: 'users',
  summary: 'Use an issue',
  description: `Once: of two concurrent requests one receives 200, the other 409. An issue that was only just accepted is waited for
until it is a row.`,
  parameters: [couponParameter, userParameter],
  answers: {
    200: {
      description: 'Used now.',
      schema: 'UsedIssue',
      example: { couponId: 1, userId: '42', sequence: 37, status: 'USED', dateUsed: '2026-12-24T09:00:00.000Z' },
    },
  },
  problems: [
    'UNAUTHENTICATED',
    'FORBIDDEN',
    'TOO_MANY_REQUESTS',
    'COUPON_NOT_EXIST',
    'ISSUE_NOT_EXIST',
    'ISSUE_ALREADY_USED',
    'INVALID_REQUEST',
    'FAIL_COUPON_ISSUE_REQUEST',
  ],
};

export const listOperation: Operation = {
  operationId: 'listUserIssues',
  tag: 'users',
  summary: 'What a user has',
  description: 'Rows in MySQL, in order of coupon: an issue that was only just accepted is there a moment later.',
  parameters: [userParameter, ...pageParameters],
  answers: {
    200: {
      description: 'A page.',
      schema: 'IssuePage',
      example: {
        issues: [
          {
            couponId: 1,
            sequence: 37,
            status: 'ISSUED',
            dateIssued: '2026-12-01T01:00:00.123Z',
            dateUsed: null,
            title: 'Winter sale: 5,000 off',
            discountAmount: 5000,
            minAvailableAmount: 20_000,
          },
        ],
        next: null,
      },
    },
  },
  problems: ['UNAUTHENTICATED', 'FORBIDDEN', 'TOO_MANY_REQUESTS', 'INVALID_REQUEST', 'FAIL_COUPON_ISSUE_REQUEST'],
};

const progressExample = {
  couponId: 1,
  version: 1,
  totalQuantity: 1000,
  issued: 37,
  left: 963,
  unpersisted: 2,
  paused: false,
  issuedPerSecond: 21,
};

export const eventsOperation = operation({
  operationId: 'followCoupon',
  tag: 'users',
  summary: 'Follow the issuing of a coupon',
  description: `Server-sent events named \`progress\`, each a whole picture: \`totalQuantity\`, \`issued\`, \`left\` (null without limit),
\`unpersisted\` (accepted and not yet rows; null when not known), \`issuedPerSecond\`, \`paused\`, \`version\`. One immediately, then one
a second while something changes, and a comment now and then to keep the connection alive. Ends when the server stops: a
browser then connects again.`,
  parameters: [couponParameter],
  answers: {
    200: {
      description: 'The events.',
      type: 'text/event-stream',
      example: `event: progress\ndata: ${JSON.stringify(progressExample)}\n\n`,
    },
  },
  problems: ['COUPON_NOT_EXIST', 'INVALID_REQUEST', 'FAIL_COUPON_ISSUE_REQUEST'],
});
