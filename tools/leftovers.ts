// leftovers.ts -- Folders of runs that were killed hard: each says who made it, so that the next run can remove what nobody uses.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identify, isStillRunning, type ProcessIdentity } from './stack/process-identity.ts';

const PREFIX = 'coupon-';
const OWNER_FILE = 'owner.json';

/** Makes a temporary folder that names this process as its owner, and removes those of killed runs. Remove it at the end. */
export function tempFolder(prefix: `${typeof PREFIX}${string}`): string {
  removeLeftovers();
  const folder = mkdtempSync(join(tmpdir(), prefix));
  const owner = identify(process.pid);
  if (owner) writeFileSync(join(folder, OWNER_FILE), JSON.stringify(owner));
  return folder;
}

/** Removes the folders whose owner is gone. A folder without an owner is left alone: it may just be being made. */
export function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = join(tmpdir(), name);
    const owner = readOwner(folder);
    if (owner && !isStillRunning(owner)) rmSync(folder, { recursive: true, force: true });
  }
}

function readOwner(folder: string): ProcessIdentity | null {
  try {
    return JSON.parse(readFileSync(join(folder, OWNER_FILE), 'utf8')) as ProcessIdentity;
  } catch {
    return null;
  }
}
