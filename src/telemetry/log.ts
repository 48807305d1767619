// log.ts -- JSON lines on standard output. A line never holds personal data or a secret, and lines about one failure are throttled.

import { DrizzleQueryError } from 'drizzle-orm/errors';
import { type Logger, type LoggerOptions, pino } from 'pino';
import { errorNumber, rootCause } from '../mysql/faults.ts';
import { createLogSink } from './log-sink.ts';
import { Throttle } from './throttle.ts';

export type Log = Logger;

/** First pause between two lines about one failure, such as an outage, which would otherwise write one per request. */
const FAULT_PAUSE_MS = 5000;

/** Pino's number of the level. */
const WARN = 40;

/**
 * Makes the log of a process. Warnings, and lines with an `error`, are throttled where message and cause are equal.
 *
 * @param onDropped called for each line that cannot be written
 */
export function createLog(name: 'api' | 'worker', level: string, onDropped?: () => void): Log {
  const throttle = new Throttle(FAULT_PAUSE_MS);
  const options: LoggerOptions = {
    name,
    level,
    serializers: { error: describeFault },
    hooks: {
      logMethod(args, method, levelNumber) {
        const [fields, message] = args as unknown as [unknown, string];
        const isThrottled =
          typeof fields === 'object' && fields !== null && ('error' in fields || levelNumber === WARN);
        if (!isThrottled) {
          method.apply(this, args);
          return;
        }
        const error = 'error' in fields ? fields.error : undefined;
        throttle.line(kindOf(message, error), (leftOut) => {
          method.apply(this, [leftOut > 0 ? { ...fields, leftOut } : fields, message]);
        });
      },
    },
  };
  return pino(options, createLogSink(name, onDropped));
}

/** What makes two lines one: message and cause, whatever numbers and digests are in it. */
function kindOf(message: string, error: unknown): string {
  return `${message} ${JSON.stringify(describeFault(error)).replace(/[\da-f]{8,}|\d+/gi, '#')}`;
}

/**
 * What may be logged of a failure.
 *
 * The messages of MySQL and Drizzle repeat parameters, which are user ids; so of these only name and number are kept. The
 * stack of our own errors helps to find them.
 */
export function describeFault(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { name: typeof error };
  const cause = rootCause(error);
  const number = errorNumber(error);
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  // Recognised by its class, since it has no name of its own: without a number it wraps a broken connection.
  if (number !== null || error instanceof DrizzleQueryError) return { name: 'MysqlError', number, code };
  return {
    name: error.name,
    message: error.message,
    ...(code !== undefined && { code }),
    ...(cause !== error && { cause: describeFault(cause) }),
    ...(error.name === 'InvariantViolation' && { stack: error.stack }),
  };
}
