// log-sink.test.ts -- A line that cannot be written is dropped and counted, and those after it can be read again.

import { expect, test } from 'bun:test';
import { createLogSink } from '../../src/telemetry/log-sink.ts';
import { eventually } from '../eventually.ts';

/** A pipe that takes nothing until its reader goes on. */
function hangingPipe() {
  const state = { isRead: false, text: '' };
  return {
    state,
    write(bytes: Buffer): number {
      if (!state.isRead) throw Object.assign(new Error('try again'), { code: 'EAGAIN' });
      const taken = bytes.subarray(0, 7);
      state.text += taken.toString('latin1');
      return taken.length;
    },
  };
}

test('what a full pipe does not take is held and written in order, without waiting, and dropped beyond the bound', async () => {
  const pipe = hangingPipe();
  let dropped = 0;
  const sink = createLogSink('api', () => (dropped += 1), pipe.write);
  const line = (i: number) => `{"msg":"${String(i).padStart(1000)}"}\n`;
  for (let i = 0; i < 2000; i += 1) sink.write(line(i));
  expect(dropped).toBeGreaterThan(900);
  pipe.state.isRead = true;
  await eventually('the rest to be written', () => pipe.state.text.includes('could not be written'));
  const kept = Array.from({ length: 2000 - dropped }, (_, i) => line(i)).join('');
  expect(pipe.state.text.slice(0, kept.length)).toBe(kept);
  expect(JSON.parse(pipe.state.text.slice(kept.length))).toMatchObject({ level: 40, dropped });
});

test('a process whose log nobody reads goes on, and says how many lines were dropped', () => {
  const script = `
    const { createLogSink } = await import('${import.meta.dir}/../../src/telemetry/log-sink.ts');
    let dropped = 0;
    const sink = createLogSink('api', () => (dropped += 1));
    for (let i = 0; i < 3000; i += 1) sink.write('x'.repeat(999) + '\\n');
    console.error(dropped);
    process.exit(0);`;
  // The reader hangs until the writer has ended.
  const pipeline = '{ "$@"; echo $? >&2; } | { sleep 5; wc -c >&2; }';
  const { stderr } = Bun.spawnSync(['sh', '-c', pipeline, 'sh', process.execPath, '-e', script]);
  const [dropped = 0, exitCode, bytes] = stderr.toString().trim().split('\n').map(Number);
  expect({ dropped: dropped > 1500, exitCode, bytes: (bytes ?? 0) > 0 }).toEqual({
    dropped: true,
    exitCode: 0,
    bytes: true,
  });
}, 15_000);

test('a process that ends waits a moment for a reader that is behind', () => {
  const script = `
    const { createLogSink } = await import('${import.meta.dir}/../../src/telemetry/log-sink.ts');
    const sink = createLogSink('api');
    for (let i = 0; i < 300; i += 1) sink.write('x'.repeat(999) + '\\n');
    process.exit(0);`;
  // The reader takes up the pipe once the writer has begun to end.
  const pipeline = '"$@" | { read -r first; sleep 0.1; wc -c; }';
  const { stdout } = Bun.spawnSync(['sh', '-c', pipeline, 'sh', process.execPath, '-e', script]);
  expect(Number(stdout.toString())).toBe(299_000);
});

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
