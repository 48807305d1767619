// generator.ts -- Builds generator.c once, runs it, and reads what it found.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { findProgram } from '../../tools/stack/find-program.ts';
import { mustRun } from '../../tools/stack/run-command.ts';
import { BenchError } from '../bench-error.ts';
import { reportFolder } from '../report/report.ts';

/** A request each to `path` for `couponId`, for users that differ between runs by `run` (0 to 799). */
export interface Target {
  readonly port: number;
  readonly path: string;
  readonly couponId: number;
  readonly run: number;
}

/** A pause of all answers while some were due. */
export interface Stall {
  /** Since the first request was due. */
  readonly atMs: number;
  readonly lastedMs: number;
}

export interface OpenResult {
  readonly sent: number;
  readonly answered: number;
  readonly ok: number;
  /** Answers 400 to 499, and from 500 on. */
  readonly refused: number;
  readonly failed: number;
  /** Never answered, or cut. */
  readonly broken: number;
  readonly seconds: number;
  /** When the first request was due, by the clock of `process.hrtime`. */
  readonly startedMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  readonly longestStallMs: number;
  /** Of 20 ms and more, the first 20. */
  readonly stalls: readonly Stall[];
  /** CPU of the generator itself. */
  readonly cpuUs: number;
}

const source = resolve(import.meta.dirname, 'generator.c');

/** Requests that come by chance, so many a second on average, over connections that stay. */
export function runAtRate(target: Target, seconds: number, ratePerS: number, connections: number): Promise<OpenResult> {
  return run('rate', target, [seconds, ratePerS, connections]);
}

/** New connections, evenly within the window, with a request each. */
export function runBurst(
  target: Target,
  windowMs: number,
  count: number,
  after: 'keep' | 'close',
): Promise<OpenResult> {
  return run('burst', target, [windowMs, count, after]);
}

async function run(
  mode: 'rate' | 'burst',
  { port, path, couponId, run: number }: Target,
  rest: readonly (string | number)[],
): Promise<OpenResult> {
  const program = await build();
  const child = Bun.spawn([program, mode, ...[port, path, couponId, number, ...rest].map(String)], {
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [output, errors, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new BenchError(`the generator ended with code ${code}: ${errors.trim()}`);
  const { user = 0, system = 0 } = child.resourceUsage()?.cpuTime ?? {};
  return { ...(JSON.parse(output) as Omit<OpenResult, 'cpuUs'>), cpuUs: Number(user) + Number(system) };
}

/** @returns the program, of this very source */
async function build(): Promise<string> {
  const name = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16);
  const program = join(reportFolder, 'programs', `generator-${name}`);
  if (existsSync(program)) return program;
  const compiler = findProgram('cc', 'gcc', 'clang');
  if (compiler === undefined)
    throw new BenchError('no C compiler found, which builds the generator (Debian: apt-get install gcc)');
  mkdirSync(join(reportFolder, 'programs'), { recursive: true });
  const part = `${program}.${process.pid}`;
  await mustRun(compiler, ['-O2', '-o', part, source, '-lm']);
  renameSync(part, program);
  return program;
}
