// routes.ts -- Routes about issues after they were promised: status, waiting, a user's list, use, a coupon's progress.

import { type Static, Type } from '@sinclair/typebox';
import { CouponId, readCouponId, readUserId, UserId } from '../coupon/ids.ts';
import { type Parameter, type Operation, operation } from '../http/openapi.ts';
import { eventStream } from '../http/sse.ts';
import { formatInstant } from '../http/instant.ts';
import { cutPage, pageParameters, readPage, readWhole } from '../http/pagination.ts';
import { invalid, problem } from '../http/problem.ts';
import type { Listener } from './progress.ts';
import type { IssueStatus, OwnedIssue, Use } from './status.ts';

export interface IssuesDependencies {
  readonly issues: {
    /** null: no such coupon. An accepted issue is waited for, until it is a row. */
    statusOf(couponId: number, userId: string, waitMs?: number, signal?: AbortSignal): Promise<IssueStatus | null>;
    listOf(userId: string, page: { readonly afterId: number; readonly limit: number }): Promise<readonly OwnedIssue[]>;
    use(couponId: number, userId: string): Promise<Use>;
  };
  readonly progress: {
    /** Returns the function that ends it; null: no such coupon. */
    listen(couponId: number, listener: Listener): Promise<(() => void) | null>;
  };
}

/** The longest a caller can wait: shorter than proxies wait. */
const WAIT_MS_MAX = 30_000;

const Sequence = Type.Integer({ minimum: 1, description: 'Number of the issue within its coupon, from 1.' });

/** Answer about one user and one coupon. */
const IssueStatusAnswer = Type.Object({
  couponId: CouponId,
  userId: UserId,
  sequence: Type.Union([Sequence, Type.Null()], { description: 'Number of the issue; null with `NONE`.' }),
  status: Type.String({
    enum: ['NONE', 'ACCEPTED', 'ISSUED', 'USED'],
    description: '`NONE`: not issued. `ACCEPTED`: not yet a row. `ISSUED`: a row. `USED`: redeemed.',
  }),
});

/** A row, as its user sees it. */
const OwnedIssueAnswer = Type.Object({
  couponId: CouponId,
  sequence: Sequence,
  status: Type.String({ enum: ['ISSUED', 'USED'] }),
  dateIssued: Type.String({ description: 'When it was accepted, in UTC.' }),
  dateUsed: Type.Union([Type.String(), Type.Null()], { description: 'When it was used, in UTC; null before.' }),
  title: Type.String({ description: 'What the coupon is called.' }),
  discountAmount: Type.Integer({ description: 'What it takes off.' }),
  minAvailableAmount: Type.Integer({ description: 'The smallest order it can be used for.' }),
});

const IssuePage = Type.Object({
  issues: Type.Array(Type.Ref('#/components/schemas/OwnedIssue'), { description: 'in order of coupon' }),
  next: Type.Union([CouponId, Type.Null()], { description: '`after` of the next page; null on the last' }),
});

const UsedIssue = Type.Object({
  couponId: CouponId,
  userId: UserId,
  sequence: Sequence,
  status: Type.String({ enum: ['USED'] }),
  dateUsed: Type.String({ description: 'When it was used, in UTC.' }),
});

/** The schemas by the names that the document gives them. */
export const issuesSchemas = {
  IssueState: IssueStatusAnswer,
  OwnedIssue: OwnedIssueAnswer,
  IssuePage,
  UsedIssue,
};

/** `GET /v1/coupons/:id/issues/:userId`, with or without waiting. */
export async function answerStatus(
  { issues }: IssuesDependencies,
  request: Request,
  idText: string,
  userIdText: string,
): Promise<Response> {
  const named = readNames(idText, userIdText);
  if (named instanceof Response) return named;
  const wait = readWait(request);
  if (wait instanceof Response) return wait;
  const { couponId, userId } = named;
  const status = await issues.statusOf(couponId, userId, wait.waitMs, request.signal);
  if (!status) return problem('COUPON_NOT_EXIST');
  const sequence = status.kind === 'none' ? null : status.sequence;
  const answer: Static<typeof IssueStatusAnswer> = { couponId, userId, sequence, status: statusWords[status.kind] };
  return Response.json(answer, { headers: { ...noStore, ...wait.headers } });
}

/** `POST /v1/coupons/:id/issues/:userId/use`. */
export async function answerUse({ issues }: IssuesDependencies, idText: string, userIdText: string): Promise<Response> {
  const named = readNames(idText, userIdText);
  if (named instanceof Response) return named;
  const use = await issues.use(named.couponId, named.userId);
  switch (use.kind) {
    case 'not exist':
      return problem('COUPON_NOT_EXIST');
    case 'not issued':
      return problem('ISSUE_NOT_EXIST');
    case 'already used':
      return problem('ISSUE_ALREADY_USED', undefined, {
        sequence: use.sequence,
        dateUsed: formatInstant(use.usedMs),
      });
    case 'used': {
      const dateUsed = formatInstant(use.usedMs);
      const answer: Static<typeof UsedIssue> = { ...named, sequence: use.sequence, status: 'USED', dateUsed };
      return Response.json(answer, { headers: noStore });
    }
  }
}

/** `GET /v1/users/:userId/issues`. */
export async function answerList(
  { issues }: IssuesDependencies,
  request: Request,
  userIdText: string,
): Promise<Response> {
  const userId = readUserId(userIdText);
  if (typeof userId === 'object') return invalid([userId]);
  const page = readPage(request);
  if (page instanceof Response) return page;
  const found = await issues.listOf(userId, { ...page, limit: page.limit + 1 });
  const { items, next } = cutPage(found, page, ({ couponId }) => couponId);
  const shown = items.map(
    ({ issuedMs, usedMs, ...issue }): Static<typeof OwnedIssueAnswer> => ({
      ...issue,
      status: usedMs === null ? 'ISSUED' : 'USED',
      dateIssued: formatInstant(issuedMs),
      dateUsed: usedMs === null ? null : formatInstant(usedMs),
    }),
  );
  return Response.json({ issues: shown, next }, { headers: noStore });
}

/** `GET /v1/coupons/:id/events`: server-sent events until either side ends them. */
export async function answerEvents(
  { progress }: IssuesDependencies,
  request: Request,
  idText: string,
): Promise<Response> {
  const couponId = readCouponId(idText);
  if (typeof couponId === 'object') return invalid([couponId]);
  let leave = () => {};
  const stream = eventStream(() => leave(), request.signal);
  let left: (() => void) | null = null;
  try {
    left = await progress.listen(couponId, { next: (one) => stream.send('progress', one), end: stream.end });
  } finally {
    if (!left) stream.end();
  }
  if (!left) return problem('COUPON_NOT_EXIST');
  leave = left;
  // Gone while it was still joining.
  if (request.signal.aborted) leave();
  return stream.response;
}

function readNames(idText: string, userIdText: string) {
  const couponId = readCouponId(idText);
  const userId = readUserId(userIdText);
  if (typeof couponId === 'object' || typeof userId === 'object') {
    return invalid([couponId, userId].filter((read) => typeof read === 'object'));
  }
  return { couponId, userId };
}

/** How long to wait: `?waitMs=`, which must be within its bound; or `Prefer: wait=` in seconds, which is a wish and is cut. */
function readWait(request: Request) {
  const text = new URL(request.url).searchParams.get('waitMs');
  if (text !== null) {
    const waitMs = readWhole(text, 0, WAIT_MS_MAX);
    if (waitMs !== null) return { waitMs, headers: {} };
    return invalid([{ in: 'query', pointer: '/waitMs', expected: waitDescription }]);
  }
  const wished = /(?:^|[,;])[ \t]*wait[ \t]*=[ \t]*"?(\d{1,9})/i.exec(request.headers.get('prefer') ?? '')?.[1];
  if (wished === undefined) return { waitMs: 0, headers: {} };
  const waitMs = Math.min(Number(wished) * 1000, WAIT_MS_MAX);
  return { waitMs, headers: { 'preference-applied': `wait=${waitMs / 1000}` } };
}

const statusWords = {
  none: 'NONE',
  accepted: 'ACCEPTED',
  issued: 'ISSUED',
  used: 'USED',
} satisfies Record<IssueStatus['kind'], string>;

/** It changes within milliseconds: a copy in a cache would deny an issue that was promised. */
const noStore = { 'cache-control': 'no-store' };

const waitDescription = `milliseconds that an \`ACCEPTED\` issue is waited for to become a row: an integer from 0 to ${WAIT_MS_MAX}`;

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
