// logging-routes.ts -- What is logged, read and changed by operators while the processes run.

import { Type } from '@sinclair/typebox';
import type { Actor } from '../auth/audit-trail.ts';
import { type Authority, operatorOf, operatorsWith } from '../auth/authority.ts';
import { LogLevel, REQUEST_LOG_MODE } from '../config/log-settings.ts';
import { formatInstant } from '../http/instant.ts';
import { route } from '../http/route.ts';
import type { Logging, LogSettings } from './logging.ts';

export interface LoggingRoutesDependencies {
  readonly config: { readonly BODY_BYTES_MAX: number };
  readonly authority: Pick<Authority, 'guard'>;
  readonly logging: Pick<Logging, 'current' | 'change'>;
  /** Called after each change. */
  readonly onLoggingChanged: (by: Actor, before: LogSettings, now: ReturnType<Logging['current']>) => void;
}

const MINUTES_MAX = 60;

const settings = {
  logLevel: Type.Union(LogLevel.anyOf, { description: 'one of fatal, error, warn, info, debug, trace, silent' }),
  requestLog: Type.String({ pattern: REQUEST_LOG_MODE, description: 'off, errors, sampled:0.01 (any share) or on' }),
};

const LoggingAnswer = Type.Object(
  {
    ...settings,
    until: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
      description: 'when the settings of the processes take effect again; null: they are in effect',
    }),
    shared: Type.Boolean({
      description: 'whether the change reaches every process within seconds; false while Redis does not respond',
    }),
  },
  { $id: 'Logging' },
);

const LoggingChange = Type.Object(
  {
    logLevel: Type.Optional(settings.logLevel),
    requestLog: Type.Optional(settings.requestLog),
    minutes: Type.Integer({
      minimum: 0,
      maximum: MINUTES_MAX,
      description: `the duration in minutes: an integer from 1 to ${MINUTES_MAX}; 0: back to the settings of the processes`,
    }),
  },
  { $id: 'LoggingChange', additionalProperties: false },
);

const example = { logLevel: 'info', requestLog: 'errors', until: '2026-12-01T01:30:00.000Z', shared: true } as const;

/** `GET` and `PATCH /v1/logging`. */
export function loggingRoutes(dependencies: LoggingRoutesDependencies) {
  return [readRoute(dependencies), changeRoute(dependencies)] as const;
}

function readRoute({ authority, logging }: LoggingRoutesDependencies) {
  return route(
    'GET',
    '/v1/logging',
    {
      operationId: 'readLogging',
      tag: 'operators',
      summary: 'Read what is logged',
      description: 'The log level and the logged requests of the process that answers.',
      access: operatorsWith(authority, 'read'),
      answers: { 200: { description: 'What is in effect.', schema: LoggingAnswer, example } },
    },
    () => ({ body: toAnswer(logging.current(), true) }),
  );
}

function changeRoute({ config, authority, logging, onLoggingChanged }: LoggingRoutesDependencies) {
  const value = { requestLog: 'errors', minutes: 30 };
  return route(
    'PATCH',
    '/v1/logging',
    {
      operationId: 'changeLogging',
      tag: 'operators',
      summary: 'Change what is logged, for a while',
      description:
        'Takes effect in all API and worker processes within seconds, without a restart. Workers have no request log.',
      access: operatorsWith(authority, 'admin'),
      body: {
        schema: LoggingChange,
        bytesMax: config.BODY_BYTES_MAX,
        examples: { errors: { summary: 'A line for each failure, for half an hour', value } },
      },
      answers: { 200: { description: 'What is in effect now.', schema: LoggingAnswer, example } },
    },
    async ({ request, body: { minutes, ...changed } }) => {
      const { logLevel, requestLog } = logging.current();
      const shared = await logging.change(changed, minutes * 60_000);
      const now = logging.current();
      onLoggingChanged(operatorOf(request), { logLevel, requestLog }, now);
      return { body: toAnswer(now, shared) };
    },
  );
}

function toAnswer({ logLevel, requestLog, untilMs }: ReturnType<Logging['current']>, shared: boolean) {
  return { logLevel, requestLog, until: untilMs === null ? null : formatInstant(untilMs), shared };
}
