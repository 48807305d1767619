// server.ts -- Entry of `bun run start`: config, connections, app, serve; SIGTERM drains in reverse order.

import { createApp } from './app.ts';
import { ConfigFault, readConfig } from './config.ts';
import { createIssuing } from './issuing.ts';
import { DatabaseUrlFault } from './mysql/url.ts';
import { PreflightFault, preflight } from './preflight.ts';
import { createReadiness } from './readiness.ts';
import { serve } from './serve.ts';
import { createLog } from './telemetry/log.ts';
import { createApiMetrics } from './telemetry/metrics.ts';

try {
  await start();
} catch (error) {
  const known = error instanceof ConfigFault || error instanceof PreflightFault || error instanceof DatabaseUrlFault;
  const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
  if (!known && !taken) throw error;
  console.error(taken ? 'PORT: this port is taken; stop what listens there, or set PORT to another' : error.message);
  process.exit(1);
}

async function start(): Promise<void> {
  const config = readConfig();
  const log = createLog('api', config.LOG_LEVEL);
  const metrics = createApiMetrics();
  const issuing = createIssuing(config, metrics, log);
  const { database, redis, subscriber } = issuing;
  await preflight(database, [redis, subscriber], config.ALLOW_VOLATILE_REDIS === 'on');
  await issuing.listen();
  const probe = createReadiness({ redis, database });
  const app = createApp({
    ...issuing,
    config,
    readiness: probe.check,
    metrics,
    log,
  });
  const server = await serve(app.fetch, {
    host: config.HOST,
    port: config.PORT,
    onError: (error) => log.error({ error }, 'the server failed'),
  });
  log.info({ url: server.url }, 'listening');

  const stop = async () => {
    log.info('stopping: answering what was accepted');
    // A hung dependency must not keep a process that was told to go; what it had accepted is in the stream.
    setTimeout(() => process.exit(1), config.SHUTDOWN_MS_MAX).unref();
    probe.stop();
    await issuing.letGo();
    await server.stop();
    await issuing.close();
    log.info('stopped');
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop());
}
