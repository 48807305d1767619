// One of our own processes under development: its lines are shown with its name, and it starts again when a file changes.
import { createInterface } from 'node:readline';
import { type ChildProcess, startChild } from './child-process.ts';
import { paint, type Say } from '../progress.ts';

export interface ReloadingProcessOptions {
  /** As people read it: `api`. */
  name: string;
  /** The file that Bun runs. */
  entry: string;
  folder: string;
  environment: Record<string, string | undefined>;
  say: Say;
  /** Shows a line of the process, through what is given it. */
  onLine: (line: string, show: (text: string) => void) => void;
}

/** Not `bun --watch`: that gives up for good when a process exits by itself, and it sees neither SQL nor Lua. */
export class ReloadingProcess {
  readonly #options: ReloadingProcessOptions;
  #child: ChildProcess | undefined;

  constructor(options: ReloadingProcessOptions) {
    this.#options = options;
  }

  /** Whether it has to be started again to do anything. */
  get hasEnded(): boolean {
    return this.#child?.hasEnded() ?? true;
  }

  async start(): Promise<void> {
    const { entry, folder, environment, say, name, onLine } = this.#options;
    const show = (text: string): void => say(`${paint('dim', `${name.padEnd(7)}│`)} ${text}`);
    const child = await startChild({
      program: process.execPath,
      args: [entry],
      stdio: ['ignore', 'pipe', 'pipe'],
      folder,
      environment,
    });
    this.#child = child;
    for (const input of [child.stdout, child.stderr]) {
      if (input !== null) createInterface({ input }).on('line', (line) => onLine(line, show));
    }
    void child.ended.then((how) => {
      // When it is no longer ours, we stopped it ourselves, and that is no news.
      if (this.#child === child) show(`ended with ${how}; it starts again when a file changes`);
    });
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    await child?.stop();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }
}
