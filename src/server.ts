// server.ts -- Entry of `bun run start`: config, connections, app, serve; SIGTERM drains in reverse order.

import { openAccess } from './wiring/access.ts';
import { createApp } from './app.ts';
import { readConfig } from './config/config.ts';
import { suspectNames } from './config/environment.ts';
import { createHumanVerifier } from './http/captcha.ts';
import { metricsApp } from './operations/health-routes.ts';
import { wireApi } from './wiring/api.ts';
import { claimInstallation, keepComparing } from './installation/installation.ts';
import { throughPool } from './mysql/database.ts';
import { fileLimitFault } from './runtime/file-limit.ts';
import { loadPages } from './runtime/page-files.ts';
import { preflight } from './runtime/preflight.ts';
import { createReadiness } from './runtime/readiness.ts';
import { testApi } from './runtime/redis-self-test.ts';
import { serve } from './runtime/serve.ts';
import { onStopSignal } from './runtime/stop-signals.ts';
import { startOrExplain } from './operator-error.ts';
import { createLog, type Log } from './telemetry/log.ts';
import { createApiMetrics, mismatchReporter } from './wiring/metrics.ts';

const USAGE = `usage: bun run start   (the API; settings come from the environment, see docs/configuration.md)

Needs DATABASE_URL and REDIS_URL, and authentication: ADMIN_API_KEY, JWT_SECRET or JWT_JWKS_URL, or AUTH=off. On SIGTERM it answers
the requests in progress and exits. \`bun run dev\` starts everything, with private stores.`;

await startOrExplain(USAGE, start);

async function start(): Promise<void> {
  const config = readConfig();
  const metrics = createApiMetrics();
  const log = createLog('api', config.LOG_LEVEL, () => metrics.droppedLogLines.of().add());
  for (const line of [...suspectNames(), fileLimitFault(config)]) if (line !== null) log.warn(line);
  const issuing = wireApi(config, metrics, log);
  const { database, redis, redisStock, subscriber, connections } = issuing;
  const [pages] = await Promise.all([
    loadPages(),
    preflight({
      database,
      connections,
      settings: config,
      say: (waiting) => log.warn(waiting),
      testRedis: () => testApi(redis, subscriber, config.USER_REQUESTS_MAX + config.ADDRESS_REQUESTS_MAX > 0),
    }),
  ]);
  // What secures waits for no one: revoked keys, readiness, and whether the stores belong together.
  const parts = { database: throughPool(database, 'security'), redis, settings: config };
  const PARTITIONS = redisStock.setPartitions(await claimInstallation(parts));
  await issuing.listen();
  const probe = createReadiness(parts);
  const access = await openAccess({ ...parts, config, log, metrics });
  const { CAPTCHA_VERIFY_URL: verifyUrl, CAPTCHA_SECRET: secret } = config;
  const app = createApp({
    ...access,
    pages,
    ...issuing,
    ...(verifyUrl && secret && { humanVerifier: createHumanVerifier(verifyUrl, secret) }),
    config,
    readiness: probe.check,
    metrics,
    log,
  });
  const { onError, onRefusing } = createServerObserver(log);
  const reusePort = config.REUSE_PORT === 'on';
  const { HOST: host, PORT: port, KEEP_ALIVE_S: keepAliveS } = config;
  const server = await serve(app.fetch, { host, port, keepAliveS, reusePort, onRefusing, onError });
  const metricsServer =
    config.METRICS_PORT === undefined
      ? null
      : await serve(metricsApp(metrics), {
          host: config.HOST,
          port: config.METRICS_PORT,
          portSetting: 'METRICS_PORT',
          onError,
        });
  const stop = new AbortController();
  const comparing = keepComparing({ ...parts, settings: { PARTITIONS } }, mismatchReporter(metrics, log), stop.signal);
  const watching = Promise.all([comparing, issuing.keepOffering(stop.signal), issuing.keepCodesClean(stop.signal)]);
  onStopSignal(config.SHUTDOWN_MS_MAX, log, async () => {
    log.info('stopping: answering the requests in progress');
    stop.abort();
    probe.stop();
    access.stop();
    await issuing.releaseWaiters();
    // A client that never reads its answer must not keep the connections to the stores from closing properly.
    await server.stop(config.SHUTDOWN_MS_MAX / 2);
    await watching;
    await issuing.close();
    // Last, so that the draining can be watched.
    await metricsServer?.stop(config.SHUTDOWN_MS_MAX / 4);
    log.info('stopped');
    // Such a client would keep Deno running.
    process.exit(0);
  });
  // Last: from here on a signal is heard.
  log.info({ url: server.url, ...(metricsServer && { metricsUrl: metricsServer.url }) }, 'listening');
}

function createServerObserver(log: Log) {
  return {
    onError: (error: unknown) => log.error({ error }, 'the server failed'),
    onRefusing: (isRefusing: boolean) =>
      log.warn(
        isRefusing ? 'files run out: no connection is accepted until there is room' : 'accepting connections again',
      ),
  };
}
