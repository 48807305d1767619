// watch-files.test.ts -- What a saved file sets off under `bun run dev`: everything that the processes read, and nothing else.

import { expect, test } from 'bun:test';
import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import { watchFiles } from '../../tools/watch-files.ts';
import { eventually } from '../eventually.ts';

const root = resolve(import.meta.dirname, '../..');
const watched = ['src', 'web', 'workers', 'drizzle'];

/** Every kind of file there is in the watched folders. */
const kinds = [
  ...new Set(watched.flatMap((folder) => globSync('**/*.*', { cwd: join(root, folder) })).map((path) => extname(path))),
].sort();

test('there are kinds of files to try', () => {
  expect(kinds).toContain('.lua');
  expect(kinds).toContain('.tsx');
});

test.each(kinds)('a saved %s file is reported', async (kind) => {
  await withWatchedFolder(async (save, reported) => {
    save(`saved${kind}`);
    await eventually('the change to be reported', () => reported.length > 0);
    expect([...new Set(reported)]).toEqual([join('src', `saved${kind}`)]);
  });
});

test('backup files of an editor are not reported', async () => {
  await withWatchedFolder(async (save, reported) => {
    save('saved.ts');
    // Of a burst the last change is reported, so that this one would be.
    for (const name of ['saved.ts~', '.saved.ts.swp', '4913']) save(name);
    await eventually('the change to be reported', () => reported.length > 0);
    expect([...new Set(reported)]).toEqual([join('src', 'saved.ts')]);
  });
});

/** Runs a body with a folder `src` that is watched, and with what was reported of it. */
async function withWatchedFolder(
  body: (save: (name: string) => void, reported: readonly string[]) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'coupon-watched-'));
  const reported: string[] = [];
  const inside = join(folder, 'src');
  mkdirSync(inside);
  const stop = watchFiles(folder, ['src'], (path) => reported.push(path));
  try {
    await body((name) => writeFileSync(join(inside, name), 'changed'), reported);
  } finally {
    stop();
    rmSync(folder, { recursive: true });
  }
}
