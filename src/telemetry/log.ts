// log.ts -- JSON lines on standard output. A line never holds personal data or a secret.

import { DrizzleQueryError } from 'drizzle-orm/errors';
import { type Logger, pino } from 'pino';
import { errorNumber, rootCause } from '../mysql/faults.ts';

export type Log = Logger;

/** Makes the log of a process. */
export function createLog(name: 'api' | 'worker' | 'migrate', level: string): Log {
  return pino({ name, level, serializers: { error: describeFault } });
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
