// clone.ts -- The repository as a newcomer has it: its files in a folder of their own, with the packages of this one.

import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const folders = ['bench', 'client', 'drizzle', 'src', 'test', 'tools', 'web', 'workers'];
const files = ['package.json', 'bun.lock', 'bunfig.toml', 'tsconfig.json'];

export function makeClone() {
  const folder = mkdtempSync(join(tmpdir(), 'coupon-clone-'));
  for (const path of [...folders, ...files]) cpSync(join(root, path), join(folder, path), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

/** What a newcomer's shell has: no setting of ours. */
export function plainEnvironment(): Record<string, string | undefined> {
  const { PATH, HOME, TMPDIR, TEST_MYSQL_PROGRAM } = process.env;
  return { PATH, HOME, TMPDIR, TEST_MYSQL_PROGRAM };
}
