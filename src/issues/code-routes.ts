// code-routes.ts -- The routes that take a code in place of a coupon and a user: who has it, and using it. Wrong codes are limited.

import { Type } from '@sinclair/typebox';
import { type Authority, digestOf, mayActFor, operatorOf, operatorsWith } from '../auth/authority.ts';
import type { Caller } from '../auth/tokens.ts';
import type { Codes } from '../codes/codes.ts';
import type { Access } from '../http/document/declaration.ts';
import { problem, retryAfter } from '../http/problem.ts';
import { addressOf } from '../http/rate-limit/address.ts';
import { type Limiter, setRateLimitHeaders } from '../http/rate-limit/limiter.ts';
import { route } from '../http/route.ts';
import { answerUse, type ChangeDependencies, useAnswers, useBody } from './change-routes.ts';
import type { Feed } from './feed.ts';
import { codeOf, CouponIssueAnswer, couponIssueExample, toCouponIssue } from './json.ts';

export interface CodeRoutesDependencies extends Pick<ChangeDependencies, 'issues' | 'config'> {
  readonly authority: Pick<Authority, 'isOn' | 'admit' | 'guard'>;
  readonly codes: Pick<Codes, 'issueOf' | 'codesOf'>;
  readonly feed: Pick<Feed, 'at'>;
  /** Counts wrong codes. */
  readonly codeLimiters: Readonly<Record<'key' | 'user', Pick<Limiter, 'take' | 'giveBack'>>>;
}

const params = {
  couponCode: {
    schema: Type.String({ minLength: 1, maxLength: 64, description: 'a code, of 1 to 64 characters' }),
    example: 'SUMMER-K7WQ-3N9X',
  },
};

/** `/v1/codes/:couponCode` and what is below it. */
export function codeRoutes(dependencies: CodeRoutesDependencies) {
  return [findRoute(dependencies), useRoute(dependencies)] as const;
}

function findRoute(dependencies: CodeRoutesDependencies) {
  return route(
    'GET',
    '/v1/codes/:couponCode',
    {
      operationId: 'findCode',
      tag: 'operators',
      summary: 'Find the owner of a code',
      description:
        'The issue with this code. For generated codes, hyphens, blanks and upper or lower case do not matter.',
      access: operatorsWith(dependencies.authority, 'read'),
      params,
      answers: {
        200: {
          description: 'The issue.',
          schema: CouponIssueAnswer,
          example: couponIssueExample,
        },
      },
      problems: ['CODE_NOT_EXIST', 'COUPON_ARCHIVED', 'FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ request, params: { couponCode } }) => {
      const { keyId, name } = operatorOf(request);
      const found = await findIssue(dependencies, couponCode, `key ${keyId ?? name}`);
      if (found instanceof Response) return found;
      const { couponId, issue } = found;
      return { body: toCouponIssue(couponId, issue, await codeOf(dependencies.codes, couponId, issue.sequence)) };
    },
  );
}

function useRoute(dependencies: CodeRoutesDependencies) {
  const { authority } = dependencies;
  return route(
    'POST',
    '/v1/codes/:couponCode/use',
    {
      operationId: 'useCode',
      tag: 'users',
      summary: 'Use an issue by its code',
      description: `Has the same effect as using it by coupon and user. A user's token can use only the codes of that
user: any other code is answered as unknown. Wrong codes are limited per key, per user, or per address with AUTH=off;
beyond the limit 429, also for correct codes.`,
      access: anyoneWith(authority),
      params,
      body: useBody(dependencies.config.BODY_BYTES_MAX),
      answers: useAnswers,
      problems: [
        'CODE_NOT_EXIST',
        'ISSUE_ALREADY_USED',
        'ISSUE_NOT_USABLE',
        'ISSUE_REVOKED',
        'COUPON_ARCHIVED',
        'FAIL_COUPON_ISSUE_REQUEST',
      ],
    },
    async ({ request, params: { couponCode }, body }) => {
      const caller = await authority.admit(request, 'issue');
      if (caller instanceof Response) return caller;
      const mayUse = ({ userId }: { readonly userId: string }) => mayActFor(caller, userId);
      const found = await findIssue(dependencies, couponCode, nameOf(caller, request), mayUse);
      if (found instanceof Response) return found;
      const { couponId, issue } = found;
      return answerUse(dependencies, { couponId, userId: issue.userId }, body?.reference ?? null);
    },
  );
}

/** Backends, and users for themselves. */
function anyoneWith(authority: CodeRoutesDependencies['authority']): Access {
  return {
    callers: authority.isOn ? ['user', 'backend'] : [],
    async refuse(request) {
      const caller = await authority.admit(request, 'issue');
      return caller instanceof Response ? caller : null;
    },
  };
}

/** Who tries codes. Users and keys as digests, since the names are stored in Redis for a while. */
function nameOf({ userId, keyDigest }: Caller, request: Request): `${'key' | 'user'} ${string}` {
  if (keyDigest !== undefined) return `key ${keyDigest}`;
  return `user ${digestOf(userId ?? addressOf(request) ?? '')}`;
}

/** The issue that has a code. Each try is counted until the code turns out to be right, so that many at the same time are not one. */
async function findIssue(
  { codes, feed, codeLimiters }: CodeRoutesDependencies,
  code: string,
  name: `${'key' | 'user'} ${string}`,
  mayUse: (holder: { readonly userId: string }) => boolean = () => true,
) {
  const limiter = codeLimiters[name.startsWith('key') ? 'key' : 'user'];
  const allowance = limiter.take(name);
  if (allowance.isRefused) {
    const detail = 'Too many wrong codes. Nothing was used.';
    return setRateLimitHeaders(problem('TOO_MANY_REQUESTS', detail, {}, retryAfter(allowance.resetS)), allowance);
  }
  let isWrong = false;
  try {
    const named = await codes.issueOf(code);
    const issue = named && (await feed.at(named.couponId, named.sequence));
    const isRow = typeof issue === 'object' && issue !== null;
    isWrong = !isRow || !mayUse(issue);
    if (issue === 'archived') return problem('COUPON_ARCHIVED');
    return named && isRow && !isWrong ? { couponId: named.couponId, issue } : problem('CODE_NOT_EXIST');
  } finally {
    if (!isWrong) limiter.giveBack(name);
  }
}
