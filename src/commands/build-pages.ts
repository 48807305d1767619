// build-pages.ts -- Entry of `bun run build`: writes the pages to `dist/pages`, for runtimes that cannot build them when they start.

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BUILT_PAGES_FOLDER, buildPages } from '../runtime/page-files.ts';
import { refuseArguments, runCommand } from './command.ts';

await runCommand(
  'usage: bun run build   (builds the pages to dist/pages, for Deno and for images; Bun builds them at start)',
  async (args) => {
    refuseArguments(args);
    await rm(BUILT_PAGES_FOLDER, { recursive: true, force: true });
    await mkdir(BUILT_PAGES_FOLDER, { recursive: true });
    for (const { name, bytes } of await buildPages()) {
      await writeFile(join(BUILT_PAGES_FOLDER, name), bytes);
      console.log(`${name} (${Math.ceil(bytes.byteLength / 1024)} KiB)`);
    }
  },
);
