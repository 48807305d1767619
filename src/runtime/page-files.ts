// page-files.ts -- The built pages as files in memory: built from `web/` where Bun runs, else read from where `bun run build` put them.

import { readdir, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ASSETS_PATH, type PageFile } from '../http/assets.ts';
import { OperatorError } from '../operator-error.ts';

const root = resolve(import.meta.dirname, '../..');

/** Where `bun run build` puts them, for runtimes that cannot build. */
export const BUILT_PAGES_FOLDER = resolve(root, 'dist/pages');

/**
 * The files of all pages. On Bun this takes about a tenth of a second, and what is served is always what `web/` says.
 *
 * @throws OperatorError when they have not been built; Error when a page cannot be built
 */
export async function loadPages(): Promise<readonly PageFile[]> {
  return typeof Bun === 'undefined' ? readPages(BUILT_PAGES_FOLDER) : buildPages();
}

/** Builds all pages. */
export async function buildPages(): Promise<readonly PageFile[]> {
  const { outputs } = await Bun.build({
    entrypoints: ['console.html', 'drop.html'].map((name) => resolve(root, 'web', name)),
    root: resolve(root, 'web'),
    target: 'browser',
    format: 'esm',
    minify: true,
    publicPath: ASSETS_PATH,
    // With a hash in the name, browsers may cache them forever.
    naming: { entry: '[name].[ext]', chunk: '[name]-[hash].[ext]', asset: '[name]-[hash].[ext]' },
    throw: true,
  });
  return await Promise.all(
    outputs.map(async (output) => ({
      name: output.path.replace(/^.*\//, ''),
      bytes: new Uint8Array(await output.arrayBuffer()),
    })),
  );
}

async function readPages(folder: string): Promise<readonly PageFile[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new OperatorError('dist/pages: Deno cannot build the pages; run `bun run build` first', { cause });
  });
  return await Promise.all(
    names.map(async (name) => ({ name, bytes: new Uint8Array(await readFile(resolve(folder, name))) })),
  );
}
