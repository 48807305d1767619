// started-entry.ts -- An entry of the product as a process of its own, on the stores of a test file: its log, and where it listens.

import { join, resolve } from 'node:path';
import { eventually } from './eventually.ts';
import type { Stores } from './stores.ts';

const root = resolve(import.meta.dir, '..');

export interface EntryOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Arguments of the entry. */
  readonly words?: readonly string[];
  /** Runs the program that follows it. */
  readonly launcher?: readonly string[];
}

const started = new Set<Bun.Subprocess>();

/** Ends all that were started, whatever happened to them. */
export async function endStarted(): Promise<void> {
  for (const child of started) {
    child.kill('SIGKILL');
    await child.exited;
  }
  started.clear();
}

/** No more of an environment than finds the stores: also no HOME and no TMPDIR. */
export function storesEnvironment({ DATABASE_URL, REDIS_URL, KEY_PREFIX, PARTITIONS }: Partial<Stores['config']>) {
  return {
    PATH: process.env['PATH'] ?? '',
    ...(DATABASE_URL !== undefined && { DATABASE_URL }),
    ...(REDIS_URL !== undefined && { REDIS_URL }),
    ...(KEY_PREFIX !== undefined && { KEY_PREFIX }),
    ...(PARTITIONS !== undefined && { PARTITIONS: String(PARTITIONS) }),
  };
}

/** Runs an entry to its end, as an operator does. */
export async function runEntry(
  config: Partial<Stores['config']>,
  entry: string,
  words: readonly string[],
  { environment = {}, cwd = root, killAfterMs }: EntryOptions & { readonly killAfterMs?: number | undefined } = {},
) {
  const child = Bun.spawn([process.execPath, join(root, entry), ...words], {
    cwd,
    env: { ...storesEnvironment(config), ...environment },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const said = Promise.withResolvers<void>();
  const err = (async () => {
    let text = '';
    for await (const piece of child.stderr.pipeThrough(new TextDecoderStream())) {
      text += piece;
      said.resolve();
    }
    return text;
  })();
  if (killAfterMs !== undefined) {
    // From the first line that it says on.
    await Promise.race([said.promise, child.exited]);
    await Bun.sleep(killAfterMs);
    child.kill('SIGKILL');
  }
  const out = child.stdout.text();
  return { out: await out, err: await err, code: (await child.exited, child.exitCode) };
}

/** Starts it with no more of the environment than it needs: also no HOME and no TMPDIR. The caller ends it, or `endStarted`. */
export function startEntry(
  { config }: Pick<Stores, 'config'>,
  entry: string,
  { environment = {}, cwd = root, launcher = [], words = [] }: EntryOptions = {},
) {
  const child = Bun.spawn([...launcher, process.execPath, join(root, entry), ...words], {
    cwd,
    env: {
      ...storesEnvironment(config),
      AUTH: 'off',
      HOST: '127.0.0.1',
      PORT: '0',
      WORKER_PORT: '0',
      ...environment,
    },
    stdout: 'pipe',
    stderr: 'inherit',
  });
  started.add(child);
  let log = '';
  const read = async () => {
    const decoder = new TextDecoder();
    for await (const piece of child.stdout as AsyncIterable<Uint8Array>) log += decoder.decode(piece, { stream: true });
  };
  return {
    child,
    /** What it has logged so far. */
    logOf: () => log,
    /** Resolves when its log has ended. */
    read: read(),
    /** Where it listens, as soon as it does. */
    async url(): Promise<string> {
      await eventually(`${entry} to listen`, () => {
        if (child.exitCode !== null) throw new Error(`${entry} ended with ${child.exitCode}: ${log}`);
        return log.includes('"listening"');
      });
      return /"url":"([^"]+)"[^\n]*"listening"/.exec(log)?.[1] ?? '';
    },
  };
}
