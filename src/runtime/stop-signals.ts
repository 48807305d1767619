// stop-signals.ts -- The first SIGTERM or SIGINT stops a process, once and within a bound; the same signal again kills it. Signals that
// other programs use for something else are logged and otherwise ignored, where the system would kill the process without a line.

import type { Log } from '../telemetry/log.ts';

/** Such as logrotate, a terminal that closes, and debuggers send. */
const IGNORED = ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;

/**
 * @param waitMsMax then the process exits with 1: a store that hangs must not keep it, and what it had accepted is in the stream
 * @param log where a signal that does nothing is noted
 * @param stop called once; its rejection is a bug, and ends the process with its stack
 */
export function onStopSignal(waitMsMax: number, log: Pick<Log, 'warn'>, stop: () => void | Promise<void>): void {
  let isStopping = false;
  const stopOnce = () => {
    if (isStopping) return;
    isStopping = true;
    setTimeout(() => process.exit(1), waitMsMax).unref();
    void stop();
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stopOnce);
  for (const signal of IGNORED) process.on(signal, () => log.warn({ signal }, 'a signal was ignored; SIGTERM stops'));
}
