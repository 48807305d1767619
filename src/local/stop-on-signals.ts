// Ctrl-C, a closed terminal, a polite kill, the end of our wrapper: all mean the same. Stop what was started, the last first.
import { watchLaunchers } from './watch-launchers.ts';

/**
 * On the first SIGINT, SIGTERM or SIGHUP, or when the wrapper that launched us is gone, calls what `undo` holds, from its end,
 * and ends this process. Later signals change nothing: a wrapper often hands on what the terminal has sent us already.
 */
export function stopOnSignals(undo: (() => unknown)[], stopped: () => void, exitCode = 0): void {
  let stopping = false;
  const stopAll = async (): Promise<void> => {
    for (const stop of undo.splice(0).reverse()) await stop();
    stopped();
  };
  const leave = (): void => {
    if (stopping) return;
    stopping = true;
    stopAll().then(
      () => process.exit(exitCode),
      (error: unknown) => {
        console.error('Could not stop everything:', error);
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, leave);
  watchLaunchers(leave);
}
