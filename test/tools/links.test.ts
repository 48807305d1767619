// links.test.ts -- Every relative link of every document leads to a file that is there, and to a heading if it names one.

import { expect, test } from 'bun:test';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const documents = globSync('**/*.md', {
  cwd: root,
  exclude: (path) => /node_modules|^\.local|^reports|^dist/.test(path),
});

test('README.md fits on two screens', () => {
  expect(readFileSync(join(root, 'README.md'), 'utf8').split('\n').length).toBeLessThanOrEqual(161);
});

test('every relative link leads somewhere', () => {
  expect(documents.length).toBeGreaterThan(10);
  expect(documents.flatMap((path) => brokenLinks(path, readFileSync(join(root, path), 'utf8')))).toEqual([]);
});

test('a link to a missing file and one to a missing heading are found', () => {
  const text =
    '[a](no-such.md) [b](README.md#no-such-heading) [c](README.md#guarantees) [d](https://example.com) ![e](docs/console.png)';
  expect(brokenLinks('CONTRIBUTING.md', text)).toEqual([
    'CONTRIBUTING.md: no-such.md',
    'CONTRIBUTING.md: README.md#no-such-heading',
  ]);
});

function brokenLinks(path: string, text: string): string[] {
  const links = [...text.replaceAll(/```[\s\S]*?```/g, '').matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
  return links
    .filter((link) => !/^(https?|mailto):/.test(link) && !leads(path, link))
    .map((link) => `${path}: ${link}`);
}

function leads(from: string, link: string): boolean {
  const [file = '', heading] = link.split('#');
  const target = file === '' ? join(root, from) : join(root, dirname(from), file);
  if (!existsSync(target)) return false;
  return (
    heading === undefined || statSync(target).isDirectory() || anchorsOf(readFileSync(target, 'utf8')).includes(heading)
  );
}

/** As GitHub makes them: lower case, without punctuation, blanks as hyphens. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
