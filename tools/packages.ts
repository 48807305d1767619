// Installs the npm packages when they are not the ones that bun.lock names: a fresh clone, or after a pull.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun } from './stack/run-command.ts';

/**
 * Leaves `node_modules` exactly as the lock file says. Compares contents, since a checkout touches times as it likes.
 *
 * @returns whether anything had to be installed
 * @throws Error with what the installer printed
 */
export async function installPackages(root: string): Promise<boolean> {
  const stampFile = join(root, 'node_modules', '.installed-for');
  const stamp = ['package.json', 'bun.lock']
    .reduce((hash, name) => hash.update(readFileSync(join(root, name))), createHash('sha256'))
    .digest('hex');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return false;
  await mustRun(process.execPath, ['install', '--frozen-lockfile'], { folder: root });
  writeFileSync(stampFile, stamp);
  return true;
}
