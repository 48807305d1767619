// offering.ts -- Wires what keeps answers through a failover of Redis: what a process remembers, its offers, and openings that use them.

import { randomUUID } from 'node:crypto';
import type { Config } from '../config/config.ts';
import { noteGaps } from '../issues/settled-sequences.ts';
import type { Database } from '../mysql/database.ts';
import { findLostAnswers } from '../stock/lost-answers.ts';
import type { OpeningMetrics } from '../stock/metrics.ts';
import { createOffers, keepOffering } from '../stock/offers.ts';
import { createStockKeeper } from '../stock/opening.ts';
import { RecentAnswers } from '../stock/recent-answers.ts';
import type { RedisStock } from '../stock/redis-stock.ts';
import type { Log } from '../telemetry/log.ts';
import type { ProcessMetrics } from '../telemetry/process-metrics.ts';
import { createOpeningObserver } from './metrics.ts';

interface Foundation {
  readonly redisStock: RedisStock;
  readonly database: Database;
  readonly settings: Config;
}

export function wireOffering(
  foundation: Foundation,
  { failoverIssues, openings, brokenPromises }: OpeningMetrics & Pick<ProcessMetrics, 'brokenPromises'>,
  log: Log,
) {
  const { redisStock, settings } = foundation;
  const answers = new RecentAnswers(settings);
  const offers = createOffers({ redisStock, answers, name: randomUUID(), settings });
  const observer = createOpeningObserver({ failoverIssues, openings }, log);
  const stock = createStockKeeper({
    ...foundation,
    offers,
    ...observer,
    onOpened(couponId, ...opened) {
      observer.onOpened(couponId, ...opened);
      // Else the first reader of its issues notes it.
      void noteGaps(redisStock, couponId).catch(() => undefined);
    },
  });
  const onLost = (couponId: number, lost: number) => {
    failoverIssues.of('lost').add(lost);
    brokenPromises.of('P3').add(lost);
    log.error({ couponId, answers: lost }, 'P3: a failover of Redis lost acknowledged issues');
  };
  const onFault = (error: unknown) =>
    log.warn({ error }, 'what was answered could not be offered to Redis, or compared with it; trying again');
  const compare = () => findLostAnswers({ redisStock, answers, stock, settings, onLost });
  let isComparing = false;
  let comparing = Promise.resolve();
  const round = async () => {
    await offers.offer();
    if (isComparing) return;
    isComparing = true;
    // Not waited for: it may take as long as an opening, and the next server is to be seen meanwhile.
    comparing = compare()
      .catch(onFault)
      .finally(() => (isComparing = false));
  };
  return {
    answers,
    stock,
    /** Offers to a Redis that failed over what was answered, and counts what it lost, until it is stopped. */
    keepOffering: async (stop: AbortSignal) => {
      await keepOffering(round, redisStock.redis, onFault, stop);
      // What is found to be lost is counted before the connections end.
      await comparing;
    },
    /** No opening waits for this process any more. */
    leave: () => offers.leave().catch(onFault),
  };
}
