// readme.test.ts -- The example in client/README.md is a program that runs, against a server that loses its first reply.

import { expect, test } from 'bun:test';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startFlakyServer } from './flaky-server.ts';
import { owningApp } from './owning-app.ts';

const root = resolve(import.meta.dir, '../..');
const example = await Bun.file(join(root, 'client/example.ts')).text();

test('client/README.md shows the example as it is', async () => {
  const readme = await Bun.file(join(root, 'client/README.md')).text();
  const shown = /<!-- client -->\n\n```ts\n([^]*?)```\n/.exec(readme)?.[1];
  expect(shown).toBe(example.replace('./coupon-client.ts', './client/coupon-client.ts'));
});

test('the example retries after a lost reply, and prints the number and the status', async () => {
  await using server = await startFlakyServer(owningApp().app, ['lost reply']);
  const folder = await mkdtemp(join(tmpdir(), 'coupon-example-'));
  try {
    const file = join(folder, 'example.ts');
    const at = (text: string, from: string, to: string) => {
      expect(text).toContain(from);
      return text.replace(from, to);
    };
    const moved = at(example, './coupon-client.ts', join(root, 'client/coupon-client.ts'));
    await writeFile(file, at(moved, 'http://localhost:3000', server.url));
    const child = Bun.spawn([process.execPath, file], { stdout: 'pipe', stderr: 'pipe' });
    const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    expect({ out, err }).toEqual({ out: 'trying again\nyours: number 1\nISSUED\n', err: '' });
  } finally {
    await rm(folder, { recursive: true });
  }
});
