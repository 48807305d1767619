// Finds Chromium for the tests of pages, and installs it where that is allowed and it is missing.
import { canInstallWithApt, installWithApt } from './stack/apt-packages.ts';
import { findProgram } from './stack/find-program.ts';

/** The path of Chromium, if it is here. */
export function findBrowser(): string | undefined {
  return findProgram('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable');
}

/** The path, after installing it if it is missing. Undefined where it is missing and cannot be installed. */
export async function ensureBrowser(): Promise<string | undefined> {
  const found = findBrowser();
  if (found !== undefined || !canInstallWithApt()) return found;
  await installWithApt([[['chromium', 'fonts-nanum'], ['chromium-browser']]]);
  return findBrowser();
}

/** What to do where nothing can be installed. */
export const howToGetBrowser = 'install Chromium (Debian: apt install chromium; macOS: brew install --cask chromium)';
