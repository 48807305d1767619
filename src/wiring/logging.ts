// logging.ts -- Wires what is logged: levels and the request log, as they were configured and as operators change them for a while.

import type { Redis } from 'ioredis';
import { type Actor, recordIn } from '../auth/audit-trail.ts';
import type { Config } from '../config/config.ts';
import type { Database } from '../mysql/database.ts';
import { RequestObserver } from '../http/request-log/request-observer.ts';
import { hashUser } from '../http/request-log/user-hash.ts';
import { Logging, type LogSettings } from '../operations/logging.ts';
import type { Log } from '../telemetry/log.ts';

/** Of an API: with its request log. */
export function wireRequestLog(config: Config, redis: Redis, database: Database, log: Log) {
  const { REQUEST_LOG: mode, REQUEST_LOG_SECRET: secret } = config;
  // It has no level: whether there are lines is said by its mode.
  const requestLog = log.child({}, { level: 'info' });
  const requests = new RequestObserver({
    mode,
    isTimed: config.SERVER_TIMING === 'on',
    hashUser: secret === undefined ? null : (userId) => hashUser(secret, userId),
    write: (line) => requestLog.info(line, 'request'),
  });
  if (mode !== 'off' && secret === undefined) {
    log.warn('REQUEST_LOG_SECRET is not set: request log lines have no user');
  }
  const logging = wireLogging(config, redis, log, ({ requestLog: now }) => requests.setMode(now));
  const onLoggingChanged = (by: Actor, from: LogSettings, now: ReturnType<Logging['current']>) => {
    const { untilMs, ...settings } = now;
    const until = untilMs === null ? null : new Date(untilMs).toISOString();
    // Written whatever the level is now, and each of them.
    requestLog.info({ by: by.name, ...settings, until }, 'an operator has changed what is logged');
    const change = { action: 'logging.change', couponId: null, from: { ...from }, to: { ...settings, until } } as const;
    // Not waited for: while MySQL is away is when more is to be logged.
    recordIn(database)(by, change).catch((error: unknown) => requestLog.warn({ error }, 'a change was not recorded'));
  };
  return { requests, logging, onLoggingChanged };
}

/** @param apply is called with what is in effect, beside the level */
export function wireLogging(config: Config, redis: Redis, log: Log, apply: (settings: LogSettings) => void = () => {}) {
  return new Logging({
    redis,
    configured: { logLevel: config.LOG_LEVEL, requestLog: config.REQUEST_LOG },
    apply: (settings) => {
      log.level = settings.logLevel;
      apply(settings);
    },
    onFault: (error) => log.debug({ error }, 'could not read from Redis what operators want logged; trying again'),
  });
}
