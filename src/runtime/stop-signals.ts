// stop-signals.ts -- The first SIGTERM or SIGINT stops a process, once and within a bound; the same signal again kills it.

/**
 * @param waitMsMax then the process exits with 1: a store that hangs must not keep it, and what it had accepted is in the stream
 * @param stop called once; its rejection is a bug, and ends the process with its stack
 */
export function onStopSignal(waitMsMax: number, stop: () => void | Promise<void>): void {
  let isStopping = false;
  const stopOnce = () => {
    if (isStopping) return;
    isStopping = true;
    setTimeout(() => process.exit(1), waitMsMax).unref();
    void stop();
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stopOnce);
}
