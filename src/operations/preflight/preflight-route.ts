// preflight-route.ts -- Will the drop hold? `GET /v1/coupons/:couponId/preflight`, for operators.

import { type Authority, operatorsWith } from '../../auth/authority.ts';
import { couponIdParameter } from '../../coupon/ids.ts';
import { problem } from '../../http/problem.ts';
import { route } from '../../http/route.ts';
import { finding, type Preflight, PreflightAnswer } from './findings.ts';

export interface PreflightRouteDependencies {
  readonly authority: Pick<Authority, 'guard'>;
  /** null: no such coupon */
  readonly preflight: (couponId: number) => Promise<Preflight | null>;
}

const example: Preflight = {
  couponId: 1,
  status: 'warning',
  pieces: 1000,
  redisBytes: 245_000,
  mysqlBytes: 316_000,
  processes: 3,
  unpersisted: 0,
  checks: [
    finding('memory', 'OK', 'uses 12 MB of 1,074 MB, and the drop takes 1 MB at most', 'redis:6379'),
    finding('limits', 'LIMITS_OFF', 'a user 0, an address 0 requests in 10 s'),
  ],
};

export function preflightRoute({ authority, preflight }: PreflightRouteDependencies) {
  return route(
    'GET',
    '/v1/coupons/:couponId/preflight',
    {
      operationId: 'preflightCoupon',
      tag: 'operators',
      summary: 'Run the preflight of a drop',
      description: `Compares what the drop needs with the current stores, processes and settings: memory, backlog, connections, files,
limits, clocks, replicas, flushing, other drops. Each check is green or states in one line what to do. Limits of files and sockets
are those of the process that answers. While entries wait to be written, it takes a second to measure the write rate.`,
      access: operatorsWith(authority, 'read'),
      params: { couponId: couponIdParameter },
      answers: { 200: { description: 'The checks.', schema: PreflightAnswer, example } },
      problems: ['COUPON_NOT_EXIST', 'FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ params }) => {
      const found = await preflight(params.couponId);
      return found ? { body: found } : problem('COUPON_NOT_EXIST');
    },
  );
}
