// layout.test.ts -- The tree in docs/architecture.md is that of the repository: nothing is missing, nothing is stale.

import { expect, test } from 'bun:test';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const layout = /## Layout\n.*?```\n(.*?)```/s.exec(readFileSync(join(root, 'docs/architecture.md'), 'utf8'))?.[1] ?? '';
/** What stands on the left, before the words that explain it: of `src/` where it is indented. */
const named = layout.split('\n').flatMap((line) => {
  const folder = line.startsWith('  ') ? 'src' : '.';
  const names = /^ *((?:[\w-]+(?:\.[a-z]+|\/) ?|Dockerfile ?)+)/.exec(line)?.[1] ?? '';
  return names.split(' ').flatMap((name) => (name === '' ? [] : [join(folder, name)]));
});

test('everything that the layout names is there', () => {
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test('the layout names every file and folder that stands directly in `src/`', () => {
  const there = globSync('src/*', { cwd: root, withFileTypes: true }).map((entry) =>
    join('src', entry.isDirectory() ? `${entry.name}/` : entry.name),
  );
  expect(there.filter((path) => !named.includes(path))).toEqual([]);
});
