// redocly.test.ts -- The document passes redocly's recommended rules without an error or a warning, with and without authentication.

import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fakeApp, fakeAuthority } from './fakes.ts';

const root = resolve(import.meta.dirname, '../..');

test.each(['off', 'on'] as const)('with AUTH=%s the document has no error and no warning', async (auth) => {
  const { app } = fakeApp({ authority: fakeAuthority({ isOn: auth === 'on' }) });
  const answer = await app.fetch(new Request('http://localhost/swagger/json'));
  expect(await problemsOf(await answer.text())).toEqual([]);
});

test('a document without an operationId is refused', async () => {
  const paths = { '/a': { get: { responses: { 200: { description: 'ok' } } } } };
  const found = await problemsOf(JSON.stringify({ openapi: '3.0.3', info: { title: 'a', version: '1' }, paths }));
  expect(found).toContain('operation-operationId');
});

/** The rules that a document breaks. */
async function problemsOf(document: string): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'coupon-document-'));
  try {
    const file = join(folder, 'openapi.json');
    await Bun.write(file, document);
    const child = Bun.spawn(
      [process.execPath, '--bun', 'run', 'redocly', 'lint', file, '--format=json', '--extends=recommended'],
      { cwd: root, stdout: 'pipe', stderr: 'pipe', env: { ...process.env, REDOCLY_TELEMETRY: 'off' } },
    );
    const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    const from = output.indexOf('{');
    if (from < 0) throw new Error(`redocly printed no report: ${output}${errors}`);
    const { problems } = JSON.parse(output.slice(from)) as { problems: { ruleId: string }[] };
    return problems.map(({ ruleId }) => ruleId);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
