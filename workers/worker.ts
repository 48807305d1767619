// worker.ts -- Entry of `bun run worker`: drains every partition into MySQL until SIGTERM, then finishes the current batch.

import { type Config, readConfig } from '../src/config/config.ts';
import { suspectNames } from '../src/config/environment.ts';
import { changesChannel, type PartitionKeys } from '../src/stream/keys.ts';
import { createReplicas } from '../src/issuing/replicas.ts';
import type { StockKeeper } from '../src/stock/opening.ts';
import { createRedisStock, type RedisStock } from '../src/stock/redis-stock.ts';
import { createCouponEditor } from '../src/stock/editing.ts';
import { measureStores, mismatchReporter, transactionMeter } from '../src/wiring/metrics.ts';
import { wireLogging } from '../src/wiring/logging.ts';
import { wireOffering } from '../src/wiring/offering.ts';
import { closeDatabase, type Database, openDatabase } from '../src/mysql/database.ts';
import { preflight } from '../src/runtime/preflight.ts';
import { testWorker } from '../src/runtime/redis-self-test.ts';
import { blockingConnection, connect, issuingConnection } from '../src/redis/connection.ts';
import { serve } from '../src/runtime/serve.ts';
import { explainRedis, explainStoreFailure } from '../src/runtime/store-faults.ts';
import { claimInstallation, keepComparing } from '../src/installation/installation.ts';
import { onStopSignal } from '../src/runtime/stop-signals.ts';
import { startOrExplain } from '../src/operator-error.ts';
import { createLog, type Log } from '../src/telemetry/log.ts';
import { createWorkerMetrics, type WorkerMetrics } from './metrics.ts';
import { drainPartition } from './partition.ts';
import { testInbox } from './inbox.ts';
import { keepReconciled, LEASE_KEY } from './reconcile.ts';
import { createReconcileObserver, createDrainObserver, createWebhookObserver } from './observers.ts';
import { createFeed } from '../src/issues/feed.ts';
import { reachOfFeed } from './webhook-reach.ts';
import { keepDelivering } from './webhooks.ts';

const USAGE = `usage: bun run worker   (writes accepted issues into MySQL; settings come from the environment, see docs/configuration.md)

Needs DATABASE_URL and REDIS_URL; each of several workers needs its own WORKER_NAME. On SIGTERM it finishes the current batch and exits.
\`bun run dev\` starts everything, with private stores.`;

await startOrExplain(USAGE, work);

async function work(): Promise<void> {
  const config = readConfig();
  const metrics = createWorkerMetrics();
  const log = createLog('worker', config.LOG_LEVEL, () => metrics.droppedLogLines.of().add());
  for (const line of suspectNames()) log.warn(line);
  const onFault = (error: unknown) => {
    metrics.redisFaults.of().add();
    log.warn({ error }, 'the connection to Redis failed; trying again');
  };
  const database = openDatabase(config, transactionMeter(metrics));
  const redis = issuingConnection(config, onFault);
  const replicas = createReplicas(config, onFault);
  const waiting = replicas?.connections ?? [];
  const redisStock = createRedisStock(redis, config, replicas?.confirm);
  measureStores(metrics, { redisStock, database, settings: config });
  const createBlocking = () => blockingConnection(config, config.BLOCK_MS, onFault);
  const first = createBlocking();
  const readStream = (keys: PartitionKeys) => testInbox(first, keys, config);
  await preflight({
    database,
    connections: [redis, first, ...waiting],
    settings: config,
    say: (line) => log.warn(line),
    testRedis: () => testWorker(redis, LEASE_KEY, readStream),
  });

  const parts = { database, redis, settings: config };
  const PARTITIONS = redisStock.setPartitions(await claimInstallation(parts));
  const partitions = redisStock.partitions.map((keys, partition) => {
    const observer = createDrainObserver(metrics, log, partition);
    return { keys, observer, blocking: partition === 0 ? first : createBlocking() };
  });
  const connections = [redis, ...waiting, ...partitions.map(({ blocking }) => blocking)];
  await Promise.all(connections.map(connect)).catch((error: unknown) => {
    throw explainStoreFailure(error, explainRedis);
  });

  const stop = new AbortController();
  onStopSignal(config.SHUTDOWN_MS_MAX, log, () => stop.abort());
  const server = await serve((request) => answer(request, metrics), {
    host: config.HOST,
    port: config.WORKER_PORT,
    portSetting: 'WORKER_PORT',
    onError: (error) => log.error({ error }, 'the metrics server failed'),
  });
  log.info({ partitions: PARTITIONS, metricsPort: server.port }, 'draining');
  const { answers, stock, ...offering } = wireOffering({ redisStock, database, settings: config }, metrics, log);
  const draining = partitions.map((partition) =>
    drainPartition({ ...partition, redisStock, database, answers, settings: config, stop: stop.signal }),
  );
  const comparing = keepComparing({ ...parts, settings: { PARTITIONS } }, mismatchReporter(metrics, log), stop.signal);
  const reconciled = reconciling(config, database, stock, redisStock, metrics, log, stop.signal);
  const logging = wireLogging(config, redis, log);
  logging.watch();
  const delivering = deliveringWebhooks(config, stock, redisStock, metrics, log, stop.signal);
  await Promise.all([...draining, comparing, offering.keepOffering(stop.signal), reconciled, delivering]);
  logging.stop();
  await offering.leave();
  await server.stop(config.SHUTDOWN_MS_MAX / 4);
  for (const connection of connections) connection.disconnect();
  await closeDatabase(database);
  log.info('stopped after the current batch');
}

/** The reconciler with the parts it needs to open and to repair. */
function reconciling(
  config: Config,
  database: Database,
  stock: StockKeeper,
  redisStock: RedisStock,
  metrics: WorkerMetrics,
  log: Log,
  stop: AbortSignal,
): Promise<void> {
  const onFault = (error: unknown) => {
    metrics.reconcileFaults.of().add();
    log.warn({ error }, 'a round of reconciling failed, or a part of it; the next one starts over');
  };
  const announce = async (couponId: number) => {
    await redisStock.redis.publish(changesChannel(redisStock.redis), String(couponId)).catch(onFault);
  };
  const { repair } = createCouponEditor({ redisStock, database, stock, announce, onFault });
  const observer = createReconcileObserver(metrics, log);
  const open = (couponId: number) => stock.open(couponId, true);
  return keepReconciled({ redisStock, database, settings: config, repair, open, observer, onFault, stop });
}

/** The deliveries to webhooks, on two connections to MySQL of their own. */
async function deliveringWebhooks(
  config: Config,
  stock: StockKeeper,
  redisStock: RedisStock,
  metrics: WorkerMetrics,
  log: Log,
  stop: AbortSignal,
): Promise<void> {
  const onFault = (error: unknown) => {
    metrics.webhookFaults.of().add();
    log.warn({ error }, 'looking for events of webhooks failed, or delivering them; the next round starts over');
  };
  const database = openDatabase({ ...config, MYSQL_CONNECTIONS_MAX: 2 });
  const readCertain = reachOfFeed(createFeed({ redisStock, database, stock }));
  const observer = createWebhookObserver(metrics, log);
  await keepDelivering({ database, readCertain, settings: config, observer, onFault, stop });
  await closeDatabase(database);
}

/** The worker's whole HTTP surface. */
async function answer(request: Request, metrics: WorkerMetrics): Promise<Response> {
  switch (new URL(request.url).pathname) {
    case '/livez':
      return new Response('ok\n');
    case '/metrics':
      return new Response(await metrics.render(), { headers: { 'content-type': metrics.contentType } });
    default:
      return new Response('not found\n', { status: 404 });
  }
}
