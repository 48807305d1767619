// Finds a program of this machine, also in the folders where distributions keep servers and that a user's PATH leaves out.
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const serverFolders = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin', '/opt/homebrew/sbin'];

/** The full path of the first of `names` that can be run, or undefined. */
export function findProgram(...names: string[]): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), ...serverFolders];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    // Not there, or not for us: either way not a program that we could run.
    return false;
  }
}
