// local-folder.ts -- `.local`, where `bun run dev` keeps its data: that it can be written, and what it says of the dev that runs now.

import { accessSync, constants, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
export const localFolder = resolve(root, '.local');
const recordFile = resolve(localFolder, 'dev.json');

/** What other commands need to know of a running dev: `src/config/environment.ts`, the rehearsal and the monitoring read it. */
export interface DevRecord {
  readonly pid: number;
  readonly apiUrl: string;
  readonly workerUrl: string;
  readonly adminApiKey: string;
  readonly DATABASE_URL: string;
  readonly REDIS_URL: string;
}

/** @throws Error in one line, with the cure, when the folder cannot be made or written */
export function makeLocalFolder(): void {
  try {
    mkdirSync(localFolder, { recursive: true });
    accessSync(localFolder, constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new Error(
      `.local, the folder for data, cannot be written (${code}): remove it, or make it yours with sudo chown -R "$(id -un)" .local`,
      { cause: error },
    );
  }
}

/** Lets other commands find this dev. Returns what takes that back. */
export function recordDev(record: DevRecord): () => void {
  // With the key of operators in it.
  writeFileSync(recordFile, JSON.stringify(record), { mode: 0o600 });
  return () => rmSync(recordFile, { force: true });
}

/** The dev that runs now; undefined when none does. */
export function readDev(): DevRecord | undefined {
  try {
    return JSON.parse(readFileSync(recordFile, 'utf8')) as DevRecord;
  } catch {
    // Not there, or being written: either way none that could be watched.
    return undefined;
  }
}
