// bench-error.ts -- Why a bench command fails, in one line for people: it could not run or judge a run, or the run was wrong.

import { OperatorError } from '../src/operator-error.ts';

/** The command cannot run, or cannot judge a run. `message` says why and what to do; a stack would say no more. */
export class BenchError extends OperatorError {
  override readonly name: string = 'BenchError';
}

/** The run was judged and is wrong: an unexpected answer, or a broken promise. The only error with exit code 1. */
export class FailedRun extends BenchError {
  override readonly name = 'FailedRun';
}

/** Runs a step whose errors are written for people already, such as the start of a server. */
export async function withBenchError<Result>(run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    throw new BenchError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
