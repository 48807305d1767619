// listen-backlog.ts -- The queue of new connections: longer than the 512 that Bun asks for, since a drop begins with nothing else.
//
// Linux takes another listen() on a socket that listens as the new length of its queue, at most net.core.somaxconn. Bun has no setting
// for it. Where it cannot be done (another system, Deno) the queue stays as the runtime made it.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const BACKLOG = 4096;
const libraries = ['libc.so.6', `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`];

const listen = typeof Bun === 'undefined' || process.platform !== 'linux' ? null : await findListen();

/** Lengthens the queues of the sockets of this process that listen on a port. Returns how many it did. */
export function lengthenBacklog(port: number): number {
  if (!listen) return 0;
  const names = new Set(inodesOn(port).map((inode) => `socket:[${inode}]`));
  return openFiles().filter(({ file, name }) => names.has(name) && listen(file, BACKLOG) === 0).length;
}

async function findListen(): Promise<((file: number, backlog: number) => number) | null> {
  const { dlopen } = await import('bun:ffi');
  for (const library of libraries) {
    try {
      return dlopen(library, { listen: { args: ['int', 'int'], returns: 'int' } }).symbols.listen;
    } catch {
      // The other kind of C library, or none that can be opened.
    }
  }
  return null;
}

/** Of all processes that listen there. */
function inodesOn(port: number): string[] {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const LISTENS = '0A';
  return ['/proc/self/net/tcp', '/proc/self/net/tcp6']
    .flatMap((table) => readOrNothing(table).split('\n'))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, address, , state]) => address?.endsWith(local) && state === LISTENS)
    .map((fields) => fields[9] ?? '');
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // There is no IPv6.
    return '';
  }
}

function openFiles(): { readonly file: number; readonly name: string }[] {
  return readdirSync('/proc/self/fd').flatMap((file) => {
    try {
      return [{ file: Number(file), name: readlinkSync(`/proc/self/fd/${file}`) }];
    } catch {
      // Closed since it was listed.
      return [];
    }
  });
}
