// test-groups.ts -- Which test files run in one process, in what order, and which never beside one another.

/** Tests that keep both cores busy by themselves: browsers, crowds, fuzzers. Two of them at a time would only wait for each other. */
const HEAVY = ['test/browser/', 'test/chaos/', 'test/judge/', 'test/network/nginx', 'test/integration/fuzzer'];

/** Further files that take long, the longest first; every other file takes a second or less. */
const LONG = [
  'test/mutation/',
  'test/integration/start',
  'test/model/',
  'test/conformance/',
  'test/monitoring/prometheus',
  'test/simulation/',
  'test/network/network',
  'test/store-outages/',
  'test/integration/recovery',
  'test/contract/',
  'test/integration/',
];

/** Short files that share a process: starting one takes about as long as they do. */
const FILES_PER_GROUP = 8;

/** Groups of files, each in the order in which they are to be started. Of `heavy` only one runs at a time. */
export interface TestGroups {
  readonly heavy: string[][];
  readonly others: string[][];
}

export function groupsOf(files: readonly string[]): TestGroups {
  const isHeavy = (file: string): boolean => HEAVY.some((prefix) => file.startsWith(prefix));
  const rankOf = (file: string): number => {
    const rank = LONG.findIndex((prefix) => file.startsWith(prefix));
    return rank < 0 ? LONG.length : rank;
  };
  const others = files.filter((file) => !isHeavy(file));
  const long = others.filter((file) => rankOf(file) < LONG.length).toSorted((a, b) => rankOf(a) - rankOf(b));
  const short = others.filter((file) => rankOf(file) === LONG.length);
  const groups = long.map((file) => [file]);
  for (let i = 0; i < short.length; i += FILES_PER_GROUP) groups.push(short.slice(i, i + FILES_PER_GROUP));
  return { heavy: files.filter(isHeavy).map((file) => [file]), others: groups };
}

/** What a run printed, without the tests that passed. */
export function failuresOf(output: string): string {
  return output
    .split('\n')
    .filter((line) => !line.startsWith('(pass) '))
    .join('\n')
    .replaceAll(/\n{3,}/g, '\n\n');
}
