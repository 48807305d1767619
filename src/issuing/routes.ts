// routes.ts -- The list of routes about issuing and issues: the three issue endpoints, and what is asked of issues after them.

import { Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import type { Scope } from '../auth/api-keys.ts';
import { type Authority, userMismatch } from '../auth/authority.ts';
import { CouponId, UserId } from '../coupon/ids.ts';
import { type Operation, operation } from '../http/openapi.ts';
import { eventsOperation, listOperation, statusOperation, useOperation } from '../issues/route-docs.ts';
import {
  answerEvents,
  answerList,
  answerStatus,
  answerUse,
  type IssuesDependencies,
  issuesSchemas,
} from '../issues/routes.ts';
import { type EndpointDependencies, IssueRequest, issueEndpoint, keyDescription, mayActFor } from './endpoint.ts';

export interface IssuingDependencies extends EndpointDependencies, IssuesDependencies {}

const Sequence = Type.Integer({ minimum: 1, description: 'Number of the issue within its coupon, from 1.' });

/** Answer of the three issue endpoints. */
export const Issue = Type.Object({
  couponId: CouponId,
  userId: UserId,
  sequence: Sequence,
  status: Type.Union([Type.Literal('ISSUED'), Type.Literal('ACCEPTED')], {
    description: '`ISSUED`: a row in MySQL. `ACCEPTED`: durable in Redis, and soon a row.',
  }),
});

/** The schemas by the names that the document gives them. */
export const issueSchemas = { IssueRequest, Issue, ...issuesSchemas };

/** The endpoints under `/v1/issue`, `/v1/issue-async`, `/v2/issue-async` and the status of an issue. */
export function issueRoutes(dependencies: IssuingDependencies) {
  const { isOn } = dependencies.authority;
  const ofUser = userGate(dependencies);
  const operationOf = (route: Operation) => operation({ ...route, ...(isOn && { callers: ['user', 'backend'] }) });
  const synchronous = issueEndpoint('synchronous', 201, 'ISSUED', dependencies);
  const locked = issueEndpoint('locked', 202, 'ACCEPTED', dependencies);
  const scripted = issueEndpoint('scripted', 202, 'ACCEPTED', dependencies);
  // `parse: 'none'`: the endpoints read the body themselves, within its limit. Only `request` is taken from the context,
  // since Elysia prepares what a handler's source text mentions.
  return new Elysia({ name: 'issuance' })
    .post('/v1/issue', ({ request }) => synchronous(request), {
      parse: 'none',
      detail: operationOf(synchronousOperation),
    })
    .post('/v1/issue-async', ({ request }) => locked(request), { parse: 'none', detail: operationOf(lockedOperation) })
    .post('/v2/issue-async', ({ request }) => scripted(request), {
      parse: 'none',
      detail: operationOf(scriptedOperation),
    })
    .get(
      '/v1/coupons/:id/issues/:userId',
      ({ request, params }) =>
        ofUser(request, params.userId, 'read', () => answerStatus(dependencies, request, params.id, params.userId)),
      { detail: operation({ ...statusOperation, ...(isOn && { callers: ['user', 'operator'] }) }) },
    )
    .post(
      '/v1/coupons/:id/issues/:userId/use',
      ({ request, params }) =>
        ofUser(request, params.userId, 'issue', () => answerUse(dependencies, params.id, params.userId)),
      { parse: 'none', detail: operationOf(useOperation) },
    )
    .get('/v1/coupons/:id/events', ({ request, params }) => answerEvents(dependencies, request, params.id), {
      detail: eventsOperation,
    })
    .get(
      '/v1/users/:userId/issues',
      ({ request, params }) =>
        ofUser(request, params.userId, 'read', () => answerList(dependencies, request, params.userId)),
      { detail: operation({ ...listOperation, ...(isOn && { callers: ['user', 'operator'] }) }) },
    );
}

/**
 * Makes the check before every route about one user: unauthorized callers learn nothing, since nothing is looked up for them.
 * `userId` is the text of the path, null where it cannot be decoded.
 */
function userGate({ authority }: { readonly authority: Pick<Authority, 'admit'> }) {
  return async (request: Request, userId: string | null, scope: Scope, answer: () => Promise<Response>) => {
    const caller = await authority.admit(request, scope);
    if (caller instanceof Response) return caller;
    return mayActFor(caller, userId) ? answer() : userMismatch();
  };
}

/** Another user for each endpoint, so that all three examples issue when they are sent as they stand. */
const bodyOf = (userId: string): NonNullable<Operation['body']> => ({
  schema: 'IssueRequest',
  examples: { user: { summary: `Coupon 1 for ${userId}`, value: { couponId: 1, userId } } },
});

const issueOperation = {
  tag: 'issuing',
  parameters: [
    {
      name: 'Idempotency-Key',
      in: 'header',
      schema: Type.String({ description: keyDescription }),
    },
  ],
  problems: [
    'COUPON_NOT_EXIST',
    'INVALID_COUPON_ISSUE_DATE',
    'DUPLICATED_COUPON_ISSUE',
    'INVALID_COUPON_ISSUE_QUANTITY',
    'FAIL_COUPON_ISSUE_REQUEST',
    'MALFORMED_REQUEST',
    'INVALID_REQUEST',
    'IDEMPOTENCY_KEY_REUSED',
    'PAYLOAD_TOO_LARGE',
    'UNSUPPORTED_MEDIA_TYPE',
    'UNAUTHENTICATED',
    'FORBIDDEN',
    'TOO_MANY_REQUESTS',
  ],
} as const;

const orderOfChecks = `
Checks in this order: the coupon exists, it is not paused, now is within its period, the user does not have it, stock is left.`;

const issueLocation = {
  Location: 'Where the status of this issue can be read.',
  'Idempotency-Replayed': '`true` when an earlier request under the same `Idempotency-Key` made this issue.',
};

const synchronousOperation: Operation = {
  operationId: 'issueSynchronously',
  ...issueOperation,
  body: bodyOf('kim'),
  summary: 'Issue synchronously, in MySQL',
  description: `Decides in one MySQL transaction and answers after its commit: a 201 is a row.${orderOfChecks}`,
  answers: {
    201: {
      description: 'Issued: the row is in MySQL.',
      headers: issueLocation,
      schema: 'Issue',
      example: { couponId: 1, userId: '42', sequence: 37, status: 'ISSUED' },
    },
  },
};

const accepted: Operation['answers'] = {
  202: {
    description: 'Accepted: durable in Redis, with its number; a worker soon makes it a row in MySQL.',
    headers: issueLocation,
    schema: 'Issue',
    example: { couponId: 1, userId: '42', sequence: 37, status: 'ACCEPTED' },
  },
};

const lockedOperation: Operation = {
  operationId: 'issueWithLock',
  ...issueOperation,
  body: bodyOf('lee'),
  summary: 'Accept under a distributed lock, in Redis',
  description: `Reads the stock under a Redlock lock, decides, and writes with a fence, so that a lost lock cannot over-issue.${orderOfChecks}`,
  answers: accepted,
};

const scriptedOperation: Operation = {
  operationId: 'issueWithScript',
  ...issueOperation,
  body: bodyOf('park'),
  summary: 'Accept in one script, in Redis',
  description: `Checks, takes stock and queues the issue in one Lua script. The fastest way.${orderOfChecks}`,
  answers: accepted,
};
