// runtimes.test.ts -- The client as one bundle for browsers, on Bun, Deno and Node: the same program, the same result.

import { expect, test } from 'bun:test';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../../tools/stack/find-program.ts';
import { startFlakyServer } from './flaky-server.ts';
import { owningApp } from './owning-app.ts';

const deno = process.env.DENO_PATH ?? 'deno';
const node = findProgram('node');

const runtimes: (readonly [string, readonly string[]])[] = [
  ['Bun', [process.execPath]],
  // It may speak to this machine, and nothing else: no files, no environment.
  ['Deno', [deno, 'run', '--quiet', '--no-config', '--no-lock', '--no-remote', '--allow-net=127.0.0.1']],
  // Node need not be there: Bun is all that the tests ask for.
  ...(node === undefined ? [] : ([['Node', [node]]] as const)),
];

test.each(runtimes)('on %s a lost reply is retried, and the progress is followed', async (_, command) => {
  await using server = await startFlakyServer(owningApp().app, ['lost reply']);
  const folder = await mkdtemp(join(tmpdir(), 'coupon-client-'));
  try {
    const file = join(folder, 'smoke.mjs');
    await writeFile(file, await bundleFor(server.url));
    const child = Bun.spawn([...command, file], { stdout: 'pipe', stderr: 'pipe' });
    const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    expect({ err, code }).toEqual({ err: '', code: 0 });
    expect(JSON.parse(out)).toEqual({
      issued: { kind: 'issued', sequence: 1, status: 'ACCEPTED', isRecovered: true },
      again: { kind: 'already issued', sequence: 1 },
      status: 'ISSUED',
      progress: [36, 37, 36],
      operations: ['Winter sale', 1, true, 'done'],
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

async function bundleFor(url: string): Promise<string> {
  const built = await Bun.build({
    entrypoints: [join(import.meta.dir, 'smoke-entry.ts')],
    target: 'browser',
    define: { SERVER_URL: JSON.stringify(url) },
  });
  const text = await built.outputs[0]?.text();
  if (text === undefined) throw new Error('the bundle is empty');
  return text;
}
