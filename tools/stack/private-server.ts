// A server of our own in a folder of its own: started on a free loopback port, ready when it says so, gone when we are.
//
// One folder is one server's data. A record beside it names the process that has it and the process that started that, so
// that a start after a hard kill ends what was left behind, and two at once are told apart instead of sharing their data.
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ChildProcess, startChild } from './child-process.ts';
import { freePort } from './free-port.ts';
import { identify, isStillRunning, type ProcessIdentity } from './process-identity.ts';
import { waitUntil } from './wait-until.ts';

export interface PrivateServer {
  readonly url: string;
  readonly port: number;
  /** Of the process that runs now; another one after `restart`. */
  readonly pid: number;
  /** Where the server writes what it has to say. */
  readonly logFile: string;
  /** Resolves when the process that runs now has ended, with how it did; another one after `restart`. */
  readonly ended: Promise<string>;
  /** Ends it in an orderly way; its data stay. Does nothing when it has ended. */
  stop(): Promise<void>;
  /** Sends a signal, SIGKILL unless told otherwise. Resolves when the process is gone, if the signal ends it. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port with the same data, stopping it first if it runs. */
  restart(): Promise<void>;
}

/** What differs between one kind of server and another. */
export interface ServerKind {
  /** As people read it, and in small letters the name of its files: `Redis`. */
  name: string;
  /** Makes ready to serve, before each start; must clear half-made work of an interrupted one. */
  prepare(): Promise<void>;
  command(port: number): { program: string; args: string[] };
  isReady(port: number): Promise<boolean>;
  url(port: number): string;
}

export interface PrivateServerOptions {
  folder: string;
  /** A free one unless given. */
  port?: number;
  readyMsMax?: number;
}

interface ServerRecord {
  server: ProcessIdentity;
  owner: ProcessIdentity;
}

const startsMax = 3;

/** @throws Error with the end of the server's log when it does not come up, or when another process of ours has the folder. */
export async function startPrivateServer(kind: ServerKind, options: PrivateServerOptions): Promise<PrivateServer> {
  mkdirSync(options.folder, { recursive: true });
  const life = new ServerLife(kind, options.folder, options.readyMsMax ?? 60_000);
  await life.clearAway();
  if (options.port !== undefined) {
    await life.start(options.port);
    return life;
  }
  for (let attempt = 1; ; attempt += 1) {
    try {
      await life.start(await freePort());
      return life;
    } catch (error) {
      // Between finding a free port and taking it, somebody else may have: that alone is worth another try.
      if (attempt === startsMax || !/address already in use/i.test(String(error))) throw error;
    }
  }
}

class ServerLife implements PrivateServer {
  readonly logFile: string;
  readonly #recordFile: string;
  readonly #kind: ServerKind;
  readonly #readyMsMax: number;
  #running: { child: ChildProcess; port: number } | undefined;

  constructor(kind: ServerKind, folder: string, readyMsMax: number) {
    this.#kind = kind;
    this.#readyMsMax = readyMsMax;
    this.logFile = join(folder, `${kind.name.toLowerCase()}.log`);
    this.#recordFile = join(folder, `${kind.name.toLowerCase()}.process.json`);
  }

  get url(): string {
    return this.#kind.url(this.port);
  }

  get port(): number {
    return this.#current().port;
  }

  get pid(): number {
    return this.#current().child.pid;
  }

  get ended(): Promise<string> {
    return this.#current().child.ended;
  }

  async start(port: number): Promise<void> {
    await this.#kind.prepare();
    const log = openSync(this.logFile, 'w');
    const child = await startChild({ ...this.#kind.command(port), stdio: ['ignore', log, log] });
    closeSync(log);
    this.#running = { child, port };
    this.#writeRecord(child);
    try {
      await waitUntil(
        `${this.#kind.name} to answer on port ${port}`,
        async () => child.hasEnded() || (await this.#kind.isReady(port)),
        { waitMsMax: this.#readyMsMax },
      );
      if (child.hasEnded()) throw new Error(`it ended with ${await child.ended}`);
    } catch (error) {
      await this.stop();
      throw new Error(`${this.#kind.name} did not start: ${String(error)}\n${this.#logEnd()}`, { cause: error });
    }
  }

  async stop(): Promise<void> {
    if (this.#running === undefined) return;
    await this.#running.child.stop();
    rmSync(this.#recordFile, { force: true });
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const { child } = this.#current();
    child.signal(signal);
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await child.ended;
  }

  async restart(): Promise<void> {
    const { port } = this.#current();
    await this.stop();
    await this.start(port);
  }

  /** Ends what a killed process of ours left running in this folder. */
  async clearAway(): Promise<void> {
    if (!existsSync(this.#recordFile)) return;
    const record = readRecord(this.#recordFile);
    if (record !== undefined && isStillRunning(record.server)) {
      if (isStillRunning(record.owner)) {
        throw new Error(
          `${this.#kind.name} in ${this.#recordFile} is in use by process ${record.owner.pid}, which still runs: stop that first.`,
        );
      }
      process.kill(record.server.pid, 'SIGTERM');
      await waitUntil(`the ${this.#kind.name} left behind to end`, () => !isStillRunning(record.server), {
        waitMsMax: 20_000,
      });
    }
    rmSync(this.#recordFile, { force: true });
  }

  #current(): { child: ChildProcess; port: number } {
    if (this.#running === undefined) throw new Error(`${this.#kind.name} was never started`);
    return this.#running;
  }

  #writeRecord(child: ChildProcess): void {
    const owner = identify(process.pid);
    // Without an identity the process has ended already, and the start is about to say so.
    if (child.identity === undefined || owner === undefined) return;
    writeFileSync(this.#recordFile, JSON.stringify({ server: child.identity, owner } satisfies ServerRecord));
  }

  #logEnd(): string {
    return readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-12).join('\n');
  }
}

function readRecord(file: string): ServerRecord | undefined {
  const text = readFileSync(file, 'utf8');
  // We may have been killed while writing it: an empty record names nobody.
  if (!text.endsWith('}}')) return undefined;
  const parsed: unknown = JSON.parse(text);
  return isRecord(parsed) ? parsed : undefined;
}

function isRecord(value: unknown): value is ServerRecord {
  return typeof value === 'object' && value !== null && 'server' in value && 'owner' in value;
}
