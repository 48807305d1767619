// failure-tables.test.ts -- Every row of the failure tables in docs/durability.md names tests that are really there, by file and title.
//
// The last cell of a row is a file in backticks and the beginnings of titles, with semicolons between them. A title may have
// places for values; what stands there in the document must stand somewhere in the file too.

import { expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Node, parseSync } from '@swc/core';

const root = resolve(import.meta.dirname, '../..');

/** A title in parts: text, and null where a value goes. */
type Title = readonly (string | null)[];

interface Named {
  readonly event: string;
  readonly file: string;
  readonly titles: readonly string[];
}

test('every failure in the document names tests that are there', () => {
  const rows = rowsOf(readFileSync(resolve(root, 'docs/durability.md'), 'utf8'));
  expect(rows.length).toBeGreaterThan(30);
  expect(rows.flatMap(faultsOf)).toEqual([]);
});

test('a row without a test, with a file that is not there, or with a title that is not in it is found', () => {
  const page = [
    '| event | answer | test |',
    '|---|---|---|',
    '| none | 503 | |',
    '| no title | 503 | `test/tools/failure-tables.test.ts` |',
    '| no file | 503 | `test/unit/no-such.test.ts`: a row |',
    '| no such title | 503 | `test/tools/failure-tables.test.ts`: a row without a test, with a file; a row with a test |',
    '| right | 503 | `test/tools/failure-tables.test.ts`: a row without a test; every failure |',
    '',
    '| event | something else |',
    '|---|---|',
    '| of no concern | here |',
  ];
  expect(rowsOf(page.join('\n')).flatMap(faultsOf)).toEqual([
    'none: names no test',
    'no title: names no test',
    'no file: there is no test/unit/no-such.test.ts',
    'no such title: no test in test/tools/failure-tables.test.ts begins with "a row with a test"',
  ]);
});

test('a title with places for values is met by values that its file knows, up to a text of its own', () => {
  const title: Title = ['MySQL error ', null, ' is waited out'];
  expect(begins('MySQL error 1021 is', title, 'const passing = { 1021: 0 }')).toBe(true);
  expect(begins('MySQL error 1021 is', title, 'const passing = { 1022: 0 }')).toBe(false);
  expect(begins('MySQL error 1021', title, 'const passing = { 1021: 0 }')).toBe(false);
  expect(begins('MySQL', title, '')).toBe(true);
});

/** The rows of all tables whose first column is `event` and whose last is headed by `test`. */
function rowsOf(page: string): Named[] {
  return page.split(/\n(?!\|)/).flatMap((block) => {
    const table = block.slice(block.search(/^\|/m)).split('\n');
    const [head = [], , ...rows] = table.filter((line) => line.startsWith('|')).map(cellsOf);
    const folder = /^test(?: in `(.+)`)?$/.exec(head.at(-1) ?? '');
    return head[0] === 'event' && folder ? rows.map((cells) => namedIn(cells, folder[1])) : [];
  });
}

function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

function namedIn(cells: readonly string[], folder: string | undefined): Named {
  const [, name = '', titles = ''] = /^`([^`]+)`: (.+)$/.exec(cells.at(-1) ?? '') ?? [];
  const file = folder === undefined ? name : `${folder}${name}.test.ts`;
  return { event: cells[0] ?? '', file: name && file, titles: titles === '' ? [] : titles.split('; ') };
}

function faultsOf({ event, file, titles }: Named): string[] {
  if (titles.length === 0) return [`${event}: names no test`];
  const path = resolve(root, file);
  if (!existsSync(path)) return [`${event}: there is no ${file}`];
  const text = readFileSync(path, 'utf8');
  const there = titlesIn(text);
  return titles
    .filter((named) => !there.some((title) => begins(named, title, text)))
    .map((named) => `${event}: no test in ${file} begins with "${named}"`);
}

/** Whether `named` is how a title begins. It must reach into a part that is text, past every value that it names. */
function begins(named: string, [part, ...others]: Title, text: string): boolean {
  if (part === undefined) return named === '';
  if (part !== null)
    return part.startsWith(named) || (named.startsWith(part) && begins(named.slice(part.length), others, text));
  return Array.from(named, (_, i) => i + 1).some(
    (end) => end < named.length && text.includes(named.slice(0, end)) && begins(named.slice(end), others, text),
  );
}

/** The titles of tests and of groups of them. */
function titlesIn(text: string): Title[] {
  const found: Title[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('type' in value && value.type === 'CallExpression') {
      const { callee, arguments: given } = value as unknown as Call;
      const title = ['test', 'describe'].includes(rootOf(callee)) ? titleOf(given[0]?.expression) : null;
      if (title) found.push(title);
    }
    for (const item of Object.values(value)) visit(item);
  };
  visit(parseSync(text, { syntax: 'typescript', target: 'esnext' }).body);
  return found;
}

interface Call {
  readonly callee: Node;
  readonly arguments: readonly { readonly expression: Node }[];
}

/** `test` of `test.skipIf(…)`, of `test.each(…)`, and of itself. */
function rootOf(node: Node): string {
  if ('object' in node) return rootOf(node.object as Node);
  if ('callee' in node) return rootOf(node.callee as Node);
  return node.type === 'Identifier' && 'value' in node ? String(node.value) : '';
}

function titleOf(node: Node | undefined): Title | null {
  const texts =
    node?.type === 'StringLiteral' && 'value' in node
      ? [String(node.value)]
      : node?.type === 'TemplateLiteral' && 'quasis' in node
        ? (node.quasis as readonly { readonly cooked: string }[]).map(({ cooked }) => cooked)
        : null;
  // `%s` and the like are places for values too.
  const parts = texts?.flatMap((text, i) => [...(i === 0 ? [] : [null]), ...text.split(/(%[sjpd])/)]);
  return parts?.map((part) => (part !== null && /^%[sjpd]$/.test(part) ? null : part)) ?? null;
}
