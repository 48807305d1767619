// client-package.ts -- Entry of `bun run client:package`: the client as a package, ready to be published to npm and JSR, in dist/client.

import { copyFileSync, cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { helpOn } from './help.ts';
import { say } from './progress.ts';
import { mustRun } from './stack/run-command.ts';

helpOn(`bun run client:package       builds the client as a package in dist/client: ESM, types, no dependencies

  --to FOLDER    use another folder

To publish, run in that folder: npm publish, or npx jsr publish.`);

const root = resolve(import.meta.dirname, '..');
const NAME = 'coupon-issuing-client';
const JSR_NAME = '@coupon-issuing/client';
/** The example and the type for Eden are of this repository. */
const LEFT_OUT = ['example.ts', 'eden-api.ts'];

const { values } = parseArgs({ options: { to: { type: 'string' } } });
const folder = resolve(values.to ?? join(root, 'dist/client'));
await makePackage();
say(`${NAME} is in ${folder}`);

async function makePackage(): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  const sources = join(folder, 'src');
  mkdirSync(sources, { recursive: true });
  for (const file of globSync('client/*.ts', { cwd: root })) {
    if (!LEFT_OUT.includes(basename(file))) cpSync(join(root, file), join(sources, basename(file)));
  }
  // First: it says that what the compiler writes are modules.
  const { version, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, string>;
  const about = { version, license, description: 'Issues coupons, first come, first served: only what is confirmed.' };
  writeJson('package.json', {
    name: NAME,
    ...about,
    type: 'module',
    sideEffects: false,
    exports: { '.': { types: './dist/coupon-client.d.ts', default: './dist/coupon-client.js' } },
    files: ['dist'],
    engines: { node: '>=20.3' },
  });
  const options = `--ignoreConfig --strict --skipLibCheck --declaration --target es2022 --module nodenext
    --lib esnext,dom,dom.iterable,dom.asynciterable --allowImportingTsExtensions --rewriteRelativeImportExtensions`;
  const paths = ['--rootDir', sources, '--outDir', join(folder, 'dist'), join(sources, 'coupon-client.ts')];
  // No types of a runtime: the client is of standards alone.
  const args = ['--bun', 'run', 'tsc', ...options.split(/\s+/), '--types', '', ...paths];
  await mustRun(process.execPath, args, { folder: root });
  // Declarations keep the names that were imported, under which nothing is published.
  for (const file of globSync('dist/*.d.ts', { cwd: folder })) {
    const path = join(folder, file);
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(/(from '\.\/[a-z-]+)\.ts'/g, "$1.js'"));
  }
  writeJson('jsr.json', {
    name: JSR_NAME,
    ...about,
    exports: './src/coupon-client.ts',
    publish: { include: ['src', 'README.md', 'LICENSE', 'jsr.json'] },
  });
  copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  const readme = readFileSync(join(root, 'client/README.md'), 'utf8');
  writeFileSync(join(folder, 'README.md'), readme.replaceAll('./client/coupon-client.ts', NAME));
}

function writeJson(name: string, value: object): void {
  writeFileSync(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
}
