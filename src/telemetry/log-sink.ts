// log-sink.ts -- Where log lines go, standard output, without waiting for it. What a full pipe does not take is held within a bound; what
// cannot be written or held, as on a full disk, is dropped and counted: a log keeps no process from its work.

import { constants, fstatSync, openSync, writeSync } from 'node:fs';

/** What pino writes to. */
export interface LogSink {
  write(line: string): void;
}

const STDOUT = 1;
/** Some thousand lines: the pause of a reader that rotates its files, not one that hangs. */
const HELD_BYTES_MAX = 1_048_576;
/** Between two tries to write what is held. */
const PAUSE_MS = 50;
/** So long an exit waits for a reader that is behind. */
const EXIT_MS = 200;
const EXIT_PAUSE_MS = 10;

/**
 * @param name of the process, for the line that says how many were dropped
 * @param onDropped called for each line that is dropped
 * @param writeTo writes some bytes or more and returns how many; throws when it can write none, with the code `EAGAIN` if it can later
 */
export function createLogSink(
  name: string,
  onDropped: () => void = () => undefined,
  writeTo: (bytes: Buffer) => number = writeToStdout,
): LogSink {
  let dropped = 0;
  // A part of a line was written, and the rest was not.
  let isTorn = false;
  let held: Buffer[] = [];
  let heldBytes = 0;
  let timer: ReturnType<typeof setTimeout> | null = null;
  let exiting: unknown;
  const put = (bytes: Buffer): 'written' | 'failed' | { readonly rest: Buffer } => {
    let rest = bytes;
    try {
      while (rest.length > 0) {
        rest = rest.subarray(writeTo(rest));
        isTorn = rest.length > 0;
      }
      return 'written';
    } catch (error) {
      return isFull(error) ? { rest } : 'failed';
    }
  };
  const afterTorn = (line: Buffer) => (isTorn ? Buffer.concat([Buffer.from('\n'), line]) : line);
  const drop = () => {
    dropped += 1;
    onDropped();
  };
  const flush = () => {
    timer = null;
    const lines = held;
    held = [];
    heldBytes = 0;
    for (const [at, line] of lines.entries()) {
      // The first may be the rest of a line.
      const result = put(at > 0 ? afterTorn(line) : line);
      if (result === 'failed') drop();
      else if (result !== 'written') return hold([result.rest, ...lines.slice(at + 1)]);
    }
    if (dropped > 0) reportDropped();
  };
  const hold = (lines: readonly Buffer[]) => {
    held.push(...lines);
    heldBytes += lines.reduce((sum, { length }) => sum + length, 0);
    timer ??= setTimeout(flush, PAUSE_MS).unref();
    exiting ??= process.once('exit', () => flushAtExit(flush, () => held.length > 0));
  };
  const reportDropped = () => {
    const fields = { level: 40, time: Date.now(), name, dropped, msg: 'log lines could not be written' };
    const result = put(Buffer.from(`${JSON.stringify(fields)}\n`));
    if (result === 'failed') return;
    dropped = 0;
    if (result !== 'written') hold([result.rest]);
  };
  return {
    write(line) {
      const bytes = Buffer.from(line);
      if (held.length > 0) {
        if (heldBytes + bytes.length > HELD_BYTES_MAX) drop();
        else hold([bytes]);
        return;
      }
      const result = put(afterTorn(bytes));
      if (result === 'failed') drop();
      else if (result !== 'written') hold([result.rest]);
      else if (dropped > 0) reportDropped();
    },
  };
}

function flushAtExit(flush: () => void, isAnyHeld: () => boolean): void {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  const deadlineMs = performance.now() + EXIT_MS;
  while (isAnyHeld() && performance.now() < deadlineMs) {
    Atomics.wait(sleeper, 0, 0, EXIT_PAUSE_MS);
    flush();
  }
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN';
}

let stdout: number | undefined;

function writeToStdout(bytes: Buffer): number {
  return writeSync((stdout ??= openStdout()), bytes);
}

/**
 * Standard output, where writing does not wait if it is a pipe. The pipe is opened once more, since the flag would else be changed for all
 * who have it. Where the system does not allow that, writing waits.
 */
function openStdout(): number {
  try {
    const isPipe = fstatSync(STDOUT).isFIFO();
    return isPipe ? openSync(`/proc/self/fd/${STDOUT}`, constants.O_WRONLY | constants.O_NONBLOCK) : STDOUT;
  } catch {
    return STDOUT;
  }
}
