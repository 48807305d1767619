// Shows that an outage is a line now and then, which says how many were left out, and that different failures do not hide each other.
import { expect, test } from 'bun:test';
import { Throttle } from '../../src/telemetry/throttle.ts';
import { eventually } from '../eventually.ts';

/** A throttle, and what was written: the line and how many were left out before it. */
function written(pauseMs: number) {
  const throttle = new Throttle(pauseMs);
  const lines: [string, number][] = [];
  const line = (kind: string, text: string) => throttle.line(kind, (leftOut) => lines.push([text, leftOut]));
  return { lines, line };
}

test('the first line is written now, the latest of the others after the pause, with how many were left out', async () => {
  const { lines, line } = written(50);
  for (const text of ['1', '2', '3', '4']) line('outage', text);
  expect(lines).toEqual([['1', 0]]);
  await eventually('the end of the pause', () => lines.length > 1);
  expect(lines).toEqual([
    ['1', 0],
    ['4', 2],
  ]);
  // Still within a pause.
  line('outage', '5');
  expect(lines).toHaveLength(2);
  await eventually('the end of the next pause', () => lines.length > 2);
  expect(lines[2]).toEqual(['5', 0]);
});

test('after a pause without lines, the next one is written now', async () => {
  const { lines, line } = written(1);
  line('outage', '1');
  // A timer that began later and takes longer ends later, on however busy a machine.
  await Bun.sleep(5);
  line('outage', '2');
  expect(lines).toEqual([
    ['1', 0],
    ['2', 0],
  ]);
});

test('lines of other kinds are written beside it', () => {
  const { lines, line } = written(10_000);
  for (const kind of ['a', 'b', 'a', 'b']) line(kind, kind);
  expect(lines).toEqual([
    ['a', 0],
    ['b', 0],
  ]);
});

test('kinds beyond those that are remembered count as one, so that no flood of them is a flood of lines', async () => {
  const { lines, line } = written(50);
  for (let i = 0; i < 1000; i++) line(`kind ${i}`, `${i}`);
  expect(lines).toHaveLength(21);
  await eventually('the end of the pause', () => lines.length > 21);
  expect(lines.slice(21)).toEqual([['999', 978]]);
});

test('the pauses grow while lines go on, up to a bound', async () => {
  const { lines, line } = written(20);
  const startMs = performance.now();
  while (lines.length < 7) {
    line('outage', 'n');
    await Bun.sleep(1);
  }
  // 20, 40, 80, and then 160 each.
  expect(performance.now() - startMs).toBeGreaterThan(20 + 40 + 80 + 3 * 160 - 20);
});
