// Installs the npm packages when they are not the ones that bun.lock names, a fresh clone or after a pull, and audits them; also programs of PyPI.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandResult, mustRun, runCommand } from './stack/run-command.ts';

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

/** How an audit ended. `note` says why the registry could not be asked: then it is ok, and nothing is known. */
export interface AuditResult extends CommandResult {
  note?: string;
}

/** Asks the registry about every package in bun.lock. Fails for a known vulnerability that is high or critical. */
export async function auditPackages(
  root: string,
  environment: Record<string, string | undefined> = process.env,
): Promise<AuditResult> {
  const result = await runCommand(process.execPath, ['audit', '--audit-level=high'], { folder: root, environment });
  const [, reason] = /^error: (?:POST|GET) \S+ - (.*)$/m.exec(result.output) ?? [];
  return reason === undefined
    ? result
    : { ...result, ok: true, note: `not audited, the registry cannot be asked (${reason})` };
}

/**
 * Installs a program of PyPI, such as `locust==2.43.4`, into a Python environment of its own, in `folder`.
 *
 * @throws Error with what Python printed
 */
export async function installFromPypi(python: string, requirement: string, folder: string): Promise<void> {
  try {
    await mustRun(python, ['-m', 'venv', folder]);
    await mustRun(join(folder, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', requirement]);
  } catch (error) {
    // Half an environment would be taken for a whole one the next time.
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}
