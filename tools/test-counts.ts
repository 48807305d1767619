// How many tests passed and failed, never better than it was: a run that broke off or ran nothing counts as a failure.

export interface TestCounts {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * Reads the counts of a whole run.
 *
 * @param report the JUnit report of the run, empty when there is none
 * @param ended how the runner ended: `code 0` when it found nothing wrong
 */
export function countsIn(report: string, ended: string): TestCounts {
  const total = /<testsuites\b[^>]*>/.exec(report)?.[0] ?? '';
  const number = (name: string): number => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(total)?.[1] ?? 0);
  const skipped = number('skipped');
  const failures = number('failures') + number('errors');
  const passed = number('tests') - failures - skipped;
  // A file that does not even load, or a crash, shows in the exit code and not in the report.
  const isUnsaid = failures === 0 && (ended !== 'code 0' || passed === 0);
  return { passed, failed: failures + (isUnsaid ? 1 : 0), skipped };
}

/** How many tests a file declares; one of a table counts once. */
export function testsIn(source: string): number {
  return source.match(/^\s*test[.(]/gm)?.length ?? 0;
}

/** `12 passed, 0 failed`, with `, 1 skipped` when any was. */
export function countsLine({ passed, failed, skipped }: TestCounts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** Reads back the last line of `output`; undefined when that is not a `countsLine`. */
export function countsFromLine(output: string): TestCounts | undefined {
  const match = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/.exec(output.trimEnd().split('\n').at(-1) ?? '');
  return match === null
    ? undefined
    : { passed: Number(match[1]), failed: Number(match[2]), skipped: Number(match[3] ?? 0) };
}
