// history-file.ts -- Writes the history of a run as JSON lines, for a judge who knows nothing of this system but its rules.
//
// One JSON object a line; times are nanoseconds of one monotonic clock, that of the process that asked. By `kind`:
//
// coupon  `coupon` (id), `total` (null: unlimited), `opens` and `closes` (its period), `slack` (by how much clocks may differ, either
//         way), and `mayHaveGaps` if a fault of the run may make Redis lose sequences. Comes before any other line of the coupon.
// issue   A request: `coupon`, `user`, `endpoint`, `client` (who asked), `process` (the port that was asked), `start`, `end`, and the
//         answer as it came: `status` (0: timeout or broken connection), `code`, `detail`, `sequence`, each null if it had none. A request
//         that was never sent is no part of the history. An answer 5xx, other than "nothing was decided", has an unknown result, as a timeout has.
// edit    By an operator: `coupon`, `client`, `start`, `end`, `status` (other than 200: it may have happened or not), `change` (`total` with
//         `total`, `pause`, `resume`, `period` with `opens` and `closes`).
// row     In the end: `coupon`, `user`, `sequence`.
// end     The last line: `end`, after every request. Without it the file was cut short.

import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Reply } from '../chaos/lane.ts';
import type { HistoryCoupon, HistoryRow } from '../checker.ts';

/** A request and what became of it. */
export interface HistoryRequest {
  readonly client: number;
  readonly port: number;
  readonly couponId: number;
  readonly userId: string;
  readonly endpoint: string;
  readonly startNs: number;
  readonly endNs: number;
  readonly reply: Reply;
}

/** Lines that are kept before they are written: a run must neither wait for the disk at each request, nor keep an hour in memory. */
const LINES_MAX = 2000;
/** Clocks are read in whole milliseconds, and stores have one of their own on the same machine. */
const SLACK_NS = 3_000_000;

/** The clock of histories. Whole nanoseconds, exact for a hundred days. */
export function nowNs(): number {
  return Math.round(performance.now() * 1e6);
}

export class HistoryFile {
  readonly path: string;
  readonly #lines: string[] = [];
  readonly #wallToNs: (wallMs: number) => number;

  /** Begins a new file; one that is there is replaced. */
  constructor(path: string) {
    this.path = path;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '');
    const offsetMs = performance.now() - Date.now();
    this.#wallToNs = (wallMs) => Math.round((wallMs + offsetMs) * 1e6);
  }

  coupon({ id, total, startMs, endMs }: HistoryCoupon): void {
    const [opens, closes] = [this.#wallToNs(startMs), this.#wallToNs(endMs)];
    this.#write({ kind: 'coupon', coupon: id, total, opens, closes, slack: SLACK_NS });
  }

  request({ client, port, couponId, userId, endpoint, startNs, endNs, reply }: HistoryRequest): void {
    if (reply.kind === 'not sent') return;
    const asked = { client, process: port, coupon: couponId, user: userId, endpoint, start: startNs, end: endNs };
    this.#write({ kind: 'issue', ...asked, ...answerOf(reply) });
  }

  rows(rows: readonly HistoryRow[]): void {
    for (const { couponId, userId, sequence } of rows)
      this.#write({ kind: 'row', coupon: couponId, user: userId, sequence });
  }

  /** Leaves coupons out: a store lost what was answered about them, which their rules do not know. */
  leaveOut(couponIds: ReadonlySet<number>): void {
    if (couponIds.size === 0) return;
    this.#flush();
    const lines = readFileSync(this.path, 'utf8').trimEnd().split('\n');
    const kept = lines.filter((line) => !couponIds.has((JSON.parse(line) as { readonly coupon: number }).coupon));
    writeFileSync(this.path, `${kept.join('\n')}\n`);
  }

  /** Writes the last line. */
  close(): void {
    this.#write({ kind: 'end', end: nowNs() });
    this.#flush();
  }

  #write(line: unknown): void {
    this.#lines.push(JSON.stringify(line));
    if (this.#lines.length >= LINES_MAX) this.#flush();
  }

  #flush(): void {
    appendFileSync(this.path, `${this.#lines.splice(0).join('\n')}\n`);
  }
}

function answerOf(reply: Exclude<Reply, { kind: 'not sent' }>) {
  if (reply.kind !== 'answer') return { status: 0, code: null, detail: null, sequence: null };
  const { code = null, detail = null, sequence = null } = JSON.parse(reply.body) as Record<string, unknown>;
  return { status: reply.status, code, detail, sequence };
}
