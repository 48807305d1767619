// log-sink.test.ts -- A line that cannot be written is dropped and counted, and those after it can be read again.

import { expect, test } from 'bun:test';
import { createLogSink } from '../../src/telemetry/log-sink.ts';

/** A disk with room for so many bytes, as many at a time. */
function diskOf(size: number, atATime = 1000) {
  let room = size;
  const written: Buffer[] = [];
  return {
    get text() {
      return Buffer.concat(written).toString();
    },
    free(bytes: number) {
      room += bytes;
    },
    write(bytes: Buffer): number {
      const count = Math.min(room, atATime, bytes.length);
      if (count === 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      written.push(bytes.subarray(0, count));
      room -= count;
      return count;
    },
  };
}

test('lines are written whole, however little the system takes at a time', () => {
  const disk = diskOf(1000, 3);
  const sink = createLogSink('api', undefined, disk.write);
  sink.write('{"msg":"the first"}\n');
  sink.write('{"msg":"두 번째"}\n');
  expect(disk.text).toBe('{"msg":"the first"}\n{"msg":"두 번째"}\n');
});

test('what a full disk takes no more is dropped and counted, and said once there is room', () => {
  const disk = diskOf(30);
  let dropped = 0;
  const count = () => {
    dropped += 1;
  };
  const sink = createLogSink('api', count, disk.write);
  for (let i = 0; i < 5; i += 1) sink.write(`{"msg":"line ${i}"}\n`);
  expect(dropped).toBe(4);
  disk.free(1000);
  sink.write('{"msg":"after"}\n');
  sink.write('{"msg":"later"}\n');
  const lines = disk.text.trimEnd().split('\n');
  // The second was torn.
  expect(lines.filter((line) => !line.endsWith('}'))).toHaveLength(1);
  const whole = lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(whole).toEqual([
    { msg: 'line 0' },
    { msg: 'after' },
    { ...whole[2], level: 40, name: 'api', dropped: 4, msg: 'log lines could not be written' },
    { msg: 'later' },
  ]);
});
