// wrk.ts -- Drives wrk and reads what it found. Load is never sent before the program is known to be there.

import { resolve } from 'node:path';
import { canInstallWithApt, installWithApt } from '../../tools/stack/apt-packages.ts';
import { findProgram } from '../../tools/stack/find-program.ts';
import { step } from '../../tools/progress.ts';
import { BenchError } from '../bench-error.ts';

/** What to send. */
export interface Load {
  readonly url: string;
  readonly script: 'issue' | 'guarded' | 'hello' | 'many' | 'million' | 'flood';
  readonly args: readonly (string | number)[];
  readonly connections: number;
  readonly seconds: number;
}

/** The result. `refused` counts every answer above 399; only the server counts them by outcome. */
export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly refused: number;
  /** Connections that could not be made, or broke. */
  readonly broken: number;
  readonly timeouts: number;
  /** CPU that wrk itself took, in microseconds. */
  readonly cpuUs: number;
}

/** An answer may take this long: longer than the slowest ordinary way needs at its best. */
const ANSWER_S_MAX = 20;

/** How often to check whether a load is done. */
const LOOK_MS = 20;

/** Installs wrk where it is missing and that is allowed. @throws BenchError that says how to get it */
export async function ensureWrk(): Promise<void> {
  if (findProgram('wrk') === undefined && canInstallWithApt()) {
    await step(
      'wrk',
      () => installWithApt([[['wrk']]]),
      () => 'installed with apt',
    );
  }
  requireWrk();
}

function requireWrk(): string {
  const program = findProgram('wrk');
  if (program !== undefined) return program;
  throw new BenchError(
    'wrk not found, and it sends the load: install it (Debian, Ubuntu: apt-get install wrk; macOS: brew install wrk).',
  );
}

/**
 * Sends a load, for its time or until `isDone`.
 *
 * @throws BenchError with what wrk printed when it fails
 */
export async function runWrk(load: Load, isDone?: () => boolean): Promise<LoadResult> {
  const child = Bun.spawn(
    [
      requireWrk(),
      // One thread: it saturates a Bun server with CPU to spare, and two would only take turns on two cores.
      '-t1',
      `-c${load.connections}`,
      `-d${load.seconds}s`,
      `--timeout=${ANSWER_S_MAX}s`,
      `-s${resolve(import.meta.dirname, `wrk/${load.script}.lua`)}`,
      load.url,
      '--',
      ...load.args.map(String),
    ],
    { stdout: 'pipe', stderr: 'pipe' },
  );
  // Interrupted, wrk reports what it has so far; by itself it sits out its time even when its threads have stopped.
  const watch = setInterval(() => {
    if (isDone?.() === true) child.kill('SIGINT');
  }, LOOK_MS);
  const [output, errors, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]).finally(() => clearInterval(watch));
  if (code !== 0) throw new BenchError(`wrk ended with code ${code}:\n${output}${errors}`);
  const { user = 0, system = 0 } = child.resourceUsage()?.cpuTime ?? {};
  return { ...readResult(output), cpuUs: Number(user) + Number(system) };
}

/** Reads the line that our scripts print. @throws Error when it is not there */
export function readResult(output: string): Omit<LoadResult, 'cpuUs'> {
  const text = /^result (\{.*\})$/m.exec(output)?.[1];
  if (text === undefined) throw new Error(`wrk printed no result:\n${output}`);
  const found = new Map<string, unknown>(Object.entries(JSON.parse(text) as object));
  const whole = (name: string): number => {
    const value = found.get(name);
    if (typeof value !== 'number') throw new Error(`wrk's result has no ${name}: ${text}`);
    return value;
  };
  return {
    requests: whole('requests'),
    seconds: whole('microseconds') / 1e6,
    p50Ms: whole('p50Us') / 1000,
    p99Ms: whole('p99Us') / 1000,
    maxMs: whole('maxUs') / 1000,
    refused: whole('refused'),
    broken: whole('broken'),
    timeouts: whole('timeouts'),
  };
}
