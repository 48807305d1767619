// What a person reads while something takes its time: one line a step, with how long it took.

/** Writes one line for people. */
export type Say = (line: string) => void;

export const say: Say = (line) => console.log(line);

/** Runs a step and says afterwards, under its name, what came of it and how long it took. Errors pass through unsaid. */
export async function step<Result>(
  name: string,
  run: () => Promise<Result>,
  describe: (result: Result) => string,
): Promise<Result> {
  const startMs = performance.now();
  const result = await run();
  say(`  ${name.padEnd(10)} ${describe(result)} (${duration(performance.now() - startMs)})`);
  return result;
}

/** `0.4 s`, `75 s`: as exact as a person cares for. */
export function duration(durationMs: number): string {
  const seconds = durationMs / 1_000;
  return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}
