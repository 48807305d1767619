// Runs a command to its end and keeps what it printed: shown only when it failed.

import { setTimeout as pause } from 'node:timers/promises';
import { startChild } from './child-process.ts';

export interface CommandResult {
  ok: boolean;
  /** How it ended, for people: `code 1`, `SIGKILL`. */
  ended: string;
  /** Both streams as they came, without white space at the end. */
  output: string;
}

export interface CommandOptions {
  folder?: string;
  environment?: Record<string, string | undefined>;
  /** Lets the output through as it comes as well. */
  echo?: boolean;
}

/** How long its streams may stay open after it has ended: a process that it started and left may keep them open. */
const STREAMS_MS_MAX = 5000;

/** @throws Error when the program cannot be started at all; a command that fails is a result. */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const child = await startChild({ program, args, stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const chunks: Buffer[] = [];
  for (const [stream, destination] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ] as const) {
    stream?.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (options.echo === true) destination.write(chunk);
    });
  }
  const closed = [child.stdout, child.stderr].map((stream) => new Promise((resolve) => stream?.once('close', resolve)));
  const ended = await child.ended;
  await Promise.race([Promise.all(closed), pause(STREAMS_MS_MAX, undefined, { ref: false })]);
  for (const stream of [child.stdout, child.stderr]) stream?.destroy();
  return { ok: ended === 'code 0', ended, output: Buffer.concat(chunks).toString('utf8').trimEnd() };
}

/** @throws Error with what the command printed when it did not succeed. */
export async function mustRun(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { ok, ended, output } = await runCommand(program, args, options);
  if (!ok) throw new Error(`${[program, ...args].join(' ')} ended with ${ended}:\n${output}`);
  return output;
}
