// audit.test.ts -- The audit of bun.lock fails for a known vulnerability, and says so where the registry cannot be asked.

import { afterAll, expect, test } from 'bun:test';
import { resolve } from 'node:path';
import { auditPackages } from '../../tools/packages.ts';

const root = resolve(import.meta.dirname, '../..');
let answer = () => Response.json({});
const registry = Bun.serve({ port: 0, fetch: () => answer() });
afterAll(() => registry.stop(true));

const audit = (address = registry.url.href) => auditPackages(root, { ...process.env, BUN_CONFIG_REGISTRY: address });
const advisory = (severity: string) => () =>
  Response.json({
    elysia: [{ id: 1, title: 'planted', severity, vulnerable_versions: '<99', url: 'https://a.example' }],
  });

test('passes without a vulnerability, and with one that is low', async () => {
  for (answer of [() => Response.json({}), advisory('low')]) {
    const { ok, note, output } = await audit();
    expect([ok, note, /checked \d{3,} packages/.test(output)]).toEqual([true, undefined, true]);
  }
});

test('fails for a high one, and names it', async () => {
  answer = advisory('high');
  const { ok, note, output } = await audit();
  expect([ok, note]).toEqual([false, undefined]);
  expect(output).toContain('high: planted');
});

test('says that the registry could not be asked, and does not fail', async () => {
  answer = () => new Response(null, { status: 405 });
  expect(await audit()).toMatchObject({ ok: true, note: 'not audited, the registry cannot be asked (405)' });
  const nobody = await audit('http://127.0.0.1:1/');
  expect([nobody.ok, nobody.note]).toEqual([true, 'not audited, the registry cannot be asked (ConnectionRefused)']);
});
