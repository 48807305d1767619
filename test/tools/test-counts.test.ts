// The count that the gate is judged by is never better than the run was.
import { expect, test } from 'bun:test';
import { countsFromLine, countsIn, countsLine } from '../../tools/test-counts.ts';

function report(tests: number, failures: number, skipped: number): string {
  const totals = `tests="${tests}" assertions="9" failures="${failures}" skipped="${skipped}" time="0.1"`;
  return `<?xml version="1.0"?>\n<testsuites name="bun test" ${totals}>\n  <testsuite name="a" tests="77" failures="7" />\n</testsuites>`;
}

test('a report counts as it says', () => {
  expect(countsIn(report(12, 0, 0), 'code 0')).toEqual({ passed: 12, failed: 0, skipped: 0 });
  expect(countsIn(report(12, 3, 2), 'code 1')).toEqual({ passed: 7, failed: 3, skipped: 2 });
});

test('a run that broke off, or failed outside its tests, has failed', () => {
  expect(countsIn('', 'SIGKILL')).toEqual({ passed: 0, failed: 1, skipped: 0 });
  expect(countsIn(report(12, 0, 0), 'code 1')).toEqual({ passed: 12, failed: 1, skipped: 0 });
});

test('a run in which no test ran has failed', () => {
  expect(countsIn('', 'code 0').failed).toBe(1);
  expect(countsIn(report(2, 0, 2), 'code 0').failed).toBe(1);
});

test('the closing line reads back as it was written, and nothing else does', () => {
  for (const counts of [
    { passed: 3, failed: 0, skipped: 0 },
    { passed: 3, failed: 1, skipped: 2 },
  ]) {
    expect(countsFromLine(`noise\n${countsLine(counts)}\n`)).toEqual(counts);
  }
  expect(countsFromLine('3 passed, 0 failed\nerror: it broke')).toBeUndefined();
});
