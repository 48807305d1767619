// log-settings.ts -- What LOG_LEVEL and REQUEST_LOG may be: settings of a process that operators may also change while it runs.

import { Type } from '@sinclair/typebox';

/** Least severe level that is logged. */
export const LogLevel = Type.Union(
  (['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const).map((level) => Type.Literal(level)),
);
/** Which requests have a log line. */
export const REQUEST_LOG_MODE = '^(off|errors|on|sampled:(0[.][0-9]{1,6}|1))$';
