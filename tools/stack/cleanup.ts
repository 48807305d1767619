// What a command has started, and how to stop it, the last first: at its end, on Ctrl-C, a closed terminal, a polite kill, and
// when the wrapper that launched it is gone.
import { watchLaunchers } from '../watch-launchers.ts';

export interface Cleanup {
  /** Remembers how to stop or remove something that was just started or made. */
  add(undo: () => unknown): void;
  /** Undoes everything, once: a second call waits for the first. */
  run(): Promise<void>;
}

/** @param exit how a command that was told to stop leaves: its code, and the last words to people */
export function cleanUpOnSignals(exit: { code: number; words: string }): Cleanup {
  const undos: (() => unknown)[] = [];
  let running: Promise<void> | undefined;
  const undoAll = async (): Promise<void> => {
    for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) await undo();
  };
  const run = (): Promise<void> => {
    running ??= undoAll();
    return running;
  };
  let leaving = false;
  const leave = (): void => {
    // A wrapper often hands on what the terminal has sent us already.
    if (leaving) return;
    leaving = true;
    run().then(
      () => {
        console.log(`\n${exit.words}`);
        process.exit(exit.code);
      },
      (error: unknown) => {
        console.error('Could not stop everything:', error);
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, leave);
  watchLaunchers(leave);
  return { add: (undo) => undos.push(undo), run };
}
