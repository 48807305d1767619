// metrics.ts -- The metrics of access: why callers are turned away.

import { counter } from '../telemetry/registry.ts';
import type { RefusalReason } from './authority.ts';
import { tokenFaults } from './hs256.ts';

const reasons: readonly RefusalReason[] = ['none sent', 'unknown credential', ...tokenFaults];

export function createAuthMetrics() {
  return {
    unauthenticated: counter(
      'coupon_unauthenticated_requests_total',
      'Requests answered 401, by what is wrong with their credential',
      ['reason', reasons],
    ),
    limited: counter(
      'coupon_limited_requests_total',
      'Requests answered 429 for a rate limit, by what asked too often',
      ['kind', ['address', 'user']],
    ),
  };
}
