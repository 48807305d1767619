// A child process that never outlives us: stopped by us in the normal case, by its lifeline when we are killed hard.
import type { Readable } from 'node:stream';
import { type ChildProcess as NodeChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { identify, type ProcessIdentity } from './process-identity.ts';

export interface ChildProcess {
  readonly pid: number;
  readonly identity: ProcessIdentity | undefined;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** Resolves, and never rejects, when the process has ended, with how it did: `code 1`, `SIGKILL`. */
  readonly ended: Promise<string>;
  hasEnded(): boolean;
  /** Sends a signal; nothing happens when the process has ended. */
  signal(signal: NodeJS.Signals): void;
  /** Asks it to end with SIGTERM and kills it when it has not after `waitMsMax`. Resolves when it is gone. */
  stop(waitMsMax?: number): Promise<void>;
}

export interface ChildProcessOptions {
  program: string;
  args: readonly string[];
  stdio: StdioOptions;
  folder?: string;
  environment?: Record<string, string | undefined>;
}

// Longer than the API and the worker allow themselves to finish what is under way.
const stopMsMax = 30_000;

/** Starts a child. It has a process group of its own: Ctrl-C reaches us alone, and we stop things in the right order. */
export async function startChild(options: ChildProcessOptions): Promise<ChildProcess> {
  const child = spawn(options.program, options.args, {
    stdio: options.stdio,
    detached: true,
    ...(options.folder === undefined ? {} : { cwd: options.folder }),
    ...(options.environment === undefined ? {} : { env: options.environment }),
  });
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`));
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${options.program} started without a pid`);
  const lifeline = startLifeline(pid);
  // The lifeline must not outlive the child: the pid may soon belong to a stranger.
  void ended.then(() => lifeline.kill('SIGKILL'));
  return childFrom(child, pid, ended);
}

function childFrom(child: NodeChildProcess, pid: number, ended: Promise<string>): ChildProcess {
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const signal = (name: NodeJS.Signals): void => {
    if (!hasEnded()) child.kill(name);
  };
  return {
    pid,
    identity: identify(pid),
    stdout: child.stdout,
    stderr: child.stderr,
    ended,
    hasEnded,
    signal,
    async stop(waitMsMax = stopMsMax) {
      signal('SIGTERM');
      // A stopped process (SIGSTOP) would never see it.
      signal('SIGCONT');
      const timer = setTimeout(() => signal('SIGKILL'), waitMsMax);
      await ended;
      clearTimeout(timer);
    },
  };
}

// A shell that waits for a line that never comes. When we die, however hard, the system closes our end of its pipe, and it ends
// the child; it escalates too, for a child that was stopped or hangs.
const lifelineScript = 'read -r line; kill -TERM "$1" && kill -CONT "$1" && sleep 10 && kill -KILL "$1"';

function startLifeline(pid: number): NodeChildProcess {
  return spawn('/bin/sh', ['-c', lifelineScript, 'lifeline', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
}
