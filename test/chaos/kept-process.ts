// kept-process.ts -- One process of the system, kept running as a supervisor in production would: when it ends, it is started again.

import { closeSync, openSync } from 'node:fs';
import { type ChildProcess, startChild } from '../../tools/stack/child-process.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';

export interface KeptProcessOptions {
  /** As people read it. */
  readonly name: string;
  /** The file that Bun runs. */
  readonly entry: string;
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** Its HTTP port. */
  readonly port: number;
  /** Where it alone answers. */
  readonly aliveUrl: string;
}

/** What the next start differs in. */
export interface NextStart {
  readonly entry: string;
  readonly environment: Readonly<Record<string, string>>;
}

const READY_MS_MAX = 30_000;
/** Until a process that ends at some point comes to that point: the crowd leads it there by chance. */
export const REACHED_MS_MAX = 120_000;
/** Between an end and the next start: a store that is away must not make us spin. */
const RESTART_MS = 100;

export class KeptProcess {
  readonly #options: KeptProcessOptions;
  #folder: string;
  #child: ChildProcess | null = null;
  #starting: Promise<void> = Promise.resolve();
  #wanted = false;
  #next: NextStart | null = null;
  #starts = 0;

  constructor(options: KeptProcessOptions) {
    this.#options = options;
    this.#folder = options.folder;
  }

  get name(): string {
    return this.#options.name;
  }

  get port(): number {
    return this.#options.port;
  }

  /** How often it was started. */
  get starts(): number {
    return this.#starts;
  }

  /** The process that runs now; null between two. */
  get pid(): number | null {
    return this.#child && !this.#child.hasEnded() ? this.#child.pid : null;
  }

  /** Starts it and waits until it answers. */
  async start(): Promise<void> {
    this.#wanted = true;
    this.#run();
    await this.ready();
  }

  /** Waits until it answers. */
  async ready(): Promise<void> {
    await waitUntil(`${this.name} to answer`, () => isAlive(this.#options.aliveUrl), { waitMsMax: READY_MS_MAX });
  }

  /** Waits until it was started so many times in all. */
  async startedTimes(count: number, waitMsMax = READY_MS_MAX): Promise<void> {
    await waitUntil(`${this.name} to be started again`, () => this.#starts >= count, { waitMsMax });
  }

  /** Sends a signal to the process that runs now, if one does. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.signal(signal);
  }

  /** Kills it without warning; it is restarted immediately, the next time with `next` if that is given. */
  async kill(next: NextStart | null = null): Promise<void> {
    this.#next = next;
    const child = this.#child;
    child?.signal('SIGKILL');
    await child?.ended;
  }

  /** From the next start on it runs the source in this folder. */
  moveTo(folder: string): void {
    this.#folder = folder;
  }

  /** Asks it to finish, and waits until a new one answers. Returns how the old one ended. */
  async replace(): Promise<string> {
    const child = this.#child;
    child?.signal('SIGTERM');
    const ended = (await child?.ended) ?? 'was not running';
    await this.ready();
    return ended;
  }

  /** Ends it for good. */
  async stop(): Promise<void> {
    this.#wanted = false;
    await this.#starting;
    await this.#child?.stop();
  }

  #run(): void {
    this.#starting = this.#spawn();
  }

  async #spawn(): Promise<void> {
    const { entry, environment } = this.#next ?? this.#options;
    this.#next = null;
    const log = openSync(this.#options.logFile, 'a');
    const child = await startChild({
      program: process.execPath,
      args: [entry],
      stdio: ['ignore', log, log],
      folder: this.#folder,
      environment: { ...process.env, ...this.#options.environment, ...environment },
    });
    closeSync(log);
    this.#child = child;
    this.#starts += 1;
    void child.ended.then(() => {
      setTimeout(() => {
        if (this.#wanted) this.#run();
      }, RESTART_MS);
    });
  }
}

async function isAlive(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, {
      keepalive: false,
      signal: AbortSignal.timeout(1000),
    });
    return answer.ok;
  } catch {
    // Not there yet, or stopped: asked again until the bound.
    return false;
  }
}
