// routes.ts -- Routes about issues after they were promised: status, waiting, a user's list, use, a coupon's progress.

import { type Static, Type } from '@sinclair/typebox';
import { CouponId, readCouponId, readUserId, UserId } from '../coupon/ids.ts';
import { eventStream } from '../http/sse.ts';
import { formatInstant } from '../http/instant.ts';
import { cutPage, readPage, readWhole } from '../http/pagination.ts';
import { invalid, problem } from '../http/problem.ts';
import type { Listener } from './progress.ts';
import { WAIT_MS_MAX, waitDescription } from './route-docs.ts';
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
