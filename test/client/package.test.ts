// package.test.ts -- The client as a package: packed, installed in an empty project, and used from Node, Bun, Deno and a browser bundle.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { findProgram } from '../../tools/stack/find-program.ts';
import { mustRun } from '../../tools/stack/run-command.ts';
import { startFlakyServer } from './flaky-server.ts';
import { owningApp } from './owning-app.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'coupon-package-'));
const built = join(folder, 'package');
const project = join(folder, 'project');
const deno = process.env['DENO_PATH'] ?? 'deno';
const npm = findProgram('npm');
const node = findProgram('node');

const PROGRAM = `import { createCouponClient, type IssueResult } from 'coupon-issuing-client';

declare const SERVER_URL: string;

const client = createCouponClient({ url: SERVER_URL, backoffMs: 1 });
const result: IssueResult = await client.issue({ couponId: 1, userId: 'packed' });
console.log(JSON.stringify(result));
`;

beforeAll(async () => {
  await mustRun(process.execPath, ['tools/client-package.ts', '--to', built], { folder: root });
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'empty', private: true, type: 'module' }));
  writeFileSync(join(project, 'program.ts'), PROGRAM);
  // As it is published; Node need not be there, and then Bun packs and installs in the same way.
  if (npm === undefined) await mustRun(process.execPath, ['pm', 'pack', '--destination', folder], { folder: built });
  else await mustRun(npm, ['pack', '--pack-destination', folder], { folder: built });
  const [packed = ''] = globSync('*.tgz', { cwd: folder });
  if (npm === undefined) await mustRun(process.execPath, ['add', join(folder, packed)], { folder: project });
  else await mustRun(npm, ['install', '--offline', '--no-audit', join(folder, packed)], { folder: project });
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('it holds modules, types, readme and license, has no dependency, and the version of the release', () => {
  const installed = join(project, 'node_modules/coupon-issuing-client');
  const files = globSync('**/*', { cwd: installed, exclude: ['dist/*'] }).toSorted();
  expect(files).toEqual(['LICENSE', 'README.md', 'dist', 'package.json']);
  const { version, dependencies, type } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Readonly<
    Record<string, unknown>
  >;
  expect({ version, dependencies, type }).toEqual({
    version: manifest.version,
    dependencies: undefined,
    type: 'module',
  });
  for (const name of ['coupon-client.js', 'coupon-client.d.ts']) {
    expect(readFileSync(join(installed, 'dist', name), 'utf8')).not.toMatch(/from '[^']*[.]ts'/);
  }
});

test('its types are found by a program that is checked strictly', async () => {
  await mustRun(
    process.execPath,
    [
      '--bun',
      'run',
      join(root, 'node_modules/typescript/bin/tsc'),
      ...'--noEmit --strict --target es2022 --module nodenext --lib esnext,dom --types'.split(' '),
      '',
      'program.ts',
    ],
    { folder: project },
  );
}, 60_000);

const runtimes: (readonly [string, readonly string[] | undefined])[] = [
  ['Node', node === undefined ? undefined : [node]],
  ['Bun', [process.execPath]],
  // It may speak to this machine, and read what is installed.
  [
    'Deno',
    [
      deno,
      'run',
      '--quiet',
      '--no-lock',
      '--no-remote',
      '--node-modules-dir=manual',
      '--allow-net=127.0.0.1',
      '--allow-read',
    ],
  ],
];

test.each(runtimes.filter(([, command]) => command !== undefined))(
  'on %s it issues, and recovers a lost reply',
  async (name, command = []) => {
    await using server = await startFlakyServer(owningApp().app, ['lost reply']);
    const file = join(project, `program-${name}.mjs`);
    const program = new Bun.Transpiler({ loader: 'ts' }).transformSync(PROGRAM);
    writeFileSync(file, program.replace('SERVER_URL', JSON.stringify(server.url)));
    expect(JSON.parse(await mustRun(command[0] ?? '', [...command.slice(1), file], { folder: project }))).toEqual({
      kind: 'issued',
      sequence: 1,
      status: 'ACCEPTED',
      isRecovered: true,
    });
  },
  60_000,
);

test('a bundler for browsers takes it, and leaves out what is not used', async () => {
  await using server = await startFlakyServer(owningApp().app, ['lost reply']);
  const { outputs } = await Bun.build({
    entrypoints: [join(project, 'program.ts')],
    target: 'browser',
    minify: true,
    define: { SERVER_URL: JSON.stringify(server.url) },
  });
  const file = join(project, 'bundle.js');
  await Bun.write(file, (await outputs[0]?.text()) ?? '');
  expect(Bun.file(file).size).toBeLessThan(20_000);
  // Nothing of a runtime; what Bun adds for modules of the other kind is its own.
  expect(readFileSync(file, 'utf8')).not.toMatch(/\b(process|Bun|Deno)\./);
  expect(JSON.parse(await mustRun(process.execPath, [file]))).toMatchObject({ kind: 'issued', isRecovered: true });
});

test('its types are written down as JSR asks, and its names are free of this repository', async () => {
  // The rule that JSR applies. A whole dry run would ask the registry.
  await mustRun(deno, ['lint', '--rules-tags=', '--rules-include=no-slow-types', 'src'], { folder: built });
  const { name, exports } = JSON.parse(readFileSync(join(built, 'jsr.json'), 'utf8')) as Readonly<
    Record<string, unknown>
  >;
  expect({ name, exports }).toEqual({ name: '@coupon-issuing/client', exports: './src/coupon-client.ts' });
}, 60_000);
