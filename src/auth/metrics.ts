// metrics.ts -- The metric of authentication: why callers are turned away.

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
  };
}
