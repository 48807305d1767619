// progress.ts -- What a person reads while something takes its time: one line a step, with how long it took; on a terminal also what is
// under way, in a line at the bottom that goes again. Colours only where they can be seen, and not with NO_COLOR.

/** Writes one line for people. */
export type Say = (line: string) => void;

const styles = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Style = keyof typeof styles;

/** Whether somebody watches: then lines may be written over. */
export const isTerminal = process.stdout.isTTY === true;
const hasColours = isTerminal && !process.env['NO_COLOR'];

/** The text in a colour, or as it is where there are none. */
export function paint(style: Style, text: string): string {
  return hasColours ? `\x1b[${styles[style]}m${text}\x1b[0m` : text;
}

const CLEAR_LINE = '\r\x1b[2K';
/** What stands at the bottom of the terminal; empty when nothing does. */
let status = '';

export const say: Say = (line) => {
  process.stdout.write(status === '' ? `${line}\n` : `${CLEAR_LINE}${line}\n${status}`);
};

/** Says what is under way, in place of what was said so before. */
function setStatus(text: string): void {
  if (status !== '' || text !== '') process.stdout.write(`${CLEAR_LINE}${text}`);
  status = text;
}

/** Runs a step and says afterwards, under its name, what came of it and how long it took. Errors pass through unsaid. */
export async function step<Result>(
  name: string,
  run: () => Promise<Result>,
  describe: (result: Result) => string,
): Promise<Result> {
  const startMs = performance.now();
  const took = () => paint('dim', `(${duration(performance.now() - startMs)})`);
  const timer = isTerminal ? setInterval(() => setStatus(`  ${name.padEnd(10)} … ${took()}`), 500) : undefined;
  try {
    const result = await run();
    clearInterval(timer);
    setStatus('');
    say(`  ${name.padEnd(10)} ${describe(result)} ${took()}`);
    return result;
  } finally {
    clearInterval(timer);
    setStatus('');
  }
}

/** `0.4 s`, `75 s`: as exact as a person cares for. */
export function duration(durationMs: number): string {
  const seconds = durationMs / 1_000;
  return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}
