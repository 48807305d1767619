// test-delivering.ts -- The deliveries to webhooks of production, in this process, with everything that the observer is told kept.

import { closeDatabase, openDatabase } from '../src/mysql/database.ts';
import { createFeed } from '../src/issues/feed.ts';
import { createStockKeeper } from '../src/stock/opening.ts';
import { createRedisStock } from '../src/stock/redis-stock.ts';
import { reachOfFeed } from '../workers/webhook-reach.ts';
import { keepDelivering, type WebhookDependencies } from '../workers/webhooks.ts';
import type { Settings, Stores } from './stores.ts';

/** Delivers until it is disposed of. */
export function startTestDelivering(stores: Stores, settings: Settings = {}) {
  const config = stores.configWith({ WORKER_NAME: crypto.randomUUID(), ...settings });
  const database = openDatabase(config);
  const redisStock = createRedisStock(stores.redis, stores.config);
  const stock = createStockKeeper({
    redisStock,
    database,
    settings: config,
    onOpened: () => undefined,
    onBlocked: () => undefined,
  });
  const stop = new AbortController();
  const faults: unknown[] = [];
  const failed: unknown[] = [];
  const seen: Parameters<WebhookDependencies['observer']['webhooks']>[0][] = [];
  const ended = keepDelivering({
    database,
    readCertain: reachOfFeed(createFeed({ redisStock, database, stock, gapHoldMs: 0 })),
    settings: config,
    observer: {
      delivered: () => undefined,
      failed: (webhookId, error, end) => failed.push({ webhookId, error, end }),
      webhooks: (targets) => seen.push(targets),
    },
    onFault: (fault) => faults.push(fault),
    stop: stop.signal,
  });
  return {
    faults,
    failed,
    /** The webhooks as each round saw them. */
    seen,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
      await closeDatabase(database);
    },
  };
}
