// Ctrl-C, a closed terminal and a polite kill all mean the same: stop what was started, the last first, then leave.

/**
 * On the first SIGINT, SIGTERM or SIGHUP calls what `undo` holds, from its end, and ends this process. Later signals change
 * nothing: a wrapper (npx, bun run) often hands on what the terminal has sent us already.
 */
export function stopOnSignals(undo: (() => unknown)[], stopped: () => void, exitCode = 0): void {
  let stopping = false;
  const stopAll = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    for (const stop of undo.splice(0).reverse()) await stop();
    stopped();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (stopping) return;
      stopAll().then(
        () => process.exit(exitCode),
        (error: unknown) => {
          console.error('Could not stop everything:', error);
          process.exit(1);
        },
      );
    });
  }
}
