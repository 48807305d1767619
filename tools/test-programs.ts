// Finds what tests need beside the stores, and installs it where that is allowed and it is missing: Chromium for the pages, nginx for the
// proxy, Schemathesis for the document. Their system services are not started.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { installFromPypi } from './packages.ts';
import { canInstallWithApt, installWithApt } from './stack/apt-packages.ts';
import { findProgram } from './stack/find-program.ts';
import { runCommand } from './stack/run-command.ts';

const fuzzerVersion = '4.32.5';
const fuzzerFolder = resolve(import.meta.dirname, '../.local/tools/schemathesis');

/** The path of Chromium, if it is here. */
export function findBrowser(): string | undefined {
  return findProgram('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable');
}

/** The path of nginx, if it is here, with `openssl` for a certificate. */
export function findNginx(): string | undefined {
  return findProgram('openssl') && findProgram('nginx');
}

/** The path of Schemathesis, which sends requests that it makes up from an OpenAPI document. */
export function findFuzzer(): string | undefined {
  const own = resolve(fuzzerFolder, 'bin/schemathesis');
  return findProgram('schemathesis') ?? (existsSync(own) ? own : undefined);
}

/** The path, after installing it if it is missing. Undefined where it is missing and cannot be installed. */
export function ensureBrowser(): Promise<string | undefined> {
  return ensure(findBrowser, [['chromium', 'fonts-nanum'], ['chromium-browser']]);
}

/** The same for nginx. */
export function ensureNginx(): Promise<string | undefined> {
  return ensure(findNginx, [
    ['nginx-light', 'openssl'],
    ['nginx', 'openssl'],
  ]);
}

/** The same for Schemathesis, from PyPI. Undefined also where PyPI cannot be reached. */
export async function ensureFuzzer(): Promise<string | undefined> {
  const found = findFuzzer();
  if (found !== undefined || !canInstallWithApt()) return found;
  const python = findProgram('python3');
  // Debian keeps what makes environments apart from Python.
  const canMake = python !== undefined && (await runCommand(python, ['-c', 'import ensurepip'])).ok;
  if (!canMake) await installWithApt([[['python3-venv']]]);
  await installFromPypi(python ?? 'python3', `schemathesis==${fuzzerVersion}`, fuzzerFolder).catch(() => undefined);
  return findFuzzer();
}

async function ensure(find: () => string | undefined, packages: readonly string[][]): Promise<string | undefined> {
  const found = find();
  if (found !== undefined || !canInstallWithApt()) return found;
  await installWithApt([packages]);
  return find();
}

/** What to do where nothing can be installed. */
export const howToGetBrowser = 'install Chromium (Debian: apt install chromium; macOS: brew install --cask chromium)';
export const howToGetNginx =
  'install nginx and openssl (Debian: apt install nginx-light openssl; macOS: brew install nginx)';
export const howToGetFuzzer = `install it (pip install schemathesis==${fuzzerVersion})`;
