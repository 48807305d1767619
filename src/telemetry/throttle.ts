// throttle.ts -- Writes the first of many equal log lines, then one after each pause with the number of those left out, and the pauses
// grow: an outage of a minute is a few lines, not a line per request.

/** Kinds of lines that are remembered at a time; all others count as one kind, so that lines and memory are bounded. */
const KINDS_MAX = 20;
const OTHERS = 'others';
/** How often a pause may double while lines go on. */
const DOUBLINGS_MAX = 3;

interface Held {
  count: number;
  /** Writes the latest line that was left out. */
  write: (leftOut: number) => void;
}

/** Decides which lines are written. */
export class Throttle {
  readonly #pauseMs: number;
  readonly #held = new Map<string, Held>();

  /** @param pauseMs the first pause of a kind */
  constructor(pauseMs: number) {
    this.#pauseMs = pauseMs;
  }

  /**
   * Writes a line now, or the latest of its kind when the pause is over.
   *
   * @param kind what makes lines equal
   * @param write writes the line, given how many before it were left out
   */
  line(kind: string, write: (leftOut: number) => void): void {
    const known = this.#held.has(kind) || this.#held.size < KINDS_MAX ? kind : OTHERS;
    const held = this.#held.get(known);
    if (held) {
      held.count += 1;
      held.write = write;
      return;
    }
    write(0);
    this.#pause(known, 0);
  }

  #pause(kind: string, doublings: number): void {
    const held: Held = { count: 0, write: () => undefined };
    this.#held.set(kind, held);
    const timer = setTimeout(
      () => {
        this.#held.delete(kind);
        if (held.count === 0) return;
        held.write(held.count - 1);
        this.#pause(kind, Math.min(doublings + 1, DOUBLINGS_MAX));
      },
      this.#pauseMs * 2 ** doublings,
    );
    // A line that is left out keeps no process running.
    timer.unref();
  }
}
