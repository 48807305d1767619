// display.ts -- A rehearsal as it runs: a bar of what is left, counts by outcome, latency. On a terminal written over ten times a second,
// elsewhere a line a second.

import { isTerminal, paint, say, type Style } from '../progress.ts';
import { type Crowd, type Outcome, outcomes } from './crowd.ts';

export interface DisplayOptions {
  readonly crowd: Pick<Crowd, 'counts' | 'figures'>;
  readonly pieces: number;
  readonly startMs: number;
  readonly nowMs: () => number;
}

const BAR_CELLS = 40;
const FRAME_MS = 100;
const LINE_MS = 1_000;

const outcomeStyles: Partial<Record<Outcome, Style>> = { issued: 'green', unknown: 'red', other: 'red' };

/** Shows itself from when it is made until it is stopped. */
export class Display {
  readonly #options: DisplayOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #shownLines = 0;

  constructor(options: DisplayOptions) {
    this.#options = options;
    this.#timer = setInterval(() => (isTerminal ? this.#redraw() : this.#line()), isTerminal ? FRAME_MS : LINE_MS);
  }

  /** Shows the last state, which stays. */
  stop(): void {
    clearInterval(this.#timer);
    if (isTerminal) this.#redraw();
    else for (const line of frameOf(this.#options)) say(line);
  }

  #redraw(): void {
    const lines = frameOf(this.#options);
    const up = this.#shownLines === 0 ? '' : `\x1b[${this.#shownLines}A`;
    process.stdout.write(`${up}${lines.map((line) => `\x1b[2K${line}\n`).join('')}`);
    this.#shownLines = lines.length;
  }

  #line(): void {
    const [bar = '', counts = ''] = frameOf(this.#options);
    say(`${bar.trimEnd()}  ${counts.trim()}`);
  }
}

/** Always three lines. */
export function frameOf({ crowd, pieces, startMs, nowMs }: DisplayOptions): string[] {
  const issued = crowd.counts.get('issued') ?? 0;
  const filled = Math.min(BAR_CELLS, Math.floor((issued / pieces) * BAR_CELLS));
  const bar = `${paint('green', '█'.repeat(filled))}${paint('dim', '░'.repeat(BAR_CELLS - filled))}`;
  const leftMs = startMs - nowMs();
  const words = leftMs > 0 ? `opens in ${Math.ceil(leftMs / 1_000)} s` : `${count(issued)} of ${count(pieces)}`;
  const counted = outcomes
    .filter((outcome) => crowd.counts.get(outcome) !== 0 || outcome === 'issued')
    .map((outcome) => paint(outcomeStyles[outcome] ?? 'cyan', `${outcome} ${count(crowd.counts.get(outcome) ?? 0)}`));
  const { requests, seconds, p50Ms, p99Ms } = crowd.figures();
  const rate = leftMs > 0 ? 0 : Math.round(requests / seconds);
  return [
    `  ${bar} ${words}`,
    `  ${counted.join('   ')}`,
    paint('dim', `  ${count(rate)} requests/s   p50 ${p50Ms} ms   p99 ${p99Ms} ms`),
  ];
}

function count(value: number): string {
  return value.toLocaleString('en');
}
