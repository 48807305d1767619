// owning-app.ts -- The app on fakes whose issuer remembers who has what, so that a second request is answered as the real one would.

import type { App } from '../../src/app.ts';
import type { Outcome } from '../../src/coupon/outcome.ts';
import { fakeApp } from '../http/fakes.ts';

/** An app whose every coupon can be had once by each user, while `closedBy()` is null. */
export function owningApp(closedBy: () => Outcome | null = () => null): {
  readonly app: App;
  readonly owners: Map<string, number>;
} {
  const owners = new Map<string, number>();
  const { app } = fakeApp({
    issuance: {
      // As the real one: the period is checked before the owners.
      issue: async (_, couponId, userId) => {
        const closed = closedBy();
        if (closed) return closed;
        const name = `${couponId}/${userId}`;
        const sequence = owners.get(name);
        if (sequence !== undefined) return { kind: 'already issued', sequence };
        owners.set(name, owners.size + 1);
        return { kind: 'issued', sequence: owners.size };
      },
    },
    issues: {
      statusOf: async (couponId, userId) => {
        const sequence = owners.get(`${couponId}/${userId}`);
        return sequence === undefined ? { kind: 'none' } : { kind: 'issued', sequence, ...unused };
      },
      listOf: async () => [],
      change: async () => ({ kind: 'not issued' }),
    },
  });
  return { app, owners };
}

const unused = {
  issuedMs: 0,
  usedMs: null,
  reference: null,
  revokedMs: null,
  usableFromMs: null,
  usableUntilMs: null,
};
