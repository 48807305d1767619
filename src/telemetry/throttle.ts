// throttle.ts -- Writes the first of many equal log lines, then one per pause with the number of those left out: an outage of a
// store is a line now and then, not a line per request.

/** Kinds of lines that are remembered at a time; any other is written, so that memory is bounded and nothing is lost. */
const KINDS_MAX = 1000;

interface Held {
  count: number;
  /** Writes the latest line that was left out. */
  write: (leftOut: number) => void;
}

/** Decides which lines are written. */
export class Throttle {
  readonly #pauseMs: number;
  readonly #held = new Map<string, Held>();

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
    const held = this.#held.get(kind);
    if (held) {
      held.count += 1;
      held.write = write;
      return;
    }
    write(0);
    if (this.#held.size < KINDS_MAX) this.#pause(kind);
  }

  #pause(kind: string): void {
    const held: Held = { count: 0, write: () => undefined };
    this.#held.set(kind, held);
    const timer = setTimeout(() => {
      this.#held.delete(kind);
      if (held.count === 0) return;
      held.write(held.count - 1);
      this.#pause(kind);
    }, this.#pauseMs);
    // A line that is left out keeps no process running.
    timer.unref();
  }
}
