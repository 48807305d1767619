// steered-process.ts -- A program of the tests in a process of its own, on Bun or Deno, that is told lines and tells lines.

import { resolve } from 'node:path';

export type Runtime = 'bun' | 'deno' | 'bun with 100 files';

export interface SteeredProcess {
  readonly pid: number;
  /** The next line it tells; rejects when it ends instead. */
  line(): Promise<string>;
  say(line: string): void;
  /** Ends its input. */
  leave(): void;
  /** Its exit code, once it has ended. */
  readonly exited: Promise<number>;
  kill(): void;
}

/**
 * Starts a program.
 *
 * @param entry beside this file
 */
export function startSteered(runtime: Runtime, entry: string, ...args: readonly string[]): SteeredProcess {
  const child = Bun.spawn([...commands[runtime], resolve(import.meta.dir, entry), ...args], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'inherit',
  });
  const lines = linesOf(child.stdout);
  return {
    pid: child.pid,
    exited: child.exited,
    leave: () => void child.stdin.end(),
    kill: () => child.kill('SIGKILL'),
    line: async () => {
      const { value } = await lines.next();
      if (value === undefined) throw new Error(`${entry} on ${runtime} ended with ${await child.exited}`);
      return value;
    },
    say: (line) => {
      void child.stdin.write(`${line}\n`);
      void child.stdin.flush();
    },
  };
}

const commands: Readonly<Record<Runtime, readonly string[]>> = {
  bun: [process.execPath],
  'bun with 100 files': ['prlimit', '--nofile=100:100', process.execPath],
  deno: [
    process.env.DENO_PATH ?? 'deno',
    'run',
    '--quiet',
    '--no-lock',
    '--node-modules-dir=manual',
    '--allow-net=127.0.0.1',
    '--allow-read',
    '--allow-env',
    // Deno does not let a shared port be asked for otherwise.
    '--unstable-net',
  ],
};

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string, undefined> {
  let rest = '';
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  return undefined;
}
