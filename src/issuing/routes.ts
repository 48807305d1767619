// routes.ts -- The three issue endpoints, as they are documented: each is a name, an issuer, and the word of its success.

import { Type } from '@sinclair/typebox';
import type { Authority } from '../auth/authority.ts';
import { CouponId, UserId } from '../coupon/ids.ts';
import { codeSamples } from '../http/document/code-samples.ts';
import type { Declaration } from '../http/document/declaration.ts';
import { rawRoute } from '../http/route.ts';
import { Sequence } from '../issues/json.ts';
import { type EndpointDependencies, IdempotencyKey, IssueRequest, issueEndpoint, OwnIssueRequest } from './endpoint.ts';

/** Answer of the three issue endpoints. */
const Issue = Type.Object(
  {
    couponId: CouponId,
    userId: UserId,
    sequence: Sequence,
    status: Type.Union([Type.Literal('ISSUED'), Type.Literal('ACCEPTED')], {
      description: '`ISSUED`: a row in MySQL. `ACCEPTED`: durable in Redis, and soon a row.',
    }),
  },
  { $id: 'Issue' },
);

/** `POST /v1/issue`, `/v1/issue-async` and `/v2/issue-async`. */
export function issueRoutes(dependencies: EndpointDependencies) {
  const { authority, config } = dependencies;
  const bytesMax = config.BODY_BYTES_MAX;
  return [
    rawRoute(
      'POST',
      '/v1/issue',
      {
        operationId: 'issueSynchronously',
        summary: 'Issue synchronously, in MySQL',
        description: `Decides in one MySQL transaction and answers after its commit: a 201 is a row.${orderOfChecks}`,
        ...issueDeclaration('/v1/issue', authority, bytesMax, 'kim'),
        answers: { 201: { ...answerOf('ISSUED'), description: 'Issued: the row is in MySQL.' } },
      },
      issueEndpoint('synchronous', 201, 'ISSUED', dependencies),
    ),
    rawRoute(
      'POST',
      '/v1/issue-async',
      {
        operationId: 'issueWithLock',
        summary: 'Accept under a distributed lock, in Redis',
        description: `Reads the stock under a Redlock lock, decides, and writes with a fence, so that a lost lock cannot over-issue.${orderOfChecks}`,
        ...issueDeclaration('/v1/issue-async', authority, bytesMax, 'lee'),
        answers: { 202: { ...answerOf('ACCEPTED'), description: accepted } },
      },
      issueEndpoint('locked', 202, 'ACCEPTED', dependencies),
    ),
    rawRoute(
      'POST',
      '/v2/issue-async',
      {
        operationId: 'issueWithScript',
        summary: 'Accept in one script, in Redis',
        description: `Checks, takes stock and queues the issue in one Lua script. The fastest way.${orderOfChecks}`,
        ...issueDeclaration('/v2/issue-async', authority, bytesMax, 'park'),
        answers: { 202: { ...answerOf('ACCEPTED'), description: accepted } },
      },
      issueEndpoint('scripted', 202, 'ACCEPTED', dependencies),
    ),
  ] as const;
}

const orderOfChecks = `
Checks in this order: the coupon exists, it is not paused, now is within its period, the user does not have it, stock is left.`;

const accepted = 'Accepted: durable in Redis, with its number; a worker soon makes it a row in MySQL.';

/** What the three have in common. Another user for each, so that all three examples issue when they are sent as they stand. */
function issueDeclaration(path: string, authority: Pick<Authority, 'isOn'>, bytesMax: number, userId: string) {
  const value = { couponId: 1, userId };
  const example = { summary: `Coupon 1 for ${userId}`, value };
  return {
    tag: 'issuing',
    // The endpoint itself admits callers, since it measures their refusals too.
    access: { callers: authority.isOn ? ['user', 'backend'] : [], refuse: () => null },
    headers: { 'Idempotency-Key': { schema: IdempotencyKey } },
    body: { schema: authority.isOn ? OwnIssueRequest : IssueRequest, bytesMax, examples: { user: example } },
    samples: codeSamples(path, value, authority.isOn),
    problems: [
      'COUPON_NOT_EXIST',
      'INVALID_COUPON_ISSUE_DATE',
      'DUPLICATED_COUPON_ISSUE',
      'INVALID_COUPON_ISSUE_QUANTITY',
      'FAIL_COUPON_ISSUE_REQUEST',
      'IDEMPOTENCY_KEY_REUSED',
    ],
  } as const satisfies Partial<Declaration>;
}

function answerOf(status: 'ISSUED' | 'ACCEPTED') {
  return {
    headers: {
      Location: 'Where the status of this issue can be read.',
      'Idempotency-Replayed': '`true` when an earlier request under the same `Idempotency-Key` made this issue.',
    },
    schema: Issue,
    example: { couponId: 1, userId: '42', sequence: 37, status },
  };
}
