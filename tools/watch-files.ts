// Tells of changes to source files, once for each burst: an editor or a checkout writes many at a time.
import { existsSync, watch } from 'node:fs';
import { join } from 'node:path';

const quietMs = 150;
/** What the processes read: code, and what the pages are built from. Editors leave other files beside these. */
const readFiles = /\.(ts|tsx|js|lua|sql|json|css|html|svg)$/;

/**
 * Watches folders and all below them for changes of what the processes read.
 *
 * @param changed is called with one of the changed paths, relative to `root`
 * @returns what stops the watching
 */
export function watchFiles(root: string, folders: readonly string[], changed: (path: string) => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const watchers = folders
    .filter((folder) => existsSync(join(root, folder)))
    .map((folder) =>
      watch(join(root, folder), { recursive: true }, (_event, name) => {
        if (name === null || !readFiles.test(name)) return;
        clearTimeout(timer);
        timer = setTimeout(() => changed(join(folder, name)), quietMs);
      }),
    );
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  };
}
