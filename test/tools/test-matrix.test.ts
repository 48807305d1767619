// test-matrix.test.ts -- The matrix of servers is the one of the document, and what was not tried does not count as well.

import { afterEach, expect, spyOn, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { combination, matrixServers, runMatrix } from '../../tools/matrix/test-matrix.ts';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/compatibility.md'), 'utf8');
const say = spyOn(process.stdout, 'write').mockImplementation(() => true);
afterEach(() => {
  delete process.env['MATRIX_REDIS_8_2'];
  say.mockClear();
});

test.each(matrixServers.map(({ name }) => name))('%s stands in the table of what was tried', (name) => {
  const [product, version = ''] = name.split(' ');
  expect(page).toMatch(new RegExp(`^\\| ${product} \\| ${version.replace('.', '[.]')}\\b`, 'm'));
});

test('a server that is another than its name says is not tried, and a matrix that tried none has failed', async () => {
  process.env['MATRIX_REDIS_8_2'] = process.execPath;
  expect(await runMatrix(['redis 8.2'])).toEqual({ passed: 0, failed: 1, skipped: 1 });
  expect(say.mock.calls.flat().join()).toContain(`Redis 8.2: not tried: ${process.execPath} is ${Bun.version}`);
});

test('both stores of a large installation are tried together, where there is a Vitess', async () => {
  const folder = process.env['VITESS_BIN'];
  delete process.env['VITESS_BIN'];
  try {
    expect(await runMatrix([combination])).toEqual({ passed: 0, failed: 1, skipped: 1 });
    expect(say.mock.calls.flat().join()).toContain(`${combination}: not tried: set VITESS_BIN`);
  } finally {
    if (folder !== undefined) process.env['VITESS_BIN'] = folder;
  }
});

test('a text that no server has in its name is refused', async () => {
  await expect(runMatrix(['oracle'])).rejects.toThrow('no server has "oracle" in its name');
});
