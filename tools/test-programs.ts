// Finds what tests need beside the stores, and installs it where that is allowed and it is missing: Chromium for the pages, nginx for the
// proxy. Their system services are not started.
import { canInstallWithApt, installWithApt } from './stack/apt-packages.ts';
import { findProgram } from './stack/find-program.ts';

/** The path of Chromium, if it is here. */
export function findBrowser(): string | undefined {
  return findProgram('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable');
}

/** The path of nginx, if it is here, with `openssl` for a certificate. */
export function findNginx(): string | undefined {
  return findProgram('openssl') && findProgram('nginx');
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
