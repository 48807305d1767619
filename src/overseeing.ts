// overseeing.ts -- Puts together what operators look at: the audit of a coupon, the load of this process, the dead letters.

import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { auditCoupon } from './issuance/audit.ts';
import { createDeadLetters, type DeadLetterView } from './issuance/dead-letters.ts';
import { readLags } from './issuance/lag.ts';
import type { OversightDependencies } from './issuance/oversight-routes.ts';
import type { Database } from './mysql/database.ts';
import { answerTotals, type ApiMetrics } from './telemetry/metrics.ts';

export type Oversight = OversightDependencies['oversight'];

export interface OverseeingDependencies {
  readonly redis: Redis;
  readonly database: Database;
  readonly metrics: ApiMetrics;
  readonly settings: { readonly PARTITIONS: number };
}

/** Everything throws what Redis or MySQL throw. */
export function createOversight({ redis, database, metrics, settings }: OverseeingDependencies): Oversight {
  const letters = createDeadLetters(redis, settings.PARTITIONS);
  const startMs = performance.now();
  const name = randomUUID().slice(0, 8);
  return {
    audit: (couponId) => auditCoupon({ redis, database, settings }, couponId),
    async load() {
      const { lags } = await readLags(redis, settings.PARTITIONS);
      return {
        process: name,
        uptimeMs: Math.round(performance.now() - startMs),
        ...answerTotals(metrics),
        unpersisted: lags.reduce((sum, { unpersistedUsers }) => sum + unpersistedUsers, 0),
        oldestMs: Math.max(0, ...lags.map(({ oldestMs }) => oldestMs)),
        deadLetters: lags.reduce((sum, { deadEntries }) => sum + deadEntries, 0),
      };
    },
    async listDeadLetters(limit) {
      const listed: DeadLetterView[] = [];
      for await (const letter of letters.list()) if (listed.push(letter) >= limit) break;
      return listed;
    },
    replayDeadLetter: (id) => letters.replay(id),
    discardDeadLetter: (id) => letters.discard(id),
  };
}
