// log-sink.ts -- Where log lines go, standard output. A line that cannot be written, as on a full disk, is dropped and counted: a log
// keeps no process from its work.

import { writeSync } from 'node:fs';

/** What pino writes to. */
export interface LogSink {
  write(line: string): void;
}

const STDOUT = 1;

/**
 * @param name of the process, for the line that says how many were dropped
 * @param onDropped called for each line that is dropped
 * @param writeTo writes some bytes or more and returns how many; throws when it can write none
 */
export function createLogSink(
  name: string,
  onDropped: () => void = () => undefined,
  writeTo: (bytes: Buffer) => number = (bytes) => writeSync(STDOUT, bytes),
): LogSink {
  let dropped = 0;
  // A part of a line was written, and the rest was not.
  let isTorn = false;
  const put = (text: string): boolean => {
    let rest = Buffer.from(isTorn ? `\n${text}` : text);
    try {
      while (rest.length > 0) {
        rest = rest.subarray(writeTo(rest));
        isTorn = rest.length > 0;
      }
      return true;
    } catch {
      return false;
    }
  };
  return {
    write(line) {
      if (!put(line)) {
        dropped += 1;
        onDropped();
        return;
      }
      if (dropped === 0) return;
      const fields = { level: 40, time: Date.now(), name, dropped, msg: 'log lines could not be written' };
      if (put(`${JSON.stringify(fields)}\n`)) dropped = 0;
    },
  };
}
