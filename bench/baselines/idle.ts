// Entry of the nearer ceiling: our own API with everything around a decision, but none made: each request gets sequence 1 immediately.
//
// What it leaves of the echo is the price of checks, headers and measuring; what lies below it is the price of issuing.

import { createAuthMetrics } from '../../src/auth/metrics.ts';
import { openAccess } from '../../src/wiring/access.ts';
import { createApp } from '../../src/app.ts';
import { readConfig } from '../../src/config/config.ts';
import { wireApi } from '../../src/wiring/api.ts';
import { loadPages } from '../../src/runtime/page-files.ts';
import { createReadiness } from '../../src/runtime/readiness.ts';
import { serve } from '../../src/runtime/serve.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createApiMetrics } from '../../src/wiring/metrics.ts';

const config = readConfig();
const log = createLog('api', config.LOG_LEVEL);
const metrics = createApiMetrics();
const issuing = wireApi(config, metrics, log);
await issuing.listen();
const { database, redis } = issuing;
const app = createApp({
  ...(await openAccess({ config, database, redis, log, metrics: createAuthMetrics() })),
  ...issuing,
  issuance: { ...issuing.issuance, issue: () => ({ kind: 'issued', sequence: 1 }) },
  pages: await loadPages(),
  config,
  readiness: createReadiness({ redis, database, settings: { ALLOW_VOLATILE_REDIS: 'off' } }).check,
  metrics,
  log,
});
await serve(app.fetch, {
  host: config.HOST,
  port: config.PORT,
  onError: (error) => log.error({ error }, 'the server failed'),
});
