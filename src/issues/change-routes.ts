// change-routes.ts -- Routes that change an issue: use it, undo the use, revoke it.

import { Type } from '@sinclair/typebox';
import { type Authority, backendsWith, operatorOf, operatorsWith, usersWith } from '../auth/authority.ts';
import { CouponId, couponIdParameter, UserId, userIdParameter } from '../coupon/ids.ts';
import { formatInstant } from '../http/instant.ts';
import { invalid, problem, type ProblemMembers } from '../http/problem.ts';
import { route } from '../http/route.ts';
import { isReadable } from '../http/text.ts';
import type { ChangeResult } from './changes.ts';
import { Code, codeOf, type CodesDependency, IssueState, Sequence, toIssueState } from './json.ts';
import type { WrittenIssue } from './row.ts';
import type { Issues } from './status.ts';

export interface ChangeDependencies extends CodesDependency {
  readonly config: { readonly BODY_BYTES_MAX: number };
  readonly authority: Pick<Authority, 'isOn' | 'admit' | 'guard'>;
  readonly issues: Pick<Issues, 'change'>;
}

const REFERENCE_LENGTH_MAX = 128;
const REASON_LENGTH_MAX = 200;

const ofIssue = { couponId: couponIdParameter, userId: userIdParameter };

const referenceText = `1 to ${REFERENCE_LENGTH_MAX} characters in one line, not all blank`;

const UseRequest = Type.Object(
  {
    reference: Type.Optional(
      Type.String({
        minLength: 1,
        // Of TypeBox it would count UTF-16 units: see `openapi-schema.ts`.
        codePointsMax: REFERENCE_LENGTH_MAX,
        description: `what it is used for, such as the id of an order: ${referenceText}`,
      }),
    ),
  },
  { $id: 'IssueUse', additionalProperties: false },
);

const reasonText = `why, for other operators: 1 to ${REASON_LENGTH_MAX} characters in one line, not all blank`;

const RevokeRequest = Type.Object(
  { reason: Type.String({ minLength: 1, codePointsMax: REASON_LENGTH_MAX, description: reasonText }) },
  { $id: 'IssueRevocation', additionalProperties: false },
);

/** Answer of a use. */
export const UsedIssue = Type.Object(
  {
    couponId: CouponId,
    userId: UserId,
    sequence: Sequence,
    code: Code,
    status: Type.String({ enum: ['USED'] }),
    dateUsed: Type.String({ description: 'When it was used, in UTC.' }),
    reference: Type.Union([Type.String(), Type.Null()], {
      description: 'What it was used for; null if no reference was sent.',
    }),
  },
  { $id: 'UsedIssue' },
);

/** `/v1/coupons/:couponId/issues/:userId/use` and `…/revoke`. */
export function changeRoutes(dependencies: ChangeDependencies) {
  return [useRoute(dependencies), undoRoute(dependencies), revokeRoute(dependencies)] as const;
}

const issueExample = { couponId: 1, userId: '42', sequence: 37, code: null };
const stateExample = {
  ...issueExample,
  status: 'ISSUED',
  usableFrom: null,
  usableUntil: '2026-12-31T15:00:00.000Z',
  dateUsed: null,
  reference: null,
  dateRevoked: null,
};

function useRoute(dependencies: ChangeDependencies) {
  const { authority, config } = dependencies;
  return route(
    'POST',
    '/v1/coupons/:couponId/issues/:userId/use',
    {
      operationId: 'useIssue',
      tag: 'users',
      summary: 'Use an issue',
      description: `An issue is used once: of two concurrent requests one gets 200, the other 409. With a \`reference\`, a retry gets the same
answer; without one, it gets 409. If the issue was just accepted, the request waits until it is a row.`,
      access: usersWith(authority, 'issue'),
      params: ofIssue,
      body: useBody(config.BODY_BYTES_MAX),
      answers: useAnswers,
      problems: [
        'COUPON_NOT_EXIST',
        'ISSUE_NOT_EXIST',
        'ISSUE_ALREADY_USED',
        'ISSUE_NOT_USABLE',
        'ISSUE_REVOKED',
        'COUPON_ARCHIVED',
        'FAIL_COUPON_ISSUE_REQUEST',
      ],
    },
    ({ params, body }) => answerUse(dependencies, params, body?.reference ?? null),
  );
}

/** The body of a use, which may be left out. */
export function useBody(bytesMax: number) {
  const examples = {
    order: { summary: 'For an order', value: { reference: 'order-2026-1224-7' } },
    plain: { summary: 'Without a reference', value: {} },
  };
  return { schema: UseRequest, bytesMax, isOptional: true, examples } as const;
}

/** Of a use. */
export const useAnswers = {
  200: {
    description: 'Used, now or before with this reference.',
    schema: UsedIssue,
    example: {
      ...issueExample,
      code: 'SUMMER-K7WQ-3N9X',
      status: 'USED',
      dateUsed: '2026-12-24T09:00:00.000Z',
      reference: 'order-2026-1224-7',
    },
  },
};

/** Uses an issue, and answers. */
export async function answerUse(
  { issues, codes }: Pick<ChangeDependencies, 'issues' | 'codes'>,
  { couponId, userId }: { readonly couponId: number; readonly userId: string },
  reference: string | null,
) {
  if (reference !== null && !isReadable(reference, REFERENCE_LENGTH_MAX))
    return invalid([{ in: 'body', pointer: '/reference', expected: referenceText }]);
  const used = await issues.change(couponId, userId, { kind: 'use', reference });
  if (used.kind !== 'done') return refused(used);
  const { sequence, usedMs } = used.issue;
  const code = await codeOf(codes, couponId, sequence);
  const dateUsed = formatInstant(usedMs ?? 0);
  return { body: { couponId, userId, sequence, code, status: 'USED', dateUsed, reference } };
}

async function answerChanged(
  { codes }: CodesDependency,
  issueOf: { readonly couponId: number; readonly userId: string },
  issue: WrittenIssue,
) {
  return { body: toIssueState(issueOf, issue, await codeOf(codes, issueOf.couponId, issue.sequence)) };
}

const referenceParameter = {
  schema: Type.String({
    minLength: 1,
    codePointsMax: REFERENCE_LENGTH_MAX,
    description: `the reference that it was used with: ${referenceText}; left out if it was used without one`,
  }),
  example: 'order-2026-1224-7',
  read(text: string | null): string | null | undefined {
    return text === null || isReadable(text, REFERENCE_LENGTH_MAX) ? text : undefined;
  },
};

function undoRoute({ authority, issues, codes }: ChangeDependencies) {
  return route(
    'DELETE',
    '/v1/coupons/:couponId/issues/:userId/use',
    {
      operationId: 'undoUse',
      tag: 'users',
      summary: 'Undo the use of an issue',
      description: `For a cancelled order: the issue can be used again, until it expires. Needs a key, and the reference of the use, so that no
other use is undone. If an answer was lost, a retry gets 409 \`ISSUE_NOT_USED\` if the use was undone.`,
      access: backendsWith(authority),
      params: ofIssue,
      query: { reference: referenceParameter },
      answers: { 200: { description: 'The issue, no longer used.', schema: IssueState, example: stateExample } },
      problems: [
        'COUPON_NOT_EXIST',
        'ISSUE_NOT_EXIST',
        'ISSUE_NOT_USED',
        'ISSUE_ALREADY_USED',
        'ISSUE_REVOKED',
        'COUPON_ARCHIVED',
        'FAIL_COUPON_ISSUE_REQUEST',
      ],
    },
    async ({ request, params, query }) => {
      const undo = { kind: 'undo use', reference: query.reference, by: operatorOf(request) } as const;
      const undone = await issues.change(params.couponId, params.userId, undo);
      if (undone.kind === 'already used') return refused(undone, 'It was used with another reference, or without one.');
      return undone.kind === 'done' ? answerChanged({ codes }, params, undone.issue) : refused(undone);
    },
  );
}

function revokeRoute({ authority, issues, codes, config }: ChangeDependencies) {
  return route(
    'POST',
    '/v1/coupons/:couponId/issues/:userId/revoke',
    {
      operationId: 'revokeIssue',
      tag: 'operators',
      summary: 'Revoke an issue',
      description: `Permanent. A used issue cannot be revoked: undo the use first. The user does not get the coupon again, and the piece does not
return to the stock: raise the total to issue another one. The reason is stored in the audit trail, so do not name a person in it.`,
      access: operatorsWith(authority, 'admin'),
      params: ofIssue,
      body: {
        schema: RevokeRequest,
        bytesMax: config.BODY_BYTES_MAX,
        examples: { abuse: { summary: 'Taken by a bot', value: { reason: 'taken by a bot' } } },
      },
      answers: {
        200: {
          description: 'The issue, revoked.',
          schema: IssueState,
          example: { ...stateExample, status: 'REVOKED', dateRevoked: '2026-12-24T09:00:00.000Z' },
        },
      },
      problems: [
        'COUPON_NOT_EXIST',
        'ISSUE_NOT_EXIST',
        'ISSUE_ALREADY_USED',
        'ISSUE_REVOKED',
        'COUPON_ARCHIVED',
        'FAIL_COUPON_ISSUE_REQUEST',
      ],
    },
    async ({ request, params, body: { reason } }) => {
      if (!isReadable(reason, REASON_LENGTH_MAX))
        return invalid([{ in: 'body', pointer: '/reason', expected: reasonText }]);
      const revoke = { kind: 'revoke', reason, by: operatorOf(request) } as const;
      const revoked = await issues.change(params.couponId, params.userId, revoke);
      return revoked.kind === 'done' ? answerChanged({ codes }, params, revoked.issue) : refused(revoked);
    },
  );
}

const refusals = {
  'not exist': 'COUPON_NOT_EXIST',
  'not issued': 'ISSUE_NOT_EXIST',
  archived: 'COUPON_ARCHIVED',
  'already used': 'ISSUE_ALREADY_USED',
  'not usable': 'ISSUE_NOT_USABLE',
  'not used': 'ISSUE_NOT_USED',
  revoked: 'ISSUE_REVOKED',
} as const;

function refused(result: Exclude<ChangeResult, { readonly kind: 'done' }>, detail?: string): Response {
  return problem(refusals[result.kind], detail, 'issue' in result ? membersOf(result.kind, result.issue) : undefined);
}

/** What the refused caller should know of the issue: no reference, which may be of another caller. */
function membersOf(
  kind: Exclude<ChangeResult, { readonly kind: 'done' }>['kind'],
  { sequence, usedMs, revokedMs, usableFromMs, usableUntilMs }: WrittenIssue,
): ProblemMembers {
  return {
    sequence,
    ...(kind === 'already used' && usedMs !== null && { dateUsed: formatInstant(usedMs) }),
    ...(kind === 'revoked' && revokedMs !== null && { dateRevoked: formatInstant(revokedMs) }),
    ...(kind === 'not usable' && usableFromMs !== null && { usableFrom: formatInstant(usableFromMs) }),
    ...(kind === 'not usable' && usableUntilMs !== null && { usableUntil: formatInstant(usableUntilMs) }),
  };
}
